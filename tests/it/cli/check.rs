//! `gatepost check`.

use std::fs;

use serde_json::json;

use super::program::Program;
use crate::gate::policies::copy_policies;

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

/// A program with the shipped policies in its folder, and these of its own.
fn with_own(policies: &str) -> Program {
    let program = Program::with_application();
    copy_policies(program.folder());
    fs::write(program.folder().join("policies/own.cedar"), policies).unwrap();
    program
}

#[test]
fn a_forbid_is_told_with_its_place_its_annotations_and_what_of_it_held() {
    let program = with_own(
        "// No look without a second factor.\n@id(\"careful\")\n@advice(\"log in with a code\")\n\
         forbid (principal, action == Action::\"View\", resource is Application)\n\
         when { resource has owner && context.method == \"GET\" }\nunless { context has credential && context.credential.mfa };\n\
         @id(\"all\") forbid (principal, action == Action::\"Push\", resource);\n",
    );
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/applications/{application}");
    let run = program.run(&["check", "--method", "GET", "--path", &path, "--user", "ada"]);
    assert_eq!(run.code, 3, "{run:?}");
    let told = "by:          careful (policies/own.cedar:2) @advice(\"log in with a code\"): forbids, as `resource has owner`, \
                and `context.method == \"GET\"`, with context.method = \"GET\", and `unless { \
                context has credential && context.credential.mfa }`, with context.credential.mfa = false\n";
    assert!(run.out.contains(told) && run.out.contains("policies:    careful\n"), "{}", run.out);
    let json = ["check", "--method", "GET", "--path", &path, "--user", "ada", "--output", "json"];
    let deciding = program.run(&json).json()["deciding"].clone();
    assert_eq!(deciding[0]["place"], json!({"file": "policies/own.cedar", "line": 2}));
    assert_eq!(deciding[0]["annotations"], json!({"advice": "log in with a code"}));
    assert_eq!(deciding[0]["held"][2]["values"], json!({"context.credential.mfa": "false"}));
    let releases = format!("{path}/releases");
    let run = program.run(&["check", "--method", "POST", "--path", &releases, "--user", "ada"]);
    assert!(run.out.contains("by:          all (policies/own.cedar:7): forbids, whatever else is so\n"), "{}", run.out);
    // What permits is told as well.
    let image = format!("{path}/images/1");
    let run = program.run(&["check", "--method", "GET", "--path", &image, "--user", "ada"]);
    assert!(run.code == 0 && run.out.contains("by:          administrator (policies/matrix.cedar:"), "{}", run.out);
    assert!(run.out.contains("): permits, as `principal in resource.administrators`, with "), "{}", run.out);
    assert!(!run.out.contains("not by:"), "{}", run.out);
}

#[test]
fn a_permit_for_somebody_else_is_told_with_the_part_of_its_scope_that_was_false() {
    let program =
        with_own("@id(\"guest\") permit (principal == User::\"guest\", action == Action::\"View\", resource);\n");
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let olga = program.json(&["user", "list"]);
    let olga = olga.as_array().unwrap().iter().find(|user| user["username"] == "olga").unwrap()["id"].clone();
    let path = format!("/applications/{application}");
    let run = program.run(&["check", "--method", "GET", "--path", &path, "--user", "olga"]);
    let told = format!(
        "not by:      guest (policies/own.cedar:1): `principal == User::\"guest\"` is false, with principal = User::{olga}\n"
    );
    assert!(run.code == 3 && run.out.contains(&told), "{told}{}", run.out);
    assert!(!run.out.contains("Console"), "what is for others altogether is not near: {}", run.out);
    let first = "not by:      administrator (policies/matrix.cedar:";
    assert!(run.out.find(first).is_some_and(|at| at < run.out.find(&told).unwrap()), "{}", run.out);
}

#[test]
fn where_no_route_matches_the_nearest_are_told() {
    let program = Program::with_application();
    copy_policies(program.folder());
    let routes = program.folder().join("schema/routes.toml");
    let text = fs::read_to_string(&routes).unwrap();
    let own = "\n[[route]]\nhost = \"shop.example.com\"\nmethod = [\"GET\"]\npath = \"/shop/{page}\"\naction = \"View\"\n\
               resource = { type = \"Application\", id = \"{page}\" }\n";
    fs::write(&routes, text + own).unwrap();
    let near = |method: &str, path: &str| {
        let run = program.run(&["check", "--method", method, "--path", path, "--output", "json"]);
        assert_eq!((run.code, &run.json()["cause"]), (3, &json!("no route matches")));
        let near = run.json()["near_routes"].clone();
        let near = near.as_array().unwrap().iter();
        near.map(|near| (near["differs"].as_str().unwrap().to_owned(), near["path"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(near("GET", "/shop/1"), [("host".to_owned(), "/shop/{page}".to_owned())]);
    assert_eq!(near("PUT", "/applications/x")[0], ("method".to_owned(), "/applications/{application}".to_owned()));
    let found = near("POST", "/applications/x/release");
    let paths: Vec<_> = found.iter().map(|(differs, path)| (differs.as_str(), path.as_str())).collect();
    let of_application = |rest: &'static str| ["/applications/{application}", rest].concat();
    assert_eq!(paths[..2], [("method", &*of_application("/{*rest}")), ("path", &*of_application("/releases"))]);
    assert_eq!(near("GET", "/nothing/like/it"), []);
    let run = program.run(&["check", "--method", "PUT", "--path", "/applications/x"]);
    assert!(run.out.contains("nearest:     schema/routes.toml:"), "{}", run.out);
    assert!(run.out.contains(" /applications/{application} is View: the method is another one\n"), "{}", run.out);
}
