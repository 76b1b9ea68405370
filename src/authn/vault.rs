//! The key file: secrets that must be readable again are encrypted under a key that is not in the database, so that a
//! stolen database or backup gives none of them away.
//!
//! The key can be replaced while the program runs. The new one is written beside the old one; everything is sealed anew
//! in one transaction of the store; the new file takes the old one's place. Between any two of these steps everything
//! opens, because both keys are tried.

mod key_file;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use self::key_file::{KeyFile, Staged};
use crate::secret::Sealed;

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;
/// How many replaced keys a running program remembers: for what it has read, or has sealed and not stored, before.
const REMEMBERED: usize = 4;

type Key = Zeroizing<[u8; KEY_LEN]>;

/// The key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The file could not be read or made.
    #[error("cannot use the key file `{path}`: {cause}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
    /// The file is readable for others than its owner.
    #[error("the key file `{path}` can be read by other users: run `chmod 600 {path}`")]
    Permissions {
        /// The file.
        path: PathBuf,
    },
    /// The key is no key.
    #[error("the key file `{path}` does not hold a key: expected 32 bytes in base64")]
    Malformed {
        /// The file.
        path: PathBuf,
    },
    /// What was encrypted was encrypted under another key, or was changed.
    #[error(
        "the key does not fit this database: restore the key file that belongs to it, \
         or its secrets cannot be read"
    )]
    WrongKey,
    /// Another process is replacing the key.
    #[error("the key in `{path}` is being replaced already: wait until that has ended")]
    Rotating {
        /// The file.
        path: PathBuf,
    },
    /// The key comes from the configuration.
    #[error("only a key in a file can be replaced, and this one comes from the configuration: remove `store.key`")]
    NoFile,
}

/// Encrypts and decrypts what the store keeps sealed (XChaCha20-Poly1305).
pub struct Vault {
    file: Option<KeyFile>,
    keys: Mutex<Arc<Keys>>,
}

/// The key that seals, and all that open.
struct Keys {
    newest: Key,
    older: Vec<Key>,
}

impl Vault {
    /// Uses the key in the file at `path`, which is made, readable for its owner only, if it does not exist.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let file = KeyFile::open(path)?;
        if file.is_rotating() {
            tracing::warn!(
                path = %path.display(),
                "the key file is being replaced, or was when that was interrupted: `gatepost key-file rotate` ends it"
            );
        }
        let (newest, older) = newest_and_older(file.read()?)?;
        Ok(Self { file: Some(file), keys: Mutex::new(Arc::new(Keys { newest, older })) })
    }

    /// Uses this key.
    pub fn from_key(key: &[u8; KEY_LEN]) -> Self {
        let keys = Keys { newest: Zeroizing::new(*key), older: Vec::new() };
        Self { file: None, keys: Mutex::new(Arc::new(keys)) }
    }

    /// Encrypts `secret` for the place `context`; it cannot be opened in another place.
    ///
    /// Seal within the transaction that stores the result: then the key is either the newest one, or the rotation that
    /// makes a newer one comes later and finds what was stored.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Sealed {
        let keys = self.reload().unwrap_or_else(|error| {
            tracing::warn!(%error, "sealing under the key that was read last");
            Arc::clone(&self.lock())
        });
        seal(&keys.newest, context, secret)
    }

    /// Decrypts what was sealed for the place `context`.
    pub fn open_sealed(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let known = Arc::clone(&self.lock());
        if let Some(secret) = known.open(context, sealed) {
            return Ok(secret);
        }
        // Another process may have replaced the key a moment ago.
        self.reload()?.open(context, sealed).ok_or(VaultError::WrongKey)
    }

    /// Begins to replace the key, or to end a replacement that was interrupted. From now on the new key seals, here and
    /// in every process that uses the same file. Whatever was sealed before must be [resealed](Rotation::reseal) and
    /// stored; only then may the rotation be [finished](Rotation::finish). Until then it can be begun again.
    pub fn begin_rotation(&self) -> Result<Rotation<'_>, VaultError> {
        let staged = self.file.as_ref().ok_or(VaultError::NoFile)?.stage()?;
        let keys = self.reload()?;
        Ok(Rotation { vault: self, keys, staged })
    }

    /// Reads the key file again. The keys that were known stay known.
    fn reload(&self) -> Result<Arc<Keys>, VaultError> {
        // Locked while the file is read, so that what was read first is never put in the place of what was read later.
        let mut keys = self.lock();
        if let Some(file) = &self.file {
            let (newest, mut older) = newest_and_older(file.read()?)?;
            if newest != keys.newest {
                for known in [&keys.newest].into_iter().chain(&keys.older) {
                    if *known != newest && !older.contains(known) {
                        older.push(known.clone());
                    }
                }
                older.truncate(REMEMBERED);
                *keys = Arc::new(Keys { newest, older });
            }
        }
        Ok(Arc::clone(&keys))
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Keys>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A key that is being replaced. Dropping it leaves everything as it is: both keys open, the new one seals.
pub struct Rotation<'a> {
    vault: &'a Vault,
    keys: Arc<Keys>,
    staged: Staged<'a>,
}

impl Rotation<'_> {
    /// The same secret under the new key.
    pub fn reseal(&self, context: &str, sealed: &Sealed) -> Result<Sealed, VaultError> {
        let secret = self.vault.open_sealed(context, sealed)?;
        Ok(seal(&self.keys.newest, context, &secret))
    }

    /// Puts the new key in the place of the old one, which is lost: call it when everything that was resealed is
    /// durable.
    pub fn finish(self) -> Result<(), VaultError> {
        self.staged.promote()
    }
}

impl Keys {
    fn open(&self, context: &str, sealed: &Sealed) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, ciphertext) = sealed.as_bytes().split_first_chunk::<NONCE_LEN>()?;
        let (nonce, aad) = (XNonce::from(*nonce), context.as_bytes());
        [&self.newest].into_iter().chain(&self.older).find_map(|key| {
            let secret = cipher(key).decrypt(&nonce, Payload { msg: ciphertext, aad }).ok()?;
            Some(Zeroizing::new(secret))
        })
    }
}

fn newest_and_older(keys: Vec<Key>) -> Result<(Key, Vec<Key>), VaultError> {
    let mut keys = keys.into_iter();
    Ok((keys.next().ok_or(VaultError::WrongKey)?, keys.collect()))
}

fn seal(key: &Key, context: &str, secret: &[u8]) -> Sealed {
    let nonce: [u8; NONCE_LEN] = rand::random();
    let payload = Payload { msg: secret, aad: context.as_bytes() };
    let mut sealed = nonce.to_vec();
    // Encryption fails only for messages of more than 256 GiB; an empty ciphertext would then never open.
    sealed.extend(cipher(key).encrypt(&XNonce::from(nonce), payload).unwrap_or_default());
    Sealed::from_bytes(sealed)
}

fn cipher(key: &Key) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(**key).into())
}

#[cfg(test)]
mod tests;
