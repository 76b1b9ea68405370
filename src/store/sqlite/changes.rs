//! The change sequence: how changes are written, how long they are kept, and how other processes' are noticed.

use rusqlite::{Connection, params};

use super::rows::{Columns, all, one};
use crate::model::{Change, ChangeSeq};
use crate::store::{Changes, StoreError};

/// How many changes are kept at least.
const KEPT: i64 = 100_000;
/// After how many changes older ones are looked for.
const PRUNED_EVERY: i64 = 1_000;

/// Appends a change; gives its position.
pub(super) fn append(connection: &Connection, change: &Change) -> Result<ChangeSeq, StoreError> {
    const SQL: &str = "INSERT INTO changes (kind, a, b) VALUES (?1, ?2, ?3) RETURNING seq";
    let (kind, a, b): (&str, Option<&[u8]>, Option<&[u8]>) = match change {
        Change::User(id) => ("user", Some(id.as_bytes()), None),
        Change::ApiKey(digest) => ("api_key", Some(digest.as_bytes()), None),
        Change::Membership(user, application) => ("membership", Some(user.as_bytes()), Some(application.as_bytes())),
        Change::Application(id) => ("application", Some(id.as_bytes()), None),
        Change::Organization(id) => ("organization", Some(id.as_bytes()), None),
        Change::Device(id) => ("device", Some(id.as_bytes()), None),
        Change::SigningKeys => ("signing_keys", None, None),
        Change::Everything => ("everything", None, None),
    };
    let positions = all(connection, SQL, params![kind, a, b], |columns| columns.take())?;
    positions.last().copied().ok_or_else(|| StoreError::Failed("a change was not given a position".into()))
}

/// Deletes the changes that need not be kept, once in a while: when those from `first` to `last` were written.
pub(super) fn prune(connection: &Connection, first: ChangeSeq, last: ChangeSeq) -> Result<(), StoreError> {
    if first.saturating_sub(1).div_euclid(PRUNED_EVERY) != last.div_euclid(PRUNED_EVERY) {
        let mut statement = connection.prepare_cached("DELETE FROM changes WHERE seq <= ?1")?;
        statement.execute([last.saturating_sub(KEPT)])?;
    }
    Ok(())
}

/// The end of the sequence.
pub(super) fn end(connection: &Connection) -> Result<ChangeSeq, StoreError> {
    let end = one(connection, "SELECT MAX(seq) FROM changes", [], |columns| columns.take::<Option<ChangeSeq>>())?;
    Ok(end.flatten().unwrap_or(0))
}

/// A connection that only looks whether others have written, and what was there when it last looked.
pub(super) struct Watch {
    // INVARIANT: nothing is written with it, because `data_version` does not tell of a connection's own writes.
    connection: Connection,
    seen: Option<Seen>,
}

/// The database's version and the end of the sequence, the version looked at first: it is never newer than the end.
#[derive(PartialEq, Eq)]
struct Seen {
    version: i64,
    end: ChangeSeq,
}

impl Watch {
    pub(super) fn new(connection: Connection) -> Self {
        Self { connection, seen: None }
    }

    /// What has changed since `position`. When nothing was written since the last call that gave `position`, this
    /// compares two numbers in shared memory.
    pub(super) fn changes_since(&mut self, position: ChangeSeq) -> Result<Changes, StoreError> {
        let mut statement = self.connection.prepare_cached("PRAGMA data_version")?;
        let version = statement.query_row([], |row| row.get(0))?;
        if self.seen == Some(Seen { version, end: position }) {
            return Ok(Changes { changes: Vec::new(), position });
        }
        let changes = changes_since(&self.connection, position)?;
        self.seen = Some(Seen { version, end: changes.position });
        Ok(changes)
    }
}

