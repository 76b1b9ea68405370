//! `gatepost config`, and the options that all commands share.

use std::fs;

use serde_json::{Value, json};

use super::program::Program;

fn setting<'a>(settings: &'a Value, key: &str) -> &'a Value {
    settings.as_array().unwrap().iter().find(|setting| setting["key"] == key).unwrap()
}

#[test]
fn the_configuration_is_shown_with_its_origins_and_without_its_secrets() {
    let program = Program::new();
    let key = "42".repeat(32);
    fs::write(program.folder().join("gatepost.toml"), format!("[store]\nkey = \"{key}\"\n[log]\nlevel = \"warn\"\n"))
        .unwrap();
    let run = program.run(&["config", "show", "--policies", "elsewhere", "--output", "json"]);
    assert!(!run.out.contains(&key));
    let settings = run.json();
    assert_eq!(setting(&settings, "store.key")["value"], json!("(hidden)"));
    assert_eq!(
        *setting(&settings, "log.level"),
        json!({"key": "log.level", "value": "warn", "origin": "gatepost.toml:4"})
    );
    assert_eq!(setting(&settings, "policy.policies")["origin"], json!("--policies"));
    assert_eq!(setting(&settings, "decision.deadline_ms")["value"], json!(800));
    assert_eq!(setting(&settings, "portal.url")["value"], json!(null));
}

#[test]
fn the_key_file_is_beside_a_database_that_is_named_unless_it_is_configured() {
    let program = Program::new();
    program.json(&["user", "add", "ada", "--email", "ada@example.com", "--no-password", "--store", "data/g.db"]);
    for file in ["data/g.db", "data/gatepost.key"] {
        assert!(program.folder().join(file).exists(), "{file}");
    }
    assert!(!program.folder().join("gatepost-data").exists());
    fs::write(program.folder().join("gatepost.toml"), "[store]\nkey_file = \"elsewhere.key\"\n").unwrap();
    let settings = program.json(&["config", "show", "--store", "data/g.db"]);
    assert_eq!(setting(&settings, "store.key_file")["value"], json!("elsewhere.key"));
}

#[test]
fn all_problems_are_told_at_once() {
    let program = Program::new();
    assert_eq!(program.json(&["config", "check"]), json!({"good": true}));
    fs::write(program.folder().join("bad.toml"), "[log]\nlevel = \"loud\"\nnonsense = 1\n").unwrap();
    let error = program.failure(&["config", "check", "--config", "bad.toml"]);
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines.len(), 2, "{error}");
    assert!(lines[0].starts_with("error: bad.toml:2: log.level: expected"), "{error}");
    assert!(lines[1].starts_with("error: bad.toml:3: log.nonsense"), "{error}");
}

#[test]
fn the_reference_is_a_good_configuration() {
    let program = Program::new();
    let reference = program.run(&["config", "reference"]).out;
    fs::write(program.folder().join("gatepost.toml"), reference).unwrap();
    assert_eq!(program.json(&["config", "check"]), json!({"good": true}));
    let keys = program.json(&["config", "reference"]);
    assert_eq!(keys[0]["variable"], json!("GATEPOST_DECISION_LISTEN"));
}
