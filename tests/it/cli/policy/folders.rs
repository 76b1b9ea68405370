//! A folder that was named must exist; only the usual ones may be missing.

use std::fs;

use crate::cli::program::Program;

const HELP: &str = "say `built-in` there to use what is built in, or leave it out";

#[test]
fn a_folder_that_was_named_and_does_not_exist_is_an_error() {
    let mut program = Program::with_application();
    fs::write(program.folder().join("decisions.log"), "").unwrap();
    let told = |program: &Program, arguments: &[&str], by: &str, path: &str| {
        let run = program.run(arguments);
        let said = format!("{path}: there is no such folder\n  help: {by} names it: {HELP}\n");
        assert!(run.code == 1 && (run.err + &run.out).contains(&said), "{arguments:?}: {}", run.out);
    };
    let commands: &[&[&str]] = &[
        &["policy", "check"],
        &["policy", "test"],
        &["policy", "matrix"],
        &["policy", "prove"],
        &["policy", "replay", "--log", "decisions.log"],
        &["user", "list"],
        &["check", "--user", "ada", "--method", "GET", "--path", "/"],
        &["serve", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0"],
        &["serve", "--demo", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0"],
    ];
    for command in commands {
        told(&program, &[command, &["--policies", "polices"][..]].concat(), "`--policies`", "polices");
        told(&program, &[command, &["--schema", "./shema"][..]].concat(), "`--schema`", "./shema");
    }
    let list = ["user", "list"];
    fs::write(program.folder().join("gatepost.toml"), "[policy]\npolicies = \"polices\"\n").unwrap();
    told(&program, &list, "`policy.policies` in gatepost.toml:2", "polices");
    program.set("GATEPOST_POLICY_POLICIES", "/etc/nowhere");
    told(&program, &list, "`GATEPOST_POLICY_POLICIES`", "/etc/nowhere");
    // One by the default name, too, if it was named.
    program.set("GATEPOST_POLICY_POLICIES", "policies");
    told(&program, &list, "`GATEPOST_POLICY_POLICIES`", "policies");
    // An empty one is told alike.
    fs::create_dir(program.folder().join("policies")).unwrap();
    let run = program.failure(&list);
    let said =
        format!("policies: the folder has no `*.cedar` file\n  help: `GATEPOST_POLICY_POLICIES` names it: {HELP}\n");
    assert!(run.contains(&said), "{run}");
    program.set("GATEPOST_POLICY_POLICIES", "built-in");
    assert_eq!(program.run(&list).code, 0);
}

#[test]
fn what_is_built_in_can_be_asked_for() {
    let program = Program::new();
    for arguments in [&[][..], &["--policies", "built-in", "--schema", "built-in"]] {
        let run = program.run(&[&["policy", "check"], arguments].concat());
        assert!(run.code == 0 && run.out.starts_with("5 files (5 built in), "), "{run:?}");
        assert_eq!(program.run(&[&["policy", "test"], arguments].concat()).code, 0);
    }
    // Also where there are folders.
    for folder in ["policies", "schema"] {
        fs::create_dir(program.folder().join(folder)).unwrap();
    }
    fs::write(program.folder().join("gatepost.toml"), "[policy]\npolicies = \"built-in\"\nschema = \"built-in\"\n")
        .unwrap();
    let run = program.run(&["policy", "check"]);
    assert!(run.code == 0 && run.out.starts_with("5 files (5 built in), "), "{run:?}");
    let run = program.failure(&["policy", "fmt"]);
    assert!(run.contains("the policies are the built-in ones, which are laid out"), "{run}");
    let run = program.failure(&["policy", "diff", "git:HEAD", "policies"]);
    assert!(run.contains("the configured policies are the built-in ones, which are in no revision"), "{run}");
    let server = program.serve(&[]);
    server.signal("HUP");
    server.signal("TERM");
    assert!(server.wait().0.success());
}
