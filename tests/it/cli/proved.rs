//! Invariants that are proved before policies come into force.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::policy_diff;
use super::program::{Program, Server};
use crate::gate::policies::copy_policies;
use crate::support::solver::BAD_WAYS;
use crate::support::{FakeSolver, send, until};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");
const PATIENCE: Duration = Duration::from_secs(60);
/// Developers may delete applications: no shipped test asks for it, an invariant does.
pub const AGAINST: &str = "@id(\"own\") permit (principal, action == Action::\"DeleteApplication\", resource is Application)\n\
                       when { principal in resource.developers };\n";
pub const HARMLESS: &str = "@id(\"own\") forbid (principal is Anonymous, action == Action::\"Push\", resource);\n";

/// A program with copies of the shipped files, which proves as `prove` says.
fn proving(prove: &str) -> Program {
    let mut program = Program::new();
    copy_policies(program.folder());
    let invariants = "policies/invariants";
    fs::create_dir(program.folder().join(invariants)).unwrap();
    let file = format!("{invariants}/invariants.cedar");
    fs::copy(Path::new(ROOT).join(&file), program.folder().join(&file)).unwrap();
    program.set("GATEPOST_POLICY_PROVE", prove);
    program.set("GATEPOST_POLICY_PROVE_TIMEOUT_SECS", "1");
    program
}

pub fn with_solver(prove: &str, solver: &FakeSolver) -> Program {
    let mut program = proving(prove);
    program.set("CVC5", solver.program().to_str().unwrap());
    program
}

