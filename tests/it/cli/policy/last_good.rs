//! A start with files that cannot be taken: the newest generation in the history decides until they can.

use std::fs;

use serde_json::{Value, json};

use super::history::{in_force, serving};
use crate::cli::program::{Program, Server};
use crate::cli::proved;
use crate::support::{FakeSolver, send, until};

const LISTEN: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0"];
/// Everybody may look, by this only.
const OPEN: &str = "@id(\"open\") permit (principal, action == Action::\"View\", resource);\n";
const BROKEN: &str = "permit (";
const PROBLEM: &str = "policies/own.cedar:1:9: ";

fn own(program: &Program, text: &str) {
    let next = program.folder().join("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, program.folder().join("policies/own.cedar")).unwrap();
}

fn end(server: Server) {
    server.signal("TERM");
    assert!(server.wait().0.success());
}

fn policies(server: &Server) -> Value {
    send(server.decision(), "GET", "/readyz", &[], "").json()["policies"].clone()
}

fn metric(server: &Server, name: &str) -> String {
    let metrics = send(server.decision(), "GET", "/metrics", &[], "").body;
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap().to_owned()
}

/// What somebody without a credential is answered who wants to look.
fn look(server: &Server) -> u16 {
    let headers = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", "/applications/x"),
        ("X-Original-Host", "api.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.7"),
    ];
    send(server.decision(), "GET", "/check/nginx", &headers, "").status
}

/// Waits until this generation is in force, read from files in which nothing is wrong.
fn from_files(server: &Server, generation: u64) {
    until(std::time::Duration::from_secs(60), &format!("generation {generation} from files"), || {
        let told = policies(server);
        let told = (&told["generation"], &told["from"], &told["last_reload_error"]);
        (told == (&json!(generation), &json!("files"), &Value::Null)).then_some(())
    });
}

/// A program whose policies are broken now, and were in force as generation 2 before, by which everybody may look.
fn broken() -> Program {
    let (program, server) = serving();
    in_force(&server, 1);
    assert_eq!(look(&server), 401);
    own(&program, OPEN);
    in_force(&server, 2);
    end(server);
    own(&program, BROKEN);
    program
}

#[test]
fn a_restart_with_a_broken_file_decides_by_the_newest_generation_until_the_file_is_right() {
    let program = broken();
    let server = program.serve(&[]);
    let told = policies(&server);
    assert_eq!((&told["generation"], &told["from"]), (&json!(2), &json!("history")));
    assert!(told["last_reload_error"].as_str().unwrap().contains(PROBLEM), "{told}");
    assert!(told["files"].as_array().unwrap().contains(&json!("generation:2:policies/own.cedar")), "{told}");
    assert_eq!(look(&server), 200);
    assert_eq!(metric(&server, "gatepost_policy_files_refused"), "1");
    assert_eq!(metric(&server, "gatepost_policy_reload_failures_total"), "1");
    let log = fs::read_to_string(program.folder().join("serve.log")).unwrap();
    let warning = log.lines().find(|line| line.contains("WARN")).unwrap_or_default();
    assert!(warning.contains("the newest generation in the history decides until they can"), "{log}");
    assert!(log.contains(PROBLEM), "{log}");
    // A look that finds the same changes nothing; neither does another mistake.
    server.signal("HUP");
    own(&program, "frobid");
    until(std::time::Duration::from_secs(60), "the other problem", || {
        let told = policies(&server)["last_reload_error"].as_str()?.to_owned();
        (told.contains("policies/own.cedar:1:") && !told.contains(PROBLEM)).then_some(())
    });
    assert_eq!((look(&server), &policies(&server)["generation"]), (200, &json!(2)));

    // What the files say takes its place, be it new or the same.
    own(&program, "// nothing of one's own\n");
    from_files(&server, 3);
    assert_eq!(look(&server), 401);
    until(std::time::Duration::from_secs(60), "the metric", || {
        (metric(&server, "gatepost_policy_files_refused") == "0").then_some(())
    });
    end(server);
    own(&program, BROKEN);
    let server = program.serve(&[]);
    assert_eq!((&policies(&server)["generation"], &policies(&server)["from"]), (&json!(3), &json!("history")));
    own(&program, "// nothing of one's own\n");
    from_files(&server, 3);
    assert!(!policies(&server)["files"].to_string().contains("generation:"));
    let history = program.json(&["policy", "history"]);
    let numbers: Vec<_> = history.as_array().unwrap().iter().map(|row| row["generation"].clone()).collect();
    assert_eq!(numbers, [json!(3), json!(2), json!(1)]);
}

