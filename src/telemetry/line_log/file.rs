//! The file of a log, which is opened again when another one is to be written: whoever rotates logs moves it away.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Name;

/// The file that is at a path, shared by the thread that writes it and whoever has it opened again.
#[derive(Debug, Clone)]
pub(super) struct LogFile(Arc<Mutex<Opened>>);

#[derive(Debug)]
struct Opened {
    name: Name,
    path: PathBuf,
    file: File,
    /// Another file was opened, which the one who writes does not know yet.
    is_new: bool,
    /// It is logged already that no other file can be opened.
    has_failed: bool,
}

impl LogFile {
    /// Opens the file at `path`, which is created for its owner alone if it does not exist.
    pub(super) fn open(name: Name, path: &Path) -> io::Result<Self> {
        let opened = Opened { name, path: path.to_owned(), file: open(path)?, is_new: false, has_failed: false };
        Ok(Self(Arc::new(Mutex::new(opened))))
    }

    /// Opens it again, whatever is there now. If that fails, the old file is still the one that is written.
    pub(super) fn reopen(&self) {
        self.lock().reopen();
    }

    /// Opens it again if the path leads to another file, or to none. Gives whether what is written next is the beginning
    /// of another file.
    pub(super) fn renew(&self) -> bool {
        let mut opened = self.lock();
        if !opened.is_in_place() {
            opened.reopen();
        }
        std::mem::take(&mut opened.is_new)
    }

    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    fn is_in_place(&self) -> bool {
        match (fs::metadata(&self.path), self.file.metadata()) {
            (Ok(there), Ok(own)) => (there.dev(), there.ino()) == (own.dev(), own.ino()),
            _ => false,
        }
    }

    fn reopen(&mut self) {
        match open(&self.path) {
            Ok(file) => {
                self.is_new |= !self.is_in_place();
                (self.file, self.has_failed) = (file, false);
            }
            Err(cause) if !self.has_failed => {
                self.has_failed = true;
                let (name, path) = (self.name, self.path.display());
                tracing::error!(%cause, "the {name} `{path}` cannot be opened again: the old file is written on");
            }
            Err(_) => {}
        }
    }
}

impl io::Write for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.lock().file.write(bytes)
    }

    /// All into one file, even if it is opened again meanwhile.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.lock().file.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lock().file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
