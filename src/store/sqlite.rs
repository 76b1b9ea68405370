//! The store in one SQLite file.
//!
//! One connection writes, one transaction at a time; any number read the last committed state beside it, and one only
//! looks for changes. Other processes may use the same file at the same time.

mod changes;
mod constraints;
mod file;
mod read;
mod rows;
#[cfg(test)]
mod samples;
mod values;
mod write;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use self::changes::Watch;
use self::file::{Access, DatabaseFile};
use self::read::Connected;
use self::write::SqliteTransaction;
use super::{Changes, Store, StoreError, Transaction};
use crate::model::ChangeSeq;

/// How many reading connections are kept open when nobody uses them.
const IDLE_READERS: usize = 16;

/// A store in an SQLite file.
pub struct SqliteStore {
    file: DatabaseFile,
    readers: Mutex<Vec<Connection>>,
    watch: Mutex<Watch>,
    // Closed last, so that it leaves the file without its log.
    writer: Mutex<Connection>,
}

impl SqliteStore {
    /// Opens the database at `path`, after making it and the folder that it lies in where they are missing, readable
    /// by their owner only, and brings it to the newest version.
    ///
    /// # Errors
    ///
    /// [`StoreError::TooNew`] when a newer version of this program wrote it; [`StoreError::Open`] with the cause when
    /// it cannot be made, opened or brought to the newest version.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let (file, writer) = DatabaseFile::open(path)?;
        let watch = Watch::new(file.connect(Access::Read)?);
        Ok(Self { file, readers: Mutex::default(), watch: Mutex::new(watch), writer: Mutex::new(writer) })
    }
}

impl Connected for SqliteStore {
    fn with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = lock(&self.readers).pop();
        let connection = idle.map_or_else(|| self.file.connect(Access::Read), Ok)?;
        let answer = ask(&connection)?;
        let mut readers = lock(&self.readers);
        if readers.len() < IDLE_READERS {
            readers.push(connection);
        }
        Ok(answer)
    }
}

impl Store for SqliteStore {
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError> {
        let mut writer = lock(&self.writer);
        self.file.check()?;
        // The last transaction could not be undone: closing its connection does it.
        if !writer.is_autocommit() {
            *writer = self.file.connect(Access::Write)?;
        }
        Ok(Box::new(SqliteTransaction::begin(writer)?))
    }

    fn position(&self) -> Result<ChangeSeq, StoreError> {
        self.with(changes::end)
    }

    fn changes_since(&self, position: ChangeSeq) -> Result<Changes, StoreError> {
        self.file.check()?;
        lock(&self.watch).changes_since(position)
    }
}

/// A thread that panicked while it held the lock has left nothing half done: SQLite undoes what is not committed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::samples::{Sample, user};
    use super::*;
    use crate::store::Read;

    #[test]
    fn what_was_committed_is_there_after_opening_again() {
        let sample = Sample::new();
        sample.write(|transaction| transaction.insert_user(&user(1)));
        let path = sample.path();
        let again = SqliteStore::open(&path).unwrap();
        assert_eq!(again.users(None, 9).unwrap(), [user(1).user]);
        assert_eq!(again.position().unwrap(), 1);
    }

    #[test]
    fn a_database_of_a_newer_version_is_refused() {
        let sample = Sample::new();
        sample.raw().execute("INSERT INTO schema_version (version) VALUES (99)", []).unwrap();
        let refused = SqliteStore::open(&sample.path()).err().unwrap();
        assert!(matches!(refused, StoreError::TooNew { found: 99, known: 4 }), "{refused}");
    }

    #[test]
    fn a_transaction_that_could_not_be_undone_is_left_behind() {
        let sample = Sample::new();
        lock(&sample.store.writer)
            .execute_batch("BEGIN IMMEDIATE; INSERT INTO changes (kind) VALUES ('user')")
            .unwrap();
        sample.write(|transaction| transaction.insert_user(&user(1)));
        assert_eq!(sample.store.position().unwrap(), 1);
    }
}
