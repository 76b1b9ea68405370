//! What can be asked of the store.

use super::StoreError;
use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, ApplicationType, Device, DeviceId, Email, EventId, Membership,
    Organization, OrganizationId, PasswordReset, Plan, PolicyGeneration, QueuedMail, Role, SignUp, SigningKey,
    Throttle, Timestamp, Totp, User, UserId, Username,
};
use crate::secret::{Digest, PasswordHash, Sealed};

/// What is asked of the store. Lists are ordered by identifier, so by time of creation.
pub trait Read {
    /// The account with this identifier.
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// The account with this username.
    fn user_by_username(&self, username: &Username) -> Result<Option<User>, StoreError>;
    /// The account with this address.
    fn user_by_email(&self, email: &Email) -> Result<Option<User>, StoreError>;
    /// The account with this identifier, unless it is disabled: whether its session tokens count.
    fn active_user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// Since when the account is disabled, if it is.
    fn disabled_at(&self, id: UserId) -> Result<Option<Timestamp>, StoreError>;
    /// All accounts that are disabled, and since when.
    fn disabled_users(&self) -> Result<Vec<(UserId, Timestamp)>, StoreError>;
    /// All accounts that administer this installation.
    fn installation_administrators(&self) -> Result<Vec<User>, StoreError>;
    /// All accounts after `after`, `limit` at most.
    fn users(&self, after: Option<UserId>, limit: u32) -> Result<Vec<User>, StoreError>;
    /// The hash of an account's password, if it has one.
    fn password_hash(&self, user: UserId) -> Result<Option<PasswordHash>, StoreError>;

    /// The organization with this identifier.
    fn organization(&self, id: OrganizationId) -> Result<Option<Organization>, StoreError>;
    /// All organizations after `after`, `limit` at most.
    fn organizations(&self, after: Option<OrganizationId>, limit: u32) -> Result<Vec<Organization>, StoreError>;
    /// The organizations that the user administers.
    fn organizations_of(&self, user: UserId) -> Result<Vec<Organization>, StoreError>;
    /// The administrators of an organization.
    fn administrators(&self, organization: OrganizationId) -> Result<Vec<User>, StoreError>;
    /// The organization with this identifier, and whether the user, if there is one, administers it.
    fn organization_standing(
        &self,
        id: OrganizationId,
        user: Option<UserId>,
    ) -> Result<Option<OrganizationStanding>, StoreError>;
    /// Whether the user administers the organization.
    fn is_administrator(&self, organization: OrganizationId, user: UserId) -> Result<bool, StoreError>;

    /// The application with this identifier.
    fn application(&self, id: ApplicationId) -> Result<Option<Application>, StoreError>;
    /// All applications after `after`, `limit` at most.
    fn applications(&self, after: Option<ApplicationId>, limit: u32) -> Result<Vec<Application>, StoreError>;
    /// The applications on which the user holds a role, with the role, after `after`, `limit` at most.
    fn applications_of(
        &self,
        user: UserId,
        after: Option<ApplicationId>,
        limit: u32,
    ) -> Result<Vec<(Application, Role)>, StoreError>;
    /// The applications that belong to an organization.
    fn applications_in(&self, organization: OrganizationId) -> Result<Vec<Application>, StoreError>;

    /// The members of an application, with their roles, after `after`, `limit` at most.
    fn members(
        &self,
        application: ApplicationId,
        after: Option<UserId>,
        limit: u32,
    ) -> Result<Vec<(User, Membership)>, StoreError>;
    /// The application with this identifier, and where the user, if there is one, stands towards it.
    fn application_standing(
        &self,
        id: ApplicationId,
        user: Option<UserId>,
    ) -> Result<Option<ApplicationStanding>, StoreError>;
    /// The same of the application that the device with this identifier is registered with.
    fn device_standing(&self, id: DeviceId, user: Option<UserId>) -> Result<Option<ApplicationStanding>, StoreError>;
    /// A user's role on an application.
    fn role(&self, application: ApplicationId, user: UserId) -> Result<Option<Role>, StoreError>;
    /// Whether the user has left the application by themselves, and was not brought back since.
    fn has_left(&self, application: ApplicationId, user: UserId) -> Result<bool, StoreError>;
    /// The applications that the user has left by themselves, and was not brought back to since.
    fn departures_of(&self, user: UserId) -> Result<Vec<ApplicationId>, StoreError>;

