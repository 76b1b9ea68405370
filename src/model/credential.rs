//! What is known of credentials at rest: never the credentials themselves.

use serde::{Deserialize, Serialize};

use super::{ApiKeyId, Name, SigningKeyId, Timestamp, UserId};
use crate::secret::{Digest, Sealed};

/// The kinds of credential that a request may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialKind {
    /// A session token.
    Session,
    /// An API key.
    ApiKey,
}

impl CredentialKind {
    /// The kind's name, as in `Remote-Credential` and `context.credential.kind`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::ApiKey => "api_key",
        }
    }
}

/// An API key, without the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its identifier.
    pub id: ApiKeyId,
    /// Whose it is.
    pub user: UserId,
    /// Its name.
    pub name: Name,
    /// What it is for.
    pub description: Option<String>,
    /// SHA-256 of the key.
    pub digest: Digest,
    /// The first characters of the key, by which its owner recognizes it.
    pub prefix: String,
    /// What it is narrowed to; an empty list narrows nothing.
    pub scopes: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

/// A key that signs session tokens (Ed25519, RFC 8032).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its identifier, the tokens' `kid`.
    pub id: SigningKeyId,
    /// The private key's 32 bytes, encrypted under the key file.
    pub private: Sealed,
    /// The public key.
    pub public: [u8; 32],
    /// When it was created; the newest signs.
    pub created_at: Timestamp,
}

/// A user's second factor: an authenticator's secret (RFC 6238).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totp {
    /// Whose it is; a user has one at most.
    pub user: UserId,
    /// The secret, encrypted under the key file.
    pub secret: Sealed,
    /// Since when log-in asks for its codes. Until it is enabled it is being paired and protects nothing.
    pub enabled_at: Option<Timestamp>,
    /// The time step (RFC 6238, section 4.2) of the last code that was accepted: only codes of later steps are.
    pub last_step: i64,
    /// When the secret was made.
    pub created_at: Timestamp,
}
