//! Sample data for this room's tests: a number makes the same thing each time.

use std::path::PathBuf;

use tempfile::TempDir;

use super::SqliteStore;
use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, ApplicationType, Change, Device, DeviceId, Email, Event, EventAction,
    EventId, MailId, Membership, Name, NewUser, Organization, OrganizationId, PasswordReset, Plan, QueuedMail, Role,
    SignUp, SigningKey, SigningKeyId, Throttle, Timestamp, Totp, User, UserId, Username,
};
use crate::secret::{Digest, PasswordHash, Sealed};
use crate::store::{Store, StoreError, Transaction};

pub(super) const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

/// A store in a folder that goes with it.
pub(super) struct Sample {
    pub(super) store: SqliteStore,
    folder: TempDir,
}

impl Sample {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("gatepost.db")).unwrap();
        Self { store, folder }
    }

    /// Users 1 and 2, organization 1 administered by user 1, application 1 in it, owned by user 1.
    pub(super) fn populated() -> Self {
        let sample = Self::new();
        sample.write(|transaction| {
            transaction.insert_user(&user(1))?;
            transaction.insert_user(&user(2))?;
            transaction.insert_organization(&organization(1))?;
            transaction.insert_administrator(OrganizationId::from_bytes([1; 16]), user(1).user.id, NOW)?;
            transaction.insert_application(&application(1))?;
            transaction.insert_membership(&membership(1, 1, Role::Administrator))
        });
        sample
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("gatepost.db")
    }

    /// Another connection to the same file, which keeps no rule of this program.
    pub(super) fn raw(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.path()).unwrap()
    }

    /// What a transaction that succeeds has changed.
    pub(super) fn write(&self, steps: impl FnOnce(&mut dyn Transaction) -> Result<(), StoreError>) -> Vec<Change> {
        let mut transaction = self.store.begin().unwrap();
        steps(&mut *transaction).unwrap();
        transaction.commit().unwrap()
    }

    /// How a transaction's one step is refused; nothing of it can be committed.
    pub(super) fn refusal(&self, step: impl FnOnce(&mut dyn Transaction) -> Result<(), StoreError>) -> String {
        let mut transaction = self.store.begin().unwrap();
        let refusal = step(&mut *transaction).unwrap_err();
        assert!(matches!(refusal, StoreError::Exists(_) | StoreError::Missing(_)), "{refusal:?}");
        transaction.commit().unwrap_err();
        refusal.to_string()
    }

    /// How many of twenty threads succeed when all take the same step at once, half of them through a store of their own
    /// on the same file, as another process would.
    pub(super) fn winners(&self, step: impl Fn(&mut dyn Transaction) -> Result<bool, StoreError> + Sync) -> usize {
        let other = SqliteStore::open(&self.path()).unwrap();
        let together = std::sync::Barrier::new(20);
        let attempt = |store: &SqliteStore| {
            together.wait();
            let mut transaction = store.begin().unwrap();
            let won = step(&mut *transaction).unwrap();
            if won {
                transaction.commit().unwrap();
            }
            won
        };
        std::thread::scope(|scope| {
            let stores = [&self.store, &other].into_iter().cycle().take(20);
            let threads: Vec<_> = stores.map(|store| scope.spawn(|| attempt(store))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|won| *won).count()
        })
    }
}

pub(super) fn user(n: u8) -> NewUser {
    NewUser {
        user: User {
            id: UserId::from_bytes([n; 16]),
            username: Username::parse(&format!("User{n}")).unwrap(),
            email: Email::parse(&format!("User{n}@Example.com")).unwrap(),
            installation_administrator: n == 1,
            tokens_not_before: Timestamp::from_micros(0),
            created_at: NOW,
        },
        password_hash: Some(PasswordHash::new(format!("$argon2id${n}"))),
    }
}

/// Nobody's personal organization.
pub(super) fn organization(n: u8) -> Organization {
    Organization {
        id: OrganizationId::from_bytes([n; 16]),
        name: Name::parse(&format!("Organization {n}")).unwrap(),
        plan: Plan::Free,
        personal_to: None,
        created_at: NOW,
    }
}

