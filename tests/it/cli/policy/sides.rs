//! Generations of the history, compared with each other and with folders.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::history::{in_force, serving};
use crate::cli::program::Program;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Three generations: the shipped policies, one more policy, and a schema with more than the shipped one.
fn with_generations() -> Program {
    let (program, server) = serving();
    let folder = program.folder();
    in_force(&server, 1);
    fs::write(
        folder.join("policies/own.cedar"),
        "@id(\"closed\")\nforbid (principal is Anonymous, action == Action::\"SignUp\", resource);\n",
    )
    .unwrap();
    in_force(&server, 2);
    // Beside it, and then moved: what is half there is no generation.
    let schema = folder.join("next");
    fs::create_dir_all(schema.join("entities")).unwrap();
    for name in ["gatepost.cedarschema", "routes.toml"] {
        fs::copy(Path::new(ROOT).join("schema").join(name), schema.join(name)).unwrap();
    }
    fs::write(
        schema.join("doors.cedarschema"),
        "entity Door { open: Bool };\n\
         action Enter appliesTo { principal: User, resource: Door, context: RequestContext };\n",
    )
    .unwrap();
    fs::write(
        schema.join("entities/doors.json"),
        r#"[{"uid": {"type": "Door", "id": "front"}, "attrs": {"open": true}, "parents": []}]"#,
    )
    .unwrap();
    fs::rename(schema, folder.join("schema")).unwrap();
    in_force(&server, 3);
    fs::write(
        folder.join("policies/doors.cedar"),
        "@id(\"doors\")\npermit (principal, action == Action::\"Enter\", resource) when { resource.open };\n",
    )
    .unwrap();
    in_force(&server, 4);
    program
}

#[test]
fn generations_are_compared_as_they_were() {
    let program = with_generations();
    let diff = |old: &str, new: &str| program.json(&["policy", "diff", old, new, "--no-proof"]);
    let closed = json!([{"id": "closed", "change": "added"}]);
    let document = diff("generation:1", "generation:2");
    assert_eq!((&document["policies"], &document["schema_differs"]), (&closed, &json!(false)));
    assert_eq!(document["cells"][0]["turn"], "closes");
    let turned = diff("generation:2", "generation:1");
    assert_eq!(turned["cells"][0]["turn"], "opens");
    assert_eq!(diff("built-in", "generation:2")["policies"], closed);
    // A generation is held against its own schema, whichever is on disk.
    let document = diff("generation:2", "generation:4");
    assert_eq!(document["policies"], json!([{"id": "doors", "change": "added"}]));
    assert_eq!(document["schema_differs"], true);
    assert_eq!(diff("generation:3", "generation:4")["schema_differs"], false);
    assert_eq!(diff("generation:newest", "policies")["policies"], json!([]));

    let text = program.run(&["policy", "diff", "generation:1", "generation:2", "--no-proof", "--fail-on", "narrower"]);
    assert_eq!((text.code, text.err.as_str()), (1, ""), "{text:?}");
    assert!(text.out.starts_with("policies that differ: closed (added)\n"), "{text:?}");

    // Nothing of the disk is needed.
    for folder in ["policies", "schema"] {
        fs::remove_dir_all(program.folder().join(folder)).unwrap();
    }
    assert_eq!(diff("generation:newest", "generation:4")["policies"], json!([]));
    assert_eq!(diff("generation:3", "generation:newest")["policies"][0]["id"], "doors");
}

#[test]
fn a_generation_that_is_not_there_says_which_are() {
    let program = with_generations();
    for (old, told) in [
        ("generation:99", "generation 99 is not in the history, which has 1 to 4"),
        ("generation:0", "generation 0 is not in the history, which has 1 to 4"),
        ("generation:", "expected the number of a generation, as in `generation:12`, or `generation:newest`"),
        ("generation:x", "expected the number of a generation, as in `generation:12`, or `generation:newest`"),
        ("generation:-1", "expected the number of a generation, as in `generation:12`, or `generation:newest`"),
    ] {
        let run = program.failure(&["policy", "diff", old, "policies", "--no-proof"]);
        assert!(run.contains(told), "{run}");
    }
    let empty = Program::new();
    let run = empty.failure(&["policy", "diff", "generation:newest", "built-in", "--no-proof"]);
    assert!(run.contains("there is no database"), "{run}");
    empty.json(&["user", "add", "ada", "--email", "ada@example.com", "--no-password"]);
    for old in ["generation:newest", "generation:1"] {
        let run = empty.failure(&["policy", "diff", old, "built-in", "--no-proof"]);
        assert!(run.contains("there is no generation in the history yet"), "{run}");
    }
}
