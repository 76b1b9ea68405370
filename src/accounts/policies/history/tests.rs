use tempfile::TempDir;

use super::*;
use crate::clock::ManualClock;
use crate::model::{PolicyFolder, Timestamp};
use crate::store::sqlite::SqliteStore;

fn contents(text: &str) -> Contents {
    let file = PolicyFile { folder: PolicyFolder::Policies, name: "a.cedar".to_owned(), text: text.to_owned() };
    Contents::new(vec![file])
}

/// Two processes on one database.
fn two() -> (TempDir, [PolicyHistory; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let history = || {
        let store = Arc::new(SqliteStore::open(&folder.path().join("gatepost.db")).unwrap());
        PolicyHistory::new(store, Arc::new(ManualClock::at(Timestamp::from_secs(1_800_000_000))))
    };
    let both = [history(), history()];
    (folder, both)
}

fn record(history: &PolicyHistory, least: u64, text: &str) -> u64 {
    history.record(least, &contents(text), Some(7), ReloadCause::Watcher, None, None)
}

fn numbers(history: &PolicyHistory) -> Vec<u64> {
    history.newest(99).unwrap().iter().map(|generation| generation.number).collect()
}

#[test]
fn the_same_files_in_a_row_are_one_generation_for_all_processes() {
    let (_folder, [one, other]) = two();
    assert_eq!(one.number_for(&contents("a")).unwrap(), 1);
    assert_eq!((record(&one, 1, "a"), record(&other, 1, "a")), (1, 1));
    assert_eq!((record(&one, 2, "b"), record(&other, 2, "b")), (2, 2));
    // One goes back, the other stays behind for a while.
    assert_eq!((record(&one, 3, "a"), record(&one, 4, "c"), record(&other, 3, "c")), (3, 4, 4));
    assert_eq!(numbers(&one), [4, 3, 2, 1]);
    assert_eq!(one.number_for(&contents("c")).unwrap(), 4);
    assert_eq!(one.number_for(&contents("a")).unwrap(), 5);
}

#[test]
fn a_number_is_never_less_than_what_a_process_has_used() {
    let (_folder, [one, _]) = two();
    assert_eq!(record(&one, 9, "a"), 9);
    assert_eq!(record(&one, 12, "a"), 12);
    assert_eq!(numbers(&one), [12, 9]);
}

#[test]
fn only_the_newest_are_kept_and_each_is_found_with_the_one_before() {
    let (_folder, [one, _]) = two();
    for number in 1..=52 {
        assert_eq!(record(&one, number, &number.to_string()), number);
    }
    assert_eq!(numbers(&one), (3..=52).rev().collect::<Vec<_>>());
    assert_eq!(one.find(2).unwrap(), None);
    let (third, before) = one.find(3).unwrap().unwrap();
    assert_eq!((third.files[0].text.as_str(), before), ("3", None));
    let (fourth, before) = one.find(4).unwrap().unwrap();
    assert_eq!((fourth.number, before.unwrap().number), (4, 3));
}

#[test]
fn what_cannot_be_kept_now_is_kept_later_in_its_order() {
    let (folder, [one, _]) = two();
    assert_eq!(record(&one, 1, "a"), 1);
    let raw = rusqlite::Connection::open(folder.path().join("gatepost.db")).unwrap();
    raw.execute_batch("ALTER TABLE policy_files RENAME TO gone").unwrap();
    assert_eq!((record(&one, 2, "b"), record(&one, 3, "c")), (2, 3));
    one.record_again();
    raw.execute_batch("ALTER TABLE gone RENAME TO policy_files").unwrap();
    one.record_again();
    assert_eq!(numbers(&one), [3, 2, 1]);
    assert_eq!(record(&one, 4, "d"), 4);
}
