use std::fs;
use std::path::Path;

use tempfile::TempDir;

use super::*;
use crate::authz::generation::Proofs;
use crate::authz::{Circumstances, Compared, Engine, EngineCapacity, Reloaded, Resource, Subject};
use crate::cache::{Stamp, Versions};
use crate::config::Folder;
use crate::model::ApplicationId;
use crate::store::Store;
use crate::store::sqlite::SqliteStore;

const APPLICATION: Resource = Resource::Application(ApplicationId::from_bytes([7; 16]));

/// Policies of each outcome, which are decided ahead of time.
const PERMIT: &str = "@id(\"permit\") permit (principal, action == Action::\"View\", resource);";
const OTHER: &str = "@id(\"other\") permit (principal, action in Action::\"View\", resource);";
const FORBID: &str = "@id(\"forbid\") forbid (principal, action == Action::\"View\", resource);";
const FAIL: &str = "@id(\"fail\") forbid (principal, action == Action::\"View\", resource)
    when { 9223372036854775807 + 1 < 0 };";

/// An engine with a candidate, over an empty store.
struct Beside {
    engine: Engine,
    folder: TempDir,
}

impl Beside {
    fn new(live: &str, candidate: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (room, text) in [("policies", live), ("candidate", candidate)] {
            fs::create_dir(folder.path().join(room)).unwrap();
            fs::write(folder.path().join(room).join("own.cedar"), text).unwrap();
        }
        let engine = engine(folder.path());
        engine.reload_candidate().unwrap().unwrap();
        Self { engine, folder }
    }

    fn write(&self, file: &str, text: &str) {
        let path = self.folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn remove(&self, folder: &str) {
        fs::remove_dir_all(self.folder.path().join(folder)).unwrap();
    }

    fn live(&self) -> Arc<Decision> {
        self.engine.decide(&self.engine.generation(), &question(&self.engine)).unwrap()
    }

    /// What the candidate makes of this decision.
    fn compared(&self, live: &Decision) -> Compared {
        let candidate = candidate(&self.engine).unwrap();
        self.engine.decide_beside(&candidate, live, &question(&self.engine)).unwrap()
    }

    /// The problems of the candidate that is there now.
    fn problems(&self) -> String {
        let error = self.engine.reload_candidate().unwrap_err();
        assert_eq!(self.engine.candidates().unwrap().last_error().as_deref(), Some(&error));
        error.to_string()
    }
}

fn engine(folder: &Path) -> Engine {
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(&folder.join("gatepost.db")).unwrap());
    let source =
        Source { policies: folder.join("policies").into(), schema: Folder::Usual(folder.join("schema")), tests: true };
    let capacity = EngineCapacity { facts: 10, decisions: 10 };
    let engine =
        Engine::start(source, Proofs::off(), |_| 1, || None, store, Arc::new(Versions::default()), capacity).unwrap();
    engine.with_candidate(folder.join("candidate"))
}

fn candidate(engine: &Engine) -> Option<Arc<Candidate>> {
    engine.candidates().unwrap().current().clone()
}

/// May somebody view the application?
fn question(engine: &Engine) -> Question<'static> {
    Question {
        subject: Subject::Anonymous,
        subject_stamp: Stamp::default(),
        action: engine.generation().action_by_name("View").unwrap().0,
        resource: &APPLICATION,
        circumstances: Circumstances { method: "GET", ..Circumstances::UNTOLD },
    }
}

/// The same policy, which cannot be decided ahead of time, and whose decisions are remembered.
fn evaluated(policy: &str) -> String {
    let condition = "context.method == \"GET\" &&";
    match policy.split_once("when {") {
        Some((scope, rest)) => format!("{scope} when {{ {condition} {rest}"),
        None => policy.replace(';', &format!(" when {{ {condition} true }};")),
    }
}

#[test]
fn a_candidate_gains_loses_fails_or_says_the_same() {
    use ShadowResult::{Error, Gains, Loses, Same};
    for (live, candidate, expected) in [
        (PERMIT, PERMIT, Same),
        (PERMIT, OTHER, Same),
        (FORBID, PERMIT, Gains),
        (PERMIT, FORBID, Loses),
        (PERMIT, FAIL, Error),
        (FORBID, FAIL, Error),
        (FAIL, FAIL, Same),
        (FAIL, FORBID, Same),
        (FAIL, PERMIT, Gains),
    ] {
        for (live, candidate) in [
            (live.to_owned(), candidate.to_owned()),
            (evaluated(live), candidate.to_owned()),
            (live.to_owned(), evaluated(candidate)),
        ] {
            let beside = Beside::new(&live, &candidate);
            let Compared { result, disagreement } = beside.compared(&beside.live());
            assert_eq!(result, expected, "{live} {candidate}");
            let Some(Disagreement { action, opinion }) = disagreement else {
                assert_eq!(result, Same, "{live} {candidate}");
                continue;
            };
            assert_eq!((&*action, opinion.allowed), ("View", expected == Gains));
            let expected = match expected {
                Gains => (vec!["permit".into()], 0),
                Loses => (vec!["forbid".into()], 0),
                _ => (Vec::<Arc<str>>::new(), 1),
            };
            assert_eq!((opinion.policies.to_vec(), opinion.errors.len()), expected, "{live} {candidate}");
        }
    }
}

