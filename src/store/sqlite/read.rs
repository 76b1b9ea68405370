//! The questions, each one statement, so that each answer is of one moment.

mod events;

use rusqlite::{Connection, params};

use self::events::{EVENTS, EVENTS_OF_APPLICATION, EVENTS_OF_ORGANIZATION, EVENTS_OF_USER};
use super::rows::{self, all, one};
use super::rows::{
    api_key_columns, application_columns, application_standing_columns, device_columns, mail_columns,
    membership_columns, organization_columns, organization_standing_columns, password_reset_columns, sign_up_columns,
    totp_columns, usable_key_columns, user_columns,
};
use super::values::Flag;
use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, Device, DeviceId, Email, Membership, Organization, OrganizationId,
    PasswordReset, PolicyGeneration, QueuedMail, Role, SignUp, SigningKey, Throttle, Timestamp, Totp, User, UserId,
    Username,
};
use crate::secret::{Digest, PasswordHash, Sealed};
use crate::store::{ApplicationStanding, EventFilter, OrganizationStanding, Read, StoreError, StoredEvent, UsableKey};

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

    fn active_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", user_columns!(), " FROM users u WHERE u.id = ?1 AND u.disabled_at IS NULL");
        self.with(|connection| one(connection, SQL, [id], rows::user))
    }

    fn disabled_at(&self, id: UserId) -> Result<Option<Timestamp>, StoreError> {
        const SQL: &str = "SELECT disabled_at FROM users WHERE id = ?1";
        self.with(|connection| one(connection, SQL, [id], |columns| columns.take())).map(Option::flatten)
    }

    fn disabled_users(&self) -> Result<Vec<(UserId, Timestamp)>, StoreError> {
        const SQL: &str = "SELECT id, disabled_at FROM users WHERE disabled_at IS NOT NULL ORDER BY id";
        self.with(|connection| all(connection, SQL, [], |columns| Ok((columns.take()?, columns.take()?))))
    }

    fn installation_administrators(&self) -> Result<Vec<User>, StoreError> {
        const SQL: &str =
            concat!("SELECT ", user_columns!(), " FROM users u WHERE u.installation_administrator = 1 ORDER BY u.id");
        self.with(|connection| all(connection, SQL, [], rows::user))
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

    fn organization_standing(
        &self,
        id: OrganizationId,
        user: Option<UserId>,
    ) -> Result<Option<OrganizationStanding>, StoreError> {
        self.with(|connection| one(connection, ORGANIZATION_STANDING, params![id, user], rows::organization_standing))
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

    fn members(
        &self,
        application: ApplicationId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<(User, Membership)>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            user_columns!(),
            ", ",
            membership_columns!(),
            " FROM memberships m JOIN users u ON u.id = m.user_id
              WHERE m.application_id = ?1 AND m.user_id > ?2 ORDER BY m.user_id LIMIT ?3"
        );
        let after = after_bytes(after.as_ref().map(UserId::as_bytes));
        self.with(|connection| {
            all(connection, SQL, params![application, after, limit], |columns| {
                Ok((rows::user(columns)?, rows::membership(columns)?))
            })
        })
    }

    fn application_standing(
        &self,
        id: ApplicationId,
        user: Option<UserId>,
    ) -> Result<Option<ApplicationStanding>, StoreError> {
        self.with(|connection| one(connection, APPLICATION_STANDING, params![id, user], rows::application_standing))
    }

    fn device_standing(&self, id: DeviceId, user: Option<UserId>) -> Result<Option<ApplicationStanding>, StoreError> {
        self.with(|connection| one(connection, DEVICE_STANDING, params![id, user], rows::application_standing))
    }

    fn role(&self, application: ApplicationId, user: UserId) -> Result<Option<Role>, StoreError> {
        const SQL: &str = "SELECT role FROM memberships WHERE application_id = ?1 AND user_id = ?2";
        self.with(|connection| one(connection, SQL, params![application, user], |columns| columns.take()))
    }

    fn has_left(&self, application: ApplicationId, user: UserId) -> Result<bool, StoreError> {
        const SQL: &str = "SELECT 1 FROM departures WHERE application_id = ?1 AND user_id = ?2";
        self.with(|connection| one(connection, SQL, params![application, user], |columns| columns.take::<Flag>()))
            .map(|found| found.is_some())
    }

    fn departures_of(&self, user: UserId) -> Result<Vec<ApplicationId>, StoreError> {
        const SQL: &str = "SELECT application_id FROM departures WHERE user_id = ?1 ORDER BY application_id";
        self.with(|connection| all(connection, SQL, [user], |columns| columns.take()))
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

    fn credential_by_digest(&self, digest: &Digest) -> Result<Option<(UsableKey, User)>, StoreError> {
        self.with(|connection| {
            one(connection, CREDENTIAL_BY_DIGEST, [digest], |columns| {
                Ok((rows::usable_key(columns)?, rows::user(columns)?))
            })
        })
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

    fn secret(&self, name: &str) -> Result<Option<Sealed>, StoreError> {
        const SQL: &str = "SELECT sealed FROM secrets WHERE name = ?1";
        self.with(|connection| one(connection, SQL, [name], |columns| columns.take()))
    }

    fn totp(&self, user: UserId) -> Result<Option<Totp>, StoreError> {
        const SQL: &str = concat!("SELECT ", totp_columns!(), " FROM totps WHERE user_id = ?1");
        self.with(|connection| one(connection, SQL, [user], rows::totp))
    }

    fn totps(&self) -> Result<Vec<Totp>, StoreError> {
        const SQL: &str = concat!("SELECT ", totp_columns!(), " FROM totps ORDER BY user_id");
        self.with(|connection| all(connection, SQL, [], rows::totp))
    }

    fn recovery_codes_left(&self, user: UserId) -> Result<u32, StoreError> {
        const SQL: &str = "SELECT COUNT(*) FROM recovery_codes WHERE user_id = ?1";
        self.with(|connection| one(connection, SQL, [user], |columns| columns.take())).map(Option::unwrap_or_default)
    }

    fn sign_up(&self, digest: &Digest) -> Result<Option<SignUp>, StoreError> {
        const SQL: &str = concat!("SELECT ", sign_up_columns!(), " FROM sign_ups WHERE digest = ?1");
        self.with(|connection| one(connection, SQL, [digest], rows::sign_up))
    }

    fn password_reset(&self, digest: &Digest) -> Result<Option<PasswordReset>, StoreError> {
        const SQL: &str = concat!("SELECT ", password_reset_columns!(), " FROM password_resets WHERE digest = ?1");
        self.with(|connection| one(connection, SQL, [digest], rows::password_reset))
    }

    fn throttle(&self, key: &Digest) -> Result<Option<Throttle>, StoreError> {
        const SQL: &str = "SELECT key, failures, last_failure_at, trusted FROM throttles WHERE key = ?1";
        self.with(|connection| one(connection, SQL, [key], rows::throttle))
    }

    fn due_mails(&self, now: Timestamp, limit: u32) -> Result<Vec<QueuedMail>, StoreError> {
        const SQL: &str = concat!(
            "SELECT ",
            mail_columns!(),
            " FROM mails WHERE next_attempt_at <= ?1 ORDER BY next_attempt_at, id LIMIT ?2"
        );
        self.with(|connection| all(connection, SQL, params![now, limit], rows::mail))
    }

    fn mails(&self) -> Result<Vec<QueuedMail>, StoreError> {
        const SQL: &str = concat!("SELECT ", mail_columns!(), " FROM mails ORDER BY id");
        self.with(|connection| all(connection, SQL, [], rows::mail))
    }

    fn events(&self, filter: EventFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredEvent>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        self.with(|connection| match filter {
            EventFilter::All => all(connection, EVENTS, params![before, limit], rows::event),
            EventFilter::User(id) => all(connection, EVENTS_OF_USER, params![before, limit, id], rows::event),
            EventFilter::Application(id) => {
                all(connection, EVENTS_OF_APPLICATION, params![before, limit, id], rows::event)
            }
            EventFilter::Organization(id) => {
                all(connection, EVENTS_OF_ORGANIZATION, params![before, limit, id], rows::event)
            }
        })
    }

    fn policy_generations(&self, before: Option<u64>, limit: u32) -> Result<Vec<PolicyGeneration>, StoreError> {
        const SQL: &str = "SELECT g.number, g.at, g.cause, g.user_id, g.digest, g.tests, f.folder, f.name, f.content
             FROM (SELECT * FROM policy_generations WHERE number < ?1 ORDER BY number DESC LIMIT ?2) g
             JOIN policy_files f ON f.generation = g.number ORDER BY g.number DESC, f.folder, f.name";
        let before = before.and_then(|before| i64::try_from(before).ok()).unwrap_or(i64::MAX);
        let rows = self.with(|connection| all(connection, SQL, params![before, limit], rows::policy_file))?;
        let mut generations: Vec<PolicyGeneration> = Vec::new();
        for (generation, file) in rows {
            match generations.last_mut() {
                Some(last) if last.number == generation.number => last.files.push(file),
                _ => generations.push(PolicyGeneration { files: vec![file], ..generation }),
            }
        }
        Ok(generations)
    }
}

// What a request waits for where the caches do not have it: each row is found by a primary key.

const CREDENTIAL_BY_DIGEST: &str = concat!(
    "SELECT ",
    usable_key_columns!(),
    ", ",
    user_columns!(),
    " FROM api_keys k JOIN users u ON u.id = k.user_id WHERE k.digest = ?1 AND u.disabled_at IS NULL"
);

const ORGANIZATION_STANDING: &str = concat!(
    "SELECT ",
    organization_standing_columns!(),
    " FROM organizations o
      LEFT JOIN organization_administrators r ON r.organization_id = o.id AND r.user_id = ?2
      WHERE o.id = ?1"
);

/// What an application `a` belongs to, and where the user `?2` stands towards both.
macro_rules! standing_joins {
    () => {
        "JOIN organizations o ON o.id = a.organization_id
         LEFT JOIN organization_administrators r ON r.organization_id = a.organization_id AND r.user_id = ?2
         LEFT JOIN memberships m ON m.application_id = a.id AND m.user_id = ?2"
    };
}

const APPLICATION_STANDING: &str =
    concat!("SELECT ", application_standing_columns!(), " FROM applications a ", standing_joins!(), " WHERE a.id = ?1");

const DEVICE_STANDING: &str = concat!(
    "SELECT ",
    application_standing_columns!(),
    " FROM devices d JOIN applications a ON a.id = d.application_id ",
    standing_joins!(),
    " WHERE d.id = ?1"
);

#[cfg(test)]
mod tests;
