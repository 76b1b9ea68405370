//! What waits for a mailed link to be followed. The links' tokens are not kept, only their digests.

use super::{Email, Timestamp, UserId, Username};
use crate::secret::{Digest, PasswordHash};

/// An account that somebody has asked for, and that is made when the mailed link is followed. Until then it occupies
/// neither the username nor the address, so that nobody can keep a name by asking.
#[derive(Debug, Clone)]
pub struct SignUp {
    /// SHA-256 of the link's token.
    pub digest: Digest,
    /// The account's name.
    pub username: Username,
    /// The account's address, which the link was mailed to.
    pub email: Email,
    /// The account's password.
    pub password_hash: PasswordHash,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The link is refused from this time on.
    pub expires_at: Timestamp,
}

/// A password that somebody who can read an account's mail may replace, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordReset {
    /// SHA-256 of the link's token.
    pub digest: Digest,
    /// Whose password it is.
    pub user: UserId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The link is refused from this time on.
    pub expires_at: Timestamp,
}
