//! What stands in the way of a request: `gatepost check` and `gatepost policy explain`.

use serde_json::{Value, json};

use super::program::Program;
use crate::support::send;

fn application(program: &Program) -> String {
    program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned()
}

fn check(program: &Program, method: &str, path: &str, more: &[&str]) -> Value {
    program.run(&[&["check", "--method", method, "--path", path, "--output", "json"], more].concat()).json()
}

#[test]
fn of_each_policy_that_could_have_permitted_it_the_first_false_clause_is_told() {
    let program = Program::with_application();
    program.json(&["org", "plan", "acme", "paid"]);
    program.json(&["member", "add", "--app", "thermostat", "olga", "observer"]);
    let id = application(&program);
    let path = format!("/applications/{id}/releases");
    let denied = check(&program, "POST", &path, &["--user", "olga"]);
    assert_eq!((&denied["decision"], &denied["least_role"]), (&json!("deny"), &json!("developer")));
    let misses = denied["misses"].as_array().unwrap();
    let policies: Vec<_> = misses.iter().map(|miss| miss["policy"].as_str().unwrap()).collect();
    assert_eq!(policies, ["administrator", "developer"], "no other permits `Push`");
    let developer = &misses[1];
    assert_eq!(developer["clause"], "principal in resource.developers");
    assert_eq!(developer["values"]["resource.developers"], format!("Team::\"{id}/developers\""));
    assert_eq!(developer["values"]["principal is in"], format!("Team::\"{id}/observers\""));

    let text = program.run(&["check", "--method", "POST", "--path", &path, "--user", "olga"]).out;
    let place = "not by:      developer (built-in policies/matrix.cedar:";
    assert!(text.contains(place) && text.contains("): `principal in resource.developers` is false, with "), "{text}");
    assert!(text.contains("would do:    the role developer\n"), "{text}");

    // Nobody in particular has no role, and what is allowed has nothing in its way.
    let nobody = check(&program, "POST", &path, &[]);
    assert_eq!(nobody["least_role"], Value::Null);
    assert_eq!(nobody["misses"].as_array().unwrap().len(), 2);
    let allowed = check(&program, "POST", &path, &["--user", "ada"]);
    assert_eq!((&allowed["decision"], &allowed["misses"]), (&json!("allow"), &json!([])));
}

#[test]
fn a_role_does_not_help_against_a_forbid() {
    let program = Program::with_application();
    let policies = program.folder().join("policies");
    std::fs::create_dir(&policies).unwrap();
    for file in ["accounts", "matrix", "scopes"] {
        let shipped = format!("{}/policies/{file}.cedar", env!("CARGO_MANIFEST_DIR"));
        std::fs::copy(shipped, policies.join(format!("{file}.cedar"))).unwrap();
    }
    let rule = "@id(\"closed\") forbid (principal, action == Action::\"Push\", resource);";
    std::fs::write(policies.join("closed.cedar"), rule).unwrap();
    let path = format!("/applications/{}/releases", application(&program));
    let denied = check(&program, "POST", &path, &["--user", "ada"]);
    assert_eq!((&denied["policies"], &denied["least_role"]), (&json!(["closed"]), &Value::Null));
}

#[test]
fn a_recorded_decision_is_found_and_decided_again() {
    let program = Program::with_application();
    let log = program.folder().join("decisions.log");
    std::fs::write(program.folder().join("gatepost.toml"), "[log]\ndecisions = \"./decisions.log\"\n").unwrap();
    let server = program.serve(&[]);
    let key = program.json(&["key", "create", "--user", "olga", "--name", "k"]);
    let path = format!("/applications/{}/releases", application(&program));
    let ask = |path: &str| {
        let headers = [
            ("Authorization", &*format!("Bearer {}", key["key"].as_str().unwrap())),
            ("X-Original-Method", "POST"),
            ("X-Original-URI", path),
            ("X-Original-Host", "api.example.com"),
            ("X-Original-Proto", "https"),
            ("X-Real-IP", "192.0.2.7"),
        ];
        send(server.decision(), "GET", "/check/nginx", &headers, "").header("gatepost-decision").unwrap().to_owned()
    };
    let (denied, malformed) = (ask(&path), ask("/a//b"));
    server.signal("TERM");
    assert!(server.wait().0.success(), "the log is written out");

    let run = program.run(&["policy", "explain", &denied, "--output", "json"]);
    let explained = run.json();
    assert_eq!((run.code, &explained["recorded"]["decision"]), (0, &json!("deny")));
    assert_eq!(explained["recorded"]["action"], "Push");
    assert_eq!(explained["today"]["principal"]["username"], "olga");
    assert_eq!(explained["today"]["credential"], json!({"state": "assumed", "kind": "api_key"}));
    assert_eq!(explained["today"]["least_role"], "developer");
    let run_as_text = program.run(&["policy", "explain", &denied]);
    assert!(run_as_text.out.contains("an api_key, assumed"), "{run_as_text:?}");
    assert!(!run.out.contains(key["key"].as_str().unwrap()));

    // What has changed since is told.
    program.json(&["member", "add", "--app", "thermostat", "olga", "developer"]);
    let run = program.run(&["policy", "explain", &denied]);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.out.contains("recorded:  deny at ") && run.out.contains("decision:    allow (200)"), "{}", run.out);

    let run = program.run(&["policy", "explain", &malformed, "--log", log.to_str().unwrap(), "--output", "json"]);
    assert_eq!((run.code, &run.json()["today"]), (1, &Value::Null));
    let run = program.run(&["policy", "explain", &malformed]);
    assert!(run.code == 1 && run.out.contains("the log has no request for it"), "{run:?}");
    let missing = program.failure(&["policy", "explain", "00000000-0000-7000-8000-000000000000"]);
    assert!(missing.contains("there is no decision `00000000-0000-7000-8000-000000000000` in "), "{missing}");
    assert_eq!(program.run(&["policy", "explain", "nonsense"]).code, 2);
}
