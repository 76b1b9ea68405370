//! What is remembered, and what is not.

use std::fs;

use tempfile::TempDir;

use super::*;
use crate::config::Folder;
use crate::model::ApplicationId;
use crate::store::sqlite::SqliteStore;

/// Decided when it is loaded.
const TABLED: &str = "permit (principal, action == Action::\"View\", resource);";
/// Decided when it is asked.
const EVALUATED: &str = "permit (principal, action == Action::\"View\", resource) when { context.method == \"GET\" || context.host == \"\" };";

/// An engine by this policy, over an empty store.
fn engine(policy: &str) -> (Engine, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let policies = folder.path().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("own.cedar"), policy).unwrap();
    let schema = Folder::Usual(folder.path().join("schema"));
    let source = Source { policies: policies.into(), schema, tests: true };
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.path().join("gatepost.db")).unwrap());
    let capacity = EngineCapacity { facts: 100, decisions: 100 };
    (
        Engine::start(source, Proofs::off(), |_| 1, || None, store, Arc::new(Versions::default()), capacity).unwrap(),
        folder,
    )
}

fn view<'a>(engine: &Engine, resource: &'a Resource) -> Question<'a> {
    Question {
        subject: Subject::Anonymous,
        subject_stamp: Stamp::default(),
        action: engine.generation().action_by_name("View").unwrap().0,
        resource,
        circumstances: Circumstances { method: "GET", ..Circumstances::UNTOLD },
    }
}

/// An application that nobody can register.
fn unregistered(id_len: usize) -> Resource {
    Resource::from_parts("Application", &"a".repeat(id_len))
}

#[test]
fn what_the_store_cannot_know_is_decided_without_it_and_takes_no_room() {
    let (engine, _folder) = engine(TABLED);
    let generation = engine.generation();
    for len in 1..=50 {
        let resource = unregistered(len);
        let question = view(&engine, &resource);
        assert!(engine.cached(&generation, &question).is_some_and(|decision| decision.permit().is_some()), "{len}");
        assert!(engine.decide(&generation, &question).unwrap().permit().is_some());
    }
    assert_eq!((engine.facts.len(), engine.decisions.len()), (0, 0));
    let registered = Resource::Application(ApplicationId::from_bytes([7; 16]));
    assert!(engine.cached(&generation, &view(&engine, &registered)).is_none(), "it may be registered");
    assert!(engine.decide(&generation, &view(&engine, &registered)).is_ok());
    assert!(engine.cached(&generation, &view(&engine, &registered)).is_some());
    assert_eq!((engine.facts.len(), engine.decisions.len()), (1, 0));
}

#[test]
fn decisions_on_what_has_a_long_identifier_are_not_remembered() {
    let (engine, _folder) = engine(EVALUATED);
    let generation = engine.generation();
    for (len, is_remembered) in [(1, true), (256, true), (257, false), (8_000, false)] {
        let resource = unregistered(len);
        let question = view(&engine, &resource);
        for _ in 0..2 {
            assert!(engine.decide(&generation, &question).unwrap().permit().is_some(), "{len}");
        }
        assert_eq!(engine.cached(&generation, &question).is_some(), is_remembered, "{len}");
    }
    assert_eq!((engine.facts.len(), engine.decisions.len()), (0, 2));
}

#[test]
fn the_facts_of_what_the_store_cannot_know_are_as_good_as_others() {
    let (engine, _folder) = engine(EVALUATED);
    let (facts, stamp) = engine.facts(None, &unregistered(1)).unwrap();
    assert_eq!(*facts, Facts::Nothing);
    assert!(engine.versions.is_current(&stamp));
    engine.versions.changed(&crate::model::Change::Everything);
    assert!(!engine.versions.is_current(&stamp));
}
