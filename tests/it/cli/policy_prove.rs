//! `gatepost policy prove`.

use std::fs;
use std::path::Path;

use super::policy_diff;
use super::program::Program;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A program that finds the solver, with a copy of the shipped policies.
pub fn with_policies() -> Program {
    let mut program = Program::new();
    for variable in ["CVC5", "PATH"] {
        if let Some(value) = policy_diff::variable(variable) {
            program.set(variable, &value);
        }
    }
    let policies = program.folder().join("policies");
    fs::create_dir_all(policies.join("invariants")).unwrap();
    for name in ["accounts.cedar", "matrix.cedar", "scopes.cedar", "invariants/invariants.cedar"] {
        fs::copy(format!("{ROOT}/policies/{name}"), policies.join(name)).unwrap();
    }
    program
}

pub fn add(program: &Program, file: &str, text: &str) {
    let path = program.folder().join("policies").join(file);
    fs::write(&path, fs::read_to_string(&path).unwrap_or_default() + text).unwrap();
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn the_shipped_invariants_are_proved() {
    let program = with_policies();
    let document = program.json(&["policy", "prove"]);
    let results: Vec<(&str, &str)> = document["invariants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|proved| (proved["invariant"].as_str().unwrap(), proved["result"].as_str().unwrap()))
        .collect();
    let expected = [
        ("anonymous-only-signs-up", "proved"),
        ("keys-for-actions-do-nothing-else", "proved"),
        ("observers-change-nothing", "proved"),
        ("only-administrators-delete-applications", "proved"),
        ("read-only-keys-never-write", "proved"),
    ];
    assert_eq!(results, expected);
    // The same stand in where the policies are the built-in ones.
    let run = program.run(&["policy", "prove", "--policies", "built-in"]);
    assert!(run.code == 0 && run.out.contains("5 of 5 proved for all requests by cvc5"), "{run:?}");
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn each_shipped_invariant_is_refuted_by_an_edit_against_it() {
    let more = |policy| ("more.cedar", "", policy);
    for (name, (file, old, new)) in [
        (
            "anonymous-only-signs-up",
            more(r#"permit (principal, action == Action::"View", resource) when { context.host == "x" };"#),
        ),
        (
            "keys-for-actions-do-nothing-else",
            ("scopes.cedar", r#"Action::"FleetActions","#, r#"Action::"FleetActions", Action::"ReloadPolicies","#),
        ),
        (
            "observers-change-nothing",
            more(
                r#"permit (principal, action == Action::"SetDeviceTag", resource is Device) when { principal in resource.observers };"#,
            ),
        ),
        (
            "only-administrators-delete-applications",
            more(
                r#"permit (principal == User::"x", action == Action::"DeleteApplication", resource is Application) when { principal in resource.developers };"#,
            ),
        ),
        (
            "read-only-keys-never-write",
            ("scopes.cedar", r#"Action::"DownloadImage","#, r#"Action::"DownloadImage", Action::"Push","#),
        ),
    ] {
        let program = with_policies();
        add(
            &program,
            "more.cedar",
            "@id(\"nothing\") forbid (principal is Anonymous, action == Action::\"Push\", resource);\n",
        );
        let path = program.folder().join("policies").join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(old), "{name}");
        fs::write(&path, if old.is_empty() { text + new } else { text.replacen(old, new, 1) }).unwrap();
        let run = program.run(&["policy", "prove", "--output", "json"]);
        assert_eq!(run.code, 1, "{run:?}");
        for proved in run.json()["invariants"].as_array().unwrap() {
            let expected = if proved["invariant"] == name { "refuted" } else { "proved" };
            assert_eq!(proved["result"], expected, "{name}: {proved}");
            assert!(
                expected == "proved" || proved["outcome"]["allowed"] == true && proved["request"]["action"].is_string(),
                "{proved}"
            );
        }
    }
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn what_must_be_permitted_is_proved_too_unless_a_policy_can_fail() {
    let program = with_policies();
    let promise = r#"@id("break-glass") permit (principal == Console::"local", action == Action::"ManageInstallation", resource);"#;
    add(&program, "invariants/promises.cedar", promise);
    let run = program.run(&["policy", "prove", "break-glass"]);
    assert_eq!((run.code, run.out.lines().next()), (0, Some("proved   break-glass")), "{run:?}");
    let failing = r#"@id("sum") forbid (principal is Console, action == Action::"ManageInstallation", resource)
        when { context has credential && context.credential.age_seconds + 1 < context.credential.age_seconds };"#;
    add(&program, "accounts.cedar", failing);
    let run = program.run(&["policy", "prove", "break-glass"]);
    assert!(run.code == 1 && run.out.contains("UNKNOWN  break-glass"), "{run:?}");
    assert!(run.out.contains("`sum` can fail, which denies"), "{run:?}");
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn a_request_that_the_engine_decides_otherwise_refutes_nothing() {
    let program = with_policies();
    // The engine denies where the sum is too large, and Cedar skips the policy.
    let policies = r#"
        @id("sum") forbid (principal is User, action == Action::"Push", resource)
        when { context has credential && context.credential.age_seconds + 1 < context.credential.age_seconds };
        @id("old-keys") permit (principal is User, action == Action::"Push", resource is Application)
        when { context has credential && context.credential.age_seconds == 9223372036854775807 };"#;
    add(&program, "more.cedar", policies);
    let invariant = r#"@id("no-old-keys") forbid (principal is User, action == Action::"Push", resource is Application)
        when { context has credential && context.credential.age_seconds == 9223372036854775807 };"#;
    add(&program, "invariants/more.cedar", invariant);
    let run = program.run(&["policy", "prove", "no-old-keys"]);
    assert!(run.code == 1 && run.out.starts_with("UNKNOWN  no-old-keys\n"), "{run:?}");
    assert!(run.out.contains("the engine denies what the solver has found:"), "{run:?}");
    assert!(
        run.out.ends_with("0 of 1 proved for all requests by cvc5 1.0.3\n") || run.out.contains("0 of 1"),
        "{run:?}"
    );
}

#[test]
fn what_cannot_be_proved_is_no_success() {
    let mut program = with_policies();
    program.unset("CVC5");
    program.set("PATH", "/nowhere");
    let failed = program.failure(&["policy", "prove"]);
    assert!(failed.contains("no solver is installed: install cvc5"), "{failed}");
    let failed = program.failure(&["policy", "prove", "nothing"]);
    assert!(failed.contains("there is no invariant `nothing`"), "{failed}");
    add(&program, "invariants/more.cedar", r#"@id("x") forbid (principal, action == Action::"Fly", resource);"#);
    let failed = program.failure(&["policy", "prove"]);
    assert!(failed.contains("invariants/more.cedar:1:39"), "{failed}");
    fs::remove_dir_all(program.folder().join(Path::new("policies/invariants"))).unwrap();
    let failed = program.failure(&["policy", "prove"]);
    assert!(failed.contains("there is nothing to prove"), "{failed}");
}
