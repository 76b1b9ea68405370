//! Invariants that are proved for a candidate, which is asked whatever comes of it.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::policy_diff;
use super::program::{Program, Server};
use super::proved::{AGAINST, HARMLESS, with_solver};
use crate::support::{FakeSolver, send, until};

const PATIENCE: Duration = Duration::from_secs(60);

/// A candidate with this policy besides the shipped ones, and without invariants of its own.
fn with_candidate(prove: &str, solver: &FakeSolver, own: &str) -> Program {
    let mut program = with_solver(prove, solver);
    let candidate = program.folder().join("candidate");
    fs::create_dir(&candidate).unwrap();
    for file in fs::read_dir(program.folder().join("policies")).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            fs::copy(file.path(), candidate.join(file.file_name())).unwrap();
        }
    }
    program.set("GATEPOST_POLICY_SHADOW", "candidate");
    write(&program, own);
    program
}

fn write(program: &Program, own: &str) {
    let next = program.folder().join("next");
    fs::write(&next, own).unwrap();
    fs::rename(next, program.folder().join("candidate/own.cedar")).unwrap();
}

fn shadow(server: &Server) -> Value {
    let ready = send(server.decision(), "GET", "/readyz", &[], "");
    assert_eq!(ready.json()["policies"]["last_reload_error"], Value::Null);
    ready.json()["shadow"].clone()
}

fn stands(server: &Server, standing: &str, told: &str) -> Value {
    until(PATIENCE, standing, || {
        let shadow = shadow(server);
        let error = shadow["invariants_error"].as_str().unwrap_or_default();
        (shadow["invariants"] == standing && error.contains(told)).then_some(shadow)
    })
}

#[test]
fn what_a_candidate_breaks_is_told_and_stops_nothing() {
    let solver = FakeSolver::that("proves");
    let program = with_candidate("available", &solver, HARMLESS);
    let server = program.serve(&["--demo"]);
    assert_eq!(stands(&server, "proved", "")["invariants_error"], Value::Null);
    let first = shadow(&server)["candidate"].clone();
    // The invariants beside the policies in force are what it is held against.
    solver.now("cannot");
    write(&program, AGAINST);
    let told = stands(&server, "not proved", "/invariants/invariants.cedar:6:1: whether the invariant");
    assert!(told["candidate"] != first && told["last_reload_error"].is_null(), "{told}");
    let log = || fs::read_to_string(program.folder().join("serve.log")).unwrap();
    until(PATIENCE, "a warning", || log().contains("an invariant is not proved for the candidate").then_some(()));
    // Whoever sends SIGHUP wants to know again.
    solver.now("proves");
    server.signal("HUP");
    stands(&server, "proved", "");
    // Those in its own folder go before, and are followed as well.
    let own = program.folder().join("candidate/invariants");
    fs::create_dir(&own).unwrap();
    fs::write(own.join("own.cedar"), "forbid (").unwrap();
    stands(&server, "not proved", "candidate/invariants/own.cedar:1:9: ");
    fs::write(own.join("own.cedar"), "forbid (principal is Anonymous, action == Action::\"Push\", resource);").unwrap();
    stands(&server, "proved", "");
    solver.assert_gone();
}

#[test]
fn a_candidate_that_is_being_proved_is_asked_and_the_program_ends_in_time() {
    let solver = FakeSolver::that("proves");
    let mut program = with_candidate("required", &solver, HARMLESS);
    program.set("GATEPOST_POLICY_PROVE_TIMEOUT_SECS", "600");
    let server = program.serve(&["--demo"]);
    let first = stands(&server, "proved", "")["candidate"].clone();
    solver.now("hangs");
    write(&program, AGAINST);
    until(PATIENCE, "the other candidate", || {
        let told = stands(&server, "pending", "")["candidate"].clone();
        (told.is_string() && told != first).then_some(())
    });
    let started = solver.started().len();
    until(PATIENCE, "the question that hangs", || (solver.started().len() >= started.max(3)).then_some(()));
    // Looks at the files, and whoever asks for one, do not wait for it.
    server.signal("HUP");
    write(&program, "not cedar");
    until(PATIENCE, "the mistake", || shadow(&server)["last_reload_error"].as_str().map(|_| ()));
    server.signal("TERM");
    assert!(server.wait().0.success());
    solver.assert_gone();
}

#[test]
fn nothing_is_proved_where_that_is_off() {
    let solver = FakeSolver::that("dies");
    let program = with_candidate("off", &solver, AGAINST);
    let server = program.serve(&["--demo"]);
    let told = stands(&server, "off", "");
    assert_eq!((&told["invariants_error"], solver.started().len()), (&Value::Null, 0));
    assert!(told["candidate"].is_string(), "{told}");
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn the_request_by_which_a_candidate_breaks_an_invariant_is_told() {
    let solver = FakeSolver::that("dies");
    let mut program = with_candidate("required", &solver, AGAINST);
    program.set("CVC5", &policy_diff::variable("CVC5").unwrap());
    program.set("GATEPOST_POLICY_PROVE_TIMEOUT_SECS", "60");
    let server = program.serve(&["--demo"]);
    let told = stands(&server, "not proved", "the invariant `only-administrators-delete-applications` does not hold");
    let error = told["invariants_error"].as_str().unwrap();
    assert!(error.contains("is permitted by `own` of candidate/own.cedar\n"), "{error}");
    assert_eq!(told["last_reload_error"], json!(null));
}
