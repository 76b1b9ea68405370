//! `gatepost policy replay`.

use std::fs;
use std::path::PathBuf;

use serde_json::json;

use super::program::Program;
use crate::support::send;

/// The shipped policies in a folder of their own, with one text replaced.
fn edited(program: &Program, name: &str, file: &str, old: &str, new: &str) -> PathBuf {
    let folder = program.folder().join(name);
    fs::create_dir(&folder).unwrap();
    for shipped in ["accounts", "matrix", "scopes"] {
        let text = fs::read_to_string(format!("{}/policies/{shipped}.cedar", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let text = if shipped == file {
            assert!(text.contains(old), "{file} has no `{old}`");
            text.replacen(old, new, 1)
        } else {
            text
        };
        fs::write(folder.join(format!("{shipped}.cedar")), text).unwrap();
    }
    folder
}

/// A program whose log has decisions about olga, an observer, and devi, a developer.
fn recorded() -> Program {
    let program = Program::with_application();
    program.json(&["org", "plan", "acme", "paid"]);
    program.json(&["member", "add", "--app", "thermostat", "olga", "observer"]);
    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    fs::write(program.folder().join("gatepost.toml"), "[log]\ndecisions = \"./decisions.log\"\n").unwrap();
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let server = program.serve(&[]);
    for name in ["olga", "devi"] {
        let key = program.json(&["key", "create", "--user", name, "--name", "k"]);
        for (method, path) in [
            ("GET", format!("/applications/{application}")),
            ("POST", format!("/applications/{application}/releases")),
            ("PUT", format!("/applications/{application}/variables/a%20b%25")),
            ("GET", "/nowhere".to_owned()),
            ("GET", "/a//b".to_owned()),
        ] {
            let headers = [
                ("Authorization", &*format!("Bearer {}", key["key"].as_str().unwrap())),
                ("X-Original-Method", method),
                ("X-Original-URI", &path),
                ("X-Original-Host", "api.example.com"),
                ("X-Original-Proto", "https"),
                ("X-Real-IP", "192.0.2.7"),
            ];
            send(server.decision(), "GET", "/check/nginx", &headers, "");
        }
    }
    server.signal("TERM");
    assert!(server.wait().0.success(), "the log is written out");
    program
}

#[test]
fn who_gains_and_who_loses_is_told_with_examples() {
    let program = recorded();
    let log = program.folder().join("decisions.log");
    let log = log.to_str().unwrap();
    let replay = |more: &[&str]| program.run(&[&["policy", "replay", "--log", log], more].concat());

    let same = replay(&["--fail-on", "any", "--output", "json"]);
    let expected = json!({
        "records": 10, "same": 8, "gain": 0, "loss": 0, "left_out": 2, "unreadable": 0, "groups": []
    });
    assert_eq!((same.code, same.json()), (0, expected), "{}", same.err);

    // Observers may push, and nobody may set what concerns the whole fleet.
    let wider = "@id(\"observers-push\") permit (principal, action == Action::\"Push\", resource is Application) \
                 when { principal in resource.observers };\n\
                 @id(\"frozen\") forbid (principal, action == Action::\"SetFleetVariable\", resource);\n";
    let folder = edited(&program, "candidate", "matrix", "@id(\"", &format!("{wider}@id(\""));
    let candidate = folder.to_str().unwrap();
    let run = replay(&["--policies", candidate, "--output", "json"]);
    let report = run.json();
    assert_eq!((run.code, &report["gain"], &report["loss"], &report["same"]), (0, &json!(1), &json!(1), &json!(6)));
    let groups = report["groups"].as_array().unwrap();
    assert_eq!((&groups[0]["action"], &groups[0]["policies"]), (&json!("Push"), &json!(["observers-push"])));
    assert_eq!(groups[0]["examples"][0]["principal"], "olga");
    assert_eq!((&groups[1]["change"], &groups[1]["policies"]), (&json!("loss"), &json!(["frozen"])));
    assert!(groups[1]["examples"][0]["path"].as_str().unwrap().ends_with("/variables/a b%"), "{report}");

    for (fail_on, code) in [("gain", 1), ("loss", 1), ("any", 1), ("nothing", 0)] {
        assert_eq!(replay(&["--policies", candidate, "--fail-on", fail_on]).code, code);
    }
    let text = replay(&["--policies", candidate]).out;
    assert!(text.contains("\n1 gain Push on Application by observers-push\n  olga: POST /applications/"), "{text}");
}

#[test]
fn what_data_has_changed_is_told_apart_from_what_policies_change() {
    let program = recorded();
    program.json(&["member", "remove", "--app", "thermostat", "devi"]);
    let log = program.folder().join("decisions.log");
    let replay = |more: &[&str]| {
        program.run(&[&["policy", "replay", "--log", log.to_str().unwrap(), "--output", "json"], more].concat()).json()
    };
    assert_eq!(replay(&[])["loss"], json!(3), "devi may do nothing any more");
    let shipped = edited(&program, "shipped", "matrix", "@id(\"", "@id(\"");
    for baseline in [shipped.to_str().unwrap(), "built-in", "generation:1", "generation:newest"] {
        assert_eq!(replay(&["--baseline", baseline])["loss"], json!(0), "{baseline}");
    }
    let missing = program.failure(&["policy", "replay", "--log", log.to_str().unwrap(), "--baseline", "generation:9"]);
    assert!(missing.contains("generation 9 is not in the history, which has 1"), "{missing}");
}

#[test]
fn what_is_no_record_is_counted() {
    let program = recorded();
    let log = program.folder().join("decisions.log");
    let text = fs::read_to_string(&log).unwrap();
    fs::write(&log, format!("nonsense\n{{}}\n{text}{}", &text[..100])).unwrap();
    let report = program.run(&["policy", "replay", "--log", log.to_str().unwrap(), "--output", "json"]).json();
    assert_eq!((&report["records"], &report["unreadable"]), (&json!(10), &json!(3)));
    let missing = program.failure(&["policy", "replay", "--log", "nowhere.log"]);
    assert!(missing.contains("cannot read `nowhere.log`"), "{missing}");
}
