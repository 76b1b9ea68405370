//! Mail that waits for being delivered.

use super::{MailId, Timestamp};
use crate::secret::Sealed;

/// A mail in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// Its identifier.
    pub id: MailId,
    /// The whole message with its recipient, encrypted under the key file: it may hold a link.
    pub sealed: Sealed,
    /// How often its delivery has been tried.
    pub attempts: u32,
    /// When it is tried next.
    pub next_attempt_at: Timestamp,
    /// When it was queued.
    pub created_at: Timestamp,
}
