//! The form of API keys: `gp_`, 43 random base62 characters, and six that hold their CRC-32.
//!
//! The checksum lets secret scanners recognize a leaked key for certain, and keeps mistyped and invented keys from
//! ever reaching the store. It is no protection against guessing: the 256 random bits are.

use rand::RngExt;

use crate::secret::{Digest, Secret};

const PREFIX: &str = "gp_";
const RANDOM_LEN: usize = 43;
const CHECKSUM_LEN: usize = 6;
const LEN: usize = PREFIX.len() + RANDOM_LEN + CHECKSUM_LEN;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Whether the text claims to be an API key; everything else is taken for a session token.
pub fn looks_like_api_key(text: &str) -> bool {
    text.starts_with(PREFIX)
}

/// An API key whose form and checksum are right; whether it exists is for the store to say.
#[derive(Debug)]
pub struct ApiKeyText(Secret);

impl ApiKeyText {
    /// A new key with 256 random bits.
    pub fn generate() -> Self {
        let mut rng = rand::rng();
        let mut text = String::with_capacity(LEN);
        text.push_str(PREFIX);
        for _ in 0..RANDOM_LEN {
            text.push(digit(rng.random_range(0..62)));
        }
        let checksum = checksum(text.as_bytes());
        text.extend(checksum.map(char::from));
        Self(Secret::new(text))
    }

    /// Reads a key: its digest, or nothing if its form or checksum is wrong.
    pub fn digest_of(text: &str) -> Option<Digest> {
        let bytes = text.as_bytes();
        let (body, checksum_given) = bytes.split_at_checked(LEN - CHECKSUM_LEN)?;
        let good = bytes.len() == LEN
            && text.starts_with(PREFIX)
            // Without an early end, so that many bytes are looked at together.
            && body.iter().skip(PREFIX.len()).fold(true, |all, byte| all & byte.is_ascii_alphanumeric())
            && checksum_given == checksum(body);
        good.then(|| Digest::of(bytes))
    }

    /// The key's digest, by which it is stored and found.
    pub fn digest(&self) -> Digest {
        Digest::of(self.0.expose().as_bytes())
    }

    /// The characters that may be shown for its owner to recognize it.
    pub fn shown_prefix(&self) -> String {
        self.0.expose().chars().take(PREFIX.len() + 6).collect()
    }

    /// The key itself, for the one time that it is shown.
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

/// CRC-32 (IEEE) of everything before the checksum, in base62, most significant digit first.
fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let mut rest = crc32fast::hash(body);
    let mut digits = [b'0'; CHECKSUM_LEN];
    for place in digits.iter_mut().rev() {
        *place = digit(rest % 62) as u8;
        rest /= 62;
    }
    digits
}

fn digit(value: u32) -> char {
    BASE62.get(value as usize).map_or('0', |digit| char::from(*digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_has_the_documented_form() {
        let key = ApiKeyText::generate();
        let text = key.0.expose();
        assert_eq!(text.len(), 52);
        assert!(text.starts_with("gp_"));
        assert_eq!(ApiKeyText::digest_of(text), Some(key.digest()));
        assert_ne!(text, ApiKeyText::generate().0.expose());
    }

    #[test]
    fn the_checksum_is_the_one_that_other_tools_compute() {
        let body = format!("gp_{}", "0".repeat(43));
        let mut value = u64::from(crc32fast::hash(body.as_bytes()));
        let mut expected = Vec::new();
        for _ in 0..6 {
            expected.insert(0, BASE62[(value % 62) as usize]);
            value /= 62;
        }
        assert_eq!(checksum(body.as_bytes()).to_vec(), expected);
    }

    #[test]
    fn any_change_to_a_key_is_noticed_without_the_store() {
        let key = ApiKeyText::generate();
        let text = key.0.expose();
        for at in 0..text.len() {
            let mut changed = text.as_bytes().to_vec();
            changed[at] = if changed[at] == b'a' { b'b' } else { b'a' };
            assert_eq!(ApiKeyText::digest_of(std::str::from_utf8(&changed).unwrap()), None);
        }
        for other in ["", "gp_", text.get(..51).unwrap(), &format!("{text}0"), &text.replace("gp_", "GP_"), "gp_é"] {
            assert_eq!(ApiKeyText::digest_of(other), None, "{other}");
        }
    }
}
