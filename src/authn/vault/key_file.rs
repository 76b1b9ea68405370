//! The key file and, while the key is being replaced, the new one beside it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::{KEY_LEN, Key, VaultError};

/// Where the key is.
pub(super) struct KeyFile {
    path: PathBuf,
    /// `<path>.new`: it holds the key that follows, from the beginning of a rotation to its end.
    new: PathBuf,
}

impl KeyFile {
    /// The file at `path`, which is made, readable for its owner only, if neither it nor a new one exists.
    pub(super) fn open(path: &Path) -> Result<Self, VaultError> {
        let mut new = OsString::from(path);
        new.push(".new");
        let file = Self { path: path.to_owned(), new: new.into() };
        let exists = |path: &Path| path.try_exists().map_err(at(path));
        if !exists(path)? && !exists(&file.new)? {
            create(path, None).map_err(at(path))?;
        }
        Ok(file)
    }

    /// The keys, the newest first.
    pub(super) fn read(&self) -> Result<Vec<Key>, VaultError> {
        // In this order: a rotation that ends in between has moved the one to where the other is read next.
        let new = match read(&self.new) {
            Err(VaultError::File { cause, .. }) if cause.kind() == io::ErrorKind::NotFound => None,
            other => Some(other?),
        };
        let current = read(&self.path)?;
        Ok(new.into_iter().chain([current]).collect())
    }

    /// Whether a rotation has begun and not ended.
    pub(super) fn is_rotating(&self) -> bool {
        self.new.exists()
    }

    /// Makes the new key, or takes the one that an interrupted rotation has left: secrets may be sealed under it
    /// already. Nobody else can do the same while what is returned is held.
    pub(super) fn stage(&self) -> Result<Staged<'_>, VaultError> {
        // For whoever owns the old one: the program may run as another user than the one who replaces its key.
        let owner = fs::metadata(&self.path).map(|file| (file.uid(), file.gid())).map_err(at(&self.path))?;
        create(&self.new, Some(owner)).map_err(at(&self.new))?;
        let lock = File::open(&self.new).map_err(at(&self.new))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => VaultError::Rotating { path: self.path.clone() },
            TryLockError::Error(cause) => at(&self.new)(cause),
        })?;
        // Another rotation may have moved the file between its being opened and locked.
        let identity = |file: fs::Metadata| (file.dev(), file.ino());
        let locked = lock.metadata().map(identity).map_err(at(&self.new))?;
        match fs::metadata(&self.new).map(identity) {
            Ok(named) if named == locked => Ok(Staged { file: self, _lock: lock }),
            _ => Err(VaultError::Rotating { path: self.path.clone() }),
        }
    }
}

/// A new key, in its file, which is locked.
pub(super) struct Staged<'a> {
    file: &'a KeyFile,
    _lock: File,
}

impl Staged<'_> {
    /// Puts the new key in the place of the old one, which is lost.
    pub(super) fn promote(self) -> Result<(), VaultError> {
        fs::rename(&self.file.new, &self.file.path).map_err(at(&self.file.new))?;
        File::open(folder(&self.file.path)).and_then(|folder| folder.sync_all()).map_err(at(&self.file.path))
    }
}

fn at(path: &Path) -> impl Fn(io::Error) -> VaultError {
    move |cause| VaultError::File { path: path.to_owned(), cause }
}

fn read(path: &Path) -> Result<Key, VaultError> {
    let text = fs::read_to_string(path).map(Zeroizing::new).map_err(at(path))?;
    let mode = fs::metadata(path).map_err(at(path))?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(VaultError::Permissions { path: path.to_owned() });
    }
    let key = STANDARD.decode(text.trim()).map(Zeroizing::new).unwrap_or_default();
    let key: [u8; KEY_LEN] = key.as_slice().try_into().map_err(|_| VaultError::Malformed { path: path.to_owned() })?;
    Ok(Zeroizing::new(key))
}

/// Makes the file, for its owner only, whole or not at all; whoever comes second keeps the first one's key.
fn create(path: &Path, owner: Option<(u32, u32)>) -> io::Result<()> {
    let folder = folder(path);
    fs::create_dir_all(folder)?;
    let key = Zeroizing::new(rand::random::<[u8; KEY_LEN]>());
    let text = Zeroizing::new(STANDARD.encode(key.as_slice()));
    let temporary = folder.join(format!(".gatepost-key-{:016x}", rand::random::<u64>()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&temporary)
        .and_then(|mut file| {
            let made = file.metadata().map(|file| (file.uid(), file.gid()))?;
            if let Some((user, group)) = owner.filter(|owner| *owner != made) {
                fchown(&file, Some(user), Some(group))?;
            }
            writeln!(file, "{}", text.as_str())?;
            file.sync_all()
        })
        .and_then(|()| match fs::hard_link(&temporary, path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => File::open(folder).and_then(|folder| folder.sync_all()),
        });
    fs::remove_file(&temporary)?;
    written
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
