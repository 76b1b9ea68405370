//! What every command has in common: help, wrong usage, exit codes.

use super::program::Program;

#[test]
fn every_command_has_help_and_needs_nothing_for_it() {
    let program = Program::new();
    for command in [
        "serve",
        "check",
        "bench",
        "user",
        "key",
        "org",
        "app",
        "member",
        "device",
        "session",
        "key-file",
        "audit",
        "policy",
        "login",
        "logout",
        "whoami",
        "account",
        "config",
        "openapi",
        "completions",
        "man",
    ] {
        let run = program.run(&[command, "--help"]);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{command}");
        assert!(run.out.contains("Usage: gatepost"), "{command}");
    }
    assert_eq!(program.run(&["--version"]).out, concat!("gatepost ", env!("CARGO_PKG_VERSION"), "\n"));
    assert_eq!(program.folder().read_dir().unwrap().count(), 0);
}

#[test]
fn wrong_usage_is_two() {
    let program = Program::new();
    for arguments in [
        &[][..],
        &["nonsense"],
        &["user"],
        &["user", "add", "ada", "--email", "ada@example.com"],
        &["user", "add", "ada", "--email", "ada@example.com", "--no-password", "--generate-password"],
        &["key", "revoke"],
        &["key", "revoke", "nonsense"],
        &["key", "create", "--user", "ada", "--name", "x", "--scope", "everything"],
        &["audit", "--user", "ada", "--app", "x"],
        &["audit", "--limit", "0"],
        &["policy"],
        &["policy", "corpus"],
        &["policy", "corpus", ".", "--server", "http://127.0.0.1:1"],
        &["completions", "cobol"],
        &["whoami"],
        &["login", "ada"],
        &["serve", "--server", "http://127.0.0.1:1"],
        &["user", "list", "--server", "http://127.0.0.1:1"],
        &["key-file", "rotate", "--server", "http://127.0.0.1:1"],
        &["whoami", "--server", "http://192.0.2.1"],
        &["whoami", "--server", "gatepost.example.com"],
        &["whoami", "--server", "https://gatepost.example.com", "--store", "g.db"],
        &["key", "create", "--user", "ada", "--name", "x", "--expires-at", "tomorrow"],
        &["org", "plan", "acme", "golden"],
        &["member", "add", "--app", "a", "ada", "owner"],
        &["check", "--method", "get", "--path", "/"],
        &["check", "--method", "GET", "--path", "/", "--user", "ada", "--token-stdin"],
        &["serve", "--demo", "--store", "x"],
        &["user", "list", "--output", "xml"],
    ] {
        let run = program.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}");
        assert!(!run.err.is_empty(), "{arguments:?}");
    }
    assert_eq!(program.folder().read_dir().unwrap().count(), 0);
}

#[test]
fn a_mistyped_database_is_not_made() {
    let program = Program::new();
    let error = program.failure(&["user", "list", "--store", "nowhere/g.db"]);
    assert!(error.contains("there is no database `nowhere/g.db`"), "{error}");
    assert_eq!(program.folder().read_dir().unwrap().count(), 0);
}

#[test]
fn what_is_typed_cannot_reach_the_terminal_as_more_than_text() {
    let program = Program::with_application();
    let error = program.failure(&["user", "delete", "x\u{1b}[2K\u{9b}1m\u{202e}"]);
    assert!(!error.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{error:?}");
}
