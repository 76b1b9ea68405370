//! What is printed about the program itself: completions, the manual, the description of the API.

use serde_json::Value;

use super::program::Program;

#[test]
fn every_shell_has_completions() {
    let program = Program::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let run = program.run(&["completions", shell]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{shell}");
        assert!(run.out.contains("recovery-codes") && run.out.contains("danger-plain-http"), "{shell}");
    }
}

#[test]
fn the_manual_has_a_page_for_each_command() {
    let program = Program::new();
    let page = program.run(&["man"]).out;
    assert!(page.contains(".TH gatepost 1") && page.contains("key\\-file"), "{page}");
    assert!(page.contains("The folder of the policies"), "{page}");
    assert_eq!(program.run(&["man", "--out", "share/man/man1"]).code, 0);
    for name in ["gatepost.1", "gatepost-serve.1", "gatepost-account-totp-enable.1"] {
        let page = std::fs::read_to_string(program.folder().join("share/man/man1").join(name)).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}");
    }
    std::fs::write(program.folder().join("file"), "").unwrap();
    let nowhere = program.failure(&["man", "--out", "file"]);
    assert!(nowhere.contains("cannot write into `file`"), "{nowhere}");
}

#[test]
fn the_description_of_the_api_is_a_document_of_its_own() {
    let program = Program::new();
    let run = program.run(&["openapi"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let document: Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/v1/sessions"]["post"].is_object());
    assert_eq!(program.folder().read_dir().unwrap().count(), 0);
}
