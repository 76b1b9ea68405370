//! `gatepost policy shadow`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::program::Program;
use crate::gate::policies::copy_policies;
use crate::support::{send, until};

const CLOSED: &str = "// Nobody looks.\n@id(\"closed\")\nforbid (principal, action == Action::\"View\", resource)\n\
                      unless { resource has administrators && principal in resource.administrators };\n";

/// A line about a disagreement, and how it may differ.
fn line(id: &str, candidate: &str, more: &Value) -> String {
    let mut line = json!({
        "time": "2026-11-24T16:01:00.000000Z", "decision_id": id, "change": "loses", "generation": 1,
        "candidate": candidate, "principal": "p", "role": "operator", "credential": "api_key", "credential_id": "k",
        "action": "SshAccess", "resource": {"type": "Device", "id": "d"}, "client": null, "method": "POST",
        "host": "h", "path": "/ssh", "live": {"decision": "allow", "policies": ["operator"], "errors": []},
        "shadow": {"decision": "deny", "policies": ["ssh"], "errors": []}
    });
    line.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    format!("{line}\n")
}

fn tally(candidate: &str, since: &str, compared: &Value, dropped: u64) -> String {
    let time = "2026-11-24T16:02:00.000000Z";
    let line = json!({
        "time": time, "since": since, "generation": 2, "candidate": candidate, "compared": compared, "dropped": dropped
    });
    format!("{line}\n")
}

fn write(program: &Program, name: &str, lines: &[String]) {
    fs::write(program.folder().join(name), lines.concat()).unwrap();
}

#[test]
fn what_a_server_has_compared_is_summed_up_with_places() {
    let mut program = Program::with_application();
    program.json(&["member", "add", "--app", "thermostat", "devi", "developer"]);
    let application = program.json(&["app", "list"])[0]["id"].as_str().unwrap().to_owned();
    let key =
        |who: &str| program.json(&["key", "create", "--user", who, "--name", "k"])["key"].as_str().unwrap().to_owned();
    let (ada, devi) = (key("ada"), key("devi"));
    copy_policies(program.folder());
    copy_policies(&{
        let candidate = program.folder().join("candidate");
        fs::create_dir(&candidate).unwrap();
        candidate
    });
    fs::write(program.folder().join("candidate/policies/own.cedar"), CLOSED).unwrap();
    program.set("GATEPOST_POLICY_SHADOW", "candidate/policies");
    program.set("GATEPOST_LOG_SHADOW", "./shadow.log");
    let server = program.serve(&[]);
    let decision = server.decision();
    let ask = |token: &str| {
        let headers = [
            ("Authorization", &*format!("Bearer {token}")),
            ("X-Original-Method", "GET"),
            ("X-Original-URI", &format!("/applications/{application}")),
            ("X-Original-Host", "api.example.com"),
            ("X-Original-Proto", "https"),
            ("X-Real-IP", "192.0.2.7"),
        ];
        send(decision, "GET", "/check/nginx", &headers, "").status
    };
    // What was done for this test is followed first: later it would look as if the data had changed.
    until(Duration::from_secs(20), "a comparison that counts", || {
        assert_eq!(ask(&devi), 200);
        let log = fs::read_to_string(program.folder().join("shadow.log")).unwrap_or_default();
        log.contains("\"loses\"").then_some(())
    });
    assert_eq!((ask(&ada), ask(&devi)), (200, 200));
    server.signal("TERM");
    assert!(server.wait().0.success());

    let run = program.run(&["policy", "shadow", "shadow.log", "--examples", "1"]);
    assert_eq!((run.code, run.err.as_str()), (3, ""), "{run:?}");
    let group = "loses View on Application, developer: allow by developer (generation:1:policies/matrix.cedar:";
    assert!(run.out.contains(group), "{}", run.out);
    assert!(run.out.contains(") → deny by closed (candidate/policies/own.cedar:2)\n"), "{}", run.out);
    let run = program.run(&["policy", "shadow", "shadow.log", "--output", "json"]);
    let document = run.json();
    assert_eq!((&document["same"], &document["gains"], &document["error"]), (&json!(1), &json!(0), &json!(0)));
    let count = |name: &str| document[name].as_u64().unwrap();
    assert!(count("loses") >= 2 && count("compared") == 1 + count("loses") + count("stale"), "{document}");
    assert_eq!(document["differences"].as_array().unwrap().len(), 1);
    let difference = &document["differences"][0];
    assert_eq!((&difference["who"], &difference["count"]), (&json!("developer"), &document["loses"]));
    let matrix = fs::read_to_string(program.folder().join("policies/matrix.cedar")).unwrap();
    let expected = 1 + matrix.lines().position(|line| line.contains("@id(\"developer\")")).unwrap();
    assert_eq!(difference["live"][0]["place"]["line"], expected);
}

