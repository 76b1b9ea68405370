//! What signing up, resetting a password and failing to sign in leave behind is written, and forgotten in time.

use std::time::Duration;

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{PasswordReset, SignUp, Throttle, Timestamp, UserId};
use crate::secret::Digest;
use crate::store::sqlite::constraints::Parent;
use crate::store::sqlite::rows;
use crate::store::{StoreError, WriteSignIn};

/// For how long failed attempts are remembered where the account was never signed in to.
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);
/// How many expired rows of each kind are deleted at once, so that other writers wait for milliseconds only.
const BATCH: u32 = 1_000;

impl SqliteTransaction<'_> {
    /// Forgets by what a user could sign in, and how often that was tried, apart from the account itself.
    pub(super) fn forget_sign_in(&self, user: UserId) -> Result<(), StoreError> {
        for sql in [
            "DELETE FROM sign_ups WHERE email_canonical = (SELECT email_canonical FROM users WHERE id = ?1)",
            "DELETE FROM password_resets WHERE user_id = ?1",
            "DELETE FROM recovery_codes WHERE user_id = ?1",
            "DELETE FROM totps WHERE user_id = ?1",
            "DELETE FROM throttles WHERE user_id = ?1",
        ] {
            self.run(sql, [user])?;
        }
        Ok(())
    }
}

