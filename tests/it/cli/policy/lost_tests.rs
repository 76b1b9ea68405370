//! Tests beside the policies that vanish: what went by them is known, and that there are none is told.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::history::{in_force, serving};
use crate::cli::program::{Program, Server};
use crate::support::{send, until};

pub const TEST: &str = "[[test]]\nname = \"shut\"\nwho = [\"anonymous\", \"nobody\"]\naction = \"View\"\non = \"Application\"\nexpect = \"deny\"\n";
const OWN: &str = "@id(\"own\") forbid (principal is Anonymous, action == Action::\"Push\", resource);\n";

fn write(program: &Program, file: &str, text: &str) {
    let file = program.folder().join("policies").join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let next = program.folder().join("next");
    fs::write(&next, text).unwrap();
    fs::rename(next, file).unwrap();
}

/// How many tests there are, and were.
fn tests(server: &Server) -> [Value; 2] {
    let told = send(server.decision(), "GET", "/readyz", &[], "").json()["policies"].clone();
    ["tests", "tests_lost"].map(|name| told[name].clone())
}

fn until_tests(server: &Server, now: &Value, lost: &Value) {
    until(Duration::from_secs(60), &format!("{now} tests, {lost} lost"), || {
        (tests(server) == [now.clone(), lost.clone()]).then_some(())
    });
}

fn warnings(folder: &Path) -> usize {
    let log = fs::read_to_string(folder.join("serve.log")).unwrap();
    log.lines().filter(|line| line.contains("WARN") && line.contains("have no tests any more")).count()
}

#[test]
fn tests_that_vanish_are_missed_by_the_server_the_history_and_the_check() {
    let (program, server) = serving();
    in_force(&server, 1);
    until_tests(&server, &json!(0), &Value::Null);
    write(&program, "tests/own.toml", TEST);
    until_tests(&server, &json!(2), &Value::Null);
    write(&program, "own.cedar", OWN);
    in_force(&server, 2);
    let check = ["policy", "check", "--since", "generation:newest", "--deny", "warnings"];
    assert_eq!((program.run(&check).code, warnings(program.folder())), (0, 0));

    // The policies are the same: what they were held to is gone all the same.
    fs::remove_dir_all(program.folder().join("policies/tests")).unwrap();
    until_tests(&server, &json!(0), &json!(2));
    write(&program, "own.cedar", &OWN.replace("Push", "View"));
    in_force(&server, 3);
    until_tests(&server, &json!(0), &json!(2));
    assert_eq!(warnings(program.folder()), 1, "it is said once");
    let history = program.json(&["policy", "history"]);
    let told: Vec<_> = history.as_array().unwrap().iter().map(|row| row["tests"].clone()).collect();
    assert_eq!(told, [json!(0), json!(2), json!(0)]);
    assert!(program.run(&["policy", "history", "show", "2"]).out.contains("\ntests:       2\n"));

    let check = ["policy", "check", "--since", "generation:2", "--deny", "warnings"];
    let run = program.run(&check);
    let told = "warning[tests-gone]: policies/tests: there is no test, and generation 2 went by 2\n";
    assert!(run.code == 1 && run.out.contains(told), "{run:?}");
    assert_eq!(program.run(&[&check[..], &["--no-tests"]].concat()).code, 0);
    assert_eq!(program.run(&["policy", "check", "--since", "2"]).code, 2);

    // They are back.
    write(&program, "tests/own.toml", TEST);
    until_tests(&server, &json!(2), &Value::Null);
}

#[test]
fn tests_that_vanish_between_two_starts_are_missed_too() {
    let (program, server) = serving();
    in_force(&server, 1);
    write(&program, "tests/own.toml", TEST);
    write(&program, "own.cedar", OWN);
    in_force(&server, 2);
    server.signal("TERM");
    assert!(server.wait().0.success());
    fs::write(program.folder().join("policies/tests/own.toml"), "").unwrap();
    let server = program.serve(&[]);
    assert_eq!((tests(&server), warnings(program.folder())), ([json!(0), json!(2)], 1));
}

#[test]
fn a_test_that_is_changed_alone_is_held_against_what_is_in_force() {
    let (program, server) = serving();
    in_force(&server, 1);
    write(&program, "tests/own.toml", &TEST.replace("deny", "allow"));
    let told = until(Duration::from_secs(60), "the test that fails", || {
        let ready = send(server.decision(), "GET", "/readyz", &[], "").json();
        ready["policies"]["last_reload_error"].as_str().map(str::to_owned)
    });
    assert!(told.contains("policies/tests/own.toml:1:"), "{told}");
    write(&program, "tests/own.toml", TEST);
    until_tests(&server, &json!(2), &Value::Null);
    in_force(&server, 1);
}
