//! What can be written to the store, by topic, and the transaction that all of it is written in.

use super::{Read, StoreError};
use crate::model::{
    ApiKey, ApiKeyId, Application, ApplicationId, Change, Device, DeviceId, Event, MailId, Membership, NewUser,
    Organization, OrganizationId, PasswordReset, Plan, PolicyGeneration, QueuedMail, Role, SignUp, SigningKey,
    SigningKeyId, Throttle, Timestamp, Totp, UserId,
};
use crate::secret::{Digest, PasswordHash, Sealed};

/// Writes, and the reads that they depend on, as one step: all of it happens, or nothing.
///
/// Dropping a transaction undoes it. A method that fails leaves the transaction usable only for dropping: it can no
/// longer be committed.
///
/// What does not exist is [`StoreError::Missing`], named `user`, `organization`, `administrator`, `application`,
/// `member`, `device`, `api key`, `signing key`, `totp`, `recovery code`, `sign-up`, `password reset`, `mail` or `policy generation`; what
/// exists already is [`StoreError::Exists`], by the same names.
pub trait Transaction:
    Read
    + WriteAccounts
    + WriteOrganizations
    + WriteApplications
    + WriteCredentials
    + WriteSecondFactors
    + WriteSignIn
    + WriteMail
    + WritePolicies
{
    /// Writes an account event.
    fn record(&mut self, event: &Event) -> Result<(), StoreError>;

    /// Makes all of it durable and gives the changes made. When this returns, the changes survive the loss of the
    /// process and of the machine's power.
    fn commit(self: Box<Self>) -> Result<Vec<Change>, StoreError>;
}

/// Writes accounts.
pub trait WriteAccounts {
    /// Creates an account. [`StoreError::Exists`] names `username` or `email` when another account has it.
    fn insert_user(&mut self, user: &NewUser) -> Result<(), StoreError>;
    /// Deletes an account with its API keys, memberships, departures, administrator rights, second factor, links and
    /// throttles. What it owns must be gone: [`StoreError::Exists`] names `application` or `organization` (its personal
    /// one).
    fn delete_user(&mut self, id: UserId) -> Result<(), StoreError>;
    /// Sets or takes an account's password.
    fn set_password_hash(&mut self, user: UserId, hash: Option<&PasswordHash>) -> Result<(), StoreError>;
    /// Refuses the account's session tokens issued before `not_before`; the latest such time stays in force, so that a
    /// clock that was set back revives nothing.
    fn end_sessions(&mut self, user: UserId, not_before: Timestamp) -> Result<(), StoreError>;
    /// Makes the user an administrator of the installation, or takes that.
    fn set_user_admin(&mut self, user: UserId, admin: bool) -> Result<(), StoreError>;
    /// Disables the account since a time, or enables it. Its API keys stay, and count only while it is enabled.
    fn set_disabled(&mut self, user: UserId, at: Option<Timestamp>) -> Result<(), StoreError>;
    /// For an account that is being deleted, before or after [`WriteAccounts::delete_user`]: forgets its second factor,
    /// links and throttles, and the client addresses of the events of what it did, and of what was done to it by nobody
    /// who is known. The events themselves stay. Events that are recorded later keep what they are given.
    fn forget_person(&mut self, user: UserId) -> Result<(), StoreError>;
}

/// Writes organizations and who administers them.
pub trait WriteOrganizations {
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
}

/// Writes applications, their members and their devices.
pub trait WriteApplications {
    /// Creates an application; its owner must be made a member. [`StoreError::Exists`] names `application` when the
    /// organization has one of that name.
    fn insert_application(&mut self, application: &Application) -> Result<(), StoreError>;
    /// Deletes an application with its devices, memberships and departures.
    fn delete_application(&mut self, id: ApplicationId) -> Result<(), StoreError>;

