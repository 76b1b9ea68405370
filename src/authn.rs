//! Who sent it: session tokens, API keys, passwords and second factors, how guessing them is slowed, and the one type
//! that proves that a credential was verified.
//!
//! Decides nothing about what anybody may do.

mod api_key;
mod argon2id;
mod assertion;
mod keyring;
mod link;
mod password;
mod qr;
mod recovery_code;
mod strength;
mod throttle;
mod token;
mod totp;
mod uses;
mod vault;
mod verifier;

pub use api_key::{ApiKeyText, looks_like_api_key};
pub use assertion::{ASSERTION_TYPE, Assertion};
pub use keyring::{Keyring, KeyringError};
pub use link::link_token;
pub use password::{PasswordError, Passwords};
pub use qr::{QrTooLong, qr_png, qr_svg};
pub use recovery_code::{Pepper, RecoveryCode};
pub use strength::StrengthError;
pub use throttle::{Attempt, Verdict};
pub use token::{Issued, TokenSettings};
pub use totp::TotpSecret;
pub use vault::{Rotation, Vault, VaultError};
pub use verifier::{Candidate, Capacity, Refused, Verified, Verifier, VerifyError};
