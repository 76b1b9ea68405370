//! Transactions: every write records the changes that it makes beside it.

mod accounts;
mod applications;
mod credentials;
mod mail;
mod organizations;
mod policies;
mod second_factors;
mod sign_in;

use std::cell::Cell;
use std::sync::MutexGuard;

use rusqlite::{Connection, Params, params};

use super::changes;
use super::constraints::{Parent, Violation};
use super::read::Connected;
use super::rows::{Columns, all};
use crate::model::{Change, ChangeSeq, Event};
use crate::store::{StoreError, Transaction};

/// An open transaction on the writing connection.
pub(super) struct SqliteTransaction<'s> {
    connection: MutexGuard<'s, Connection>,
    changes: Vec<Change>,
    /// The positions of the first and the last change.
    positions: Option<(ChangeSeq, ChangeSeq)>,
    /// Set by whatever fails: half of a step is never committed.
    failed: Cell<bool>,
}

impl<'s> SqliteTransaction<'s> {
    /// Begins, once other processes' writers are done.
    pub(super) fn begin(connection: MutexGuard<'s, Connection>) -> Result<Self, StoreError> {
        connection.execute_batch("BEGIN IMMEDIATE")?;
        Ok(Self { connection, changes: Vec::new(), positions: None, failed: Cell::new(false) })
    }

    /// Runs a statement; gives the number of rows that it touched.
    fn run(&self, sql: &str, parameters: impl Params) -> Result<usize, StoreError> {
        self.with(|connection| Ok(connection.prepare_cached(sql)?.execute(parameters)?))
    }

    /// Runs a statement that gives the rows that it touched.
    fn returning<T>(
        &self,
        sql: &str,
        parameters: impl Params,
        read: impl Fn(&mut Columns<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        self.with(|connection| all(connection, sql, parameters, read))
    }

    /// Runs a statement that must touch `what`.
    fn touch(&self, what: &'static str, sql: &str, parameters: impl Params) -> Result<(), StoreError> {
        match self.run(sql, parameters)? {
            0 => self.fail(StoreError::Missing(what)),
            _ => Ok(()),
        }
    }

    /// Runs an insertion. `unique` gives the name of what exists already for the columns of each unique constraint.
    fn insert(
        &self,
        unique: &[(&str, &'static str)],
        parents: &[Parent],
        sql: &str,
        parameters: impl Params,
    ) -> Result<(), StoreError> {
        let Err(error) = self.run(sql, parameters) else { return Ok(()) };
        match Violation::of(&error) {
            Some(Violation::Unique(columns)) => match unique.iter().find(|(known, _)| *known == columns) {
                Some((_, what)) => Err(StoreError::Exists(what)),
                None => Err(error),
            },
            Some(Violation::Reference) => {
                for parent in parents {
                    if !parent.exists(self)? {
                        return Err(StoreError::Missing(parent.name()));
                    }
                }
                Err(error)
            }
            None => Err(error),
        }
    }

    fn fail<T>(&self, error: StoreError) -> Result<T, StoreError> {
        self.failed.set(true);
        Err(error)
    }

    fn changed(&mut self, change: Change) -> Result<(), StoreError> {
        let position = self.with(|connection| changes::append(connection, &change))?;
        let first = self.positions.map_or(position, |(first, _)| first);
        self.positions = Some((first, position));
        self.changes.push(change);
        Ok(())
    }

    fn all_changed(&mut self, changes: impl IntoIterator<Item = Change>) -> Result<(), StoreError> {
        changes.into_iter().try_for_each(|change| self.changed(change))
    }
}

impl Connected for SqliteTransaction<'_> {
    fn with<T>(&self, ask: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        ask(&self.connection).or_else(|error| self.fail(error))
    }
}

impl Drop for SqliteTransaction<'_> {
    fn drop(&mut self) {
        if !self.connection.is_autocommit() {
            // Where this fails, the next transaction is begun on a new connection.
            let _ = self.connection.execute_batch("ROLLBACK");
        }
    }
}

impl Transaction for SqliteTransaction<'_> {
    fn record(&mut self, event: &Event) -> Result<(), StoreError> {
        self.insert(
            &[("events.id", "event")],
            &[],
            "INSERT INTO events (id, at, actor, credential_kind, credential_id, client, action, user_id,
                                 application_id, organization_id, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            params![
                event.id,
                event.at,
                event.actor,
                event.credential_kind,
                event.credential_id,
                event.client.map(|client| client.to_string()),
                event.action.as_str(),
                event.user,
                event.application,
                event.organization,
                event.detail,
            ],
        )
    }

    fn commit(mut self: Box<Self>) -> Result<Vec<Change>, StoreError> {
        if self.failed.get() {
            return Err(StoreError::Failed("a step of the transaction has failed, so it cannot be committed".into()));
        }
        if let Some((first, last)) = self.positions {
            changes::prune(&self.connection, first, last)?;
        }
        self.connection.execute_batch("COMMIT")?;
        Ok(std::mem::take(&mut self.changes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ApplicationId, Role, UserId};
    use crate::store::sqlite::samples::{Sample, event, user};
    use crate::store::{Read, Store};

    const USER: UserId = UserId::from_bytes([1; 16]);
    const APPLICATION: ApplicationId = ApplicationId::from_bytes([1; 16]);

    #[test]
    fn a_transaction_reads_its_own_writes_and_others_do_not() {
        let sample = Sample::new();
        let mut transaction = sample.store.begin().unwrap();
        transaction.insert_user(&user(1)).unwrap();
        assert_eq!(transaction.user(USER).unwrap(), Some(user(1).user));
        assert_eq!(sample.store.user(USER).unwrap(), None);
        assert_eq!(transaction.commit().unwrap(), [Change::User(USER)]);
        assert_eq!(sample.store.user(USER).unwrap(), Some(user(1).user));
    }

    #[test]
    fn what_is_dropped_is_undone() {
        let sample = Sample::new();
        let mut transaction = sample.store.begin().unwrap();
        transaction.insert_user(&user(1)).unwrap();
        drop(transaction);
        assert_eq!(sample.store.user(USER).unwrap(), None);
        assert_eq!(sample.store.position().unwrap(), 0);
        assert_eq!(sample.write(|transaction| transaction.insert_user(&user(1))), [Change::User(USER)]);
    }

    #[test]
    fn a_panic_undoes_the_transaction_and_the_next_one_works() {
        let sample = Sample::new();
        let panicked = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let mut transaction = sample.store.begin().unwrap();
                transaction.insert_user(&user(1)).unwrap();
                panic!("on purpose");
            });
            thread.join()
        });
        panicked.unwrap_err();
        assert_eq!(sample.store.user(USER).unwrap(), None);
        sample.write(|transaction| transaction.insert_user(&user(1)));
    }

    #[test]
    fn half_of_a_step_is_never_committed() {
        let sample = Sample::populated();
        let mut transaction = sample.store.begin().unwrap();
        transaction.delete_user(USER).unwrap_err();
        let refused = transaction.commit().unwrap_err();
        assert!(matches!(refused, StoreError::Failed(_)), "{refused}");
        assert_eq!(sample.store.role(APPLICATION, USER).unwrap(), Some(Role::Administrator));
    }

    #[test]
    fn events_are_written_once_and_change_no_decision() {
        let sample = Sample::new();
        assert_eq!(sample.write(|transaction| transaction.record(&event(1))), []);
        assert_eq!(sample.refusal(|transaction| transaction.record(&event(1))), "event exists already");
    }
}
