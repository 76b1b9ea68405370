//! A candidate is asked beside the policies in force: what it would have decided is told, and nothing comes of it.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use gatepost::accounts::{Actor, NewAccount};
use gatepost::clock::SystemClock;
use gatepost::model::Role;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::caches::question;
use super::policies::{Edited, copy_policies};
use crate::support::ext_authz::{CheckRequest, GrpcClient, header};
use crate::support::{Connection, Reply, Watched, World, send, until};

const PATIENCE: Duration = Duration::from_secs(20);
const CLOSED: &str = "@id(\"closed\") forbid (principal, action == Action::\"View\", resource)
    unless { resource has administrators && principal in resource.administrators };";
const OPENED: &str = "@id(\"opened\") permit (principal, action == Action::\"DeleteApplication\", resource);";
const RESULTS: [&str; 5] = ["same", "gains", "loses", "error", "stale"];

/// Policies in force, and a candidate that is the same at first.
struct Shadowed {
    edited: Edited,
    candidate: TempDir,
}

impl Shadowed {
    fn start(own: &str, settings: &[(&'static str, &str)]) -> Self {
        let candidate = tempfile::tempdir().unwrap();
        copy_policies(candidate.path());
        let path = |name: &str| candidate.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("policies/own.cedar"), own).unwrap();
        let folders = [("policy.shadow", &*path("policies")), ("log.shadow", &*path("shadow.log"))];
        let edited = Edited::with_settings(&[&folders, settings].concat());
        // What was changed for this test is followed once more: better now than while something is compared.
        edited.world.app.coherence.catch_up().unwrap();
        Self { edited, candidate }
    }

    fn world(&self) -> &World {
        &self.edited.world
    }

    /// Replaces the candidate's own file at once.
    fn write(&self, own: &str) {
        let next = self.candidate.path().join("next");
        fs::write(&next, own).unwrap();
        fs::rename(next, self.candidate.path().join("policies/own.cedar")).unwrap();
    }

    fn check(&self, method: &str, who: Option<&str>) -> Reply {
        let world = self.world();
        let target = format!("/applications/{}?token=hunter2", world.application);
        world.check(method, &target, who.map(|who| world.person(who).api_key.as_str()))
    }

    /// How many decisions were compared, by what the candidate made of them.
    fn counted(&self) -> [u64; 5] {
        RESULTS.map(|result| self.edited.metric(&format!("gatepost_shadow_decisions_total{{result=\"{result}\"}}")))
    }

    fn until_counted(&self, expected: [u64; 5]) {
        until(PATIENCE, &format!("{expected:?}"), || (self.counted() == expected).then_some(()));
    }

    /// The disagreements in the log.
    fn log(&self) -> String {
        let log = fs::read_to_string(self.candidate.path().join("shadow.log")).unwrap();
        log.split_inclusive('\n').filter(|line| !line.contains("\"compared\":")).collect()
    }

    /// What is told of a decision, which may be a moment later.
    fn told(&self, reply: &Reply) -> Value {
        let id = reply.header("gatepost-decision").unwrap();
        until(PATIENCE, "the disagreement", || {
            let log = self.log();
            let line = log.lines().find(|line| line.contains(id));
            line.and_then(|line| serde_json::from_str(line).ok())
        })
    }

    fn shadow(&self) -> Value {
        self.edited.ready()["shadow"].clone()
    }
}

#[test]
fn who_would_gain_and_lose_is_told_and_the_answer_is_the_one_in_force() {
    let shadowed = Shadowed::start(&format!("{CLOSED}\n{OPENED}"), &[]);
    let world = shadowed.world();
    let (olga, ada) = (shadowed.check("GET", Some("olga")), shadowed.check("GET", Some("ada")));
    let (otto, nobody) = (shadowed.check("DELETE", Some("otto")), shadowed.check("DELETE", None));
    assert_eq!([&olga, &ada, &otto, &nobody].map(|reply| reply.status), [200, 200, 403, 401]);
    shadowed.until_counted([1, 2, 1, 0, 0]);

    let told = shadowed.told(&olga);
    let record = world.decision_record(olga.header("gatepost-decision").unwrap());
    for field in ["time", "generation", "principal", "credential", "credential_id", "action", "resource", "client"] {
        assert_eq!(told[field], record[field], "{field}");
    }
    for field in ["method", "host", "path"] {
        assert_eq!(told[field], record[field], "{field}");
    }
    assert_eq!((&told["decision_id"], &told["change"]), (&record["id"], &json!("loses")));
    assert_eq!(told["live"], json!({"decision": "allow", "policies": ["observer"], "errors": []}));
    assert_eq!(told["shadow"], json!({"decision": "deny", "policies": ["closed"], "errors": []}));
    assert_eq!(told["role"], json!("observer"));
    assert_eq!(told["candidate"], shadowed.shadow()["candidate"]);
    assert_ne!(told["candidate"], json!(world.app.engine.generation().contents().digest()));

    for (reply, principal) in [(&otto, json!(world.person("otto").id)), (&nobody, Value::Null)] {
        let told = shadowed.told(reply);
        assert_eq!((&told["change"], &told["principal"]), (&json!("gains"), &principal), "{told}");
        assert_eq!(told["live"], json!({"decision": "deny", "policies": [], "errors": []}));
        assert_eq!(told["shadow"], json!({"decision": "allow", "policies": ["opened"], "errors": []}));
    }
    let log = shadowed.log();
    assert_eq!(log.lines().count(), 3, "{log}");
    assert!(!log.contains("hunter2") && !log.contains("gp_"), "{log}");

    // Roles count for the candidate as they do for the policies in force, at once.
    world
        .app
        .accounts
        .set_role(&Actor::console(), world.application, world.person("olga").id, Role::Administrator)
        .unwrap();
    assert_eq!(shadowed.check("GET", Some("olga")).status, 200);
    shadowed.until_counted([2, 2, 1, 0, 0]);
    // What no route takes, and what is malformed, no policy has decided.
    assert_eq!(world.check("GET", "/nowhere", None).status, 403);
    assert_eq!(world.check("GET", "/a//b", None).status, 400);
    assert_eq!(shadowed.check("GET", Some("olga")).status, 200);
    shadowed.until_counted([3, 2, 1, 0, 0]);
}

#[test]
fn each_protocol_of_the_gate_is_covered() {
    let shadowed = Shadowed::start(CLOSED, &[]);
    let world = shadowed.world();
    let bearer = format!("Bearer {}", world.person("olga").api_key);
    let target = format!("/applications/{}", world.application);
    let headers = [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", target.as_str()),
        ("X-Forwarded-Host", "app.example.com"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "192.0.2.1"),
        ("Authorization", &bearer),
    ];
    let reply = send(world.decision, "GET", "/check/caddy", &headers, "");
    assert_eq!(reply.status, 200);
    assert_eq!(shadowed.told(&reply)["change"], "loses");
    let response =
        GrpcClient::open(world.decision).check(&CheckRequest::raw("GET", &target, &[("authorization", &bearer)]));
    let id = header(&response.permit().headers, "gatepost-decision").unwrap().to_owned();
    until(PATIENCE, "the disagreement", || shadowed.log().contains(&id).then_some(()));
    shadowed.until_counted([0, 0, 2, 0, 0]);
}

#[test]
fn a_candidate_that_is_what_is_in_force_tells_nothing() {
    let shadowed = Shadowed::start("", &[]);
    fs::remove_file(shadowed.candidate.path().join("policies/own.cedar")).unwrap();
    shadowed.world().app.reload_policies().unwrap();
    let digest = json!(shadowed.world().app.engine.generation().contents().digest());
    assert_eq!(
        shadowed.shadow(),
        json!({"candidate": digest, "last_reload_error": null, "invariants": "off", "invariants_error": null})
    );
    for method in ["GET", "DELETE", "POST", "PATCH"] {
        for who in [Some("ada"), Some("devi"), Some("oleg"), Some("olga"), Some("otto"), None] {
            shadowed.check(method, who);
        }
    }
    let compared = until(PATIENCE, "that all are compared", || {
        let counted = shadowed.counted();
        (counted[0] >= 12).then_some(counted)
    });
    assert_eq!(compared[1..], [0; 4]);
    assert_eq!(shadowed.log(), "");
}

#[test]
fn a_policy_of_a_candidate_that_fails_is_told_and_denies_nobody() {
    let failing = "@id(\"failing\") forbid (principal, action == Action::\"View\", resource)
        when { 9223372036854775807 + 1 < 0 };";
    let shadowed = Shadowed::start(failing, &[]);
    let reply = shadowed.check("GET", Some("olga"));
    assert_eq!(reply.status, 200);
    let told = shadowed.told(&reply);
    assert_eq!((&told["change"], &told["shadow"]["decision"]), (&json!("error"), &json!("deny")));
    assert!(told["shadow"]["errors"][0].as_str().unwrap().contains("failing"), "{told}");
    shadowed.until_counted([0, 0, 0, 1, 0]);
    assert_eq!(shadowed.edited.metric("gatepost_decision_errors_total"), 0, "no decision failed");
}

#[test]
fn a_candidate_that_is_broken_at_the_start_keeps_nothing_from_starting() {
    let shadowed = Shadowed::start("forbid (principal, action, resource)\nwhen { true;", &[]);
    let metric = |name: &str| shadowed.edited.metric(name);
    let told = shadowed.shadow();
    assert_eq!(told["candidate"], Value::Null);
    assert!(told["last_reload_error"].as_str().unwrap().contains("own.cedar:2:12"), "{told}");
    assert!(shadowed.edited.ready()["policies"]["last_reload_error"].is_null());
    let state = || ["gatepost_shadow_candidate_loaded", "gatepost_shadow_reload_failures_total"].map(metric);
    assert_eq!(state(), [0, 1]);
    assert_eq!(shadowed.check("GET", Some("olga")).status, 200);
    // The API answers for the policies in force, and reads the candidate as well.
    let (accounts, console) = (&shadowed.world().app.accounts, Actor::console());
    let root =
        NewAccount { username: "root", email: "root@example.com", password: None, installation_administrator: true };
    let root = accounts.add_user(&console, &root).unwrap();
    let root = accounts.issue_session(&console, root.id).unwrap().token.expose().to_owned();
    let reload = || shadowed.world().api("POST", "/v1/policies/reload", Some(&root), "").status;
    assert_eq!((reload(), state()), (200, [0, 2]));
    shadowed.write(CLOSED);
    assert_eq!((reload(), state()), (200, [1, 2]));
    let reply = shadowed.check("GET", Some("olga"));
    assert_eq!(shadowed.told(&reply)["change"], "loses");
    assert_eq!(shadowed.counted().iter().sum::<u64>(), 1, "what was asked before was not compared");
    // A folder that is gone is no candidate; the last good one is asked on.
    fs::rename(shadowed.candidate.path().join("policies"), shadowed.candidate.path().join("away")).unwrap();
    assert_eq!(shadowed.world().app.reload_policies().unwrap(), 1);
    let told = shadowed.shadow();
    assert!(told["last_reload_error"].as_str().unwrap().ends_with("there is no such folder"), "{told}");
    assert_eq!(shadowed.told(&shadowed.check("GET", Some("olga")))["change"], "loses");
}

#[test]
fn a_candidate_that_is_edited_is_taken_up_and_a_broken_edit_is_not() {
    let shadowed = Shadowed::start("", &[("policy.watch", "true")]);
    let candidate = || shadowed.shadow()["candidate"].as_str().map(str::to_owned);
    let first = candidate().unwrap();
    shadowed.write(CLOSED);
    let second = until(PATIENCE, "another candidate", || candidate().filter(|candidate| *candidate != first));
    let reply = shadowed.check("GET", Some("olga"));
    assert_eq!((reply.status, &shadowed.told(&reply)["candidate"]), (200, &json!(second)));
    shadowed.write("forbid (principal, actoin, resource);");
    let error = until(PATIENCE, "the problem", || shadowed.shadow()["last_reload_error"].as_str().map(str::to_owned));
    assert!(error.contains("own.cedar:1:20"), "{error}");
    until(PATIENCE, "the metric", || {
        (shadowed.edited.metric("gatepost_shadow_reload_failures_total") == 1).then_some(())
    });
    assert_eq!(candidate(), Some(second.clone()));
    assert_eq!(shadowed.edited.metric("gatepost_shadow_candidate_loaded"), 1);
    let reply = shadowed.check("GET", Some("olga"));
    assert_eq!(shadowed.told(&reply)["candidate"], second);
    // The schema in force is the candidate's as well.
    shadowed.write(CLOSED);
    shadowed.edited.edit("schema/routes.toml", "# ", "#  ");
    let third = until(PATIENCE, "another schema", || candidate().filter(|candidate| *candidate != second));
    assert_ne!(third, first);
    assert_eq!(shadowed.edited.metric("gatepost_policy_generation"), 2);
}

#[test]
fn a_candidate_that_denies_all_and_a_queue_that_is_full_alter_no_answer() {
    const EACH: usize = 2_500;
    let candidate = tempfile::tempdir().unwrap();
    let (live, denying) = (candidate.path().join("live"), candidate.path().join("denying"));
    fs::create_dir(&live).unwrap();
    copy_policies(&live);
    fs::create_dir(&denying).unwrap();
    // Such that the gate remembers decisions, and does not need what they were made from: that is not remembered.
    let host = "@id(\"host\") forbid (principal, action == Action::\"View\", resource)
        when { context.host == \"closed.example.com\" };";
    fs::write(live.join("policies/own.cedar"), host).unwrap();
    fs::write(
        denying.join("own.cedar"),
        "@id(\"nobody\") forbid (principal, action, resource) when { context.method == \"GET\" };",
    )
    .unwrap();
    let path = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let settings = [
        ("policy.policies", &*path(&live.join("policies"))),
        ("policy.schema", &*path(&live.join("schema"))),
        ("policy.shadow", &*path(&denying)),
        ("log.shadow", &*path(&candidate.path().join("shadow.log"))),
        ("cache.standings", "0"),
        ("decision.deadline_ms", "5000"),
    ];
    let (world, store) =
        World::with_store(Arc::new(SystemClock), &settings, false, |path| Arc::new(Watched::open(path)));
    world.app.coherence.catch_up().unwrap();
    let metrics = || {
        let metrics = send(world.decision, "GET", "/metrics", &[], "").body;
        let shadow = metrics.lines().filter_map(|line| line.strip_prefix("gatepost_shadow_")?.rsplit_once(' '));
        shadow
            .filter_map(|(name, value)| Some((name.to_owned(), value.parse().ok()?)))
            .collect::<BTreeMap<String, u64>>()
    };
    let target = format!("/applications/{}", world.application);
    let (olga, otto) = ["olga", "otto"].map(|who| question("GET", &target, &world.person(who).api_key)).into();
    let mut client = Connection::open(world.decision);
    assert_eq!([&olga, &otto].map(|question| client.send(question).status), [200, 403]);
    let compared = |metrics: &BTreeMap<String, u64>| {
        RESULTS.map(|result| metrics[&format!("decisions_total{{result=\"{result}\"}}")])
    };
    until(PATIENCE, "the first two", || (compared(&metrics()) == [1, 0, 1, 0, 0]).then_some(()));

    store.hang(true);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut client = Connection::open(world.decision);
                for _ in 0..EACH {
                    assert_eq!([&olga, &otto].map(|question| client.send(question).status), [200, 403]);
                }
            });
        }
    });
    let full = metrics();
    assert_eq!(compared(&full), [1, 0, 1, 0, 0], "the thread that compares waits for the store");
    assert!(full["dropped_total"] > 0, "{full:?}");
    store.hang(false);
    let all = u64::try_from(4 * EACH + 2).unwrap();
    let end = until(PATIENCE, "that the rest is compared", || {
        let now = metrics();
        (compared(&now).iter().sum::<u64>() + now["dropped_total"] == all).then_some(now)
    });
    let [same, gains, loses, error, stale] = compared(&end);
    assert_eq!((gains, error, stale), (0, 0, 0));
    assert!(same > 1_000 && loses > 1_000, "{end:?}");
    let log = candidate.path().join("shadow.log");
    drop(client);
    // All of it is written when the server ends.
    drop(world);
    let log = fs::read_to_string(log).unwrap();
    let lines: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let sum = |of: &str| -> u64 { lines.iter().filter_map(|line| line.pointer(of)?.as_u64()).sum() };
    let told = lines.iter().filter(|line| line["change"] == "loses").count();
    assert_eq!(u64::try_from(told).unwrap(), loses);
    assert_eq!((sum("/compared/same"), sum("/compared/loses")), (same, loses));
    assert_eq!(sum("/dropped"), end["dropped_total"]);
}
