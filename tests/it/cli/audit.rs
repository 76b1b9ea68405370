//! `gatepost audit`, `gatepost key-file`, and scopes, on the database of this machine.

use std::fs;

use serde_json::{Value, json};

use super::program::{Program, members};

fn actions(events: &Value) -> Vec<&str> {
    events.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect()
}

#[test]
fn events_are_shown_of_everything_of_a_user_and_of_an_application() {
    let program = Program::with_application();
    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    let everything = program.json(&["audit"]);
    let expected = ["member_added", "application_created", "organization_created", "user_created"];
    assert_eq!(actions(&everything)[..4], expected);
    let latest = &everything[0];
    assert_eq!(
        members(latest),
        [
            "action",
            "actor",
            "actor_name",
            "application",
            "application_name",
            "at",
            "client",
            "credential_id",
            "credential_kind",
            "detail",
            "id",
            "organization",
            "organization_name",
            "user",
            "user_name",
        ]
    );
    assert_eq!((&latest["credential_kind"], &latest["detail"]), (&json!("console"), &json!("developer")));
    assert_eq!(actions(&program.json(&["audit", "--user", "devi"])), ["member_added", "user_created"]);
    let of_application = ["audit", "--app", "thermostat"];
    assert_eq!(actions(&program.json(&of_application)), ["member_added", "application_created"]);
    assert_eq!(actions(&program.json(&["audit", "--limit", "1"])), ["member_added"]);
    let names =
        [&latest["actor_name"], &latest["user_name"], &latest["application_name"], &everything[2]["organization_name"]];
    assert_eq!(names, [&json!(null), &json!("devi"), &json!("thermostat"), &json!("acme")]);
    assert_eq!(program.run(&["audit", "--user", "nobody"]).code, 6);
    let table = program.run(&of_application).out;
    assert!(table.starts_with("AT  ") && table.lines().count() == 3, "{table}");
}

#[test]
fn events_are_found_by_the_name_or_the_id_of_what_they_tell_of_also_when_it_is_gone() {
    let program = Program::with_application();
    let acme = program.json(&["audit", "--organization", "acme"]);
    assert_eq!(actions(&acme), ["application_created", "organization_created"]);
    let organization = acme[0]["organization"].as_str().unwrap().to_owned();
    let devi = program.json(&["audit", "--user", "devi"])[0]["user"].as_str().unwrap().to_owned();
    program.json(&["org", "delete", "acme", "--yes"]);
    program.json(&["user", "delete", "devi", "--yes"]);
    let of_devi = program.json(&["audit", "--user", &devi]);
    assert_eq!((actions(&of_devi), &of_devi[0]["user_name"]), (vec!["user_deleted", "user_created"], &json!(null)));
    let of_acme = program.json(&["audit", "--organization", &organization]);
    assert_eq!(actions(&of_acme), ["organization_deleted", "application_created", "organization_created"]);
    assert_eq!(program.run(&["audit", "--user", "devi"]).code, 6);
    assert_eq!(program.run(&["audit", "--organization", "acme"]).code, 6);
    assert_eq!(program.run(&["audit", "--user", "ada", "--organization", "ada"]).code, 2);
    let table = program.run(&["audit", "--user", "ada"]).out;
    let first = table.lines().next().unwrap();
    assert!(first.contains("ACTOR NAME") && first.contains("USER NAME"), "{table}");
}

#[test]
fn the_key_file_is_replaced_and_everything_still_opens() {
    let program = Program::with_application();
    let token = program.json(&["session", "issue", "--user", "ada"])["token"].as_str().unwrap().to_owned();
    let path = program.folder().join("gatepost-data/gatepost.key");
    let before = fs::read(&path).unwrap();
    assert_eq!(program.json(&["key-file", "rotate"]), json!({"rotated": true}));
    assert_ne!(fs::read(&path).unwrap(), before);
    let check = ["check", "--method", "GET", "--path", "/x", "--token-stdin", "--output", "json"];
    assert_eq!(program.run_with(&check, &token).json()["credential"]["state"], "verified");
    program.json(&["session", "issue", "--user", "ada"]);
    assert_eq!(actions(&program.json(&["audit", "--limit", "2"])), ["session_created", "key_file_rotated"]);
}

#[test]
fn a_key_has_the_scopes_that_it_is_given_and_lists_show_them() {
    let program = Program::with_application();
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let scopes = ["read-only", "action:Push", &format!("application:{application}")];
    let create = [&["key", "create", "--user", "devi", "--name", "ci"][..], &scopes.map(|s| ["--scope", s]).concat()];
    assert_eq!(program.json(&create.concat())["scopes"], json!(scopes));
    assert_eq!(program.json(&["key", "list", "--user", "devi"])[0]["scopes"], json!(scopes));
    let table = program.run(&["key", "list", "--user", "devi"]).out;
    assert!(table.contains(&scopes.join(", ")), "{table}");
}

#[test]
fn exit_codes_tell_what_went_wrong() {
    let program = Program::with_application();
    let code = |arguments: &[&str]| program.run(arguments).code;
    assert_eq!(code(&["member", "add", "--app", "thermostat", "olga", "observer"]), 5);
    assert_eq!(code(&["member", "remove", "--app", "thermostat", "ada"]), 5);
    assert_eq!(code(&["member", "remove", "--app", "thermostat", "olga"]), 6);
    assert_eq!(code(&["app", "delete", "nothing"]), 6);
    assert_eq!(code(&["user", "add", "ada", "--email", "new@example.com", "--no-password"]), 7);
    assert_eq!(code(&["user", "add", "a b", "--email", "new@example.com", "--no-password"]), 7);
    assert_eq!(code(&["org", "delete", "ada", "--yes"]), 7);
    assert_eq!(code(&["app", "create", "x", "--organization", "acme"]), 2);
    assert_eq!(code(&["key", "list"]), 2);
}
