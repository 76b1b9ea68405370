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

use crate::secret::Sealed;

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
        let key = STANDARD.decode(text.trim()).map(Zeroizing::new).unwrap_or_default();
        let key = key.as_slice().try_into().map_err(|_| VaultError::Malformed { path: path.to_owned() })?;
        Ok(Self::from_key(key))
    }

    /// Uses this key.
    pub fn from_key(key: &[u8; KEY_LEN]) -> Self {
        Self { cipher: XChaCha20Poly1305::new(&(*key).into()) }
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
    fn a_file_that_holds_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.key");
        for text in ["", "short", &STANDARD.encode([1; 31]), &STANDARD.encode([1; 33])] {
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path).unwrap();
            fs::write(&path, text).unwrap();
            assert!(matches!(Vault::open(&path), Err(VaultError::Malformed { .. })), "{text}");
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