fn changes_since(connection: &Connection, position: ChangeSeq) -> Result<Changes, StoreError> {
    const SQL: &str = "SELECT kind, a, b FROM changes WHERE seq > ?1 ORDER BY seq";
    const OLDEST: &str = "SELECT MIN(seq) FROM changes";
    let snapshot = connection.unchecked_transaction()?;
    let end = end(&snapshot)?;
    let oldest = one(&snapshot, OLDEST, [], |columns| columns.take::<Option<ChangeSeq>>())?.flatten().unwrap_or(1);
    // A position beyond the end is one of another file, which this one has taken the place of.
    let unbroken = oldest.saturating_sub(1) <= position && position <= end;
    let changes = if unbroken { all(&snapshot, SQL, [position], change)? } else { vec![Change::Everything] };
    Ok(Changes { changes, position: end })
}

/// A change that cannot be read, or that a newer version of this program wrote, may be of anything.
fn change(columns: &mut Columns<'_>) -> Result<Change, StoreError> {
    let kind: String = columns.take()?;
    let change = match kind.as_str() {
        "user" => columns.take().map(Change::User),
        "api_key" => columns.take().map(Change::ApiKey),
        "membership" => columns.take().and_then(|user| Ok(Change::Membership(user, columns.take()?))),
        "application" => columns.take().map(Change::Application),
        "organization" => columns.take().map(Change::Organization),
        "device" => columns.take().map(Change::Device),
        "signing_keys" => Ok(Change::SigningKeys),
        _ => Ok(Change::Everything),
    };
    Ok(change.unwrap_or(Change::Everything))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplicationId, Role, UserId};
    use crate::secret::Digest;
    use crate::store::sqlite::SqliteStore;
    use crate::store::sqlite::samples::{NOW, Sample, api_key, device, membership, organization, signing_key, user};
    use crate::store::{Read, Store};

    fn changes(store: &SqliteStore, position: ChangeSeq) -> (Vec<Change>, ChangeSeq) {
        let found = store.changes_since(position).unwrap();
        (found.changes, found.position)
    }

    #[test]
    fn another_store_on_the_same_file_sees_what_was_changed() {
        let sample = Sample::populated();
        let other = SqliteStore::open(&sample.path()).unwrap();
        let start = other.position().unwrap();
        assert_eq!(changes(&other, start), (vec![], start));
        let made = sample.write(|transaction| {
            transaction.insert_membership(&membership(1, 2, Role::Operator))?;
            transaction.insert_api_key(&api_key(1, 2))?;
            transaction.insert_device(&device(1))?;
            transaction.insert_organization(&organization(2))?;
            transaction.insert_signing_key(&signing_key(1, NOW))?;
            transaction.delete_user(UserId::from_bytes([2; 16]))?;
            transaction.delete_application(ApplicationId::from_bytes([1; 16]))
        });
        let (seen, end) = changes(&other, start);
        assert_eq!(seen, made);
        assert_eq!(changes(&other, end), (vec![], end));
        assert_eq!(changes(&sample.store, start), (made, end), "its own changes too");
    }

    #[test]
    fn what_is_not_committed_is_not_seen() {
        let sample = Sample::new();
        assert_eq!(changes(&sample.store, 0), (vec![], 0));
        let mut transaction = sample.store.begin().unwrap();
        transaction.insert_user(&user(1)).unwrap();
        assert_eq!(changes(&sample.store, 0), (vec![], 0));
        transaction.commit().unwrap();
        assert_eq!(changes(&sample.store, 0), (vec![Change::User(user(1).user.id)], 1));
    }

    #[test]
    fn each_asker_has_its_own_position() {
        let sample = Sample::populated();
        let (all, end) = changes(&sample.store, 0);
        assert_eq!(all.len(), 6);
        assert_eq!(changes(&sample.store, end), (vec![], end));
        assert_eq!(changes(&sample.store, 2), (all[2..].to_vec(), end));
        assert_eq!(changes(&sample.store, end), (vec![], end));
    }

    #[test]
    fn beyond_either_end_everything_may_have_changed() {
        let sample = Sample::populated();
        assert_eq!(changes(&sample.store, 7), (vec![Change::Everything], 6));
        assert_eq!(changes(&sample.store, -1), (vec![Change::Everything], 6));
        sample.raw().execute("DELETE FROM changes WHERE seq <= 3", []).unwrap();
        assert_eq!(changes(&sample.store, 2), (vec![Change::Everything], 6));
        assert_eq!(changes(&sample.store, 3).0.len(), 3);
    }

    #[test]
    fn old_changes_are_pruned_once_in_a_while() {
        let sample = Sample::populated();
        let count = || -> i64 { sample.raw().query_row("SELECT COUNT(*) FROM changes", [], |row| row.get(0)).unwrap() };
        let insert = "INSERT INTO changes (seq, kind) VALUES (?1, 'signing_keys')";
        for seq in [1_500, 1_501, KEPT + 1_498] {
            sample.raw().execute(insert, [seq]).unwrap();
        }
        sample.write(|transaction| transaction.insert_device(&device(1)));
        assert_eq!(count(), 10, "not yet");
        sample.raw().execute(insert, [KEPT + 1_999 + 500]).unwrap();
        sample.raw().execute(insert, [KEPT + 2_999]).unwrap();
        sample.write(|transaction| transaction.insert_device(&device(2)));
        assert_eq!(sample.store.position().unwrap(), KEPT + 3_000);
        assert_eq!(count(), 5, "those up to 3,000 are gone");
        assert_eq!(changes(&sample.store, 1_501), (vec![Change::Everything], KEPT + 3_000));
    }

    #[test]
    fn every_change_is_read_as_it_was_written() {
        let sample = Sample::new();
        let raw = sample.raw();
        let written = [
            Change::User(UserId::from_bytes([1; 16])),
            Change::ApiKey(Digest::of(b"key")),
            Change::Membership(UserId::from_bytes([1; 16]), ApplicationId::from_bytes([2; 16])),
            Change::Application(ApplicationId::from_bytes([1; 16])),
            Change::Organization(organization(1).id),
            Change::Device(device(1).id),
            Change::SigningKeys,
            Change::Everything,
        ];
        for (change, position) in written.iter().zip(1..) {
            assert_eq!(append(&raw, change).unwrap(), position);
        }
        assert_eq!(changes(&sample.store, 0), (written.to_vec(), 8));
    }

    #[test]
    fn a_change_that_cannot_be_read_may_be_of_anything() {
        let sample = Sample::new();
        let raw = sample.raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON;
             INSERT INTO changes (kind) VALUES ('team');
             INSERT INTO changes (kind, a) VALUES ('membership', X'00');
             INSERT INTO changes (kind) VALUES ('user')",
        )
        .unwrap();
        assert_eq!(changes(&sample.store, 0), (vec![Change::Everything; 3], 3));
    }

    #[test]
    fn writers_of_several_stores_take_turns() {
        let sample = Sample::populated();
        let stores: Vec<_> = (0..2).map(|_| SqliteStore::open(&sample.path()).unwrap()).collect();
        let start = sample.store.position().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..6_u8 {
                let store = &stores[usize::from(writer) % 2];
                scope.spawn(move || {
                    for n in 0..20 {
                        let mut transaction = store.begin().unwrap();
                        let before = transaction.devices(device(0).application, None, 1_000).unwrap().len();
                        transaction.insert_device(&device(1 + writer * 20 + n)).unwrap();
                        let after = transaction.devices(device(0).application, None, 1_000).unwrap().len();
                        assert_eq!(after, before + 1);
                        transaction.commit().unwrap();
                    }
                });
            }
        });
        assert_eq!(sample.store.devices(device(0).application, None, 1_000).unwrap().len(), 120);
        assert_eq!(changes(&sample.store, start).0.len(), 120);
    }
}
