//! `gatepost policy fmt`.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, symlink};

use serde_json::json;

use crate::cli::program::Program;

const UNTIDY: &str = "// Why.\n\n// Who.\n@id(\"a\") permit(principal,action,resource); // all\n";
const TIDY: &str = "// Why.\n\n// Who.\n@id(\"a\")\npermit (principal, action, resource); // all\n";

fn with_file(name: &str, text: &str) -> Program {
    let program = Program::new();
    let path = program.folder().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    program
}

fn read(program: &Program, name: &str) -> String {
    fs::read_to_string(program.folder().join(name)).unwrap()
}

#[test]
fn check_prints_what_would_change_and_changes_nothing() {
    let program = with_file("policies/a.cedar", UNTIDY);
    let run = program.run(&["policy", "fmt", "--check"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert_eq!(
        run.out,
        "--- policies/a.cedar\n+++ policies/a.cedar\n@@ -2,3 +2,4 @@\n \n // Who.\n-@id(\"a\") permit(principal,action,\
         resource); // all\n+@id(\"a\")\n+permit (principal, action, resource); // all\n1 file, 1 to lay out\n"
    );
    assert_eq!(read(&program, "policies/a.cedar"), UNTIDY);
}

#[test]
fn files_are_replaced_as_a_whole_and_once() {
    let program = with_file("policies/a.cedar", UNTIDY);
    let folder = program.folder().join("policies");
    fs::set_permissions(folder.join("a.cedar"), PermissionsExt::from_mode(0o640)).unwrap();
    fs::create_dir_all(folder.join("more")).unwrap();
    fs::write(folder.join("more/b.cedar"), UNTIDY).unwrap();
    fs::write(folder.join(".hidden.cedar"), UNTIDY).unwrap();
    fs::write(folder.join("notes.txt"), UNTIDY).unwrap();
    fs::create_dir_all(program.folder().join("elsewhere")).unwrap();
    fs::write(program.folder().join("elsewhere/c.cedar"), UNTIDY).unwrap();
    symlink("../elsewhere/c.cedar", folder.join("c.cedar")).unwrap();
    let before = fs::metadata(folder.join("a.cedar")).unwrap().ino();
    let run = program.run(&["policy", "fmt"]);
    assert_eq!(
        (run.code, run.out.as_str(), run.err.as_str()),
        (0, "policies/a.cedar\npolicies/c.cedar\npolicies/more/b.cedar\n3 files, 3 laid out anew\n", "")
    );
    for name in ["policies/a.cedar", "policies/more/b.cedar", "elsewhere/c.cedar"] {
        assert_eq!(read(&program, name), TIDY, "{name}");
    }
    for name in ["policies/.hidden.cedar", "policies/notes.txt"] {
        assert_eq!(read(&program, name), UNTIDY, "{name}");
    }
    assert!(fs::symlink_metadata(folder.join("c.cedar")).unwrap().is_symlink());
    let after = fs::metadata(folder.join("a.cedar")).unwrap();
    // Another file, put into its place: whoever had opened the old one reads it to its end.
    assert!(after.ino() != before && after.permissions().mode() & 0o777 == 0o640);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 5, "nothing is left behind");
    assert_eq!(program.run(&["policy", "fmt", "--check"]).out, "3 files, 0 to lay out\n");
    assert_eq!(
        program.json(&["policy", "fmt", "policies/a.cedar"]),
        json!({"check": false, "files": [{"file": "policies/a.cedar", "changed": false}]})
    );
}

#[test]
fn a_file_with_a_mistake_stays_and_the_others_are_laid_out() {
    let program = with_file("policies/a.cedar", UNTIDY);
    let broken = "permit (principal, action, resource)\nwhen { true;";
    fs::write(program.folder().join("policies/b.cedar"), broken).unwrap();
    let run = program.run(&["policy", "fmt", "policies"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert!(run.out.contains("error: policies/b.cedar:2:12: unexpected token `;`\n"), "{}", run.out);
    assert!(run.out.ends_with("2 files, 1 laid out anew, 1 with errors\n"), "{}", run.out);
    assert_eq!(
        (read(&program, "policies/a.cedar").as_str(), read(&program, "policies/b.cedar").as_str()),
        (TIDY, broken)
    );
}

#[test]
fn standard_input_is_laid_out_to_standard_output() {
    let program = Program::new();
    let run = program.run_with(&["policy", "fmt", "-"], UNTIDY);
    assert_eq!((run.code, run.out.as_str(), run.err.as_str()), (0, TIDY, ""));
    assert_eq!(program.run_with(&["policy", "fmt", "--check", "-"], UNTIDY).code, 1);
    assert_eq!(program.run_with(&["policy", "fmt", "--check", "-"], TIDY).code, 0);
    let run = program.run_with(&["policy", "fmt", "-"], "permit");
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.starts_with("error: standard input:1:"), "{}", run.err);
}

#[test]
fn schemas_stay_as_they_are_and_it_says_why() {
    let program = with_file("schema/own.cedarschema", "entity   Door;");
    for (file, why) in [("schema/own.cedarschema", "drops all comments"), ("-", "stands alone")] {
        let run = program.run(&["policy", "fmt", file, "schema/own.cedarschema"]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{file}");
        assert!(run.err.contains(why), "{}", run.err);
    }
    assert_eq!(read(&program, "schema/own.cedarschema"), "entity   Door;");
    assert!(program.failure(&["policy", "fmt"]).contains("there is no folder `policies`"));
    assert!(program.failure(&["policy", "fmt", "nowhere.cedar"]).contains("cannot read `nowhere.cedar`"));
}
