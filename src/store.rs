//! What is kept: a trait in the domain's words, its SQL in the rooms below.
//!
//! Reads come from the last committed state. Writes are made in a [`Transaction`], which reads its own writes, excludes
//! other writers, and is undone unless it is committed: whoever checks and then writes does both in one, so nothing can
//! change in between. Every write records, in the same transaction, the [`Change`]s that it makes.
//!
//! The store decides nothing about who may do what, and may be used by `authn`, `authz` and `accounts` only.

mod migrations;
pub mod sqlite;

use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, Change, ChangeSeq, Device, DeviceId, Email, Event, Membership,
    NewUser, Organization, OrganizationId, Plan, Role, SigningKey, SigningKeyId, Timestamp, User, UserId, Username,
};
use crate::secret::{Digest, PasswordHash};

/// The store has failed, or refuses.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with this unique value exists already, or something exists still that must be gone before what was to
    /// be deleted.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// What was to be changed, or is referred to, does not exist.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: \
         use the version of Gatepost that wrote it, or a newer one"
    )]
    TooNew {
        /// The database's version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database could not be opened.
    #[error("cannot open the database `{path}`: {cause}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        cause: String,
    },
    /// The database holds something that this program never writes.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database failed.
    #[error("the database failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What is asked of the store. Lists are ordered by identifier, so by time of creation.
pub trait Read {
    /// The account with this identifier.
    fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// The account with this username.
    fn user_by_username(&self, username: &Username) -> Result<Option<User>, StoreError>;
    /// The account with this address.
    fn user_by_email(&self, email: &Email) -> Result<Option<User>, StoreError>;
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

    /// The members of an application, with their roles.
    fn members(&self, application: ApplicationId) -> Result<Vec<(User, Membership)>, StoreError>;
    /// A user's role on an application.
    fn role(&self, application: ApplicationId, user: UserId) -> Result<Option<Role>, StoreError>;

    /// The device with this identifier.
    fn device(&self, id: DeviceId) -> Result<Option<Device>, StoreError>;
    /// The devices of an application, after `after`, `limit` at most.
    fn devices(
        &self,
        application: ApplicationId,
        after: Option<DeviceId>,
        limit: u32,
    ) -> Result<Vec<Device>, StoreError>;

    /// The API key with this digest.
    fn api_key_by_digest(&self, digest: &Digest) -> Result<Option<ApiKey>, StoreError>;
    /// The API key with this identifier.
    fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;
    /// The API keys of an account.
    fn api_keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError>;

    /// The signing keys, oldest first.
    fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError>;

    /// The account events after the first `skip`, newest first, `limit` at most.
    fn events(&self, skip: u32, limit: u32) -> Result<Vec<StoredEvent>, StoreError>;
}

/// An account event as it is read back.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StoredEvent {
    /// Its identifier.
    pub id: crate::model::EventId,
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

/// Writes, and the reads that they depend on, as one step: all of it happens, or nothing.
///
/// Dropping a transaction undoes it. A method that fails leaves the transaction usable only for dropping: it can no
/// longer be committed.
///
/// What does not exist is [`StoreError::Missing`], named `user`, `organization`, `administrator`, `application`,
/// `member`, `device`, `api key` or `signing key`; what exists already is [`StoreError::Exists`], by the same names.
pub trait Transaction: Read {
    /// Creates an account. [`StoreError::Exists`] names `username` or `email` when another account has it.
    fn insert_user(&mut self, user: &NewUser) -> Result<(), StoreError>;
    /// Deletes an account with its API keys, memberships and administrator rights. What it owns must be gone:
    /// [`StoreError::Exists`] names `application` or `organization` (its personal one).
    fn delete_user(&mut self, id: UserId) -> Result<(), StoreError>;
    /// Sets or takes an account's password.
    fn set_password_hash(&mut self, user: UserId, hash: Option<&PasswordHash>) -> Result<(), StoreError>;
    /// Refuses the account's session tokens issued before `not_before`; the latest such time stays in force, so that a
    /// clock that was set back revives nothing.
    fn end_sessions(&mut self, user: UserId, not_before: Timestamp) -> Result<(), StoreError>;

    /// Creates an organization. [`StoreError::Exists`] when `personal_to` has a personal organization already.
    fn insert_organization(&mut self, organization: &Organization) -> Result<(), StoreError>;
    /// Deletes an organization with its administrators; its applications must be gone: [`StoreError::Exists`] names
    /// `application`.
    fn delete_organization(&mut self, id: OrganizationId) -> Result<(), StoreError>;
    /// Sets an organization's plan.
    fn set_plan(&mut self, organization: OrganizationId, plan: Plan) -> Result<(), StoreError>;
    /// Makes the user an administrator of the organization.
    fn insert_administrator(
        &mut self,
        organization: OrganizationId,
        user: UserId,
        at: Timestamp,
    ) -> Result<(), StoreError>;
    /// Takes the user's administration of the organization.
    fn delete_administrator(&mut self, organization: OrganizationId, user: UserId) -> Result<(), StoreError>;

    /// Creates an application; its owner must be made a member. [`StoreError::Exists`] names `application` when the
    /// organization has one of that name.
    fn insert_application(&mut self, application: &Application) -> Result<(), StoreError>;
    /// Deletes an application with its devices and memberships.
    fn delete_application(&mut self, id: ApplicationId) -> Result<(), StoreError>;

    /// Makes a user a member. [`StoreError::Exists`] names `member` when the user is one already.
    fn insert_membership(&mut self, membership: &Membership) -> Result<(), StoreError>;
    /// Changes a member's role.
    fn set_role(&mut self, application: ApplicationId, user: UserId, role: Role) -> Result<(), StoreError>;
    /// Ends a membership.
    fn delete_membership(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError>;

    /// Registers a device. [`StoreError::Exists`] names `device` when the identifier is taken.
    fn insert_device(&mut self, device: &Device) -> Result<(), StoreError>;
    /// Removes a device.
    fn delete_device(&mut self, id: DeviceId) -> Result<(), StoreError>;

    /// Stores an API key.
    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError>;
    /// Revokes an API key: it is gone.
    fn delete_api_key(&mut self, id: ApiKeyId) -> Result<(), StoreError>;

    /// Stores a signing key.
    fn insert_signing_key(&mut self, key: &SigningKey) -> Result<(), StoreError>;
    /// Forgets a signing key: tokens that it signed are refused.
    fn delete_signing_key(&mut self, id: SigningKeyId) -> Result<(), StoreError>;

    /// Writes an account event.
    fn record(&mut self, event: &Event) -> Result<(), StoreError>;

    /// Makes all of it durable and gives the changes made. When this returns, the changes survive the loss of the
    /// process and of the machine's power.
    fn commit(self: Box<Self>) -> Result<Vec<Change>, StoreError>;
}

/// What has changed since a position in the change sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// The position to ask from the next time.
    pub position: ChangeSeq,
}

/// A store that many threads use. Calls block; asynchronous callers make them on threads meant for that.
pub trait Store: Read + Send + Sync + 'static {
    /// Begins a transaction, once other writers are done.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// The end of the change sequence.
    fn position(&self) -> Result<ChangeSeq, StoreError>;

    /// What any process has changed since `position`: [`Change::Everything`] where the sequence no longer reaches back
    /// that far. Cheap when nothing has changed, so that it can be asked many times a second.
    fn changes_since(&self, position: ChangeSeq) -> Result<Changes, StoreError>;
}
