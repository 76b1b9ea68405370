//! How often guessing has failed.

use super::Timestamp;
use crate::secret::Digest;

/// The failed attempts that are counted under one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Throttle {
    /// SHA-256 of what is counted: an account, an address, or both together.
    pub key: Digest,
    /// How many attempts have failed since the last one that succeeded.
    pub failures: u32,
    /// When the last of them failed.
    pub last_failure_at: Timestamp,
    /// Whether this account was signed in to from this address before.
    pub trusted: bool,
}
