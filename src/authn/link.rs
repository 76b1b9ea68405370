//! Tokens of mailed links: as good as a password for as long as they last, so only their digest is stored.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::secret::Secret;

/// A new token with 256 random bits, in characters that a link holds as they are.
pub fn link_token() -> Secret {
    Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}