fn own(program: &Program, text: &str) {
    let next = program.folder().join("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, program.folder().join("policies/own.cedar")).unwrap();
}

fn log(program: &Program) -> String {
    fs::read_to_string(program.folder().join("serve.log")).unwrap()
}

fn policies(server: &Server) -> Value {
    send(server.decision(), "GET", "/readyz", &[], "").json()["policies"].clone()
}

/// Waits for a problem that contains `text`.
fn problem(server: &Server, text: &str) -> String {
    until(PATIENCE, text, || {
        let told = policies(server)["last_reload_error"].as_str()?.to_owned();
        told.contains(text).then_some(told)
    })
}

fn in_force(server: &Server, generation: u64) {
    until(PATIENCE, &format!("generation {generation}"), || {
        let policies = policies(server);
        (policies["generation"] == generation && policies["last_reload_error"].is_null()).then_some(())
    });
}

/// Whether the developer of the demonstration may do it.
fn developer(server: &Server, method: &str, path: &str) -> u16 {
    let document = server.document();
    let devi = document["users"].as_array().unwrap().iter().find(|user| user["username"] == "devi").unwrap();
    let path = format!("/applications/{}{path}", document["application"]["id"].as_str().unwrap());
    let headers = [
        ("Authorization", &*format!("Bearer {}", devi["api_key"].as_str().unwrap())),
        ("X-Original-Method", method),
        ("X-Original-URI", &path),
        ("X-Original-Host", "api.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.7"),
    ];
    send(server.decision(), "GET", "/check/nginx", &headers, "").status
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn an_edit_against_an_invariant_is_refused_until_it_is_undone() {
    let mut program = proving("required");
    program.set("CVC5", &policy_diff::variable("CVC5").unwrap());
    program.set("GATEPOST_POLICY_PROVE_TIMEOUT_SECS", "60");
    let server = program.serve(&["--demo"]);
    in_force(&server, 1);
    own(&program, AGAINST);
    let told = problem(&server, "does not hold");
    let name = "only-administrators-delete-applications";
    for text in [
        "policies/invariants/invariants.cedar:6:1: the invariant `only-administrators-delete-applications` does not hold: User::",
        "Action::\"DeleteApplication\", Application::",
        " is permitted by `own` of policies/own.cedar\n",
        "@id(\"only-administrators-delete-applications\")",
        "help: with context {",
        "developers: Team::",
    ] {
        assert!(told.contains(text), "{text} in {told}");
    }
    assert_eq!(policies(&server)["generation"], 1);
    assert_eq!((developer(&server, "GET", ""), developer(&server, "DELETE", "")), (200, 403));
    let logged = log(&program);
    assert!(logged.contains("the policies were not reloaded") && logged.contains(name), "{logged}");
    assert!(logged.contains("is permitted by `own` of policies/own.cedar"), "{logged}");
    // An invariant that nobody holds by any more is no reason to refuse it.
    fs::remove_file(program.folder().join("policies/own.cedar")).unwrap();
    in_force(&server, 1);
    own(&program, HARMLESS);
    in_force(&server, 2);
    // The invariants themselves may change as well, and are held against what is in force.
    let more = program.folder().join("policies/invariants/more.cedar");
    fs::write(&more, "@id(\"nobody-views\") forbid (principal, action == Action::\"View\", resource);").unwrap();
    problem(&server, "the invariant `nobody-views` does not hold");
    assert_eq!((policies(&server)["generation"].as_u64(), developer(&server, "GET", "")), (Some(2), 200));
    fs::remove_file(&more).unwrap();
    in_force(&server, 2);
}

#[test]
fn what_must_be_proved_and_is_not_does_not_start() {
    for way in BAD_WAYS {
        let solver = FakeSolver::that(way);
        let program = with_solver("required", &solver);
        let failed = program.failure(&["serve", "--demo", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0"]);
        assert!(failed.contains("invariants.cedar:6:1: whether the invariant"), "{way}: {failed}");
        assert!(failed.contains("holds cannot be told"), "{way}: {failed}");
        // It is given up after a few questions, of which there are a hundred.
        assert_eq!(solver.started().len(), 3, "{way}");
        assert!(failed.contains("not asked, as the solver has not answered before"), "{way}: {failed}");
        solver.assert_gone();
    }
    let mut program = proving("required");
    program.set("PATH", "/nowhere");
    let failed = program.failure(&["serve", "--demo"]);
    assert!(failed.contains("policies/invariants: the invariants cannot be proved"), "{failed}");
    assert!(failed.contains("help: no solver is installed: install cvc5"), "{failed}");
    let solver = FakeSolver::that("silent");
    let failed = with_solver("required", &solver).failure(&["serve", "--demo"]);
    assert!(failed.contains("does not tell its version"), "{failed}");
    let solver = FakeSolver::that("proves");
    let program = with_solver("required", &solver);
    fs::remove_dir_all(program.folder().join("policies/invariants")).unwrap();
    let failed = program.failure(&["serve", "--demo"]);
    assert!(failed.contains("there is nothing to prove"), "{failed}");
}

#[test]
fn what_need_not_be_proved_is_told_and_starts() {
    for (way, told) in [("hangs", "the solver gave no answer within 1s"), ("babbles", "good morning")] {
        let solver = FakeSolver::that(way);
        let program = with_solver("available", &solver);
        let server = program.serve(&["--demo"]);
        in_force(&server, 1);
        let logged = log(&program);
        assert!(logged.contains("an invariant is not proved") && logged.contains(told), "{logged}");
        solver.assert_gone();
    }
    let mut program = proving("available");
    program.set("PATH", "/nowhere");
    let server = program.serve(&["--demo"]);
    own(&program, HARMLESS);
    in_force(&server, 2);
    server.signal("HUP");
    own(&program, "");
    in_force(&server, 3);
    let logged = log(&program);
    assert_eq!(logged.matches("no solver is installed").count(), 1, "{logged}");
    // What is wrong with the invariants themselves needs no solver to be found.
    fs::write(program.folder().join("policies/invariants/more.cedar"), "forbid (principal, action, resource) when")
        .unwrap();
    problem(&server, "policies/invariants/more.cedar:1:42");
    assert_eq!(policies(&server)["generation"], 3);
}

#[test]
fn what_was_found_out_is_not_asked_again_unless_somebody_asks() {
    let solver = FakeSolver::that("proves");
    let program = with_solver("required", &solver);
    let server = program.serve(&["--demo"]);
    in_force(&server, 1);
    assert_eq!(solver.started().len(), 1);
    solver.now("cannot");
    own(&program, HARMLESS);
    problem(&server, "holds cannot be told");
    let asked = solver.started().len();
    // Another look at the same files.
    fs::write(program.folder().join("policies/notes.txt"), "nothing").unwrap();
    fs::write(program.folder().join("policies/invariants/more.cedar"), "forbid (").unwrap();
    problem(&server, "more.cedar:1:9");
    fs::remove_file(program.folder().join("policies/invariants/more.cedar")).unwrap();
    problem(&server, "holds cannot be told");
    assert_eq!((solver.started().len(), &policies(&server)["generation"]), (asked, &Value::from(1)));
    // Whoever sends SIGHUP wants to know.
    solver.now("proves");
    server.signal("HUP");
    in_force(&server, 2);
    // What was in force before is known.
    let asked = solver.started().len();
    fs::remove_file(program.folder().join("policies/own.cedar")).unwrap();
    in_force(&server, 3);
    assert_eq!(solver.started().len(), asked);
    solver.assert_gone();
}

#[test]
fn a_server_that_is_told_to_stop_does_not_wait_for_a_proof() {
    let solver = FakeSolver::that("proves");
    let mut program = with_solver("required", &solver);
    program.set("GATEPOST_POLICY_PROVE_TIMEOUT_SECS", "600");
    let server = program.serve(&["--demo"]);
    in_force(&server, 1);
    solver.now("hangs");
    own(&program, HARMLESS);
    until(PATIENCE, "a question", || (solver.started().len() == 2).then_some(()));
    // Meanwhile it decides.
    assert_eq!((developer(&server, "GET", ""), policies(&server)["generation"].as_u64()), (200, Some(1)));
    server.signal("TERM");
    let (status, _) = server.wait();
    assert!(status.success(), "{status}");
    let logged = log(&program);
    assert!(logged.contains("the proofs were interrupted: the program ends"), "{logged}");
    solver.assert_gone();
}

#[test]
fn a_start_that_is_told_to_stop_does_not_wait_for_a_proof_either() {
    let solver = FakeSolver::that("hangs");
    let mut program = with_solver("available", &solver);
    program.set("GATEPOST_POLICY_PROVE_TIMEOUT_SECS", "600");
    for signal in ["TERM", "INT"] {
        let before = solver.started().len();
        let failed = std::thread::scope(|scope| {
            let run = scope.spawn(|| program.failure(&["serve", "--demo"]));
            until(PATIENCE, "a question", || (solver.started().len() > before).then_some(()));
            let sent = Command::new("kill").args([&format!("-{signal}"), &solver.asked_by().to_string()]).status();
            assert!(sent.unwrap().success());
            run.join().unwrap()
        });
        assert!(failed.contains("the proofs were interrupted: the program ends"), "{signal}: {failed}");
        solver.assert_gone();
    }
}

#[test]
fn commands_prove_nothing_that_they_do_not_put_into_force() {
    let solver = FakeSolver::that("hangs");
    let program = with_solver("required", &solver);
    program.json(&["user", "add", "ada", "--email", "ada@example.com", "--no-password"]);
    program.json(&["policy", "history"]);
    assert_eq!(program.run(&["check", "--method", "GET", "--path", "/applications"]).code, 3);
    assert!(solver.started().is_empty());
}
