//! Changes of what decisions are made from: what caches must forget.

use super::{ApplicationId, DeviceId, OrganizationId, UserId};
use crate::secret::Digest;

/// The position of a change in the store's change sequence; grows with every change.
pub type ChangeSeq = i64;

/// Something that decisions are made from has changed. Every write to the store records the changes that it makes, in
/// the same transaction, so that each process that shares the store can forget what it holds of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Change {
    /// An account was created, changed, disabled, enabled or deleted, or its session tokens were ended.
    User(UserId),
    /// The API key with this digest was created or revoked, or its account was disabled or enabled.
    ApiKey(Digest),
    /// The user's role on the application was given, changed or taken.
    Membership(UserId, ApplicationId),
    /// An application was created, changed or deleted.
    Application(ApplicationId),
    /// An organization, its plan or its administrators were changed.
    Organization(OrganizationId),
    /// A device was registered or removed.
    Device(DeviceId),
    /// The set of signing keys has changed.
    SigningKeys,
    /// More than can be told: everything must be forgotten.
    Everything,
}