impl WriteSignIn for SqliteTransaction<'_> {
    fn insert_sign_up(&mut self, sign_up: &SignUp) -> Result<(), StoreError> {
        self.insert(
            &[("sign_ups.digest", "sign-up")],
            &[],
            "INSERT INTO sign_ups (digest, username, email, email_canonical, password_hash, created_at, expires_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                sign_up.digest,
                sign_up.username,
                sign_up.email,
                sign_up.email.canonical(),
                sign_up.password_hash,
                sign_up.created_at,
                sign_up.expires_at,
            ],
        )
    }

    fn take_sign_up(&mut self, digest: &Digest) -> Result<Option<SignUp>, StoreError> {
        const SQL: &str = concat!("DELETE FROM sign_ups WHERE digest = ?1 RETURNING ", rows::sign_up_columns!());
        self.returning(SQL, [digest], rows::sign_up).map(|mut taken| taken.pop())
    }

    fn insert_password_reset(&mut self, reset: &PasswordReset) -> Result<(), StoreError> {
        self.insert(
            &[("password_resets.digest", "password reset")],
            &[Parent::User(reset.user)],
            "INSERT INTO password_resets (digest, user_id, created_at, expires_at) VALUES (?1, ?2, ?3, ?4)",
            params![reset.digest, reset.user, reset.created_at, reset.expires_at],
        )
    }

    fn take_password_reset(&mut self, digest: &Digest) -> Result<Option<PasswordReset>, StoreError> {
        const SQL: &str =
            concat!("DELETE FROM password_resets WHERE digest = ?1 RETURNING ", rows::password_reset_columns!());
        self.returning(SQL, [digest], rows::password_reset).map(|mut taken| taken.pop())
    }

    fn delete_password_resets(&mut self, user: UserId) -> Result<(), StoreError> {
        self.run("DELETE FROM password_resets WHERE user_id = ?1", [user]).map(drop)
    }

    fn put_throttle(&mut self, throttle: &Throttle, user: Option<UserId>) -> Result<(), StoreError> {
        let account = user.map(Parent::User);
        self.insert(
            &[],
            account.as_slice(),
            "INSERT INTO throttles (key, user_id, failures, last_failure_at, trusted) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (key) DO UPDATE SET user_id = excluded.user_id, failures = excluded.failures,
                                             last_failure_at = excluded.last_failure_at, trusted = excluded.trusted",
            params![throttle.key, user, throttle.failures, throttle.last_failure_at, throttle.trusted],
        )
    }

    fn delete_throttle(&mut self, key: &Digest) -> Result<(), StoreError> {
        self.run("DELETE FROM throttles WHERE key = ?1", [key]).map(drop)
    }

    fn delete_expired(&mut self, now: Timestamp) -> Result<usize, StoreError> {
        const SIGN_UPS: &str = "DELETE FROM sign_ups WHERE digest IN (
                                    SELECT digest FROM sign_ups WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)";
        const RESETS: &str = "DELETE FROM password_resets WHERE digest IN (
                                  SELECT digest FROM password_resets WHERE expires_at <= ?1
                                  ORDER BY expires_at LIMIT ?2)";
        const THROTTLES: &str = "DELETE FROM throttles WHERE key IN (
                                     SELECT key FROM throttles WHERE trusted = 0 AND last_failure_at <= ?1
                                     ORDER BY last_failure_at LIMIT ?2)";
        let sign_ups = self.run(SIGN_UPS, params![now, BATCH])?;
        let resets = self.run(RESETS, params![now, BATCH])?;
        let throttles = self.run(THROTTLES, params![now.minus(IDLE), BATCH])?;
        Ok(sign_ups.saturating_add(resets).saturating_add(throttles))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Read;
    use crate::store::sqlite::samples::{NOW, Sample, password_reset, sign_up, throttle};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const NOBODY: UserId = UserId::from_bytes([99; 16]);

    #[test]
    fn a_sign_up_occupies_nothing_and_is_taken_once() {
        let sample = Sample::populated();
        let again = SignUp { digest: Digest::of(b"again"), ..sign_up(1) };
        sample.write(|transaction| {
            transaction.insert_sign_up(&sign_up(1))?;
            transaction.insert_sign_up(&again)
        });
        let refusal = sample.refusal(|transaction| transaction.insert_sign_up(&sign_up(1)));
        assert_eq!(refusal, "sign-up exists already");
        let take = || {
            let mut taken = None;
            sample.write(|transaction| transaction.take_sign_up(&again.digest).map(|sign_up| taken = sign_up));
            taken.map(|sign_up| (sign_up.digest, sign_up.username, sign_up.email, sign_up.expires_at))
        };
        assert_eq!(take(), Some((again.digest, again.username.clone(), again.email.clone(), again.expires_at)));
        assert_eq!(take(), None);
        assert!(sample.store.sign_up(&sign_up(1).digest).unwrap().is_some());
    }

    #[test]
    fn of_twenty_who_follow_one_link_one_takes_it() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.insert_sign_up(&sign_up(1))?;
            transaction.insert_password_reset(&password_reset(1, 1))?;
            transaction.insert_password_reset(&password_reset(2, 1))
        });
        let digest = Digest::of(&[1]);
        let won = sample.winners(|transaction| transaction.take_password_reset(&digest).map(|taken| taken.is_some()));
        assert_eq!(won, 1);
        let won = sample.winners(|transaction| transaction.take_sign_up(&digest).map(|taken| taken.is_some()));
        assert_eq!(won, 1);
        assert!(sample.store.password_reset(&password_reset(2, 1).digest).unwrap().is_some());
    }

    #[test]
    fn password_resets_are_written() {
        let sample = Sample::populated();
        let resets = [password_reset(1, 1), password_reset(2, 1), password_reset(3, 2)];
        sample.write(|transaction| resets.iter().try_for_each(|reset| transaction.insert_password_reset(reset)));
        let refusal = sample.refusal(|transaction| transaction.insert_password_reset(&password_reset(1, 2)));
        assert_eq!(refusal, "password reset exists already");
        let refusal = sample.refusal(|transaction| transaction.insert_password_reset(&password_reset(4, 99)));
        assert_eq!(refusal, "user does not exist");

        let mut taken = None;
        sample.write(|transaction| transaction.take_password_reset(&resets[0].digest).map(|reset| taken = reset));
        assert_eq!(taken, Some(resets[0]));
        for _ in 0..2 {
            sample.write(|transaction| transaction.delete_password_resets(USER));
            assert_eq!(sample.store.password_reset(&resets[1].digest).unwrap(), None);
        }
        assert_eq!(sample.store.password_reset(&resets[2].digest).unwrap(), Some(resets[2]));
    }

    #[test]
    fn what_is_taken_in_a_transaction_that_fails_can_be_taken_again() {
        let sample = Sample::populated();
        sample.write(|transaction| transaction.insert_password_reset(&password_reset(1, 1)));
        let refusal = sample.refusal(|transaction| {
            transaction.take_password_reset(&Digest::of(&[1]))?;
            transaction.set_password_hash(NOBODY, None)
        });
        assert_eq!(refusal, "user does not exist");
        assert!(sample.store.password_reset(&Digest::of(&[1])).unwrap().is_some());
    }

    #[test]
    fn counts_are_put_in_the_place_of_older_ones() {
        let sample = Sample::populated();
        let later = Throttle { failures: 9, last_failure_at: NOW.plus(IDLE), trusted: true, ..throttle(1) };
        for (throttle, user) in [(throttle(1), None), (later, Some(USER)), (throttle(1), None)] {
            assert_eq!(sample.write(|transaction| transaction.put_throttle(&throttle, user)), []);
            assert_eq!(sample.store.throttle(&throttle.key).unwrap(), Some(throttle));
        }
        let refusal = sample.refusal(|transaction| transaction.put_throttle(&throttle(1), Some(NOBODY)));
        assert_eq!(refusal, "user does not exist");
        for _ in 0..2 {
            sample.write(|transaction| transaction.delete_throttle(&throttle(1).key));
            assert_eq!(sample.store.throttle(&throttle(1).key).unwrap(), None);
        }
    }

    #[test]
    fn what_has_expired_is_deleted_and_what_is_trusted_stays() {
        let sample = Sample::populated();
        let end = sign_up(1).expires_at;
        let before = Timestamp::from_micros(end.as_micros() - 1);
        let idle = Throttle { last_failure_at: end.minus(IDLE), ..throttle(1) };
        let young =
            Throttle { last_failure_at: Timestamp::from_micros(idle.last_failure_at.as_micros() + 1), ..throttle(2) };
        let trusted = Throttle { trusted: true, ..Throttle { key: throttle(3).key, ..idle } };
        let later = PasswordReset { expires_at: Timestamp::from_micros(end.as_micros() + 1), ..password_reset(2, 1) };
        sample.write(|transaction| {
            transaction.insert_sign_up(&sign_up(1))?;
            transaction.insert_password_reset(&password_reset(1, 1))?;
            transaction.insert_password_reset(&later)?;
            [idle, young, trusted].iter().try_for_each(|throttle| transaction.put_throttle(throttle, Some(USER)))
        });
        let deleted = |now| {
            let mut count = 0;
            sample.write(|transaction| transaction.delete_expired(now).map(|deleted| count = deleted));
            count
        };
        assert_eq!(deleted(before), 0);
        assert_eq!(deleted(end), 3);
        let store = &sample.store;
        assert!(store.sign_up(&sign_up(1).digest).unwrap().is_none());
        assert_eq!(store.password_reset(&Digest::of(&[1])).unwrap(), None);
        assert_eq!(store.password_reset(&later.digest).unwrap(), Some(later));
        assert_eq!([1, 2, 3].map(|n| store.throttle(&Digest::of(&[n])).unwrap()), [None, Some(young), Some(trusted)]);
    }

    #[test]
    fn few_rows_are_deleted_at_once_and_the_oldest_first() {
        let sample = Sample::new();
        let key = |n: u32| Digest::of(&n.to_be_bytes());
        sample.write(|transaction| {
            (0..BATCH + 5).try_for_each(|n| {
                let last_failure_at = Timestamp::from_micros(NOW.as_micros() - i64::from(n));
                transaction.put_throttle(&Throttle { key: key(n), last_failure_at, ..throttle(0) }, None)
            })
        });
        let mut counts = Vec::new();
        for _ in 0..3 {
            let delete = |deleted| counts.push(deleted);
            sample.write(|transaction| transaction.delete_expired(NOW.plus(IDLE)).map(delete));
            assert!(sample.store.throttle(&key(BATCH + 4)).unwrap().is_none());
        }
        assert_eq!(counts, [BATCH as usize, 5, 0]);
    }
}
