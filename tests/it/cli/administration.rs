//! What the console does with accounts: disable and enable them, reset what they log in with, say who administers the
//! installation.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::program::{Program, members};
use crate::support::{send, until};

fn actions(program: &Program, login: &str) -> Vec<String> {
    let events = program.json(&["audit", "--user", login]);
    events.as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap().to_owned()).collect()
}

fn is_good(program: &Program, token: &str) -> bool {
    let check = ["check", "--method", "GET", "--path", "/x", "--token-stdin", "--output", "json"];
    program.run_with(&check, token).json()["credential"]["state"] == "verified"
}

fn row(program: &Program, username: &str) -> Value {
    let users = program.json(&["user", "list"]);
    users.as_array().unwrap().iter().find(|user| user["username"] == username).unwrap().clone()
}

#[test]
fn a_disabled_user_has_no_credential_that_counts_until_it_is_enabled() {
    let program = Program::with_application();
    let key = program.json(&["key", "create", "--user", "devi", "--name", "k"])["key"].as_str().unwrap().to_owned();
    let session = program.json(&["session", "issue", "--user", "devi"])["token"].as_str().unwrap().to_owned();
    assert!(is_good(&program, &key) && is_good(&program, &session));
    assert_eq!(row(&program, "devi")["disabled_at"], json!(null));

    let disabled = program.json(&["user", "disable", "devi@example.com"]);
    let expected =
        ["disabled", "disabled_at", "installation_without_administrator", "organizations_without_administrator"];
    assert_eq!(members(&disabled), expected);
    assert_eq!(row(&program, "devi")["disabled_at"], disabled["disabled_at"]);
    assert!(!is_good(&program, &key) && !is_good(&program, &session));
    let refused = program.failure(&["session", "issue", "--user", "devi"]);
    assert!(refused.contains("the account is disabled") && refused.contains("gatepost user enable"), "{refused}");
    let check = program.run(&["check", "--method", "GET", "--path", "/x", "--user", "devi", "--output", "json"]);
    assert_eq!((check.code, &check.json()["credential"]["state"]), (3, &json!("disabled")));
    let text = program.run(&["check", "--method", "GET", "--path", "/x", "--user", "devi"]).out;
    assert!(text.contains("; the account is disabled"), "{text}");
    // Again is the same, and no event.
    assert_eq!(program.json(&["user", "disable", "devi"]), disabled);

    let enabled = program.json(&["user", "enable", "devi"]);
    assert_eq!(enabled, json!({"enabled": disabled["disabled"], "was_disabled": true}));
    assert!(is_good(&program, &key) && !is_good(&program, &session));
    assert_eq!(program.json(&["user", "enable", "devi"])["was_disabled"], json!(false));
    let said = program.run(&["user", "disable", "devi"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.contains("until `gatepost user enable devi`"), "{said:?}");
    assert_eq!(actions(&program, "devi")[..3], ["user_disabled", "user_enabled", "user_disabled"]);
    assert_eq!(program.run(&["user", "disable", "nobody"]).code, 6);
}

#[test]
fn whoever_leaves_nobody_behind_is_disabled_with_a_warning() {
    let program = Program::with_application();
    program.json(&["user", "set-admin", "ada"]);
    let run = program.run(&["user", "disable", "ada", "--output", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    let acme =
        program.json(&["org", "list"]).as_array().unwrap().iter().find(|org| org["name"] == "acme").unwrap().clone();
    let left = json!([{"id": acme["id"], "name": "acme"}]);
    assert_eq!(run.json()["organizations_without_administrator"], left);
    assert_eq!(run.json()["installation_without_administrator"], json!(true));
    let warned: Vec<_> = run.err.lines().collect();
    assert!(warned[0].contains("the organization acme: `gatepost org administrators add"), "{run:?}");
    assert!(warned[1].contains("this installation: `gatepost user set-admin"), "{run:?}");
    // It still is the administrator, and is not taken before there is another one who can act.
    let remove = ["org", "administrators", "remove", "acme", "ada"];
    assert_eq!(program.run(&remove).code, 7);
    program.json(&["org", "administrators", "add", "acme", "devi"]);
    program.json(&remove);
    program.json(&["org", "administrators", "add", "acme", "ada"]);
    let last = program.failure(&["org", "administrators", "remove", "acme", "devi"]);
    assert!(last.contains("the last administrator of an organization who is not disabled"), "{last}");
    program.json(&["user", "enable", "ada"]);
    program.json(&["org", "administrators", "remove", "acme", "devi"]);
}

#[test]
fn a_password_is_reset_and_all_sessions_end() {
    let mut program = Program::with_application();
    let session = || program.json(&["session", "issue", "--user", "devi"])["token"].as_str().unwrap().to_owned();
    let before = session();
    let generated = program.json(&["user", "reset-password", "devi", "--generate-password"]);
    assert_eq!(members(&generated), ["password", "reset"]);
    assert_eq!(generated["password"].as_str().unwrap().len(), 23);
    assert!(!is_good(&program, &before));
    let before = session();
    let stdin = ["user", "reset-password", "devi", "--password-stdin", "--output", "json"];
    assert_eq!(program.run_with(&stdin, "another horse\n").json(), json!({"reset": generated["reset"]}));
    assert!(!is_good(&program, &before));
    assert_eq!(program.run_with(&stdin, "short\n").code, 7);
    assert_eq!(program.run(&[&stdin[..], &["--generate-password"]].concat()).code, 2);

    let before = session();
    let none = program.failure(&["user", "reset-password", "devi"]);
    assert!(none.contains("no mail is configured") && none.contains("help: give --generate-password"), "{none}");
    assert!(is_good(&program, &before), "nothing was done");
    for (variable, value) in [
        ("GATEPOST_PORTAL_URL", "https://id.example.com"),
        ("GATEPOST_MAIL_SMTP", "127.0.0.1:1"),
        ("GATEPOST_MAIL_FROM", "gatepost@example.com"),
    ] {
        program.set(variable, value);
    }
    let mailed = program.json(&["user", "reset-password", "devi"]);
    assert_eq!(members(&mailed), ["link_expires_at", "mailed_to", "reset"]);
    assert_eq!(mailed["mailed_to"], json!("devi@example.com"));
    assert!(!is_good(&program, &before));
    let expected = ["password_reset_requested", "session_created", "password_changed", "session_created"];
    assert_eq!(actions(&program, "devi")[..4], expected);
    program.json(&["user", "disable", "devi"]);
    assert!(program.failure(&["user", "reset-password", "devi"]).contains("the account is disabled"));
}

#[test]
fn who_has_no_second_factor_has_none_to_lose() {
    let program = Program::with_application();
    let error = program.failure(&["user", "reset-totp", "ada"]);
    assert!(error.contains("there is no such two-factor authentication"), "{error}");
}

#[test]
fn the_last_administrator_of_the_installation_goes_only_if_that_is_certain() {
    let program = Program::with_application();
    let set = |login: &str, more: &[&str]| program.json(&[&["user", "set-admin", login], more].concat());
    let is_admin = |login: &str| row(&program, login)["installation_administrator"].as_bool().unwrap();
    assert_eq!(set("olga", &[])["changed"], json!(true));
    assert_eq!(set("olga", &[])["changed"], json!(false));
    set("devi", &[]);
    assert_eq!(set("olga", &["--revoke"])["changed"], json!(true));
    assert_eq!((is_admin("olga"), is_admin("devi")), (false, true));

    // One who is disabled is no help.
    set("olga", &[]);
    program.json(&["user", "disable", "olga"]);
    let run = program.run(&["user", "set-admin", "devi", "--revoke"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("leaves nobody who administers this installation: devi is the last one"), "{run:?}");
    assert!(is_admin("devi"));
    assert_eq!(set("devi", &["--revoke", "--yes"])["changed"], json!(true));
    assert!(!is_admin("devi"));
    let events = program.json(&["audit", "--user", "devi"]);
    let latest = (&events[0]["action"], &events[0]["detail"]);
    assert_eq!(latest, (&json!("installation_administrator_set"), &json!("taken")));
}

#[test]
fn a_server_tells_of_failed_log_ins_and_not_of_what_was_typed() {
    let program = Program::with_application();
    let reset = ["user", "reset-password", "devi", "--password-stdin"];
    assert_eq!(program.run_with(&reset, "another horse\n").code, 0);
    let devi = row(&program, "devi")["id"].as_str().unwrap().to_owned();
    let server = program.serve(&[]);
    let portal = server.document()["portal"].as_str().unwrap().strip_prefix("http://").unwrap().to_owned();
    let log_in = |password: &str| {
        let body = json!({"login": "DEVI", "password": password}).to_string();
        send(
            portal.parse::<std::net::SocketAddr>().unwrap(),
            "POST",
            "/v1/sessions",
            &[("Content-Type", "application/json")],
            &body,
        )
        .status
    };
    assert_eq!((log_in("hunter2"), log_in("another horse")), (401, 201));
    let metrics = send(server.decision(), "GET", "/metrics", &[], "").body;
    for (outcome, count) in [("wrong_credentials", 1), ("accepted", 1), ("throttled", 0)] {
        let line = format!("gatepost_log_ins_total{{outcome=\"{outcome}\"}} {count}");
        assert!(metrics.lines().any(|found| found == line), "{line} in {metrics}");
    }
    // What the console does is in force beside it.
    program.json(&["user", "disable", "devi"]);
    until(Duration::from_secs(10), "the change", || (log_in("another horse") != 201).then_some(()));
    server.signal("TERM");
    server.wait();
    let log = fs::read_to_string(program.folder().join("serve.log")).unwrap();
    let told: Vec<_> = log.lines().filter(|line| line.contains("could not prove")).collect();
    let first = told.first().unwrap_or_else(|| panic!("{log}"));
    assert!(first.contains("wrong_credentials") && first.contains(&devi) && first.contains("127.0.0.1"), "{first}");
    assert!(!log.contains("hunter2") && !log.contains("another horse") && !log.contains("DEVI"), "{log}");
}
