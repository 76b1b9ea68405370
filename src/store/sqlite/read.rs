//! The questions, each one statement, so that each answer is of one moment.

use rusqlite::{Connection, params};

use super::rows::{self, all, one};
use super::rows::{
    api_key_columns, application_columns, device_columns, membership_columns, organization_columns, user_columns,
};
use super::values::Flag;
use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, Device, DeviceId, Email, Membership, Organization, OrganizationId,
    Role, SigningKey, User, UserId, Username,
};
use crate::secret::{Digest, PasswordHash};
use crate::store::{Read, StoreError, StoredEvent};

/// Something that has a connection to ask: the store lends one for each question, a transaction has its own.
pub(super) trait Connected {
    /// Asks with a connection.
    fn with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError>;
}

/// The bytes that a list begins after; every identifier comes after none.
fn after_bytes(after: Option<&[u8; 16]>) -> &[u8] {
    after.map_or(&[], |bytes| bytes)
}

impl<C: Connected> Read for C {
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = ?1");
        self.with(|connection| one(connection, SQL, [id], rows::user))
    }

    fn user_by_username(&self, username: &Username) -> Result<Option<User>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.username_canonical = ?1");
        self.with(|connection| one(connection, SQL, [username.canonical()], rows::user))
    }

    fn user_by_email(&self, email: &Email) -> Result<Option<User>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.email_canonical = ?1");
        self.with(|connection| one(connection, SQL, [email.canonical()], rows::user))
    }

    fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError> {
        const SQL: &str = concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id > ?1 ORDER BY u.id LIMIT ?2");
        let after = after_bytes(after.as_ref().map(UserId::as_bytes));
        self.with(|connection| all(connection, SQL, params![after, limit], rows::user))
    }

    fn password_hash(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError> {
        const SQL: &str = "SELECT password_hash FROM users WHERE id = ?1";
        self.with(|connection| one(connection, SQL, [user], |columns| columns.take())).map(Option::flatten)
    }

    fn organization(&self, id: OrganizationId) -> Result<Option<Organization>, StoreError> {
        const SQL: &str = concat!("SELECT ", organization_columns!(), " FROM organizations o WHERE o.id = ?1");
        self.with(|connection| one(connection, SQL, [id], rows::organization))
    }

    fn organizations(&self, after: Option<OrganizationId>, limit: u32) -> Result<Vec<Organization>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", organization_columns!(), " FROM organizations o WHERE o.id > ?1 ORDER BY o.id LIMIT ?2");
        let after = after_bytes(after.as_ref().map(OrganizationId::as_bytes));
        self.with(|connection| all(connection, SQL, params![after, limit], rows::organization))
    }

    fn organizations_of(&self, user: UserId) -> Result<Vec<Organization>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            organization_columns!(),
            " FROM organization_administrators r JOIN organizations o ON o.id = r.organization_id
              WHERE r.user_id = ?1 ORDER BY r.organization_id"
        );
        self.with(|connection| all(connection, SQL, [user], rows::organization))
    }

    fn administrators(&self, organization: OrganizationId) -> Result<Vec<User>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            user_columns!(),
            " FROM organization_administrators r JOIN users u ON u.id = r.user_id
              WHERE r.organization_id = ?1 ORDER BY r.user_id"
        );
        self.with(|connection| all(connection, SQL, [organization], rows::user))
    }

    fn is_administrator(&self, organization: OrganizationId, user: UserId) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM organization_administrators WHERE organization_id = ?1 AND user_id = ?2";
        self.with(|connection| one(connection, SQL, params![organization, user], |columns| columns.take::<Flag>()))
            .map(|found| found.is_some())
    }

    fn application(&self, id: ApplicationId) -> Result<Option<Application>, StoreError> {
        const SQL: &str = concat!("SELECT ", application_columns!(), " FROM applications a WHERE a.id = ?1");
        self.with(|connection| one(connection, SQL, [id], rows::application))
    }

    fn applications(&self, after: Option<ApplicationId>, limit: u32) -> Result<Vec<Application>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", application_columns!(), " FROM applications a WHERE a.id > ?1 ORDER BY a.id LIMIT ?2");
        let after = after_bytes(after.as_ref().map(ApplicationId::as_bytes));
        self.with(|connection| all(connection, SQL, params![after, limit], rows::application))
    }

    fn applications_of(
        &self,
        user: UserId,
        after: Option<ApplicationId>,
        limit: u32,
    ) -> Result<Vec<(Application, Role)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            application_columns!(),
            ", m.role FROM memberships m JOIN applications a ON a.id = m.application_id
              WHERE m.user_id = ?1 AND m.application_id > ?2 ORDER BY m.application_id LIMIT ?3"
        );
        let after = after_bytes(after.as_ref().map(ApplicationId::as_bytes));
        self.with(|connection| {
            all(connection, SQL, params![user, after, limit], |columns| {
                Ok((rows::application(columns)?, columns.take()?))
            })
        })
    }

    fn applications_in(&self, organization: OrganizationId) -> Result<Vec<Application>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            application_columns!(),
            " FROM applications a WHERE a.organization_id = ?1 ORDER BY a.id"
        );
        self.with(|connection| all(connection, SQL, [organization], rows::application))
    }

    fn members(&self, application: ApplicationId) -> Result<Vec<(User, Membership)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            membership_columns!(),
            " FROM memberships m JOIN users u ON u.id = m.user_id
              WHERE m.application_id = ?1 ORDER BY m.user_id"
        );
        self.with(|connection| {
            all(connection, SQL, [application], |columns| Ok((rows::user(columns)?, rows::membership(columns)?)))
        })
    }

    fn role(&self, application: ApplicationId, user: UserId) -> Result<Option<Role>, StoreError> {
        const SQL: &str = "SELECT role FROM memberships WHERE application_id = ?1 AND user_id = ?2";
        self.with(|connection| one(connection, SQL, params![application, user], |columns| columns.take()))
    }

    fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError> {
        const SQL: &str = concat!("SELECT ", device_columns!(), " FROM devices d WHERE d.id = ?1");
        self.with(|connection| one(connection, SQL, [id], rows::device))
    }

    fn devices(
        &self,
        application: ApplicationId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            device_columns!(),
            " FROM devices d WHERE d.application_id = ?1 AND d.id > ?2 ORDER BY d.id LIMIT ?3"
        );
        let after = after_bytes(after.as_ref().map(DeviceId::as_bytes));
        self.with(|connection| all(connection, SQL, params![application, after, limit], rows::device))
    }

    fn api_key_by_digest(&self, digest: &Digest) -> Result<Option<ApiKey>, StoreError> {
        self.with(|connection| one(connection, API_KEY_BY_DIGEST, [digest], rows::api_key))
    }

    fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        const SQL: &str = concat!("SELECT ", api_key_columns!(), " FROM api_keys k WHERE k.id = ?1");
        self.with(|connection| one(connection, SQL, [id], rows::api_key))
    }

    fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError> {
        const SQL: &str = concat!("SELECT ", api_key_columns!(), " FROM api_keys k WHERE k.user_id = ?1 ORDER BY k.id");
        self.with(|connection| all(connection, SQL, [user], rows::api_key))
    }

    fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        const SQL: &str = "SELECT id, private, public, created_at FROM signing_keys ORDER BY created_at, id";
        self.with(|connection| all(connection, SQL, [], rows::signing_key))
    }

    fn events(&self, skip: u32, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        const SQL: &str = "SELECT id, at, actor, credential_kind, credential_id, client, action, user_id,
                                  application_id, organization_id, detail
                           FROM events ORDER BY seq DESC LIMIT ?2 OFFSET ?1";
        self.with(|connection| all(connection, SQL, [skip, limit], rows::event))
    }
}