/// An application in organization 1, owned by user 1.
pub(super) fn application(n: u8) -> Application {
    Application {
        id: ApplicationId::from_bytes([n; 16]),
        name: Name::parse(&format!("Application {n}")).unwrap(),
        application_type: ApplicationType::Standard,
        organization: OrganizationId::from_bytes([1; 16]),
        owner: UserId::from_bytes([1; 16]),
        created_at: NOW,
    }
}

pub(super) fn membership(application: u8, user: u8, role: Role) -> Membership {
    Membership {
        application: ApplicationId::from_bytes([application; 16]),
        user: UserId::from_bytes([user; 16]),
        role,
        created_at: NOW,
    }
}

/// A device of application 1.
pub(super) fn device(n: u8) -> Device {
    Device {
        id: DeviceId::from_bytes([n; 16]),
        application: ApplicationId::from_bytes([1; 16]),
        name: Name::parse(&format!("Device {n}")).unwrap(),
        created_at: NOW,
    }
}

pub(super) fn api_key(n: u8, user: u8) -> ApiKey {
    ApiKey {
        id: ApiKeyId::from_bytes([n; 16]),
        user: UserId::from_bytes([user; 16]),
        name: Name::parse(&format!("Key {n}")).unwrap(),
        description: Some("for tests".into()),
        digest: Digest::of(&[n]),
        prefix: "gp_abcd".into(),
        scopes: vec!["View".into(), "a \"quoted\" one".into()],
        created_at: NOW,
        expires_at: Some(Timestamp::from_secs(1_800_000_000)),
        last_used_at: None,
    }
}

pub(super) fn signing_key(n: u8, created_at: Timestamp) -> SigningKey {
    SigningKey {
        id: SigningKeyId::from_bytes([n; 16]),
        private: Sealed::from_bytes(vec![n; 60]),
        public: [n; 32],
        created_at,
    }
}

/// A second factor that is being paired.
pub(super) fn totp(user: u8) -> Totp {
    Totp {
        user: UserId::from_bytes([user; 16]),
        secret: Sealed::from_bytes(vec![user; 60]),
        enabled_at: None,
        last_step: 0,
        created_at: NOW,
    }
}

/// A sign-up for the name and the address of user `n`.
pub(super) fn sign_up(n: u8) -> SignUp {
    SignUp {
        digest: Digest::of(&[n]),
        username: user(n).user.username,
        email: user(n).user.email,
        password_hash: PasswordHash::new(format!("$argon2id${n}")),
        created_at: NOW,
        expires_at: Timestamp::from_secs(1_764_003_600),
    }
}

pub(super) fn password_reset(n: u8, user: u8) -> PasswordReset {
    PasswordReset {
        digest: Digest::of(&[n]),
        user: UserId::from_bytes([user; 16]),
        created_at: NOW,
        expires_at: Timestamp::from_secs(1_764_003_600),
    }
}

pub(super) fn throttle(n: u8) -> Throttle {
    Throttle { key: Digest::of(&[n]), failures: u32::from(n), last_failure_at: NOW, trusted: false }
}

pub(super) fn mail(n: u8, next_attempt_at: Timestamp) -> QueuedMail {
    QueuedMail {
        id: MailId::from_bytes([n; 16]),
        sealed: Sealed::from_bytes(vec![n; 400]),
        attempts: 0,
        next_attempt_at,
        created_at: NOW,
    }
}

pub(super) fn event(n: u8) -> Event {
    Event {
        id: EventId::from_bytes([n; 16]),
        at: NOW,
        actor: Some(UserId::from_bytes([9; 16])),
        credential_kind: "api_key",
        credential_id: Some(n.to_string()),
        client: Some("2001:db8::1".parse().unwrap()),
        action: EventAction::MemberRoleSet,
        user: Some(UserId::from_bytes([8; 16])),
        application: None,
        organization: None,
        detail: Some("operator".into()),
    }
}
