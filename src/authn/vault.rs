//! The key file: secrets that must be readable again are encrypted under a key that is not in the database, so that a
//! stolen database or backup gives none of them away.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::secret::{Sealed, Secret};

const KEY_LEN: usize = 32;
const NONCE_LEN: usize = 24;

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
    #[error("{origin} does not hold a key: expected 32 bytes in base64 or hexadecimal")]
    Malformed {
        /// The file or setting.
        origin: String,
    },
    /// What was encrypted was encrypted under another key, or was changed.
    #[error(
        "the key does not fit this database: restore the key file that belongs to it, \
         or its secrets cannot be read"
    )]
    WrongKey,
}

/// Encrypts and decrypts what the store keeps sealed (XChaCha20-Poly1305).
pub struct Vault {
    cipher: XChaCha20Poly1305,
}

impl Vault {
    /// Uses the key in the file at `path`, which is made, readable for its owner only, if it does not exist.
    pub fn open(path: &Path) -> Result<Self, VaultError> {
        let file_error = |cause| VaultError::File { path: path.to_owned(), cause };
        let text = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path).map_err(file_error)?;
                read(path).map_err(file_error)?
            }
            other => other.map_err(file_error)?,
        };
        let mode = fs::metadata(path).map_err(file_error)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(VaultError::Permissions { path: path.to_owned() });
        }
        Self::from_text(&text, || format!("the key file `{}`", path.display()))
    }

    /// Uses a key given as text in the configuration.
    pub fn from_secret(key: &Secret) -> Result<Self, VaultError> {
        Self::from_text(key.expose(), || "`store.key`".to_owned())
    }

    fn from_text(text: &str, origin: impl FnOnce() -> String) -> Result<Self, VaultError> {
        let text = text.trim();
        let key = Zeroizing::new(decode_hex(text).or_else(|| STANDARD.decode(text).ok()).unwrap_or_default());
        let cipher = XChaCha20Poly1305::new_from_slice(&key).map_err(|_| VaultError::Malformed { origin: origin() })?;
        Ok(Self { cipher })
    }

    /// Encrypts `secret` for the place `context`; it cannot be opened in another place.
    pub fn seal(&self, context: &str, secret: &[u8]) -> Sealed {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let payload = Payload { msg: secret, aad: context.as_bytes() };
        let mut sealed = nonce.to_vec();
        // Encryption fails only for messages of more than 256 GiB; an empty ciphertext would then never open.
        sealed.extend(self.cipher.encrypt(&XNonce::from(nonce), payload).unwrap_or_default());
        Sealed::from_bytes(sealed)
    }

    /// Decrypts what was sealed for the place `context`.
    pub fn open_sealed(&self, context: &str, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let (nonce, ciphertext) = sealed.as_bytes().split_first_chunk::<NONCE_LEN>().ok_or(VaultError::WrongKey)?;
        let payload = Payload { msg: ciphertext, aad: context.as_bytes() };
        let secret = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::WrongKey)?;
        Ok(Zeroizing::new(secret))
    }
}

fn read(path: &Path) -> io::Result<Zeroizing<String>> {
    fs::read_to_string(path).map(Zeroizing::new)
}

/// Makes the file whole or not at all; whoever comes second keeps the first one's key.
fn create(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let key = Zeroizing::new(rand::random::<[u8; KEY_LEN]>());
    let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    let temporary = folder.join(format!(".gatepost-key-{:016x}", rand::random::<u64>()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| writeln!(file, "{}", text.as_str()).and_then(|()| file.sync_all()))
        .and_then(|()| match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(folder).and_then(|folder| folder.sync_all()),
        });
    fs::remove_file(&temporary)?;
    written
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if text.len() != 2 * KEY_LEN {
        return None;
    }
    let digits: Option<Vec<u8>> =
        text.chars().map(|c| c.to_digit(16).and_then(|digit| digit.try_into().ok())).collect();
    Some(digits?.chunks_exact(2).map(|pair| pair.iter().fold(0, |byte, digit| byte << 4 | digit)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/gatepost.key");
        let sealed = Vault::open(&path).unwrap().seal("here", b"secret");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Vault::open(&path).unwrap().open_sealed("here", &sealed).unwrap().as_slice(), b"secret");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn what_was_moved_changed_or_sealed_under_another_key_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("one")).unwrap();
        let other = Vault::open(&folder.path().join("two")).unwrap();
        let sealed = vault.seal("here", b"secret");
        assert!(matches!(other.open_sealed("here", &sealed), Err(VaultError::WrongKey)));
        assert!(matches!(vault.open_sealed("there", &sealed), Err(VaultError::WrongKey)));
        for at in 0..sealed.as_bytes().len() {
            let mut changed = sealed.as_bytes().to_vec();
            changed[at] ^= 1;
            assert!(vault.open_sealed("here", &Sealed::from_bytes(changed)).is_err());
        }
        assert!(vault.open_sealed("here", &Sealed::from_bytes(Vec::new())).is_err());
    }

    #[test]
    fn a_key_may_be_given_as_hexadecimal_or_base64() {
        let hex = Vault::from_secret(&Secret::new("0a".repeat(32))).unwrap();
        let base64 = Vault::from_secret(&Secret::new(STANDARD.encode([10; 32]))).unwrap();
        assert!(base64.open_sealed("here", &hex.seal("here", b"secret")).is_ok());
        for bad in ["", "0a", &"zz".repeat(32)] {
            assert!(matches!(Vault::from_secret(&Secret::new(bad.to_owned())), Err(VaultError::Malformed { .. })));
        }
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.key");
        Vault::open(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::open(&path), Err(VaultError::Permissions { .. })));
    }
}
