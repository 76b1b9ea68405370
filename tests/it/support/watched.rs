//! A store that counts what it is asked, and can be made to hang.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Condvar, Mutex};

use gatepost::model::*;
use gatepost::secret::{Digest, PasswordHash, Sealed};
use gatepost::store::sqlite::SqliteStore;
use gatepost::store::{
    ApplicationStanding, Changes, EventFilter, OrganizationStanding, Read, Store, StoreError, StoredEvent, Transaction,
    UsableKey,
};

/// A real store behind a door.
pub struct Watched {
    store: SqliteStore,
    state: Mutex<State>,
    opened: Condvar,
}

#[derive(Default)]
struct State {
    is_hanging: bool,
    reads: BTreeMap<&'static str, usize>,
}

impl Watched {
    pub fn open(path: &Path) -> Self {
        Self { store: SqliteStore::open(path).unwrap(), state: Mutex::default(), opened: Condvar::new() }
    }

    /// From now on, or no longer, reads do not come back.
    pub fn hang(&self, is_hanging: bool) {
        self.state.lock().unwrap().is_hanging = is_hanging;
        self.opened.notify_all();
    }

    /// How often something was asked, whether it was answered or not.
    pub fn reads(&self, what: &str) -> usize {
        self.state.lock().unwrap().reads.get(what).copied().unwrap_or(0)
    }

    fn enter(&self, what: &'static str) {
        let mut state = self.state.lock().unwrap();
        *state.reads.entry(what).or_default() += 1;
        drop(self.opened.wait_while(state, |state| state.is_hanging).unwrap());
    }
}

macro_rules! watched {
    ($($name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        impl Read for Watched {
            $(fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.enter(stringify!($name));
                self.store.$name($($argument),*)
            })*
        }
    };
}

watched! {
    user(id: UserId) -> Option<User>;
    user_by_username(username: &Username) -> Option<User>;
    user_by_email(email: &Email) -> Option<User>;
    active_user(id: UserId) -> Option<User>;
    disabled_at(id: UserId) -> Option<Timestamp>;
    disabled_users() -> Vec<(UserId, Timestamp)>;
    installation_administrators() -> Vec<User>;
    users(after: Option<UserId>, limit: u32) -> Vec<User>;
    password_hash(user: UserId) -> Option<PasswordHash>;
    organization(id: OrganizationId) -> Option<Organization>;
    organizations(after: Option<OrganizationId>, limit: u32) -> Vec<Organization>;
    organizations_of(user: UserId) -> Vec<Organization>;
    administrators(organization: OrganizationId) -> Vec<User>;
    organization_standing(id: OrganizationId, user: Option<UserId>) -> Option<OrganizationStanding>;
    is_administrator(organization: OrganizationId, user: UserId) -> bool;
    application(id: ApplicationId) -> Option<Application>;
    applications(after: Option<ApplicationId>, limit: u32) -> Vec<Application>;
    applications_of(user: UserId, after: Option<ApplicationId>, limit: u32) -> Vec<(Application, Role)>;
    applications_in(organization: OrganizationId) -> Vec<Application>;
    members(application: ApplicationId, after: Option<UserId>, limit: u32) -> Vec<(User, Membership)>;
    application_standing(id: ApplicationId, user: Option<UserId>) -> Option<ApplicationStanding>;
    device_standing(id: DeviceId, user: Option<UserId>) -> Option<ApplicationStanding>;
    role(application: ApplicationId, user: UserId) -> Option<Role>;
    has_left(application: ApplicationId, user: UserId) -> bool;
    departures_of(user: UserId) -> Vec<ApplicationId>;
    device(id: DeviceId) -> Option<Device>;
    devices(application: ApplicationId, after: Option<DeviceId>, limit: u32) -> Vec<Device>;
    credential_by_digest(digest: &Digest) -> Option<(UsableKey, User)>;
    api_key(id: ApiKeyId) -> Option<ApiKey>;
    api_keys(user: UserId) -> Vec<ApiKey>;
    signing_keys() -> Vec<SigningKey>;
    secret(name: &str) -> Option<Sealed>;
    totp(user: UserId) -> Option<Totp>;
    totps() -> Vec<Totp>;
    recovery_codes_left(user: UserId) -> u32;
    sign_up(digest: &Digest) -> Option<SignUp>;
    password_reset(digest: &Digest) -> Option<PasswordReset>;
    throttle(key: &Digest) -> Option<Throttle>;
    due_mails(now: Timestamp, limit: u32) -> Vec<QueuedMail>;
    mails() -> Vec<QueuedMail>;
    policy_generations(before: Option<u64>, limit: u32) -> Vec<PolicyGeneration>;
    events(filter: EventFilter, before: Option<i64>, limit: u32) -> Vec<StoredEvent>;
}

impl Store for Watched {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        self.store.begin()
    }

    fn position(&self) -> Result<ChangeSeq, StoreError> {
        self.store.position()
    }

    fn changes_since(&self, position: ChangeSeq) -> Result<Changes, StoreError> {
        self.store.changes_since(position)
    }
}
