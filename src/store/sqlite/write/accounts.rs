//! Accounts are written, and deleted with all that belongs to them.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{Change, NewUser, Timestamp, UserId};
use crate::secret::PasswordHash;
use crate::store::sqlite::constraints::Violation;
use crate::store::{StoreError, WriteAccounts};

impl WriteAccounts for SqliteTransaction<'_> {
    fn insert_user(&mut self, new: &NewUser) -> Result<(), StoreError> {
        let user = &new.user;
        self.insert(
            &[("users.id", "user"), ("users.username_canonical", "username"), ("users.email_canonical", "email")],
            &[],
            "INSERT INTO users (id, username, username_canonical, email, email_canonical, password_hash,
                                installation_administrator, tokens_not_before, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            params![
                user.id,
                user.username,
                user.username.canonical(),
                user.email,
                user.email.canonical(),
                new.password_hash,
                user.installation_administrator,
                user.tokens_not_before,
                user.created_at,
            ],
        )?;
        self.changed(Change::User(user.id))
    }

    fn delete_user(&mut self, id: UserId) -> Result<(), StoreError> {
        const API_KEYS: &str = "DELETE FROM api_keys WHERE user_id = ?1 RETURNING digest";
        const MEMBERSHIPS: &str = "DELETE FROM memberships WHERE user_id = ?1 RETURNING application_id";
        const ADMINISTERED: &str =
            "DELETE FROM organization_administrators WHERE user_id = ?1 RETURNING organization_id";
        let digests = self.returning(API_KEYS, [id], |columns| columns.take().map(Change::ApiKey))?;
        let roles = self.returning(MEMBERSHIPS, [id], |columns| Ok(Change::Membership(id, columns.take()?)))?;
        let rights = self.returning(ADMINISTERED, [id], |columns| columns.take().map(Change::Organization))?;
        self.run("DELETE FROM departures WHERE user_id = ?1", [id])?;
        self.forget_sign_in(id)?;
        if let Err(error) = self.touch("user", "DELETE FROM users WHERE id = ?1", [id]) {
            let Some(Violation::Reference) = Violation::of(&error) else { return Err(error) };
            let owned = self.returning("SELECT id FROM applications WHERE owner_id = ?1 LIMIT 1", [id], |_| Ok(()))?;
            return Err(StoreError::Exists(if owned.is_empty() { "organization" } else { "application" }));
        }
        self.changed(Change::User(id))?;
        self.all_changed(digests.into_iter().chain(roles).chain(rights))
    }

    fn set_password_hash(&mut self, user: UserId, hash: Option<&PasswordHash>) -> Result<(), StoreError> {
        self.touch("user", "UPDATE users SET password_hash = ?2 WHERE id = ?1", params![user, hash])?;
        self.changed(Change::User(user))
    }

    fn end_sessions(&mut self, user: UserId, not_before: Timestamp) -> Result<(), StoreError> {
        // The later of both times, so that a clock that was set back does not revive what was ended.
        self.touch(
            "user",
            "UPDATE users SET tokens_not_before = CASE WHEN tokens_not_before < ?2 THEN ?2 ELSE tokens_not_before END
             WHERE id = ?1",
            params![user, not_before],
        )?;
        self.changed(Change::User(user))
    }

    fn set_user_admin(&mut self, user: UserId, admin: bool) -> Result<(), StoreError> {
        self.touch("user", "UPDATE users SET installation_administrator = ?2 WHERE id = ?1", params![user, admin])?;
        self.changed(Change::User(user))
    }

    fn set_disabled(&mut self, user: UserId, at: Option<Timestamp>) -> Result<(), StoreError> {
        const API_KEYS: &str = "SELECT digest FROM api_keys WHERE user_id = ?1 ORDER BY id";
        self.touch("user", "UPDATE users SET disabled_at = ?2 WHERE id = ?1", params![user, at])?;
        // To whoever looks one up, the keys of a disabled account are as good as gone, and come with its enabling.
        let keys = self.returning(API_KEYS, [user], |columns| columns.take().map(Change::ApiKey))?;
        self.changed(Change::User(user))?;
        self.all_changed(keys)
    }

    fn forget_person(&mut self, user: UserId) -> Result<(), StoreError> {
        self.forget_sign_in(user)?;
        // Somebody else's address stays with what they did to this account.
        self.run("UPDATE events SET client = NULL WHERE actor = ?1", [user])?;
        self.run("UPDATE events SET client = NULL WHERE user_id = ?1 AND actor IS NULL", [user])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplicationId, Email, Event, Organization, OrganizationId, Role, Username};
    use crate::secret::Digest;
    use crate::store::sqlite::samples::{
        NOW, Sample, api_key, event, membership, organization, password_reset, sign_up, throttle, totp, user,
    };
    use crate::store::{EventFilter, Read};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const OTHER: UserId = UserId::from_bytes([2; 16]);
    const NOBODY: UserId = UserId::from_bytes([99; 16]);
    const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
    const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

    #[test]
    fn usernames_and_addresses_are_unique_in_any_spelling() {
        let sample = Sample::populated();
        let mut same_name = user(3);
        same_name.user.username = Username::parse("USER1").unwrap();
        assert_eq!(sample.refusal(|transaction| transaction.insert_user(&same_name)), "username exists already");
        let mut same_address = user(3);
        same_address.user.email = Email::parse("user1@EXAMPLE.com").unwrap();
        assert_eq!(sample.refusal(|transaction| transaction.insert_user(&same_address)), "email exists already");
        let mut same_id = user(3);
        same_id.user.id = USER;
        assert_eq!(sample.refusal(|transaction| transaction.insert_user(&same_id)), "user exists already");
    }

    #[test]
    fn a_user_goes_with_keys_memberships_and_rights() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.insert_membership(&membership(1, 2, Role::Operator))?;
            transaction.insert_administrator(ORGANIZATION, OTHER, NOW)?;
            transaction.insert_api_key(&api_key(1, 2))?;
            transaction.insert_api_key(&api_key(2, 2))?;
            transaction.insert_api_key(&api_key(3, 1))
        });
        let changes = sample.write(|transaction| transaction.delete_user(OTHER));
        let expected = [
            Change::User(OTHER),
            Change::ApiKey(api_key(1, 2).digest),
            Change::ApiKey(api_key(2, 2).digest),
            Change::Membership(OTHER, APPLICATION),
            Change::Organization(ORGANIZATION),
        ];
        assert_eq!(changes.len(), expected.len());
        assert!(expected.iter().all(|change| changes.contains(change)), "{changes:?}");

        assert_eq!(sample.store.user(OTHER).unwrap(), None);
        assert_eq!(sample.store.credential_by_digest(&api_key(1, 2).digest).unwrap(), None);
        assert_eq!(sample.store.role(APPLICATION, OTHER).unwrap(), None);
        assert!(!sample.store.is_administrator(ORGANIZATION, OTHER).unwrap());
        assert!(sample.store.api_key(api_key(3, 1).id).unwrap().is_some());
        assert_eq!(sample.refusal(|transaction| transaction.delete_user(OTHER)), "user does not exist");
    }

    #[test]
    fn a_user_who_owns_something_stays() {
        let sample = Sample::populated();
        assert_eq!(sample.refusal(|transaction| transaction.delete_user(USER)), "application exists already");
        let personal = Organization { personal_to: Some(OTHER), ..organization(2) };
        sample.write(|transaction| transaction.insert_organization(&personal));
        assert_eq!(sample.refusal(|transaction| transaction.delete_user(OTHER)), "organization exists already");
    }

    #[test]
    fn passwords_are_set_and_taken() {
        let sample = Sample::populated();
        let hash = PasswordHash::new("$argon2id$new".into());
        let changes = sample.write(|transaction| transaction.set_password_hash(USER, Some(&hash)));
        assert_eq!(changes, [Change::User(USER)]);
        assert_eq!(sample.store.password_hash(USER).unwrap().unwrap().expose(), "$argon2id$new");
        sample.write(|transaction| transaction.set_password_hash(USER, None));
        assert!(sample.store.password_hash(USER).unwrap().is_none());
        let refusal = sample.refusal(|transaction| transaction.set_password_hash(NOBODY, None));
        assert_eq!(refusal, "user does not exist");
    }

    #[test]
    fn sessions_that_were_ended_stay_ended_when_the_clock_steps_back() {
        let sample = Sample::populated();
        assert_eq!(sample.write(|transaction| transaction.end_sessions(USER, NOW)), [Change::User(USER)]);
        sample.write(|transaction| transaction.end_sessions(USER, Timestamp::from_micros(NOW.as_micros() - 1)));
        assert_eq!(sample.store.user(USER).unwrap().unwrap().tokens_not_before, NOW);
        assert_eq!(sample.refusal(|transaction| transaction.end_sessions(NOBODY, NOW)), "user does not exist");
    }

    #[test]
    fn administration_of_the_installation_is_given_and_taken() {
        let sample = Sample::populated();
        for admin in [true, false] {
            let changes = sample.write(|transaction| transaction.set_user_admin(OTHER, admin));
            assert_eq!(changes, [Change::User(OTHER)]);
            assert_eq!(sample.store.user(OTHER).unwrap().unwrap().installation_administrator, admin);
            let administrators = sample.store.installation_administrators().unwrap();
            let ids: Vec<_> = administrators.iter().map(|administrator| administrator.id).collect();
            assert_eq!(ids, if admin { vec![USER, OTHER] } else { vec![USER] });
        }
        let refusal = sample.refusal(|transaction| transaction.set_user_admin(NOBODY, true));
        assert_eq!(refusal, "user does not exist");
    }

    #[test]
    fn a_disabled_account_stays_with_all_it_has_and_its_credentials_are_not_found() {
        let sample = Sample::populated();
        sample.write(|transaction| transaction.insert_api_key(&api_key(1, 2)));
        let (store, key) = (&sample.store, api_key(1, 2));
        assert_eq!((store.disabled_at(OTHER).unwrap(), store.disabled_users().unwrap()), (None, vec![]));
        for at in [Some(NOW), None] {
            let changes = sample.write(|transaction| transaction.set_disabled(OTHER, at));
            assert_eq!(changes, [Change::User(OTHER), Change::ApiKey(key.digest)]);
            assert_eq!(store.disabled_at(OTHER).unwrap(), at);
            assert_eq!(store.disabled_users().unwrap(), Vec::from_iter(at.map(|at| (OTHER, at))));
            assert_eq!(store.active_user(OTHER).unwrap().is_some(), at.is_none());
            assert_eq!(store.credential_by_digest(&key.digest).unwrap().is_some(), at.is_none());
            assert_eq!((store.user(OTHER).unwrap().is_some(), store.api_keys(OTHER).unwrap().len()), (true, 1));
        }
        assert_eq!(store.active_user(NOBODY).unwrap(), None);
        let refusal = sample.refusal(|transaction| transaction.set_disabled(NOBODY, None));
        assert_eq!(refusal, "user does not exist");
    }

    /// Gives a user something of everything by which one signs in. The links and counts have the digest of `user`.
    fn give_sign_in(sample: &Sample, user: u8) {
        sample.write(|transaction| {
            transaction.put_totp(&totp(user))?;
            transaction.replace_recovery_codes(UserId::from_bytes([user; 16]), &[Digest::of(b"code")])?;
            transaction.insert_sign_up(&sign_up(user))?;
            transaction.insert_password_reset(&password_reset(user, user))?;
            transaction.put_throttle(&throttle(user), Some(UserId::from_bytes([user; 16])))
        });
    }

    /// How much of it is there.
    fn sign_in_left(sample: &Sample, user: u8) -> [bool; 5] {
        let (store, id, digest) = (&sample.store, UserId::from_bytes([user; 16]), Digest::of(&[user]));
        [
            store.totp(id).unwrap().is_some(),
            store.recovery_codes_left(id).unwrap() > 0,
            store.sign_up(&digest).unwrap().is_some(),
            store.password_reset(&digest).unwrap().is_some(),
            store.throttle(&digest).unwrap().is_some(),
        ]
    }

    #[test]
    fn a_user_goes_with_second_factor_links_and_throttles() {
        let sample = Sample::populated();
        give_sign_in(&sample, 1);
        give_sign_in(&sample, 2);
        sample.write(|transaction| {
            transaction.put_throttle(&throttle(3), None)?;
            transaction.record_departure(APPLICATION, OTHER)?;
            transaction.delete_user(OTHER)
        });
        assert_eq!(sign_in_left(&sample, 2), [false; 5]);
        assert_eq!(sign_in_left(&sample, 1), [true; 5]);
        assert!(sample.store.throttle(&throttle(3).key).unwrap().is_some());
        assert!(!sample.store.has_left(APPLICATION, OTHER).unwrap());
    }

    #[test]
    fn of_a_forgotten_person_the_events_stay_without_their_addresses() {
        let sample = Sample::populated();
        give_sign_in(&sample, 1);
        give_sign_in(&sample, 2);
        let (by, to, unknown) = ((Some(OTHER), Some(USER)), (Some(USER), Some(OTHER)), (None, Some(OTHER)));
        sample.write(|transaction| {
            [by, to, unknown]
                .into_iter()
                .zip(1..)
                .try_for_each(|((actor, user), n)| transaction.record(&Event { actor, user, ..event(n) }))
        });
        assert_eq!(sample.write(|transaction| transaction.forget_person(OTHER)), []);
        let clients = || -> Vec<Option<String>> {
            let events = sample.store.events(EventFilter::User(OTHER), None, 9).unwrap();
            events.into_iter().map(|event| event.client).collect()
        };
        let expected = [None, Some("2001:db8::1".to_owned()), None];
        assert_eq!(clients(), expected, "the other person's address is not theirs");
        assert_eq!(sign_in_left(&sample, 2), [false; 5]);
        assert_eq!(sign_in_left(&sample, 1), [true; 5]);

        sample.write(|transaction| {
            transaction.record(&Event { actor: Some(OTHER), ..event(4) })?;
            transaction.delete_user(OTHER)?;
            transaction.forget_person(OTHER)
        });
        assert_eq!(clients()[0], None, "also after the account");
    }
}