#[test]
fn rotated_files_other_logs_and_lines_that_are_cut_off_are_no_hindrance() {
    let program = Program::new();
    let all = json!({"same": 10, "gains": 1, "loses": 1, "error": 1, "stale": 2});
    let anonymous = json!({
        "change": "gains", "principal": null, "role": null, "live": {"decision": "deny", "policies": [], "errors": []},
        "shadow": {"decision": "allow", "policies": ["a", "b"], "errors": []}
    });
    let failing = json!({
        "change": "error", "role": null, "shadow": {"decision": "deny", "policies": [], "errors": ["it\u{1b}fails"]}
    });
    let cut = line("4", "bb", &json!({}));
    write(&program, "shadow.log.1", &[line("1", "aa", &json!({})), line("2", "bb", &json!({}))]);
    write(
        &program,
        "shadow.log",
        &[
            r#"{"time":"t","id":"1","decision":"deny"}"#.to_owned() + "\n",
            line("3", "bb", &anonymous),
            line("5", "bb", &failing),
            tally("bb", "2026-11-24T16:00:00.000000Z", &all, 4),
            line("6", "bb", &json!({})),
            cut[..cut.len() / 2].to_owned(),
        ],
    );
    let run = program.run(&["policy", "shadow", "shadow.log", "shadow.log.1"]);
    assert_eq!((run.code, run.err.as_str()), (3, ""), "{run:?}");
    assert_eq!(
        run.out,
        "candidate:         bb beside generation 1, 2\n\
         time:              2026-11-24T16:00:00.000000Z to 2026-11-24T16:02:00.000000Z\n\
         compared:          16\n\
         same:              10\n\
         gains:             1\n\
         loses:             2\n\
         error:             1\n\
         stale:             2\n\
         dropped:           4\n\
         other candidates:  aa (1 lines)\n\
         left out:          1 lines of other logs, 1 that cannot be read\n\
         \n\
         2 loses SshAccess on Device, operator: allow by operator → deny by ssh\n  \
           6  p: POST h /ssh\n  \
           2  p: POST h /ssh\n\
         \n\
         1 gains SshAccess on Device, anonymous: deny, as no policy permits it → allow by a, b\n  \
           3  anonymous: POST h /ssh\n\
         \n\
         1 error SshAccess on Device, a user without a role: allow by operator → deny, as a policy fails\n  \
           5  p: POST h /ssh: it\\u{1b}fails\n"
    );
    // The other candidate, and what was rotated away and packed.
    let log = fs::read_to_string(program.folder().join("shadow.log.1")).unwrap();
    let run = program.run_with(&["policy", "shadow", "-", "--candidate", "a", "--output", "json"], &log);
    assert_eq!((run.code, &run.json()["candidate"], &run.json()["loses"]), (3, &json!("aa"), &json!(1)));
    let error = program.failure(&["policy", "shadow", "shadow.log", "--candidate", "c"]);
    assert!(error.contains("there is no line about a candidate `c`, but about bb"), "{error}");
}

#[test]
fn nothing_that_differs_is_success_and_nothing_that_was_compared_is_none() {
    let program = Program::new();
    let same = json!({"same": 3, "gains": 0, "loses": 0, "error": 0, "stale": 1});
    write(&program, "shadow.log", &[tally("aa", "2026-11-24T16:00:00.000000Z", &same, 0)]);
    let run = program.run(&["policy", "shadow", "shadow.log"]);
    assert!(run.code == 0 && run.out.contains("compared:   4\n") && run.out.ends_with("dropped:    0\n"), "{run:?}");
    // What is counted differs, although nothing is told of it any more.
    let gone = json!({"same": 3, "gains": 1, "loses": 0, "error": 0, "stale": 0});
    write(&program, "counted.log", &[tally("aa", "2026-11-24T16:00:00.000000Z", &gone, 0)]);
    assert_eq!(program.run(&["policy", "shadow", "counted.log"]).code, 3);
    write(&program, "empty.log", &[]);
    let error = program.failure(&["policy", "shadow", "empty.log"]);
    assert!(error.contains("nothing was compared with a candidate in 0 lines"), "{error}");
    assert!(program.failure(&["policy", "shadow", "nowhere"]).contains("cannot read `nowhere`"));
    assert!(!Path::new(program.folder()).join("gatepost-data").exists());
}
