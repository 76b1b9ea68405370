//! Commands on the database while the files of the policies cannot be taken: the newest generation that a server has
//! recorded decides.

use std::fs;

use super::history::{in_force, serving};
use crate::cli::program::{Program, Run};

const LISTEN: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0"];

/// A program whose policies a server has recorded as generation 1, with people; the server has ended.
fn recorded() -> Program {
    let (program, server) = serving();
    in_force(&server, 1);
    drop(server);
    for name in ["ada", "devi"] {
        program.json(&["user", "add", name, "--email", &format!("{name}@example.com"), "--no-password"]);
    }
    program.json(&["org", "create", "acme", "--administrator", "ada"]);
    program.json(&["app", "create", "thermostat", "--organization", "acme", "--owner", "ada"]);
    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    program
}

fn warns(run: &Run, code: i32, problem: &str) {
    let told = format!(
        "warning: generation 1, the newest that is recorded, decides in place of the files, which cannot be loaded: {problem}"
    );
    assert!(run.code == code && run.err.starts_with(&told) && run.err.lines().count() == 2, "{run:?}");
}

#[test]
fn a_file_that_is_half_edited_keeps_nobody_from_revoking_and_never_serves() {
    let program = recorded();
    let key = program.json(&["key", "create", "--user", "devi", "--name", "k"])["id"].as_str().unwrap().to_owned();
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let view = format!("/applications/{application}");
    fs::write(program.folder().join("policies/own.cedar"), "permit (").unwrap();
    let problem = "policies/own.cedar:1:9: ";
    let check = ["check", "--user", "devi", "--method", "GET", "--path", &view];
    for command in [
        &check[..],
        &["key", "revoke", &key, "--yes"],
        &["session", "end-all", "--user", "devi"],
        &["member", "remove", "--app", "thermostat", "devi"],
        &["user", "list"],
        &["user", "delete", "devi", "--yes"],
    ] {
        warns(&program.run(command), 0, problem);
    }
    let denied = program.run(&["check", "--method", "GET", "--path", &view, "--output", "json"]);
    warns(&denied, 3, problem);
    assert_eq!(denied.json()["generation"], 1);
    let users = program.run(&["user", "list", "--output", "json"]);
    assert_eq!(users.json().as_array().unwrap().len(), 1, "{users:?}");

    // What the command line names is what is meant, and a server decides by its files only.
    for command in [&["user", "list", "--policies", "policies"][..], &LISTEN] {
        let error = program.failure(command);
        assert!(error.contains(problem) && !error.contains("generation"), "{error}");
    }
}

#[test]
fn failing_tests_do_not_hinder_commands_and_least_of_all_the_one_that_explains() {
    let program = recorded();
    let tests = program.folder().join("policies/tests");
    fs::create_dir(&tests).unwrap();
    let test = "[[table]]\nname = \"own\"\nwho = [\"operator\"]\non = \"Application\"\n[table.may]\nView = \"no\"\n";
    fs::write(tests.join("own.toml"), test).unwrap();
    warns(&program.run(&["user", "list"]), 0, "policies/tests/own.toml:6:");
    // It tells what the files say.
    fs::write(program.folder().join("policies/own.cedar"), "@id(\"own\") permit (principal, action, resource);")
        .unwrap();
    let check = ["check", "--method", "GET", "--path", "/applications/x", "--output", "json"];
    let run = program.run(&check);
    assert_eq!((run.code, run.err.as_str()), (0, ""), "{run:?}");
    let explained = run.json();
    assert_eq!((&explained["decision"], &explained["generation"]), (&"allow".into(), &2.into()), "{explained}");
    assert!(program.failure(&LISTEN).contains("policies/tests/own.toml:6:"));
}

#[test]
fn without_a_recorded_generation_the_files_stay_an_error() {
    let program = Program::with_application();
    fs::create_dir(program.folder().join("policies")).unwrap();
    fs::write(program.folder().join("policies/own.cedar"), "permit (").unwrap();
    assert!(program.failure(&["user", "list"]).contains("policies/own.cedar:1:9: "));
}