#[test]
fn what_is_no_longer_decided_so_is_no_disagreement() {
    let beside = Beside::new(FORBID, FORBID);
    let allowed = Decision::new(1, true, None, Arc::new([]), Arc::new([]));
    assert_eq!(beside.compared(&allowed), Compared::STALE, "the facts have moved");
    let live = beside.live();
    beside.write("policies/own.cedar", PERMIT);
    assert_eq!(beside.engine.reload(|_, least| least).unwrap(), Reloaded::InForce(2));
    assert_eq!(beside.compared(&live), Compared::STALE, "another generation is in force");
    assert_eq!(beside.compared(&beside.live()).result, ShadowResult::Loses);
}

#[test]
fn nothing_that_a_candidate_says_is_remembered_or_decided() {
    let beside = Beside::new(&evaluated(FORBID), &evaluated(PERMIT));
    let decision = beside.live();
    // Another engine, which has remembered nothing, knows the generation by the same number.
    let fresh = engine(beside.folder.path());
    fresh.reload_candidate().unwrap().unwrap();
    let question = question(&fresh);
    let candidate = candidate(&fresh).unwrap();
    for _ in 0..3 {
        let compared = fresh.decide_beside(&candidate, &decision, &question).unwrap();
        assert_eq!(compared.result, ShadowResult::Gains);
        assert!(fresh.cached(&fresh.generation(), &question).is_none());
    }
    let decided = fresh.decide(&fresh.generation(), &question).unwrap();
    assert!(decided.permit().is_none());
    // Now it is remembered, and the candidate does not look there.
    assert!(fresh.cached(&fresh.generation(), &question).is_some_and(|cached| cached.permit().is_none()));
    assert_eq!(fresh.decide_beside(&candidate, &decision, &question).unwrap().result, ShadowResult::Gains);
}

#[test]
fn a_bad_candidate_leaves_the_last_good_one() {
    let beside = Beside::new(PERMIT, FORBID);
    let digest = candidate(&beside.engine).unwrap().digest();
    let test =
        "[[test]]\nname = \"open\"\nwho = \"anonymous\"\naction = \"View\"\non = \"Application\"\nexpect = \"deny\"\n";
    for (file, text, told) in [
        ("candidate/own.cedar", "forbid (principal, actoin, resource);", "candidate/own.cedar:1:20: "),
        ("candidate/own.cedar", "forbid (principal, action, resource)\nwhen { resource.colour };", "own.cedar:2:8: "),
        ("candidate/tests/own.toml", test, "candidate/tests/own.toml:"),
    ] {
        beside.write("candidate/own.cedar", OTHER);
        beside.write(file, text);
        let problems = beside.problems();
        assert!(problems.contains(told), "{told} in {problems}");
        assert_eq!(candidate(&beside.engine).unwrap().digest(), digest, "{file}");
    }
    beside.remove("candidate");
    assert!(beside.problems().ends_with("candidate: there is no such folder"), "nothing built in stands in for it");
    assert!(candidate(&beside.engine).is_some());
    beside.write("candidate/own.cedar", FORBID);
    assert_eq!(beside.engine.reload_candidate().unwrap(), None, "it is the one that is asked");
    assert!(beside.engine.candidates().unwrap().last_error().is_none());
    beside.write("candidate/own.cedar", OTHER);
    let new = beside.engine.reload_candidate().unwrap();
    assert!(new.is_some() && new != Some(digest));
    assert!(candidate(&engine(beside.folder.path())).is_none(), "none is asked before one was read");
}

#[test]
fn a_candidate_is_held_against_the_schema_in_force() {
    let beside = Beside::new(PERMIT, PERMIT);
    let (generation, first) = (beside.engine.generation(), candidate(&beside.engine).unwrap());
    assert_eq!(first.digest(), generation.contents().digest(), "it is what is in force");
    let schema = include_str!("../../../schema/gatepost.cedarschema");
    let new = "action Inspect appliesTo { principal: User, resource: Application, context: RequestContext };";
    beside.write("schema/routes.toml", "");
    beside.write("schema/gatepost.cedarschema", &format!("{schema}\n{new}\n"));
    let inspects = "permit (principal, action == Action::\"Inspect\", resource);";
    beside.write("candidate/own.cedar", inspects);
    assert!(beside.problems().contains("Inspect"), "the schema is not in force yet");
    assert_eq!(beside.engine.reload(|_, least| least).unwrap(), Reloaded::InForce(2));
    assert!(beside.engine.reload_candidate().unwrap().is_some());
    // A schema that is broken is a problem of the policies in force only.
    beside.write("schema/gatepost.cedarschema", "entity");
    assert!(beside.engine.reload(|_, least| least).is_err());
    beside.write("candidate/own.cedar", &format!("{inspects}\n{PERMIT}"));
    assert!(beside.engine.reload_candidate().unwrap().is_some());
}
