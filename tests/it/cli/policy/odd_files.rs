//! Files that are no policies, or hardly: told as any other mistake, and a running server goes on.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::history::{in_force, serving};
use crate::cli::program::{Program, Server};
use crate::support::{send, until};

/// What it is, how it is made, and what is told of it.
type Odd = (&'static str, fn(&Path), &'static str);

const ODD: &[Odd] = &[
    ("latin 1", |path| fs::write(path, b"// caf\xe9\n").unwrap(), ":1:7: the file is not UTF-8"),
    ("a link to itself", |path| symlink("own.cedar", path).unwrap(), ": cannot read the file: Too many levels of"),
    ("a link to nothing", |path| symlink("nowhere", path).unwrap(), ": cannot read the file: No such file"),
    ("a link to what never ends", |path| symlink("/dev/zero", path).unwrap(), ": this is no file"),
    (
        "a pipe, which nobody writes to",
        |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
        ": this is no file",
    ),
    (
        "a long line",
        |path| {
            let long = format!(
                "permit (principal, action, resource) when {{ \"{}\" == context.hosst }};",
                "x".repeat(1_000_000)
            );
            fs::write(path, long).unwrap();
        },
        ":1:1000051: ",
    ),
    (
        "deep brackets",
        |path| fs::write(path, nested(&"(".repeat(100_000))).unwrap(),
        ":1:127: this is nested too deeply",
    ),
    (
        "a long chain",
        |path| fs::write(path, nested(&"true && ".repeat(100_000))).unwrap(),
        ":1:4050: this is nested too deeply",
    ),
];

fn nested(condition: &str) -> String {
    format!("permit (principal, action, resource) when {{ {condition}true }};\n")
}

fn last_error(server: &Server) -> String {
    let ready = send(server.decision(), "GET", "/readyz", &[], "").json();
    assert_eq!(ready["ready"], true, "{ready}");
    ready["policies"]["last_reload_error"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn odd_files_are_told_and_a_server_goes_on() {
    let (program, server) = serving();
    in_force(&server, 1);
    let own = program.folder().join("policies/own.cedar");
    for (what, make, told) in ODD {
        make(&own);
        let told = format!("policies/own.cedar{told}");
        let check = program.run(&["policy", "check"]);
        assert!(
            check.code == 1 && check.out.starts_with(&format!("error[policy-invalid]: {told}")),
            "{what}: {check:?}"
        );
        assert!(check.out.len() < 2_000, "{what}: {}", check.out.len());
        for command in [&["policy", "matrix"][..], &["policy", "diff", "built-in", "policies", "--no-proof"]] {
            let failure = program.failure(command);
            assert!(failure.contains(&told), "{what}: {failure}");
        }
        until(Duration::from_secs(20), what, || last_error(&server).contains(&told).then_some(()));
        fs::remove_file(&own).unwrap();
        until(Duration::from_secs(20), what, || last_error(&server).is_empty().then_some(()));
    }
    in_force(&server, 1);
}

#[test]
fn what_can_be_laid_out_is_although_another_file_cannot() {
    let program = Program::new();
    let policies = program.folder().join("policies");
    fs::create_dir(&policies).unwrap();
    fs::write(policies.join("b.cedar"), "permit(principal,action,resource);").unwrap();
    for (what, make, told) in ODD.iter().filter(|(what, ..)| *what != "a long line") {
        make(&policies.join("own.cedar"));
        let run = program.run(&["policy", "fmt", "--check"]);
        assert!(run.code == 1 && run.out.contains(&format!("error: policies/own.cedar{told}")), "{what}: {run:?}");
        assert!(run.out.contains("+++ policies/b.cedar"), "{what}: {run:?}");
        fs::remove_file(policies.join("own.cedar")).unwrap();
    }
}

#[test]
fn what_is_nested_as_far_as_it_may_be_is_decided_by() {
    let (program, server) = serving();
    in_force(&server, 1);
    let own = program.folder().join("policies/own.cedar");
    let brackets = format!("{}true{}", "(".repeat(80), ")".repeat(80));
    for (condition, generation) in [("context.host != \"a\" && ".repeat(240), 2), (format!("{brackets} && "), 3)] {
        let policy = nested(&condition).replace("permit (principal", "@id(\"own\") permit (principal is User");
        fs::write(&own, policy).unwrap();
        in_force(&server, generation);
        for command in [&["policy", "check"][..], &["policy", "matrix"], &["policy", "fmt", "--check", "policies"]] {
            let run = program.run(command);
            assert!(matches!(run.code, 0 | 1) && run.err.is_empty(), "{command:?}: {run:?}");
        }
    }
    fs::remove_file(&own).unwrap();
    in_force(&server, 4);
}

#[test]
fn a_file_is_no_folder() {
    let program = Program::new();
    fs::write(program.folder().join("own.cedar"), "").unwrap();
    let run = program.run(&["policy", "check", "--policies", "own.cedar"]);
    assert!(run.out.starts_with("error[folder-invalid]: own.cedar: this is no folder\n"), "{run:?}");
    let run = program.failure(&["policy", "prove", "nothing"]);
    assert!(run.contains("there is no invariant `nothing`, but `anonymous-only-signs-up`, `keys-"), "{run}");
}
