//! `gatepost policy test` and `gatepost policy matrix`.

use std::fs;
use std::path::Path;

use super::program::Program;

/// A program with the shipped policies, tests and schema in its folder.
fn with_policies() -> Program {
    let program = Program::new();
    for folder in ["policies", "policies/tests", "schema"] {
        let copy = program.folder().join(folder);
        fs::create_dir_all(&copy).unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
            }
        }
    }
    program
}

fn edit(program: &Program, path: &str, from: &str, to: &str) {
    let path = program.folder().join(path);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).unwrap();
}

const PUSH_BY_OPERATORS: (&str, &str) =
    ("     Action::\"SshAccess\"],\n", "     Action::\"SshAccess\",\n     Action::\"Push\"],\n");

#[test]
fn the_shipped_policies_pass_their_tests_which_leave_nothing_out() {
    for program in [Program::new(), with_policies()] {
        let run = program.run(&["policy", "test", "--coverage", "--fail-uncovered"]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.out);
        let [tests, covered] = run.out.lines().collect::<Vec<_>>().try_into().unwrap();
        assert!(tests.ends_with(" tests in 4 files: all as expected"), "{tests}");
        assert!(covered.starts_with("covered: 32 of 32 policies, "), "{covered}");
    }
}

#[test]
fn a_policy_that_decides_otherwise_fails_the_tests_and_does_not_go_into_force() {
    let program = with_policies();
    edit(&program, "policies/matrix.cedar", PUSH_BY_OPERATORS.0, PUSH_BY_OPERATORS.1);
    let expected = "operator: Push on Application): expected deny, came allow because of `operator`";
    let run = program.run(&["policy", "test", "--junit", "results.xml"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert!(run.out.starts_with("policies/tests/matrix.toml:29:1: "), "{}", run.out);
    assert!(run.out.contains(expected) && run.out.contains(": 1 not as expected\n"), "{}", run.out);
    let junit = fs::read_to_string(program.folder().join("results.xml")).unwrap();
    assert!(junit.contains("<failure message=\"expected deny, came allow because of `operator`\"/>"), "{junit}");
    let run = program.run(&["policy", "test", "--output", "json"]);
    let document = run.json();
    assert_eq!(document["failures"][0]["policies"], serde_json::json!(["operator"]));

    let add = ["user", "add", "ada", "--email", "ada@example.com", "--no-password"];
    let failure = program.failure(&add);
    assert!(failure.contains("the policies were not loaded") && failure.contains(expected), "{failure}");
    let mut program = program;
    program.set("GATEPOST_POLICY_TESTS", "false");
    assert_eq!(program.run(&add).code, 0);
}

#[test]
fn a_policy_that_no_test_exercises_is_told() {
    let program = with_policies();
    let policy = "@id(\"new\")\nforbid (principal is User, action == Action::\"Push\", resource is Application)\nwhen { context.host == \"a\" && context.path == \"b\" };\n";
    fs::write(program.folder().join("policies/new.cedar"), policy).unwrap();
    assert_eq!(program.run(&["policy", "test"]).code, 0);
    let run = program.run(&["policy", "test", "--fail-uncovered"]);
    assert_eq!(run.code, 1);
    for line in [
        "policies/new.cedar:1:1: `new` was never satisfied",
        "policies/new.cedar:3:8: `new`: `context.host == \"a\"` was never true",
        "policies/new.cedar:3:31: `new`: `context.path == \"b\"` was never evaluated",
    ] {
        assert!(run.out.lines().any(|told| told == line), "{line}: {}", run.out);
    }
}

#[test]
fn what_cannot_be_run_is_no_success() {
    let program = with_policies();
    assert!(program.failure(&["policy", "test", "--tests", "nowhere"]).contains("there is no folder `nowhere`"));
    edit(&program, "policies/tests/matrix.toml", "who = \"observer\"", "who = \"observe\"");
    let failure = program.failure(&["policy", "test"]);
    assert!(failure.contains("policies/tests/matrix.toml:73:7: `\"observe\"` is nobody"), "{failure}");
    fs::remove_dir_all(program.folder().join("policies/tests")).unwrap();
    fs::create_dir(program.folder().join("policies/tests")).unwrap();
    assert!(program.failure(&["policy", "test"]).contains("there is no test"));
}

#[test]
fn the_committed_matrix_is_what_the_policies_say() {
    let program = with_policies();
    let run = program.run(&["policy", "matrix", "--check", "policies/MATRIX.md"]);
    assert_eq!((run.code, run.out.as_str()), (0, "policies/MATRIX.md: as the policies say\n"), "{}", run.err);

    edit(&program, "policies/matrix.cedar", PUSH_BY_OPERATORS.0, PUSH_BY_OPERATORS.1);
    let run = program.run(&["policy", "matrix", "--check", "policies/MATRIX.md"]);
    assert_eq!(
        (run.code, run.out.as_str()),
        (
            1,
            "policies/MATRIX.md: not as the policies say: - the file, + the policies\n\
             - | Push | Push | Application | yes | yes | no | no | no | no |\n\
             + | Push | Push | Application | yes | yes | yes | no | no | no |\n"
        )
    );
    let document = program.run(&["policy", "matrix", "--check", "policies/MATRIX.md", "--output", "json"]).json();
    assert_eq!(document["differences"].as_array().unwrap().len(), 2);
    assert_eq!(program.run(&["policy", "matrix", "--check", "policies/MATRIX"]).code, 2);
}

#[test]
fn each_format_has_every_row() {
    let program = Program::new();
    let document = program.json(&["policy", "matrix"]);
    let rows = document["rows"].as_array().unwrap();
    assert!(rows.len() > 30, "{rows:?}");
    for format in ["table", "markdown", "html"] {
        let run = program.run(&["policy", "matrix", "--format", format]);
        assert_eq!(run.code, 0, "{}", run.err);
        for row in rows {
            assert!(run.out.contains(row["action"].as_str().unwrap()), "{format}: {row}");
        }
    }
}
