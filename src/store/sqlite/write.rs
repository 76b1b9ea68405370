//! Transactions: every write records the changes that it makes beside it.

use std::cell::Cell;
use std::sync::MutexGuard;

use rusqlite::{Connection, Params, params};

use super::changes;
use super::constraints::{Parent, Violation};
use super::read::Connected;
use super::rows::{Columns, all};
use super::values::TextList;
use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, Change, ChangeSeq, Device, DeviceId, Event, Membership, NewUser,
    Organization, OrganizationId, Plan, Role, SigningKey, SigningKeyId, Timestamp, UserId,
};
use crate::secret::PasswordHash;
use crate::store::{StoreError, Transaction};

/// An open transaction on the writing connection.
pub(super) struct SqliteTransaction<'s> {
    connection: MutexGuard<'s, Connection>,
    changes: Vec<Change>,
    /// The positions of the first and the last change.
    positions: Option<(ChangeSeq, ChangeSeq)>,
    /// Set by whatever fails: half of a step is never committed.
    failed: Cell<bool>,
}

impl<'s> SqliteTransaction<'s> {
    /// Begins, once other processes' writers are done.
    pub(super) fn begin(connection: MutexGuard<'s, Connection>) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { connection, changes: Vec::new(), positions: None, failed: Cell::new(false) })
    }

    /// Runs a statement; gives the number of rows that it touched.
    fn run(&self, sql: &str, parameters: impl Params) -> Result<usize, StoreError> {
        self.with(|connection| Ok(connection.prepare_cached(sql)?.execute(parameters)?))
    }

