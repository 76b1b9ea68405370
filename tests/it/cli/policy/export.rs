//! `gatepost policy export`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::history::{in_force, serving};
use crate::cli::program::Program;

/// All files below, by their paths.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn what_is_built_in_is_written_as_it_is_and_can_be_edited() {
    let program = Program::new();
    let done = program.json(&["policy", "export", "own"]);
    let exported = files(&program.folder().join("own"));
    assert_eq!(done["written"].as_array().unwrap().len(), exported.len());
    for (name, text) in &exported {
        let shipped = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap();
        assert!(*text == shipped, "{name} is another one");
    }
    for name in ["policies/matrix.cedar", "policies/tests/matrix.toml", "policies/invariants/invariants.cedar"] {
        assert!(exported.contains_key(name), "{name}");
    }
    let own = ["--policies", "own/policies", "--schema", "own/schema"];
    let run = program.run(&[&["policy", "check", "--deny", "warnings"][..], &own].concat());
    assert!(run.code == 0 && !run.out.contains("built in"), "{run:?}");
    assert_eq!(program.run(&[&["policy", "test"][..], &own].concat()).code, 0);
    // What is there stays as it is.
    let error = program.failure(&["policy", "export", "own"]);
    assert!(error.contains("`own` is not empty"), "{error}");
    fs::create_dir(program.folder().join("empty")).unwrap();
    // A copy of the copy is the same, with all that is beside the policies.
    let run = program.run(&[&["policy", "export", "empty"][..], &own].concat());
    assert_eq!((run.code, run.out), (0, format!("{} files written to `empty`\n", exported.len())));
    assert_eq!(files(&program.folder().join("empty")), exported);
    fs::write(program.folder().join("own/policies/own.cedar"), "permit (").unwrap();
    let error = program.failure(&[&["policy", "export", "broken"][..], &own].concat());
    assert!(error.contains("own/policies/own.cedar:1:9: "), "{error}");
    assert!(!program.folder().join("broken").exists());
}

#[test]
fn a_generation_is_written_as_it_was() {
    let (program, server) = serving();
    in_force(&server, 1);
    let own = program.folder().join("policies/own.cedar");
    // Byte by byte: with this end of a line, and without one.
    let text = "// \u{e9}\r\n@id(\"own\") forbid (principal is Anonymous, action == Action::\"Push\", resource);";
    fs::write(&own, text).unwrap();
    in_force(&server, 2);
    fs::remove_file(&own).unwrap();
    in_force(&server, 3);
    let done = program.json(&["policy", "export", "two", "--generation", "generation:2"]);
    assert_eq!((&done["generation"], done["written"].as_array().unwrap().len()), (&json!(2), 6));
    let exported = files(&program.folder().join("two"));
    assert_eq!(exported["policies/own.cedar"], text.as_bytes());
    let diff = ["policy", "diff", "generation:2", "two", "--no-proof", "--fail-on", "any"];
    assert_eq!(program.run(&diff).code, 0);
    let done = program.json(&["policy", "export", "newest", "--generation", "generation:newest"]);
    assert_eq!(done["generation"], 3);
    assert!(program.failure(&["policy", "export", "x", "--generation", "generation:9"]).contains("generation 9"));
    assert_eq!(program.run(&["policy", "export", "x", "--generation", "9"]).code, 2);
}
