//! Secrets: wrapped so that they cannot be printed, wiped when they are dropped, compared in constant time.
//!
//! Nothing here implements `Display` or `Serialize`, and `Debug` shows the type's name only. The one way to a secret's
//! content is a method that begins with `expose`, which is easy to search for.

use std::fmt;
use std::hash::{Hash, Hasher};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// A secret text: a password, a token, a key, a code.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text into custody.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text, for the one place that must send, show or verify it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<'de> serde::Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

/// A password's hash in PHC string form (Argon2id).
#[derive(Clone)]
pub struct PasswordHash(Zeroizing<String>);

impl PasswordHash {
    /// Takes a PHC string into custody.
    pub fn new(phc: String) -> Self {
        Self(Zeroizing::new(phc))
    }

    /// The PHC string, for the store and for verification.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// SHA-256 of a credential: what is stored and looked up in its place.
#[derive(Clone, Copy)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a credential.
    pub fn of(credential: &[u8]) -> Self {
        Self(Sha256::digest(credential).into())
    }

    /// The digest with these bytes, as read from the store.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest's bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        let ((one, _), (other, _)) = (self.0.as_chunks(), other.0.as_chunks());
        let words = one.iter().zip(other).map(|(one, other)| u64::from_ne_bytes(*one) ^ u64::from_ne_bytes(*other));
        // All bytes count before any is looked at.
        words.fold(0, |differing, word| differing | word).ct_eq(&0).into()
    }
}

impl Eq for Digest {}

impl Hash for Digest {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // It is random already: nobody finds many that begin alike.
        self.0.first_chunk().map_or(0, |first| u64::from_ne_bytes(*first)).hash(state);
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// Something encrypted under the key file, which is not in the store.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(Vec<u8>);

impl Sealed {
    /// Takes nonce and ciphertext, as they are stored.
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// Nonce and ciphertext, as they are stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_equal_if_all_their_bytes_are() {
        let digest = Digest::of(b"hunter2");
        assert_eq!(digest, Digest::of(b"hunter2"));
        for at in 0..32 {
            let mut bytes = *digest.as_bytes();
            bytes[at] ^= 0x40;
            assert_ne!(digest, Digest::from_bytes(bytes), "byte {at}");
        }
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let shown = format!(
            "{:?} {:?} {:?} {:?}",
            Secret::new("hunter2".into()),
            PasswordHash::new("$argon2id$v=19$hunter2".into()),
            Digest::of(b"hunter2"),
            Sealed::from_bytes(b"hunter2".to_vec()),
        );
        assert_eq!(shown, "Secret(…) PasswordHash(…) Digest(…) Sealed(…)");
    }
}
