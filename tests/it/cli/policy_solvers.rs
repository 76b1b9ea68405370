//! Solvers that give no answer that counts: what they are asked is unknown, and nothing is taken for proved.

use std::fs;

use super::policy_diff::copy_policies;
use super::policy_prove::with_policies;
use super::program::Program;
use crate::support::FakeSolver;
use crate::support::solver::BAD_WAYS;

/// The shipped policies in `old`, and in `new` those with one that changes who may push.
fn two_sides(solver: &FakeSolver) -> Program {
    let mut program = Program::new();
    for side in ["old", "new"] {
        copy_policies(&program.folder().join(side));
    }
    let more = "@id(\"more\") permit (principal is User, action == Action::\"Push\", resource is Application)
        when { principal in resource.operators };";
    fs::write(program.folder().join("new/more.cedar"), more).unwrap();
    program.set("CVC5", solver.program().to_str().unwrap());
    program
}

#[test]
fn what_a_bad_solver_is_asked_about_invariants_is_unknown() {
    for way in BAD_WAYS {
        let solver = FakeSolver::that(way);
        let mut program = with_policies();
        program.set("CVC5", solver.program().to_str().unwrap());
        let name = "only-administrators-delete-applications";
        let run = program.run(&["policy", "prove", name, "--timeout", "1", "--output", "json"]);
        let document = run.json();
        assert_eq!((run.code, &document["invariants"][0]["result"]), (1, &"unknown".into()), "{way}: {document}");
        let because = document["invariants"][0]["because"].as_str().unwrap();
        let expected = match way {
            "hangs" | "cannot" => "the solver gave no answer within 1s",
            "babbles" => "unrecognized solver output: good morning",
            "dies" | "breaks" => "",
            _ => "model",
        };
        assert!(because.contains(expected), "{way}: {because}");
        assert!(!solver.started().is_empty(), "{way}");
        solver.assert_gone();
    }
}

#[test]
fn what_a_bad_solver_is_asked_about_a_change_is_unknown() {
    for way in BAD_WAYS {
        let solver = FakeSolver::that(way);
        let program = two_sides(&solver);
        let run = program.run(&["policy", "diff", "old", "new", "--timeout", "1", "--output", "json"]);
        let document = run.json();
        assert_eq!(run.code, 0, "{way}: {run:?}");
        for action in document["proof"]["actions"].as_array().unwrap() {
            // All other actions are for the same policies as before.
            let expected = if action["action"] == "Push" { "unknown" } else { "equivalent" };
            assert_eq!(action["verdict"], expected, "{way}: {action}");
        }
        for limit in [&["--fail-on", "wider"][..], &["--fail-on", "narrower"], &["--require-proof"]] {
            let run = program.run(&[&["policy", "diff", "old", "new", "--timeout", "1"], limit].concat());
            assert_eq!(run.code, 1, "{way}, {limit:?}: {run:?}");
            assert!(run.out.contains("not all is proved by cvc5 0.0"), "{way}: {run:?}");
        }
        solver.assert_gone();
    }
}

#[test]
fn a_solver_that_does_not_even_tell_its_version_is_none() {
    let solver = FakeSolver::that("silent");
    let program = two_sides(&solver);
    let failed = program.failure(&["policy", "diff", "old", "new", "--timeout", "1"]);
    assert!(failed.contains("cannot run the solver") && failed.contains("does not tell its version"), "{failed}");
}

#[test]
fn nothing_is_shown_of_progress_where_there_is_no_terminal() {
    let solver = FakeSolver::that("proves");
    let program = two_sides(&solver);
    for arguments in [&["policy", "diff", "old", "new"][..], &["policy", "prove", "--policies", "built-in"]] {
        let run = program.run(arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
    }
}
