//! Second factors and recovery codes are written.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{Timestamp, Totp, UserId};
use crate::secret::{Digest, Sealed};
use crate::store::sqlite::constraints::Parent;
use crate::store::{Read, StoreError, WriteSecondFactors};

impl WriteSecondFactors for SqliteTransaction<'_> {
    fn put_totp(&mut self, totp: &Totp) -> Result<(), StoreError> {
        if self.totp(totp.user)?.is_some_and(|old| old.enabled_at.is_some()) {
            return self.fail(StoreError::Exists("totp"));
        }
        self.insert(
            &[],
            &[Parent::User(totp.user)],
            "INSERT INTO totps (user_id, secret, enabled_at, last_step, created_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (user_id) DO UPDATE SET secret = excluded.secret, enabled_at = excluded.enabled_at,
                                                 last_step = excluded.last_step, created_at = excluded.created_at",
            params![totp.user, totp.secret, totp.enabled_at, totp.last_step, totp.created_at],
        )
    }

    fn enable_totp(&mut self, user: UserId, at: Timestamp, step: i64) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE totps SET enabled_at = ?2, last_step = MAX(last_step, ?3)
                           WHERE user_id = ?1 AND enabled_at IS NULL";
        match self.run(SQL, params![user, at, step])? {
            0 if self.totp(user)?.is_some() => self.fail(StoreError::Exists("totp")),
            0 => self.fail(StoreError::Missing("totp")),
            _ => Ok(()),
        }
    }

    fn set_totp_step(&mut self, user: UserId, step: i64) -> Result<bool, StoreError> {
        const SQL: &str = "UPDATE totps SET last_step = ?2
                           WHERE user_id = ?1 AND enabled_at IS NOT NULL AND last_step < ?2";
        self.run(SQL, params![user, step]).map(|touched| touched > 0)
    }

    fn delete_totp(&mut self, user: UserId) -> Result<(), StoreError> {
        self.run("DELETE FROM recovery_codes WHERE user_id = ?1", [user])?;
        self.touch("totp", "DELETE FROM totps WHERE user_id = ?1", [user])
    }

    fn reseal_totp(&mut self, user: UserId, secret: &Sealed) -> Result<(), StoreError> {
        self.touch("totp", "UPDATE totps SET secret = ?2 WHERE user_id = ?1", params![user, secret])
    }

    fn replace_recovery_codes(&mut self, user: UserId, codes: &[Digest]) -> Result<(), StoreError> {
        self.run("DELETE FROM recovery_codes WHERE user_id = ?1", [user])?;
        codes.iter().try_for_each(|code| {
            self.insert(
                &[("recovery_codes.user_id, recovery_codes.digest", "recovery code")],
                &[Parent::User(user)],
                "INSERT INTO recovery_codes (user_id, digest) VALUES (?1, ?2)",
                params![user, code],
            )
        })
    }

    fn use_recovery_code(&mut self, user: UserId, code: &Digest) -> Result<bool, StoreError> {
        const SQL: &str = "DELETE FROM recovery_codes WHERE user_id = ?1 AND digest = ?2";
        self.run(SQL, params![user, code]).map(|touched| touched > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::samples::{NOW, Sample, totp};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const OTHER: UserId = UserId::from_bytes([2; 16]);

    fn codes(texts: &[&str]) -> Vec<Digest> {
        texts.iter().map(|text| Digest::of(text.as_bytes())).collect()
    }

    #[test]
    fn pairing_can_begin_again_until_it_has_succeeded() {
        let sample = Sample::populated();
        let again = Totp { secret: Sealed::from_bytes(vec![9; 60]), ..totp(1) };
        for pairing in [totp(1), again.clone()] {
            assert_eq!(sample.write(|transaction| transaction.put_totp(&pairing)), []);
            assert_eq!(sample.store.totp(USER).unwrap(), Some(pairing));
        }
        assert_eq!(sample.write(|transaction| transaction.enable_totp(USER, NOW, 7)), []);
        let enabled = Totp { enabled_at: Some(NOW), last_step: 7, ..again };
        assert_eq!(sample.refusal(|transaction| transaction.put_totp(&totp(1))), "totp exists already");
        assert_eq!(sample.refusal(|transaction| transaction.enable_totp(USER, NOW, 8)), "totp exists already");
        assert_eq!(sample.store.totp(USER).unwrap(), Some(enabled));

        assert_eq!(sample.refusal(|transaction| transaction.put_totp(&totp(99))), "user does not exist");
        assert_eq!(sample.refusal(|transaction| transaction.enable_totp(OTHER, NOW, 7)), "totp does not exist");
    }

    #[test]
    fn steps_only_grow_and_only_of_what_is_enabled() {
        let sample = Sample::populated();
        let set = |user, step| {
            let mut done = false;
            sample.write(|transaction| transaction.set_totp_step(user, step).map(|set| done = set));
            (done, sample.store.totp(user).unwrap().map(|totp| totp.last_step))
        };
        assert_eq!(set(USER, 5), (false, None));
        sample.write(|transaction| transaction.put_totp(&totp(1)));
        assert_eq!(set(USER, 5), (false, Some(0)), "it is being paired");
        sample.write(|transaction| transaction.enable_totp(USER, NOW, 5));
        assert_eq!(set(USER, 5), (false, Some(5)), "the pairing code");
        assert_eq!(set(USER, 7), (true, Some(7)));
        assert_eq!(set(USER, 7), (false, Some(7)));
        assert_eq!(set(USER, 6), (false, Some(7)), "older than the last");
        assert_eq!(set(USER, 8), (true, Some(8)));
    }

    #[test]
    fn of_twenty_uses_of_one_step_one_succeeds() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.put_totp(&totp(1))?;
            transaction.enable_totp(USER, NOW, 1)
        });
        assert_eq!(sample.winners(|transaction| transaction.set_totp_step(USER, 2)), 1);
    }

    #[test]
    fn of_twenty_pairings_one_succeeds() {
        let sample = Sample::populated();
        sample.write(|transaction| transaction.put_totp(&totp(1)));
        let won = sample.winners(|transaction| match transaction.enable_totp(USER, NOW, 1) {
            Err(StoreError::Exists("totp")) => Ok(false),
            other => other.map(|()| true),
        });
        assert_eq!(won, 1);
    }

    #[test]
    fn of_twenty_uses_of_one_recovery_code_one_succeeds() {
        let sample = Sample::populated();
        sample.write(|transaction| transaction.replace_recovery_codes(USER, &codes(&["a", "b"])));
        assert_eq!(sample.winners(|transaction| transaction.use_recovery_code(USER, &Digest::of(b"a"))), 1);
        assert_eq!(sample.store.recovery_codes_left(USER).unwrap(), 1);
    }

    #[test]
    fn a_second_factor_goes_with_its_recovery_codes() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.put_totp(&totp(1))?;
            transaction.put_totp(&totp(2))?;
            transaction.replace_recovery_codes(USER, &codes(&["a", "b"]))?;
            transaction.replace_recovery_codes(OTHER, &codes(&["a"]))
        });
        assert_eq!(sample.write(|transaction| transaction.delete_totp(USER)), []);
        assert_eq!(sample.store.totp(USER).unwrap(), None);
        assert_eq!(sample.store.recovery_codes_left(USER).unwrap(), 0);
        assert_eq!(sample.store.recovery_codes_left(OTHER).unwrap(), 1);
        assert_eq!(sample.refusal(|transaction| transaction.delete_totp(USER)), "totp does not exist");
    }

    #[test]
    fn a_secret_is_sealed_again_and_nothing_else_changes() {
        let sample = Sample::populated();
        let secret = Sealed::from_bytes(vec![9; 60]);
        sample.write(|transaction| {
            transaction.put_totp(&totp(1))?;
            transaction.enable_totp(USER, NOW, 7)?;
            transaction.reseal_totp(USER, &secret)
        });
        let expected = Totp { secret: secret.clone(), enabled_at: Some(NOW), last_step: 7, ..totp(1) };
        assert_eq!(sample.store.totp(USER).unwrap(), Some(expected));
        assert_eq!(sample.refusal(|transaction| transaction.reseal_totp(OTHER, &secret)), "totp does not exist");
    }

    #[test]
    fn new_recovery_codes_end_the_old_ones() {
        let sample = Sample::populated();
        let uses = |user, code: &str| {
            let mut used = false;
            let code = Digest::of(code.as_bytes());
            sample.write(|transaction| transaction.use_recovery_code(user, &code).map(|done| used = done));
            used
        };
        sample.write(|transaction| transaction.replace_recovery_codes(USER, &codes(&["a", "b"])));
        sample.write(|transaction| transaction.replace_recovery_codes(USER, &codes(&["b", "c"])));
        assert_eq!(sample.store.recovery_codes_left(USER).unwrap(), 2);
        assert!(!uses(USER, "a"));
        assert!(!uses(OTHER, "b"));
        assert!(uses(USER, "b"));
        assert!(!uses(USER, "b"));

        let twice = sample.refusal(|transaction| transaction.replace_recovery_codes(USER, &codes(&["d", "d"])));
        assert_eq!(twice, "recovery code exists already");
        let nobody = UserId::from_bytes([99; 16]);
        let refusal = sample.refusal(|transaction| transaction.replace_recovery_codes(nobody, &codes(&["d"])));
        assert_eq!(refusal, "user does not exist");
        assert!(uses(USER, "c"), "what was refused is undone");
    }
}