    /// Runs a statement that gives the rows that it touched.
    fn returning<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl Fn(&mut Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|connection| all(connection, sql, parameters, read))
    }

    /// Runs a statement that must touch `what`.
    fn touch(&self, what: &'static str, sql: &str, parameters: impl Params) -> Result<(), StoreError> {
        match self.run(sql, parameters)? {
            0 => self.fail(StoreError::Missing(what)),
            _ => Ok(()),
        }
    }

    /// Runs an insertion. `unique` gives the name of what exists already for the columns of each unique constraint.
    fn insert(
        &self,
        unique: &[(&str, &'static str)],
        parents: &[Parent],
        sql: &str,
        parameters: impl Params,
    ) -> Result<(), StoreError> {
        let Err(error) = self.run(sql, parameters) else { return Ok(()) };
        match Violation::of(&error) {
            Some(Violation::Unique(columns)) => match unique.iter().find(|(known, _)| *known == columns) {
                Some((_, what)) => Err(StoreError::Exists(what)),
                None => Err(error),
            },
            Some(Violation::Reference) => {
                for parent in parents {
                    if !parent.exists(self)? {
                        return Err(StoreError::Missing(parent.name()));
                    }
                }
                Err(error)
            }
            None => Err(error),
        }
    }

    fn fail<T>(&self, error: StoreError) -> Result<T, StoreError> {
        self.failed.set(true);
        Err(error)
    }

    fn changed(&mut self, change: Change) -> Result<(), StoreError> {
        let position = self.with(|connection| changes::append(connection, &change))?;
        let first = self.positions.map_or(position, |(first, _)| first);
        self.positions = Some((first, position));
        self.changes.push(change);
        Ok(())
    }

    fn all_changed(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<(), StoreError> {
        changes.into_iter().try_for_each(|change| self.changed(change))
    }
}

impl Connected for SqliteTransaction<'_> {
    fn with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        ask(&self.connection).or_else(|error| self.fail(error))
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // Where this fails, the next transaction is begun on a new connection.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

impl Transaction for SqliteTransaction<'_> {
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

    fn insert_organization(&mut self, organization: &Organization) -> Result<(), StoreError> {
        let owner = organization.personal_to.map(Parent::User);
        self.insert(
            &[("organizations.id", "organization"), ("organizations.personal_to", "organization")],
            owner.as_slice(),
            "INSERT INTO organizations (id, name, plan, personal_to, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![
                organization.id,
                organization.name,
                organization.plan,
                organization.personal_to,
                organization.created_at,
            ],
        )?;
        self.changed(Change::Organization(organization.id))
    }

    fn delete_organization(&mut self, id: OrganizationId) -> Result<(), StoreError> {
        self.run("DELETE FROM organization_administrators WHERE organization_id = ?1", [id])?;
        if let Err(error) = self.touch("organization", "DELETE FROM organizations WHERE id = ?1", [id]) {
            let Some(Violation::Reference) = Violation::of(&error) else { return Err(error) };
            return Err(StoreError::Exists("application"));
        }
        self.changed(Change::Organization(id))
    }

    fn set_plan(&mut self, organization: OrganizationId, plan: Plan) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE organizations SET plan = ?2 WHERE id = ?1";
        self.touch("organization", SQL, params![organization, plan])?;
        self.changed(Change::Organization(organization))
    }

    fn insert_administrator(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.insert(
            &[("organization_administrators.organization_id, organization_administrators.user_id", "administrator")],
            &[Parent::Organization(organization), Parent::User(user)],
            "INSERT INTO organization_administrators (organization_id, user_id, created_at) VALUES (?1, ?2, ?3)",
            params![organization, user, at],
        )?;
        self.changed(Change::Organization(organization))
    }

    fn delete_administrator(&mut self, organization: OrganizationId, user: UserId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM organization_administrators WHERE organization_id = ?1 AND user_id = ?2";
        self.touch("administrator", SQL, params![organization, user])?;
        self.changed(Change::Organization(organization))
    }

    fn insert_application(&mut self, application: &Application) -> Result<(), StoreError> {
        self.insert(
            &[("applications.id", "application"), ("applications.organization_id, applications.name", "application")],
            &[Parent::Organization(application.organization), Parent::User(application.owner)],
            "INSERT INTO applications (id, name, application_type, organization_id, owner_id, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                application.id,
                application.name,
                application.application_type,
                application.organization,
                application.owner,
                application.created_at,
            ],
        )?;
        self.changed(Change::Application(application.id))
    }

    fn delete_application(&mut self, id: ApplicationId) -> Result<(), StoreError> {
        const MEMBERSHIPS: &str = "DELETE FROM memberships WHERE application_id = ?1 RETURNING user_id";
        const DEVICES: &str = "DELETE FROM devices WHERE application_id = ?1 RETURNING id";
        let roles = self.returning(MEMBERSHIPS, [id], |columns| Ok(Change::Membership(columns.take()?, id)))?;
        let devices = self.returning(DEVICES, [id], |columns| columns.take().map(Change::Device))?;
        self.touch("application", "DELETE FROM applications WHERE id = ?1", [id])?;
        self.changed(Change::Application(id))?;
        self.all_changed(roles.into_iter().chain(devices))
    }

    fn insert_membership(&mut self, membership: &Membership) -> Result<(), StoreError> {
        self.insert(
            &[("memberships.application_id, memberships.user_id", "member")],
            &[Parent::Application(membership.application), Parent::User(membership.user)],
            "INSERT INTO memberships (application_id, user_id, role, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![membership.application, membership.user, membership.role, membership.created_at],
        )?;
        self.changed(Change::Membership(membership.user, membership.application))
    }

    fn set_role(&mut self, application: ApplicationId, user: UserId, role: Role) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE memberships SET role = ?3 WHERE application_id = ?1 AND user_id = ?2";
        self.touch("member", SQL, params![application, user, role])?;
        self.changed(Change::Membership(user, application))
    }

    fn delete_membership(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM memberships WHERE application_id = ?1 AND user_id = ?2";
        self.touch("member", SQL, params![application, user])?;
        self.changed(Change::Membership(user, application))
    }

    fn insert_device(&mut self, device: &Device) -> Result<(), StoreError> {
        self.insert(
            &[("devices.id", "device")],
            &[Parent::Application(device.application)],
            "INSERT INTO devices (id, application_id, name, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![device.id, device.application, device.name, device.created_at],
        )?;
        self.changed(Change::Device(device.id))
    }

    fn delete_device(&mut self, id: DeviceId) -> Result<(), StoreError> {
        self.touch("device", "DELETE FROM devices WHERE id = ?1", [id])?;
        self.changed(Change::Device(id))
    }

    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        self.insert(
            &[("api_keys.digest", "api key"), ("api_keys.id", "api key")],
            &[Parent::User(key.user)],
            "INSERT INTO api_keys (digest, id, user_id, name, description, prefix, scopes, created_at, expires_at,
                                   last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                key.digest,
                key.id,
                key.user,
                key.name,
                key.description,
                key.prefix,
                TextList(key.scopes.clone()),
                key.created_at,
                key.expires_at,
                key.last_used_at,
            ],
        )?;
        self.changed(Change::ApiKey(key.digest))
    }

    fn delete_api_key(&mut self, id: ApiKeyId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM api_keys WHERE id = ?1 RETURNING digest";
        match self.returning(SQL, [id], |columns| columns.take())?.first() {
            Some(digest) => self.changed(Change::ApiKey(*digest)),
            None => self.fail(StoreError::Missing("api key")),
        }
    }

    fn insert_signing_key(&mut self, key: &SigningKey) -> Result<(), StoreError> {
        self.insert(
            &[("signing_keys.id", "signing key")],
            &[],
            "INSERT INTO signing_keys (id, private, public, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![key.id, key.private, key.public, key.created_at],
        )?;
        self.changed(Change::SigningKeys)
    }

    fn delete_signing_key(&mut self, id: SigningKeyId) -> Result<(), StoreError> {
        self.touch("signing key", "DELETE FROM signing_keys WHERE id = ?1", [id])?;
        self.changed(Change::SigningKeys)
    }

    fn record(&mut self, event: &Event) -> Result<(), StoreError> {
        self.insert(
            &[("events.id", "event")],
            &[],
            "INSERT INTO events (id, at, actor, credential_kind, credential_id, client, action, user_id,
                                 application_id, organization_id, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                event.id,
                event.at,
                event.actor,
                event.credential_kind,
                event.credential_id,
                event.client.map(|client| client.to_string()),
                event.action.as_str(),
                event.user,
                event.application,
                event.organization,
                event.detail,
            ],
        )
    }

    fn commit(mut self: Box<Self>) -> Result<Vec<Change>, StoreError> {
        if self.failed.get() {
            return Err(StoreError::Failed("a step of the transaction has failed, so it cannot be committed".into()));
        }
        if let Some((first, last)) = self.positions {
            changes::prune(&self.connection, first, last)?;
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(std::mem::take(&mut self.changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Email, Username};
    use crate::store::sqlite::samples::{
        NOW, Sample, api_key, application, device, event, membership, organization, signing_key, user,
    };
    use crate::store::{Read, Store};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const OTHER: UserId = UserId::from_bytes([2; 16]);
    const NOBODY: UserId = UserId::from_bytes([99; 16]);
    const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
    const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

    fn personal(n: u8, owner: UserId) -> Organization {
        Organization { personal_to: Some(owner), ..organization(n) }
    }

    #[test]
    fn a_transaction_reads_its_own_writes_and_others_do_not() {
        let sample = Sample::new();
        let mut transaction = sample.store.begin().unwrap();
        transaction.insert_user(&user(1)).unwrap();
        assert_eq!(transaction.user(USER).unwrap(), Some(user(1).user));
        assert_eq!(sample.store.user(USER).unwrap(), None);
        assert_eq!(transaction.commit().unwrap(), [Change::User(USER)]);
        assert_eq!(sample.store.user(USER).unwrap(), Some(user(1).user));
    }

    #[test]
    fn what_is_dropped_is_undone() {
        let sample = Sample::new();
        let mut transaction = sample.store.begin().unwrap();
        transaction.insert_user(&user(1)).unwrap();
        drop(transaction);
        assert_eq!(sample.store.user(USER).unwrap(), None);
        assert_eq!(sample.store.position().unwrap(), 0);
        assert_eq!(sample.write(|transaction| transaction.insert_user(&user(1))), [Change::User(USER)]);
    }

    #[test]
    fn a_panic_undoes_the_transaction_and_the_next_one_works() {
        let sample = Sample::new();
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut transaction = sample.store.begin().unwrap();
                transaction.insert_user(&user(1)).unwrap();
                panic!("on purpose");
            });
            thread.join()
        });
        panicked.unwrap_err();
        assert_eq!(sample.store.user(USER).unwrap(), None);
        sample.write(|transaction| transaction.insert_user(&user(1)));
    }

    #[test]
    fn half_of_a_step_is_never_committed() {
        let sample = Sample::populated();
        let mut transaction = sample.store.begin().unwrap();
        transaction.delete_user(USER).unwrap_err();
        let refused = transaction.commit().unwrap_err();
        assert!(matches!(refused, StoreError::Failed(_)), "{refused}");
        assert_eq!(sample.store.role(APPLICATION, USER).unwrap(), Some(Role::Administrator));
    }

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
        assert_eq!(sample.store.api_key_by_digest(&api_key(1, 2).digest).unwrap(), None);
        assert_eq!(sample.store.role(APPLICATION, OTHER).unwrap(), None);
        assert!(!sample.store.is_administrator(ORGANIZATION, OTHER).unwrap());
        assert!(sample.store.api_key(api_key(3, 1).id).unwrap().is_some());
        assert_eq!(sample.refusal(|transaction| transaction.delete_user(OTHER)), "user does not exist");
    }

    #[test]
    fn a_user_who_owns_something_stays() {
        let sample = Sample::populated();
        assert_eq!(sample.refusal(|transaction| transaction.delete_user(USER)), "application exists already");
        sample.write(|transaction| transaction.insert_organization(&personal(2, OTHER)));
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
    fn organizations_are_written() {
        let sample = Sample::populated();
        let changes = sample.write(|transaction| transaction.insert_organization(&personal(2, USER)));
        assert_eq!(changes, [Change::Organization(personal(2, USER).id)]);
        let second = sample.refusal(|transaction| transaction.insert_organization(&personal(3, USER)));
        assert_eq!(second, "organization exists already");
        let orphan = sample.refusal(|transaction| transaction.insert_organization(&personal(3, NOBODY)));
        assert_eq!(orphan, "user does not exist");

        let changes = sample.write(|transaction| transaction.set_plan(ORGANIZATION, Plan::Paid));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        assert_eq!(sample.store.organization(ORGANIZATION).unwrap().unwrap().plan, Plan::Paid);

        let full = sample.refusal(|transaction| transaction.delete_organization(ORGANIZATION));
        assert_eq!(full, "application exists already");
        sample.write(|transaction| transaction.delete_application(APPLICATION));
        let changes = sample.write(|transaction| transaction.delete_organization(ORGANIZATION));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        for step in [
            |transaction: &mut dyn Transaction| transaction.delete_organization(ORGANIZATION),
            |transaction: &mut dyn Transaction| transaction.set_plan(ORGANIZATION, Plan::Free),
        ] {
            assert_eq!(sample.refusal(step), "organization does not exist");
        }
    }

    #[test]
    fn administrators_are_written() {
        let sample = Sample::populated();
        let unknown = OrganizationId::from_bytes([99; 16]);
        let refusal = |organization, user| {
            sample.refusal(|transaction| transaction.insert_administrator(organization, user, NOW))
        };
        assert_eq!(refusal(ORGANIZATION, USER), "administrator exists already");
        assert_eq!(refusal(unknown, USER), "organization does not exist");
        assert_eq!(refusal(ORGANIZATION, NOBODY), "user does not exist");

        let changes = sample.write(|transaction| transaction.insert_administrator(ORGANIZATION, OTHER, NOW));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        let changes = sample.write(|transaction| transaction.delete_administrator(ORGANIZATION, OTHER));
        assert_eq!(changes, [Change::Organization(ORGANIZATION)]);
        let refusal = sample.refusal(|transaction| transaction.delete_administrator(ORGANIZATION, OTHER));
        assert_eq!(refusal, "administrator does not exist");
    }

    #[test]
    fn application_names_are_unique_within_their_organization() {
        let sample = Sample::populated();
        let same_name = Application { name: application(1).name, ..application(2) };
        let refusal = sample.refusal(|transaction| transaction.insert_application(&same_name));
        assert_eq!(refusal, "application exists already");
        let elsewhere = Application { organization: organization(2).id, ..same_name };
        let refusal = sample.refusal(|transaction| transaction.insert_application(&elsewhere));
        assert_eq!(refusal, "organization does not exist");
        let changes = sample.write(|transaction| {
            transaction.insert_organization(&organization(2))?;
            transaction.insert_application(&elsewhere)
        });
        assert_eq!(changes, [Change::Organization(organization(2).id), Change::Application(elsewhere.id)]);
        let unowned = Application { owner: NOBODY, ..application(3) };
        assert_eq!(sample.refusal(|transaction| transaction.insert_application(&unowned)), "user does not exist");
    }

    #[test]
    fn an_application_goes_with_its_members_and_devices() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.insert_membership(&membership(1, 2, Role::Observer))?;
            transaction.insert_device(&device(1))?;
            transaction.insert_device(&device(2))
        });
        let changes = sample.write(|transaction| transaction.delete_application(APPLICATION));
        assert_eq!(changes.len(), 5);
        for change in [
            Change::Application(APPLICATION),
            Change::Membership(USER, APPLICATION),
            Change::Membership(OTHER, APPLICATION),
            Change::Device(device(1).id),
            Change::Device(device(2).id),
        ] {
            assert!(changes.contains(&change), "{change:?}");
        }
        assert_eq!(sample.store.application(APPLICATION).unwrap(), None);
        assert_eq!(sample.store.device(device(1).id).unwrap(), None);
        assert!(sample.store.members(APPLICATION).unwrap().is_empty());
        let refusal = sample.refusal(|transaction| transaction.delete_application(APPLICATION));
        assert_eq!(refusal, "application does not exist");
    }

    #[test]
    fn memberships_are_written() {
        let sample = Sample::populated();
        let change = [Change::Membership(OTHER, APPLICATION)];
        let refusal = |application, user| {
            sample.refusal(|transaction| transaction.insert_membership(&membership(application, user, Role::Observer)))
        };
        assert_eq!(refusal(1, 1), "member exists already");
        assert_eq!(refusal(99, 1), "application does not exist");
        assert_eq!(refusal(1, 99), "user does not exist");

        let new = membership(1, 2, Role::Observer);
        assert_eq!(sample.write(|transaction| transaction.insert_membership(&new)), change);
        assert_eq!(sample.write(|transaction| transaction.set_role(APPLICATION, OTHER, Role::Developer)), change);
        assert_eq!(sample.store.role(APPLICATION, OTHER).unwrap(), Some(Role::Developer));
        assert_eq!(sample.write(|transaction| transaction.delete_membership(APPLICATION, OTHER)), change);
        for step in [
            |transaction: &mut dyn Transaction| transaction.delete_membership(APPLICATION, OTHER),
            |transaction: &mut dyn Transaction| transaction.set_role(APPLICATION, OTHER, Role::Observer),
        ] {
            assert_eq!(sample.refusal(step), "member does not exist");
        }
    }

    #[test]
    fn devices_are_written() {
        let sample = Sample::populated();
        let change = [Change::Device(device(1).id)];
        assert_eq!(sample.write(|transaction| transaction.insert_device(&device(1))), change);
        assert_eq!(sample.refusal(|transaction| transaction.insert_device(&device(1))), "device exists already");
        let stray = Device { application: ApplicationId::from_bytes([99; 16]), ..device(2) };
        assert_eq!(sample.refusal(|transaction| transaction.insert_device(&stray)), "application does not exist");
        assert_eq!(sample.write(|transaction| transaction.delete_device(device(1).id)), change);
        assert_eq!(sample.refusal(|transaction| transaction.delete_device(device(1).id)), "device does not exist");
    }

    #[test]
    fn api_keys_are_written() {
        let sample = Sample::populated();
        let key = api_key(1, 1);
        let change = [Change::ApiKey(key.digest)];
        assert_eq!(sample.write(|transaction| transaction.insert_api_key(&key)), change);
        let same_digest = ApiKey { id: ApiKeyId::from_bytes([7; 16]), ..key.clone() };
        let same_id = ApiKey { id: key.id, ..api_key(2, 1) };
        for taken in [same_digest, same_id] {
            let refusal = sample.refusal(|transaction| transaction.insert_api_key(&taken));
            assert_eq!(refusal, "api key exists already");
        }
        let refusal = sample.refusal(|transaction| transaction.insert_api_key(&api_key(2, 99)));
        assert_eq!(refusal, "user does not exist");
        assert_eq!(sample.write(|transaction| transaction.delete_api_key(key.id)), change);
        assert_eq!(sample.refusal(|transaction| transaction.delete_api_key(key.id)), "api key does not exist");
    }

    #[test]
    fn signing_keys_are_written() {
        let sample = Sample::new();
        let key = signing_key(1, NOW);
        assert_eq!(sample.write(|transaction| transaction.insert_signing_key(&key)), [Change::SigningKeys]);
        let refusal = sample.refusal(|transaction| transaction.insert_signing_key(&key));
        assert_eq!(refusal, "signing key exists already");
        assert_eq!(sample.write(|transaction| transaction.delete_signing_key(key.id)), [Change::SigningKeys]);
        let refusal = sample.refusal(|transaction| transaction.delete_signing_key(key.id));
        assert_eq!(refusal, "signing key does not exist");
    }

    #[test]
    fn events_are_written_once_and_change_no_decision() {
        let sample = Sample::new();
        assert_eq!(sample.write(|transaction| transaction.record(&event(1))), []);
        assert_eq!(sample.refusal(|transaction| transaction.record(&event(1))), "event exists already");
    }
}
