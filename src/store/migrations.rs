//! The database's schema, as numbered steps. A step that was released is never edited: the next one corrects it.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

/// The steps, in order; the first makes version 1.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_accounts.sql"),
    include_str!("migrations/0002_sign_in.sql"),
    include_str!("migrations/0003_policies.sql"),
    include_str!("migrations/0004_disabled_accounts.sql"),
];

/// Brings the database to the newest version, all of it or nothing.
///
/// # Errors
///
/// [`StoreError::TooNew`], with the database left as it is, when a newer version of this program wrote it.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    apply(connection, STEPS)
}

fn apply(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let known = i64::try_from(steps.len()).unwrap_or(i64::MAX);
    // Looked at first without a lock, so that opening an up-to-date database never waits for a writer.
    if known_version(connection, known)? == known {
        return Ok(());
    }
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let found = known_version(&transaction, known)?;
    if found == 0 {
        transaction
            .execute_batch("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL PRIMARY KEY) STRICT")?;
    }
    for (version, step) in (1_i64..).zip(steps).filter(|(version, _)| *version > found) {
        transaction.execute_batch(step)?;
        transaction.execute("INSERT INTO schema_version (version) VALUES (?1)", [version])?;
    }
    Ok(transaction.commit()?)
}

fn known_version(connection: &Connection, known: i64) -> Result<i64, StoreError> {
    let found = version(connection)?;
    if found > known { Err(StoreError::TooNew { found, known }) } else { Ok(found) }
}

/// The database's version; 0 for an empty one.
fn version(connection: &Connection) -> Result<i64, StoreError> {
    if !connection.table_exists(None, "schema_version")? {
        return Ok(0);
    }
    let newest = "SELECT COALESCE(MAX(version), 0) FROM schema_version";
    Ok(connection.query_row(newest, [], |row| row.get(0))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_steps_that_are_missing_run() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (id INTEGER)";
        apply(&mut connection, &[first]).unwrap();
        apply(&mut connection, &[first, "CREATE TABLE b (id INTEGER)"]).unwrap();
        assert_eq!(version(&connection).unwrap(), 2);
        assert!(connection.table_exists(None, "b").unwrap());
    }

    #[test]
    fn a_step_that_fails_leaves_nothing_behind() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &["CREATE TABLE a (id INTEGER)", "CREATE TABLE a (id INTEGER)"]).unwrap_err();
        assert_eq!(version(&connection).unwrap(), 0);
        assert!(!connection.table_exists(None, "a").unwrap());
    }

    #[test]
    fn a_newer_database_is_refused_and_left_alone() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        connection.execute("INSERT INTO schema_version (version) VALUES (99)", []).unwrap();
        let refused = migrate(&mut connection).unwrap_err();
        assert!(matches!(refused, StoreError::TooNew { found: 99, known: 4 }), "{refused}");
        assert_eq!(version(&connection).unwrap(), 99);
    }

    #[test]
    fn a_database_of_the_first_version_keeps_what_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        apply(&mut connection, &STEPS[..1]).unwrap();
        let event =
            "INSERT INTO events (id, at, credential_kind, action) VALUES (zeroblob(16), 1, 'console', 'plan_set')";
        connection.execute(event, []).unwrap();
        migrate(&mut connection).unwrap();
        let count = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT COUNT(*) FROM events"), 1);
        assert_eq!(count("SELECT COUNT(*) FROM totps"), 0);
    }

    #[test]
    fn the_schema_is_strict_and_enumerates_what_is_known() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection).unwrap();
        let loose: i64 = connection
            .query_row(
                "SELECT COUNT(*) FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite%'",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(loose, 0);
        connection.execute("INSERT INTO changes (kind) VALUES ('surprise')", []).unwrap_err();
    }
}