    /// Makes a user a member. [`StoreError::Exists`] names `member` when the user is one already.
    fn insert_membership(&mut self, membership: &Membership) -> Result<(), StoreError>;
    /// Changes a member's role.
    fn set_role(&mut self, application: ApplicationId, user: UserId, role: Role) -> Result<(), StoreError>;
    /// Ends a membership.
    fn delete_membership(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError>;
    /// Notes that a user has left by themselves; once is enough.
    fn record_departure(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError>;
    /// Forgets that a user has left, if they have.
    fn delete_departure(&mut self, application: ApplicationId, user: UserId) -> Result<(), StoreError>;

    /// Registers a device. [`StoreError::Exists`] names `device` when the identifier is taken.
    fn insert_device(&mut self, device: &Device) -> Result<(), StoreError>;
    /// Removes a device.
    fn delete_device(&mut self, id: DeviceId) -> Result<(), StoreError>;
}

/// Writes API keys, signing keys and the installation's own secrets.
pub trait WriteCredentials {
    /// Stores an API key.
    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError>;
    /// Revokes an API key: it is gone.
    fn delete_api_key(&mut self, id: ApiKeyId) -> Result<(), StoreError>;
    /// Notes when API keys were last used; the latest time of each stays, and those that are gone are skipped. It changes
    /// nothing that decisions are made from.
    fn touch_api_keys(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError>;

    /// Stores a signing key.
    fn insert_signing_key(&mut self, key: &SigningKey) -> Result<(), StoreError>;
    /// Forgets a signing key: tokens that it signed are refused.
    fn delete_signing_key(&mut self, id: SigningKeyId) -> Result<(), StoreError>;
    /// Replaces the encrypted form of a signing key's private key.
    fn reseal_signing_key(&mut self, id: SigningKeyId, private: &Sealed) -> Result<(), StoreError>;

    /// Stores the installation's secret of this name, in the place of an older one.
    fn put_secret(&mut self, name: &str, secret: &Sealed) -> Result<(), StoreError>;
}

/// Writes what a second factor is checked against.
pub trait WriteSecondFactors {
    /// Stores a user's second factor, in the place of one that is being paired. [`StoreError::Exists`] names `totp` when
    /// the user has one that is enabled: that is only ever taken by [`WriteSecondFactors::delete_totp`].
    fn put_totp(&mut self, totp: &Totp) -> Result<(), StoreError>;
    /// Ends the pairing: the code of `step` was right. [`StoreError::Exists`] names `totp` when it was enabled already.
    fn enable_totp(&mut self, user: UserId, at: Timestamp, step: i64) -> Result<(), StoreError>;
    /// Uses up the codes of an enabled second factor up to `step`. False, with nothing written, unless `step` is later
    /// than all that were used up before: then the code must be refused.
    fn set_totp_step(&mut self, user: UserId, step: i64) -> Result<bool, StoreError>;
    /// Takes a user's second factor with its recovery codes.
    fn delete_totp(&mut self, user: UserId) -> Result<(), StoreError>;
    /// Replaces the encrypted form of a second factor's secret.
    fn reseal_totp(&mut self, user: UserId, secret: &Sealed) -> Result<(), StoreError>;

    /// Gives a user these recovery codes in the place of the old ones.
    fn replace_recovery_codes(&mut self, user: UserId, codes: &[Digest]) -> Result<(), StoreError>;
    /// Uses up a recovery code. False when the user has no such code, or no longer.
    fn use_recovery_code(&mut self, user: UserId, code: &Digest) -> Result<bool, StoreError>;
}

/// Writes what signing up, resetting a password and failing to sign in leave behind.
pub trait WriteSignIn {
    /// Stores a sign-up.
    fn insert_sign_up(&mut self, sign_up: &SignUp) -> Result<(), StoreError>;
    /// Takes the sign-up that waits for the link with this digest, expired or not: it cannot be taken again.
    fn take_sign_up(&mut self, digest: &Digest) -> Result<Option<SignUp>, StoreError>;

    /// Stores a password reset.
    fn insert_password_reset(&mut self, reset: &PasswordReset) -> Result<(), StoreError>;
    /// Takes the password reset that waits for the link with this digest, expired or not: it cannot be taken again.
    fn take_password_reset(&mut self, digest: &Digest) -> Result<Option<PasswordReset>, StoreError>;
    /// Takes all password resets of a user.
    fn delete_password_resets(&mut self, user: UserId) -> Result<(), StoreError>;

    /// Stores a count of failed attempts in the place of what was counted under its key. `user` is the account that it
    /// counts for, if there is one: the count goes when the account goes.
    fn put_throttle(&mut self, throttle: &Throttle, user: Option<UserId>) -> Result<(), StoreError>;
    /// Forgets what is counted under this key, if anything is.
    fn delete_throttle(&mut self, key: &Digest) -> Result<(), StoreError>;

    /// Deletes sign-ups and password resets that have expired, and counts of failed attempts that are neither trusted
    /// nor younger than a day; a bounded number of each. Gives how many: until it is 0, more may be left.
    fn delete_expired(&mut self, now: Timestamp) -> Result<usize, StoreError>;
}

/// Writes the mail queue.
pub trait WriteMail {
    /// Adds a mail to the queue.
    fn enqueue_mail(&mut self, mail: &QueuedMail) -> Result<(), StoreError>;
    /// Notes how often a mail's delivery has been tried, and when it is tried next.
    fn reschedule_mail(&mut self, id: MailId, attempts: u32, next_attempt_at: Timestamp) -> Result<(), StoreError>;
    /// Takes a mail from the queue: it was delivered, or is given up.
    fn delete_mail(&mut self, id: MailId) -> Result<(), StoreError>;
    /// Replaces the encrypted form of a mail.
    fn reseal_mail(&mut self, id: MailId, sealed: &Sealed) -> Result<(), StoreError>;
}

/// Writes the history of the policies.
pub trait WritePolicies {
    /// Keeps a generation under its number, and forgets all but the newest `keep`.
    fn insert_policy_generation(&mut self, generation: &PolicyGeneration, keep: u32) -> Result<(), StoreError>;
}