const API_KEY_BY_DIGEST: &str = concat!("SELECT ", api_key_columns!(), " FROM api_keys k WHERE k.digest = ?1");

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Timestamp, UserId};
    use crate::store::sqlite::samples::{
        NOW, Sample, api_key, application, device, event, membership, organization, signing_key, user,
    };
    use crate::store::{Store, StoredEvent};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([1; 16]);
    const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

    #[test]
    fn users_are_found_by_any_spelling() {
        let sample = Sample::populated();
        let store = &sample.store;
        let found = Some(user(1).user);
        assert_eq!(store.user(USER).unwrap(), found);
        assert_eq!(store.user_by_username(&Username::parse("uSER1").unwrap()).unwrap(), found);
        assert_eq!(store.user_by_email(&Email::parse("uSER1@example.COM").unwrap()).unwrap(), found);
        assert_eq!(store.user(UserId::from_bytes([9; 16])).unwrap(), None);
        assert_eq!(store.user_by_username(&Username::parse("user9").unwrap()).unwrap(), None);
        assert_eq!(store.user_by_email(&Email::parse("user9@example.com").unwrap()).unwrap(), None);
        assert_eq!(store.password_hash(USER).unwrap().unwrap().expose(), "$argon2id$1");
        assert!(store.password_hash(UserId::from_bytes([9; 16])).unwrap().is_none());
    }

    #[test]
    fn lists_come_in_pages() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            for n in 2..=5 {
                transaction.insert_organization(&organization(n))?;
                transaction.insert_application(&application(n))?;
                transaction.insert_membership(&membership(n, 1, Role::Operator))?;
                transaction.insert_device(&device(n))?;
            }
            transaction.insert_user(&user(3))
        });
        let store = &sample.store;
        let first_bytes = |users: Vec<User>| users.iter().map(|user| user.id.as_bytes()[0]).collect::<Vec<_>>();
        assert_eq!(first_bytes(store.users(None, 2).unwrap()), [1, 2]);
        assert_eq!(first_bytes(store.users(Some(USER), 9).unwrap()), [2, 3]);
        assert!(store.users(None, 0).unwrap().is_empty());
        assert_eq!(store.organizations(Some(organization(2).id), 2).unwrap(), [organization(3), organization(4)]);
        assert_eq!(store.applications(Some(application(2).id), 2).unwrap(), [application(3), application(4)]);
        assert_eq!(
            store.applications_of(USER, None, 2).unwrap(),
            [(application(1), Role::Administrator), (application(2), Role::Operator)]
        );
        assert_eq!(
            store.applications_of(USER, Some(application(4).id), 2).unwrap(),
            [(application(5), Role::Operator)]
        );
        assert_eq!(store.applications_in(ORGANIZATION).unwrap().len(), 5);
        assert_eq!(store.applications_in(organization(2).id).unwrap(), []);
        assert_eq!(store.devices(APPLICATION, Some(device(2).id), 2).unwrap(), [device(3), device(4)]);
        assert_eq!(store.devices(application(2).id, None, 2).unwrap(), []);
        assert_eq!(store.device(device(5).id).unwrap(), Some(device(5)));
    }

    #[test]
    fn administrators_and_members_are_listed_with_what_they_are() {
        let sample = Sample::populated();
        sample.write(|transaction| transaction.insert_membership(&membership(1, 2, Role::Observer)));
        let store = &sample.store;
        assert_eq!(store.administrators(ORGANIZATION).unwrap(), [user(1).user]);
        assert_eq!(store.organizations_of(USER).unwrap(), [organization(1)]);
        assert_eq!(store.organizations_of(user(2).user.id).unwrap(), []);
        assert!(store.is_administrator(ORGANIZATION, USER).unwrap());
        assert!(!store.is_administrator(ORGANIZATION, user(2).user.id).unwrap());
        assert_eq!(
            store.members(APPLICATION).unwrap(),
            [(user(1).user, membership(1, 1, Role::Administrator)), (user(2).user, membership(1, 2, Role::Observer)),]
        );
    }

    #[test]
    fn api_keys_are_found_by_digest_with_their_user() {
        let sample = Sample::populated();
        let bare = ApiKey { description: None, scopes: Vec::new(), expires_at: None, ..api_key(2, 1) };
        sample.write(|transaction| {
            transaction.insert_api_key(&bare)?;
            transaction.insert_api_key(&api_key(1, 1))
        });
        let store = &sample.store;
        assert_eq!(store.api_key_by_digest(&Digest::of(&[1])).unwrap(), Some(api_key(1, 1)));
        assert_eq!(store.api_key_by_digest(&Digest::of(&[9])).unwrap(), None);
        assert_eq!(store.api_key(bare.id).unwrap(), Some(bare.clone()));
        assert_eq!(store.api_keys(USER).unwrap(), [api_key(1, 1), bare]);
        assert_eq!(store.api_keys(user(2).user.id).unwrap(), []);
    }

    #[test]
    fn an_api_key_is_one_descent_away() {
        let sample = Sample::new();
        let raw = sample.raw();
        let mut plan = raw.prepare(&format!("EXPLAIN QUERY PLAN {API_KEY_BY_DIGEST}")).unwrap();
        let steps = plan.query_map([[0_u8; 32]], |row| row.get(3)).unwrap();
        let steps = steps.collect::<Result<Vec<String>, _>>().unwrap();
        assert_eq!(steps, ["SEARCH k USING PRIMARY KEY (digest=?)"]);
    }

    #[test]
    fn signing_keys_come_oldest_first() {
        let sample = Sample::new();
        let (old, new) = (signing_key(2, NOW), signing_key(1, NOW.plus(std::time::Duration::from_secs(1))));
        sample.write(|transaction| {
            transaction.insert_signing_key(&new)?;
            transaction.insert_signing_key(&old)
        });
        assert_eq!(sample.store.signing_keys().unwrap(), [old, new]);
    }

    #[test]
    fn events_come_newest_first() {
        let sample = Sample::new();
        sample.write(|transaction| [3, 1, 2].into_iter().try_for_each(|n| transaction.record(&event(n))));
        let ids = |skip, limit| -> Vec<u8> {
            sample.store.events(skip, limit).unwrap().iter().map(|event| event.id.as_bytes()[0]).collect()
        };
        assert_eq!(ids(0, 2), [2, 1]);
        assert_eq!(ids(2, 9), [3]);
        assert!(ids(3, 9).is_empty());
        assert_eq!(
            sample.store.events(0, 1).unwrap(),
            [StoredEvent {
                id: event(2).id,
                at: NOW,
                actor: Some(UserId::from_bytes([9; 16])),
                credential_kind: "api_key".into(),
                credential_id: Some("2".into()),
                client: Some("2001:db8::1".into()),
                action: "member_role_set".into(),
                user: Some(UserId::from_bytes([8; 16])),
                application: None,
                organization: None,
                detail: Some("operator".into()),
            }]
        );
    }

    #[test]
    fn what_could_never_have_been_written_is_damage() {
        for (damage, column) in [
            ("UPDATE users SET username = 'a@b'", "username"),
            ("UPDATE users SET email = 'nobody'", "email"),
            ("UPDATE organizations SET name = ''", "name"),
            ("UPDATE memberships SET role = 'king'", "role"),
            ("UPDATE organizations SET plan = 'gold'", "plan"),
            ("UPDATE applications SET organization_id = X'00'", "organization_id"),
            ("UPDATE users SET installation_administrator = 2", "installation_administrator"),
            ("UPDATE api_keys SET scopes = 'View'", "scopes"),
            ("UPDATE api_keys SET digest = X'00'", "digest"),
        ] {
            let sample = Sample::populated();
            sample.write(|transaction| transaction.insert_api_key(&api_key(1, 1)));
            let raw = sample.raw();
            raw.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON").unwrap();
            raw.execute_batch(damage).unwrap();
            let store = &sample.store;
            let failures = [
                store.user(USER).err(),
                store.organization(ORGANIZATION).err(),
                store.application(APPLICATION).err(),
                store.role(APPLICATION, USER).err(),
                store.api_keys(USER).err(),
            ];
            let told: Vec<_> = failures.into_iter().flatten().map(|error| error.to_string()).collect();
            assert_eq!(told.len(), 1, "{damage}: {told:?}");
            let expected = format!("the database is damaged: column `{column}`: ");
            assert!(told[0].starts_with(&expected), "{damage}: {told:?}");
        }
    }

    #[test]
    fn threads_read_at_once_and_few_connections_are_kept() {
        let sample = Sample::populated();
        let together = std::sync::Barrier::new(40);
        std::thread::scope(|scope| {
            for _ in 0..40 {
                scope.spawn(|| {
                    let found = sample.store.with(|connection| {
                        together.wait();
                        one(connection, "SELECT created_at FROM users", [], |columns| columns.take::<Timestamp>())
                    });
                    assert_eq!(found.unwrap(), Some(NOW));
                });
            }
        });
        assert_eq!(sample.store.readers.lock().unwrap().len(), crate::store::sqlite::IDLE_READERS);
        assert_eq!(sample.store.position().unwrap(), 6);
    }
}