    /// The device with this identifier.
    fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError>;
    /// The devices of an application, after `after`, `limit` at most.
    fn devices(
        &self,
        application: ApplicationId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, StoreError>;

    /// The API key with this digest, and whose it is: none of an account that is disabled.
    fn credential_by_digest(&self, digest: &Digest) -> Result<Option<(UsableKey, User)>, StoreError>;
    /// The API key with this identifier.
    fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;
    /// The API keys of an account.
    fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError>;

    /// The signing keys, oldest first.
    fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError>;
    /// The installation's secret of this name.
    fn secret(&self, name: &str) -> Result<Option<Sealed>, StoreError>;

    /// A user's second factor, enabled or being paired.
    fn totp(&self, user: UserId) -> Result<Option<Totp>, StoreError>;
    /// All users' second factors, by user.
    fn totps(&self) -> Result<Vec<Totp>, StoreError>;
    /// How many recovery codes a user has left.
    fn recovery_codes_left(&self, user: UserId) -> Result<u32, StoreError>;

    /// The sign-up that waits for the link with this digest, expired or not.
    fn sign_up(&self, digest: &Digest) -> Result<Option<SignUp>, StoreError>;
    /// The password reset that waits for the link with this digest, expired or not.
    fn password_reset(&self, digest: &Digest) -> Result<Option<PasswordReset>, StoreError>;
    /// The failed attempts that are counted under this key.
    fn throttle(&self, key: &Digest) -> Result<Option<Throttle>, StoreError>;

    /// The mails whose delivery is to be tried at the time `now`, those that wait longest first, `limit` at most.
    fn due_mails(&self, now: Timestamp, limit: u32) -> Result<Vec<QueuedMail>, StoreError>;
    /// All mails in the queue.
    fn mails(&self) -> Result<Vec<QueuedMail>, StoreError>;

    /// The account events that `filter` chooses, those before the position `before` if one is given, newest first,
    /// `limit` at most.
    fn events(&self, filter: EventFilter, before: Option<i64>, limit: u32) -> Result<Vec<StoredEvent>, StoreError>;

    /// The generations of policies before the number `before`, or all that are kept, newest first, `limit` at most.
    fn policy_generations(&self, before: Option<u64>, limit: u32) -> Result<Vec<PolicyGeneration>, StoreError>;
}

/// What of an API key its use depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsableKey {
    /// Its identifier.
    pub id: ApiKeyId,
    /// What it is narrowed to.
    pub scopes: Vec<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, as far as that is written down.
    pub last_used_at: Option<Timestamp>,
}

/// An organization and where a user stands towards it: what decisions are made from and nothing else, since that is read
/// for many of them, and remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganizationStanding {
    /// The organization's identifier.
    pub id: OrganizationId,
    /// Its plan.
    pub plan: Plan,
    /// Whether the user administers it.
    pub is_administrator: bool,
}

/// The same of an application, and of the organization that it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApplicationStanding {
    /// The application's identifier.
    pub id: ApplicationId,
    /// What it can do.
    pub application_type: ApplicationType,
    /// Who created it.
    pub owner: UserId,
    /// Its organization.
    pub organization: OrganizationStanding,
    /// The user's role on the application.
    pub role: Option<Role>,
}

/// Which account events are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFilter {
    /// All of them.
    All,
    /// Those of what this user did, and of what was done to this user.
    User(UserId),
    /// Those of what was done in this application.
    Application(ApplicationId),
    /// Those that name this organization.
    Organization(OrganizationId),
}

/// An account event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoredEvent {
    /// Its position: where the next page of a list begins. It is a matter of this store alone, and not shown.
    #[serde(skip)]
    pub seq: i64,
    /// Its identifier.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who did it; nobody when it was done on this machine's console.
    pub actor: Option<UserId>,
    /// With which kind of credential.
    pub credential_kind: String,
    /// The identifier of that credential.
    pub credential_id: Option<String>,
    /// From which address.
    pub client: Option<String>,
    /// What was done.
    pub action: String,
    /// To whom.
    pub user: Option<UserId>,
    /// In which application.
    pub application: Option<ApplicationId>,
    /// In which organization.
    pub organization: Option<OrganizationId>,
    /// What else there is to tell.
    pub detail: Option<String>,
}
