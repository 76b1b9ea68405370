//! `gatepost check`.

use serde_json::json;

use super::program::Program;

#[test]
fn a_request_is_explained_and_the_exit_code_tells_the_decision() {
    let program = Program::with_application();
    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/applications/{application}/releases");
    let check = |user: &str| {
        program.run(&[
            "check",
            "--method",
            "POST",
            "--path",
            &path,
            "--user",
            user,
            "--client",
            "192.0.2.7",
            "--output",
            "json",
        ])
    };
    let allowed = check("devi");
    assert_eq!((allowed.code, allowed.err.as_str()), (0, ""));
    let explanation = allowed.json();
    assert_eq!((&explanation["decision"], &explanation["status"]), (&json!("allow"), &json!(200)));
    assert_eq!(explanation["route"]["path"], json!("/applications/{application}/releases"));
    assert_eq!(explanation["route"]["action"], json!("Push"));
    assert!(explanation["route"]["line"].as_u64().unwrap() > 0);
    assert_eq!(explanation["resource"], json!({"type": "Application", "id": application}));
    assert_eq!((&explanation["role"], &explanation["policies"]), (&json!("developer"), &json!(["developer"])));
    assert_eq!(explanation["request"]["client"], json!("192.0.2.7"));
    let types: Vec<_> = explanation["entities"].as_array().unwrap().iter().map(|e| &e["uid"]["type"]).collect();
    assert_eq!(types, ["Application", "Organization", "User"]);

    let denied = check("olga");
    assert_eq!(denied.code, 3);
    assert_eq!((&denied.json()["status"], &denied.json()["cause"]), (&json!(403), &json!("no policy permits it")));

    let key = program.json(&["key", "create", "--user", "devi", "--name", "k"])["key"].as_str().unwrap().to_owned();
    let with_key = ["check", "--method", "POST", "--path", &path, "--token-stdin", "--output", "json"];
    let verified = program.run_with(&with_key, &format!("{key}\n"));
    assert_eq!((verified.code, &verified.json()["credential"]["kind"]), (0, &json!("api_key")));
    assert!(!verified.out.contains(&key));
    let refused = program.run_with(&with_key, "gp_nonsense");
    assert_eq!((refused.code, &refused.json()["status"]), (3, &json!(401)));
}

#[test]
fn whatever_has_no_decision_is_denied() {
    let program = Program::with_application();
    for (path, host, status) in
        [("/nowhere", "localhost", 403), ("/a/../b", "localhost", 400), ("//", "localhost", 400), ("/", "a b", 400)]
    {
        let run = program.run(&["check", "--method", "GET", "--path", path, "--host", host, "--output", "json"]);
        assert_eq!((run.code, &run.json()["status"]), (3, &json!(status)), "{path}");
        assert_eq!((&run.json()["decision"], &run.json()["route"]), (&json!("deny"), &json!(null)), "{path}");
    }
}

#[test]
fn the_explanation_for_people_says_the_same() {
    let program = Program::with_application();
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/applications/{application}");
    let run = program.run(&["check", "--method", "DELETE", "--path", &path, "--user", "ada"]);
    assert_eq!(run.code, 0);
    for line in
        ["decision:    allow (200): a policy permits it", "role:        administrator", "policies:    administrator"]
    {
        assert!(run.out.lines().any(|printed| printed == line), "{line} in\n{}", run.out);
    }
    let (_, entities) = run.out.split_once("entities:\n").unwrap();
    assert_eq!(serde_json::from_str::<Vec<serde_json::Value>>(entities).unwrap().len(), 3);
}
