//! The management API, held against its own description by a program that nobody here wrote.

use std::path::{Path, PathBuf};
use std::process::Command;

use gatepost::accounts::{Actor, NewAccount, NewApiKey};
use gatepost::model::{ApplicationType, Plan, Role};
use serde_json::{Value, json};

use crate::support::{World, program};

/// What ends things that the rest needs.
const LATE: [&str; 5] =
    ["delete_application", "delete_organization", "revoke_api_key", "revoke_api_keys", "delete_account"];

#[test]
#[ignore = "needs schemathesis: tests/run.sh"]
fn schemathesis_finds_no_answer_that_is_not_documented() {
    let world = World::start();
    let (key, description) = prepare(&world);
    run(&world, &description, &key, "--exclude-operation-id", &LATE);
    for operation in LATE {
        assert_eq!(world.api("GET", "/v1/whoami", Some(&key), "").status, 200, "before {operation}");
        run(&world, &description, &key, "--include-operation-id", &[operation]);
    }
}

/// Somebody who may do everything, with an application. Gives a key, and the description with identifiers that exist
/// as examples.
fn prepare(world: &World) -> (String, PathBuf) {
    let (accounts, console) = (&world.app.accounts, Actor::console());
    let (username, email) = ("root", "root@example.com");
    let root = NewAccount { username, email, password: None, installation_administrator: true };
    let root = accounts.add_user(&console, &root).unwrap().id;
    let organization = accounts.create_organization(&console, "Acme", root).unwrap().id;
    accounts.set_plan(&console, organization, Plan::Paid).unwrap();
    let standard = ApplicationType::Standard;
    let application = accounts.create_application(&console, organization, root, "boiler", standard).unwrap().id;
    let device = accounts.add_device(&console, application, None, "Attic").unwrap().id;
    accounts.add_member(&console, application, "otto", Role::Operator).unwrap();
    accounts.add_administrator(&console, organization, "otto").unwrap();
    let key = NewApiKey { name: "all", ..NewApiKey::default() };
    let key = accounts.create_api_key(&console, root, key).unwrap().key;

    let mut description: Value = serde_json::from_str(&gatepost::api::openapi()).unwrap();
    description["components"]["schemas"]["NewApplication"]["examples"][0]["organization"] = json!(organization);
    for (path, item) in description["paths"].as_object_mut().unwrap() {
        let id = if path.starts_with("/v1/applications/") { json!(application) } else { json!(organization) };
        let parameters = item
            .as_object_mut()
            .unwrap()
            .values_mut()
            .flat_map(|operation| operation["parameters"].as_array_mut().unwrap());
        for parameter in parameters {
            parameter["example"] = match parameter["name"].as_str() {
                Some("id") => id.clone(),
                Some("device_id") => json!(device),
                Some("user_id") => json!(world.person("otto").id),
                _ => continue,
            };
        }
    }
    let file = world.folder.path().join("openapi.json");
    std::fs::write(&file, description.to_string()).unwrap();
    (key.expose().to_owned(), file)
}

fn run(world: &World, description: &Path, key: &str, selection: &str, operations: &[&str]) {
    let output = Command::new(program("GATEPOST_TEST_SCHEMATHESIS"))
        .current_dir(world.folder.path())
        .arg("run")
        .arg(description)
        .args(["--url", &format!("http://{}", world.portal)])
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .args(operations.iter().flat_map(|operation| [selection, *operation]))
        // What is well formed may still be refused, like a password that is easy to guess, and a new organization does
        // not make a login one of somebody.
        .args(["--checks", "all", "--exclude-checks", "positive_data_acceptance,ensure_resource_availability"])
        .args(["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "20"])
        .args(["--seed", "1", "--no-shrink", "--continue-on-failure", "--request-timeout", "20"])
        .args(["--suppress-health-check", "all", "--warnings", "off"])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
}
