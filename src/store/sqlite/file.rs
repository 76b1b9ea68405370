//! The database's file: made where it is missing, for its owner's eyes only, and watched for being taken away.

use std::fmt::Display;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::store::{StoreError, migrations};

/// How long a connection waits for one that is in its way.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How much of the file a reading connection maps into memory: the most that SQLite takes. What is mapped is the system's
/// cache of the file and no copy of it, and is given back when memory is short.
const MMAP_BYTES: i64 = 0x7fff_0000;
/// How large the log is left after a checkpoint.
const LOG_BYTES: i64 = 64 << 20;
/// More than there are different statements.
const STATEMENTS: usize = 256;

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Reading the last committed state.
    Read,
    /// Writing.
    Write,
}

/// The file of an open database.
#[derive(Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl DatabaseFile {
    /// Makes the folder (0700) and the file (0600) where they are missing, brings the schema to the newest version, and
    /// gives the writing connection.
    pub(super) fn open(path: &Path) -> Result<(Self, Connection), StoreError> {
        // SQLite gives a meaning to some relative names (`:memory:`, `file:…`), and the working folder may change.
        let path = std::path::absolute(path).map_err(|cause| unopened(path, cause))?;
        let folder = path.parent().ok_or_else(|| unopened(&path, "it is a folder"))?;
        make_folder(folder).map_err(|cause| unopened(&path, cause))?;

        // One process at a time makes the file, switches it to its log and migrates it: SQLite does not wait for
        // another process in the second of these. The lock ends with this function.
        let lock = lock_folder(folder).map_err(|cause| unopened(&path, cause))?;
        make_file(&path, &lock).map_err(|cause| unopened(&path, cause))?;
        let identity = identity(&path).map_err(|cause| unopened(&path, cause))?;
        let file = Self { path, identity };
        let mut connection = file.connect(Access::Write)?;
        let mode = connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get::<_, String>(0));
        match mode {
            Ok(mode) if mode == "wal" => {}
            Ok(mode) => return Err(unopened(&file.path, format!("its journal mode stays `{mode}`, not `wal`"))),
            Err(cause) => return Err(unopened(&file.path, cause)),
        }
        migrations::migrate(&mut connection).map_err(|error| match error {
            StoreError::Failed(cause) => unopened(&file.path, cause),
            other => other,
        })?;
        Ok((file, connection))
    }

    /// A new connection to the file.
    pub(super) fn connect(&self, access: Access) -> Result<Connection, StoreError> {
        let connection = self.configured(access).map_err(|cause| unopened(&self.path, cause))?;
        self.check()?;
        Ok(connection)
    }

    fn configured(&self, access: Access) -> rusqlite::Result<Connection> {
        let mode = match access {
            Access::Read => OpenFlags::SQLITE_OPEN_READ_ONLY,
            Access::Write => OpenFlags::SQLITE_OPEN_READ_WRITE,
        };
        let connection = Connection::open_with_flags(&self.path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        // A statement keeps the plan that it was prepared with. Otherwise some are planned again for each value that is
        // bound, which takes many times as long as running them.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        connection.pragma_update(None, "trusted_schema", false)?;
        match access {
            Access::Read => connection.pragma_update(None, "mmap_size", MMAP_BYTES)?,
            Access::Write => {
                connection.pragma_update(None, "foreign_keys", true)?;
                connection.pragma_update(None, "synchronous", "full")?;
                // Where a plain fsync leaves data in the drive's cache (macOS), ask for more; elsewhere no effect.
                connection.pragma_update(None, "fullfsync", true)?;
                connection.pragma_update(None, "journal_size_limit", LOG_BYTES)?;
            }
        }
        Ok(connection)
    }

    /// Whether the path still leads to the file that was opened. Open connections would go on with a file that was
    /// deleted or replaced: writes would be acknowledged and lost, and other processes' changes not be seen.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match identity(&self.path) {
            Ok(found) if found == self.identity => Ok(()),
            Ok(_) => Err(unopened(&self.path, "it was replaced while it was in use; start again to use the new one")),
            Err(cause) => Err(unopened(&self.path, cause)),
        }
    }
}

