//! The management API, held against its own description by a program that nobody here wrote.

use std::process::Command;

use gatepost::accounts::{Actor, NewAccount, NewApiKey};

use crate::support::{World, program};

#[test]
#[ignore = "needs schemathesis: tests/run.sh"]
fn schemathesis_finds_no_answer_that_is_not_documented() {
    let world = World::start();
    let (accounts, console) = (&world.app.accounts, Actor::console());
    let (username, email) = ("root", "root@example.com");
    let root = NewAccount { username, email, password: None, installation_administrator: true };
    let root = accounts.add_user(&console, &root).unwrap().id;
    let key = NewApiKey { name: "all", ..NewApiKey::default() };
    let key = accounts.create_api_key(&console, root, key).unwrap().key;
    let output = Command::new(program("GATEPOST_TEST_SCHEMATHESIS"))
        .current_dir(world.folder.path())
        .args(["run", &format!("http://{}/openapi.json", world.portal)])
        .args(["--header", &format!("Authorization: Bearer {}", key.expose())])
        // What is well formed may still be refused: a password that is easy to guess, a role that the plan does not have.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance"])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "20"])
        .args(["--seed", "1", "--no-shrink", "--continue-on-failure", "--request-timeout", "20"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}