#[test]
fn the_same_files_whose_tests_fail_stay_refused() {
    let program = broken();
    own(&program, OPEN);
    fs::create_dir(program.folder().join("policies/tests")).unwrap();
    let test =
        "[[test]]\nname = \"shut\"\nwho = \"anonymous\"\naction = \"View\"\non = \"Application\"\nexpect = \"deny\"\n";
    fs::write(program.folder().join("policies/tests/own.toml"), test).unwrap();
    let server = program.serve(&[]);
    // Looked at once more, they are no better.
    server.signal("HUP");
    until(std::time::Duration::from_secs(60), "the second failure", || {
        (metric(&server, "gatepost_policy_reload_failures_total") == "2").then_some(())
    });
    let told = policies(&server);
    assert_eq!((&told["generation"], &told["from"]), (&json!(2), &json!("history")));
    assert!(told["last_reload_error"].as_str().unwrap().contains("policies/tests/own.toml:1:"), "{told}");
    fs::remove_file(program.folder().join("policies/tests/own.toml")).unwrap();
    from_files(&server, 2);
}

#[test]
fn who_types_a_folder_or_says_so_gets_no_other_policies() {
    let mut program = broken();
    let refused = |program: &Program, more: &[&str]| {
        let error = program.failure(&[&LISTEN, more].concat());
        assert!(error.contains(PROBLEM) && !error.contains("generation"), "{error}");
    };
    refused(&program, &["--policies", "policies"]);
    refused(&program, &["--schema", "built-in"]);
    program.set("GATEPOST_POLICY_ON_ERROR", "refuse");
    refused(&program, &[]);
    program.set("GATEPOST_POLICY_ON_ERROR", "last_good");
    let server = program.serve(&["--policies", "policies"]);
    assert_eq!((look(&server), &policies(&server)["from"]), (200, &json!("history")));
    end(server);
    // A demonstration has a history of its own.
    refused(&program, &["--demo"]);
}

#[test]
fn what_was_recorded_is_taken_only_as_it_was() {
    let program = broken();
    let database = rusqlite::Connection::open(program.folder().join("gatepost-data/gatepost.db")).unwrap();
    let changed = database.execute("UPDATE policy_files SET content = content || ' ' WHERE name = 'own.cedar'", []);
    assert_eq!(changed.unwrap(), 1);
    let error = program.failure(&LISTEN);
    for told in [
        PROBLEM,
        "generation:2: this is the newest in the history, and cannot stand in for the files either",
        "generation:2: the files are not those that were recorded",
    ] {
        assert!(error.contains(told), "{told} in {error}");
    }
    // An older one is no answer: what it was replaced for is not known.
    assert!(!error.contains("generation:1"), "{error}");
}

#[test]
fn what_must_be_proved_must_be_of_the_recorded_generation_too() {
    let solver = FakeSolver::that("proves");
    let mut program = proved::with_solver("required", &solver);
    let server = program.serve(&[]);
    in_force(&server, 1);
    end(server);
    own(&program, BROKEN);
    let server = program.serve(&[]);
    assert_eq!(policies(&server)["from"], "history");
    end(server);
    solver.now("cannot");
    let error = program.failure(&LISTEN);
    for told in [PROBLEM, "generation:1: this is the newest in the history", "holds cannot be told"] {
        assert!(error.contains(told), "{told} in {error}");
    }
    let invariants = program.folder().join("policies/invariants");
    fs::write(invariants.join("more.cedar"), "forbid (").unwrap();
    solver.now("proves");
    assert!(program.failure(&LISTEN).contains("invariants/more.cedar:1:9"));
    // Where it need not be proved, only what is refuted is refused.
    program.set("GATEPOST_POLICY_PROVE", "available");
    let server = program.serve(&[]);
    assert_eq!(policies(&server)["from"], "history");
    end(server);
    // As long as none must be proved, none need be there.
    fs::remove_dir_all(&invariants).unwrap();
    assert_eq!(policies(&program.serve(&[]))["from"], "history");
    program.set("GATEPOST_POLICY_PROVE", "required");
    assert!(program.failure(&LISTEN).contains("there is nothing to prove"));
    solver.assert_gone();
}
