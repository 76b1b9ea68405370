//! The mail queue is written.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{MailId, QueuedMail, Timestamp};
use crate::secret::Sealed;
use crate::store::{StoreError, WriteMail};

impl WriteMail for SqliteTransaction<'_> {
    fn enqueue_mail(&mut self, mail: &QueuedMail) -> Result<(), StoreError> {
        self.insert(
            &[("mails.id", "mail")],
            &[],
            "INSERT INTO mails (id, sealed, attempts, next_attempt_at, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![mail.id, mail.sealed, mail.attempts, mail.next_attempt_at, mail.created_at],
        )
    }

    fn reschedule_mail(&mut self, id: MailId, attempts: u32, next_attempt_at: Timestamp) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE mails SET attempts = ?2, next_attempt_at = ?3 WHERE id = ?1";
        self.touch("mail", SQL, params![id, attempts, next_attempt_at])
    }

    fn delete_mail(&mut self, id: MailId) -> Result<(), StoreError> {
        self.touch("mail", "DELETE FROM mails WHERE id = ?1", [id])
    }

    fn reseal_mail(&mut self, id: MailId, sealed: &Sealed) -> Result<(), StoreError> {
        self.touch("mail", "UPDATE mails SET sealed = ?2 WHERE id = ?1", params![id, sealed])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::samples::{NOW, Sample, mail};
    use crate::store::{Read, Transaction};

    #[test]
    fn mails_are_queued_put_off_and_taken() {
        let sample = Sample::new();
        let later = Timestamp::from_micros(NOW.as_micros() + 1);
        let (first, second) = (mail(1, NOW), mail(2, NOW));
        sample.write(|transaction| {
            transaction.enqueue_mail(&first)?;
            transaction.enqueue_mail(&second)
        });
        assert_eq!(sample.refusal(|transaction| transaction.enqueue_mail(&first)), "mail exists already");
        sample.write(|transaction| transaction.reschedule_mail(first.id, 3, later));
        assert_eq!(sample.store.due_mails(NOW, 9).unwrap(), std::slice::from_ref(&second));
        let sealed = Sealed::from_bytes(vec![9; 400]);
        sample.write(|transaction| transaction.reseal_mail(first.id, &sealed));
        let expected = QueuedMail { sealed, attempts: 3, next_attempt_at: later, ..first };
        assert_eq!(sample.store.mails().unwrap(), [expected, second.clone()]);

        assert_eq!(sample.write(|transaction| transaction.delete_mail(second.id)), []);
        for step in [
            |transaction: &mut dyn Transaction| transaction.delete_mail(mail(2, NOW).id),
            |transaction: &mut dyn Transaction| transaction.reschedule_mail(mail(2, NOW).id, 1, NOW),
            |transaction: &mut dyn Transaction| transaction.reseal_mail(mail(2, NOW).id, &mail(2, NOW).sealed),
        ] {
            assert_eq!(sample.refusal(step), "mail does not exist");
        }
    }
}