fn unopened(path: &Path, cause: impl Display) -> StoreError {
    StoreError::Open { path: path.display().to_string(), cause: cause.to_string() }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = path.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Makes the folder and those above it where they are missing, durably.
fn make_folder(folder: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = folder.ancestors().take_while(|ancestor| !ancestor.exists()).collect();
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    for above in missing.into_iter().filter_map(Path::parent) {
        File::open(above)?.sync_all()?;
    }
    Ok(())
}

fn lock_folder(folder: &Path) -> io::Result<File> {
    let folder = File::open(folder)?;
    match folder.lock() {
        Err(error) if error.kind() != io::ErrorKind::Unsupported => Err(error),
        _ => Ok(folder),
    }
}

/// Makes an empty file where there is none.
fn make_file(path: &Path, folder: &File) -> io::Result<()> {
    // INVARIANT: a file that exists is never opened here. Closing it would drop the locks (POSIX) by which SQLite
    // protects it from other processes, those of this process's other connections included.
    if path.try_exists()? {
        return Ok(());
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.sync_all()?;
    folder.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::store::sqlite::SqliteStore;
    use crate::store::{Read, Store};

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn what_is_made_is_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/gatepost.db");
        let store = SqliteStore::open(&path).unwrap();
        store.begin().unwrap().commit().unwrap();
        for (file, expected) in [("a", 0o700), ("a/b", 0o700)] {
            assert_eq!(mode(&folder.path().join(file)), expected, "{file}");
        }
        for suffix in ["", "-wal", "-shm"] {
            assert_eq!(mode(&folder.path().join(format!("a/b/gatepost.db{suffix}"))), 0o600, "{suffix}");
        }
    }

    #[test]
    fn an_existing_file_keeps_its_mode() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.db");
        File::create(&path).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        SqliteStore::open(&path).unwrap();
        assert_eq!(mode(&path), 0o640);
    }

    #[test]
    fn the_writing_connection_is_durable_and_checks_references() {
        let folder = tempfile::tempdir().unwrap();
        let (file, writer) = DatabaseFile::open(&folder.path().join("gatepost.db")).unwrap();
        let value = |connection: &Connection, name: &str| {
            connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).unwrap()
        };
        assert_eq!(value(&writer, "synchronous"), 2, "full");
        assert_eq!(value(&writer, "foreign_keys"), 1);
        assert_eq!(value(&writer, "trusted_schema"), 0);
        assert_eq!(value(&writer, "busy_timeout"), 5_000);
        let reader = file.connect(Access::Read).unwrap();
        assert_eq!(value(&reader, "mmap_size"), MMAP_BYTES);
        assert_eq!(reader.pragma_query_value(None, "journal_mode", |row| row.get::<_, String>(0)).unwrap(), "wal");
        reader.execute("DELETE FROM users", []).unwrap_err();
    }

    #[test]
    fn a_file_that_is_no_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.db");
        std::fs::write(&path, "host = localhost\n".repeat(100)).unwrap();
        let Err(StoreError::Open { cause, .. }) = SqliteStore::open(&path) else { panic!("it was opened") };
        assert_eq!(cause, "file is not a database");
    }

    #[test]
    fn names_that_sqlite_reads_otherwise_are_plain_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file:gatepost.db?mode=memory");
        SqliteStore::open(&path).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn a_file_that_was_taken_away_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gatepost.db");
        let store = SqliteStore::open(&path).unwrap();
        let position = store.position().unwrap();
        std::fs::rename(&path, folder.path().join("moved.db")).unwrap();
        assert!(matches!(store.begin().err(), Some(StoreError::Open { .. })));
        assert!(matches!(store.changes_since(position), Err(StoreError::Open { .. })));
        assert!(store.users(None, 1).unwrap().is_empty(), "what is open can still be read");

        SqliteStore::open(&path).unwrap();
        let Err(StoreError::Open { cause, .. }) = store.changes_since(position) else { panic!("it went on") };
        assert!(cause.contains("replaced"), "{cause}");
    }

    #[test]
    fn many_may_open_a_fresh_database_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/gatepost.db");
        let together = std::sync::Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    together.wait();
                    let store = SqliteStore::open(&path).unwrap();
                    assert_eq!(store.position().unwrap(), 0);
                });
            }
        });
    }
}
