//! `gatepost policy history` and `gatepost policy rollback`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::cli::program::{Program, Server};
use crate::support::{send, until};

const CLOSED: &str = "@id(\"closed\")\nforbid (principal, action == Action::\"View\", resource);\n";

/// A program with copies of the policies in its folder, and a server on them.
pub fn serving() -> (Program, Server) {
    let program = Program::new();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    fs::create_dir(program.folder().join("policies")).unwrap();
    for name in ["accounts.cedar", "matrix.cedar", "scopes.cedar"] {
        fs::copy(source.join(name), program.folder().join("policies").join(name)).unwrap();
    }
    let server = program.serve(&[]);
    (program, server)
}

pub fn in_force(server: &Server, generation: u64) {
    until(Duration::from_secs(20), &format!("generation {generation}"), || {
        let ready = send(server.decision(), "GET", "/readyz", &[], "").json();
        (ready["policies"]["generation"] == generation).then_some(())
    });
}

fn numbers(history: &Value) -> Vec<(u64, &str)> {
    let rows = history.as_array().unwrap().iter();
    rows.map(|row| (row["generation"].as_u64().unwrap(), row["by"].as_str().unwrap())).collect()
}

#[test]
fn generations_are_told_and_can_be_rolled_back() {
    let (program, server) = serving();
    let own = program.folder().join("policies/own.cedar");
    in_force(&server, 1);
    fs::write(&own, CLOSED).unwrap();
    in_force(&server, 2);
    fs::write(&own, CLOSED.replace("View", "Push")).unwrap();
    in_force(&server, 3);
    let history = program.json(&["policy", "history"]);
    assert_eq!(numbers(&history), [(3, "watcher"), (2, "watcher"), (1, "start")]);
    assert_eq!(history[0]["changes"], json!(["policies/own.cedar +1 -1"]));
    assert_eq!(history[1]["changes"], json!(["policies/own.cedar +2 -0"]));
    assert_eq!(program.json(&["policy", "history", "--limit", "1"])[0]["changes"], history[0]["changes"]);
    let shown = program.run(&["policy", "history", "show", "3"]);
    let diff = "--- policies/own.cedar\n+++ policies/own.cedar\n@@ -1,2 +1,2 @@\n @id(\"closed\")\n\
                -forbid (principal, action == Action::\"View\", resource);\n\
                +forbid (principal, action == Action::\"Push\", resource);\n";
    assert!(shown.code == 0 && shown.out.ends_with(diff), "{shown:?}");
    assert!(program.run(&["policy", "history", "show", "1"]).out.contains("No generation before it is kept."));

    let done = program.json(&["policy", "rollback", "2"]);
    assert_eq!((&done["restored"], &done["generation"]), (&json!(2), &json!(4)));
    assert_eq!((&done["written"], &done["removed"]), (&json!(["policies/own.cedar"]), &json!([])));
    assert_eq!(fs::read_to_string(&own).unwrap(), CLOSED);
    in_force(&server, 4);
    // Without the file that generation 1 did not have; what is no policy is left alone.
    fs::write(program.folder().join("policies/README.md"), "ours").unwrap();
    let done = program.run(&["policy", "rollback", "1"]);
    assert_eq!(
        (done.code, done.out.as_str()),
        (0, "generation 1 is written back as generation 5: 0 files written, 1 removed\n"),
        "{done:?}"
    );
    assert!(!own.exists() && program.folder().join("policies/README.md").exists());
    in_force(&server, 5);
    assert_eq!(program.run(&["policy", "rollback", "1"]).out, "the files are those of generation 1 already\n");

    let history = program.json(&["policy", "history"]);
    assert_eq!(numbers(&history)[..2], [(5, "console"), (4, "console")]);
    let events = program.json(&["audit", "--limit", "2"]);
    assert_eq!((&events[0]["action"], &events[0]["detail"]), (&json!("policies_reloaded"), &json!("5")));
    assert_eq!(events[0]["credential_kind"], "console");

    // The next start finds what is in force.
    drop(server);
    let server = program.serve(&[]);
    in_force(&server, 5);
    assert_eq!(program.json(&["policy", "history"]).as_array().unwrap().len(), 5);
}

#[test]
fn a_rollback_loses_nothing_and_works_where_the_files_are_broken() {
    let (program, server) = serving();
    let own = program.folder().join("policies/own.cedar");
    in_force(&server, 1);
    fs::write(&own, "permit (").unwrap();
    let refused = program.failure(&["policy", "rollback", "1"]);
    assert!(refused.contains("are of no generation in the history, and would be lost"), "{refused}");
    assert_eq!(fs::read_to_string(&own).unwrap(), "permit (");

    let elsewhere = program.json(&["policy", "rollback", "1", "--to", "elsewhere"]);
    assert_eq!(elsewhere["generation"], Value::Null);
    let copy = |folder: &str| fs::read(program.folder().join(folder).join("matrix.cedar")).unwrap();
    assert_eq!(copy("elsewhere/policies"), copy("policies"));
    assert!(!program.folder().join("elsewhere/policies/own.cedar").exists());
    let refused = program.failure(&["policy", "rollback", "1", "--to", "elsewhere"]);
    assert!(refused.contains("`elsewhere/policies` exists already"), "{refused}");

    // What is not there is not lost.
    let gone = program.folder().join("gone");
    fs::rename(program.folder().join("policies"), &gone).unwrap();
    let done = program.json(&["policy", "rollback", "1", "--policies", "policies"]);
    assert_eq!((done["written"].as_array().unwrap().len(), &done["removed"]), (3, &json!([])));
    fs::remove_dir_all(program.folder().join("policies")).unwrap();
    fs::rename(&gone, program.folder().join("policies")).unwrap();

    let done = program.json(&["policy", "rollback", "1", "--force"]);
    assert_eq!((&done["removed"], own.exists()), (&json!(["policies/own.cedar"]), false));
    let gone = program.failure(&["policy", "rollback", "99"]);
    assert!(gone.contains("generation 99 is not in the history, which has 1"), "{gone}");
    assert!(Program::new().failure(&["policy", "history"]).contains("there is no database"));
}
