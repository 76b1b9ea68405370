//! `gatepost policy diff`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use cedar_policy::{Context, Decision, Entities, EntityUid, Request};
use gatepost::authz::analysis::diff::{Diff, Difference, Side, Turn, Verdict, diff};
use gatepost::authz::analysis::progress::untold;
use gatepost::authz::analysis::solver::Solver;
use gatepost::authz::analysis::{self, Counterexample};
use gatepost::authz::generation::{Generation, Source};
use serde::Deserialize;
use serde_json::json;

use super::program::Program;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edits {
    edit: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    name: String,
    effect: Effect,
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default = "yes")]
    enumerated: bool,
    file: String,
    #[serde(default)]
    old: String,
    new: String,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq, Debug)]
#[serde(rename_all = "lowercase")]
enum Effect {
    Wider,
    Narrower,
    Nothing,
}

fn yes() -> bool {
    true
}

impl Edit {
    /// The shipped policies with this edit, in `folder`.
    fn write(&self, folder: &Path) {
        copy_policies(folder);
        let path = folder.join(&self.file);
        let text = fs::read_to_string(&path).unwrap();
        let edited = if self.old.is_empty() {
            text + &self.new
        } else {
            assert_eq!(text.matches(&self.old).count(), 1, "{}", self.name);
            text.replace(&self.old, &self.new)
        };
        fs::write(path, edited).unwrap();
    }

    fn load(&self) -> Generation {
        let folder = tempfile::tempdir().unwrap();
        self.write(folder.path());
        generation(folder.path().to_owned())
    }
}

/// A variable of the environment that the tests run in.
pub fn variable(name: &str) -> Option<String> {
    let found = gatepost::config::environment().into_iter().find(|(found, _)| found == name);
    found.and_then(|(_, value)| value.into_string().ok())
}

pub fn solver() -> Solver {
    let program = Solver::installed().unwrap();
    Solver::start(&program, Duration::from_secs(60)).unwrap()
}

fn edits() -> Vec<Edit> {
    let text = fs::read_to_string(format!("{ROOT}/tests/cases/policy_edits.toml")).unwrap();
    let edits = toml::from_str::<Edits>(&text).unwrap().edit;
    let count = |effect| edits.iter().filter(|edit| edit.effect == effect).count();
    assert_eq!([Effect::Wider, Effect::Narrower, Effect::Nothing].map(count), [10, 5, 5]);
    edits
}

pub fn copy_policies(folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    for name in ["accounts.cedar", "matrix.cedar", "scopes.cedar"] {
        fs::copy(format!("{ROOT}/policies/{name}"), folder.join(name)).unwrap();
    }
}

fn generation(policies: PathBuf) -> Generation {
    let schema = PathBuf::from(format!("{ROOT}/schema"));
    analysis::load(&Source { policies: policies.into(), schema: schema.into(), tests: false }).unwrap()
}

/// What is shown of a counterexample, read again and put to the engine and to Cedar.
fn replayed(generation: &Generation, shown: &Counterexample) -> bool {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    let action = uid(&shown.action);
    let context = Context::from_json_value(shown.context.clone(), Some((generation.schema(), &action))).unwrap();
    let (principal, resource) = (uid(&shown.principal), uid(&shown.resource));
    let request = Request::new(principal, action, resource, context, Some(generation.schema())).unwrap();
    let entities = Entities::from_json_value(shown.entities.clone(), Some(generation.schema())).unwrap();
    let engine = generation.index().authorize(request.as_ref(), entities.as_ref());
    let cedar = cedar_policy::Authorizer::new().is_authorized(&request, generation.policies(), &entities);
    assert_eq!(engine.decision, cedar.decision());
    engine.decision == Decision::Allow && engine.errors.is_empty()
}

fn found(side: &Side) -> Option<&Difference> {
    match side {
        Side::Some(difference) => Some(difference),
        Side::None => None,
        Side::Unknown { because } => panic!("{because}"),
    }
}

/// Each cell says which way its edit goes.
fn check_cells(edit: &Edit, diff: &Diff) {
    let turn = match edit.effect {
        Effect::Wider => Some(Turn::Opens),
        Effect::Narrower => Some(Turn::Closes),
        Effect::Nothing => None,
    };
    assert!(diff.cells.iter().all(|cell| Some(cell.turn) == turn), "{}: {:#?}", edit.name, diff.cells);
    let mut actions: Vec<&str> = diff.cells.iter().map(|cell| cell.action.as_str()).collect();
    actions.dedup();
    let expected: Vec<&str> = edit.actions.iter().map(String::as_str).filter(|_| edit.enumerated).collect();
    assert_eq!(actions, expected, "{}", edit.name);
}

#[test]
fn each_seeded_edit_is_told_by_asking_the_engine() {
    let old = generation(format!("{ROOT}/policies").into());
    for edit in edits() {
        let diff = diff(&old, &edit.load(), None, &mut untold);
        assert!(!diff.policies.is_empty() && diff.proof.is_none(), "{}", edit.name);
        check_cells(&edit, &diff);
    }
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn each_seeded_edit_is_told_by_proof_with_a_counterexample_that_the_engine_confirms() {
    let mut solver = solver();
    let old = generation(format!("{ROOT}/policies").into());
    for edit in edits() {
        let new = edit.load();
        let proof = diff(&old, &new, Some(&mut solver), &mut untold).proof.unwrap();
        let differing: Vec<_> = proof.actions.iter().filter(|action| action.verdict != Verdict::Equivalent).collect();
        let actions: Vec<&str> = differing.iter().map(|action| action.action.as_str()).collect();
        assert_eq!(actions, edit.actions, "{}", edit.name);
        for action in differing {
            let (verdict, difference) = match edit.effect {
                Effect::Wider => (Verdict::OnlyWider, found(&action.wider)),
                Effect::Narrower => (Verdict::OnlyNarrower, found(&action.narrower)),
                Effect::Nothing => unreachable!("{}", edit.name),
            };
            assert_eq!(action.verdict, verdict, "{}", edit.name);
            let Difference { request, old: before, new: after, confirmed } = difference.unwrap();
            assert!(confirmed, "{}: {request}", edit.name);
            let wider = edit.effect == Effect::Wider;
            assert_eq!((before.allowed, after.allowed), (!wider, wider), "{}: {request}", edit.name);
            let said = (replayed(&old, request), replayed(&new, request));
            assert_eq!(said, (!wider, wider), "{}: {request}", edit.name);
        }
    }
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn a_policy_that_can_only_fail_is_not_taken_for_one_that_does_nothing() {
    let folder = tempfile::tempdir().unwrap();
    copy_policies(folder.path());
    // Cedar skips it where the sum is too large; the engine denies.
    let failing = r#"@id("sum") forbid (principal is User, action == Action::"Push", resource)
        when { context has credential && context.credential.age_seconds + 1 < context.credential.age_seconds };"#;
    fs::write(folder.path().join("more.cedar"), failing).unwrap();
    let (shipped, with) = (generation(format!("{ROOT}/policies").into()), generation(folder.path().to_owned()));
    let mut solver = solver();
    let mut push = |old, new| {
        let actions = diff(old, new, Some(&mut solver), &mut untold).proof.unwrap().actions;
        actions.into_iter().find(|action| action.action == "Push").unwrap()
    };
    let because = "the policy `sum` can fail, which denies";
    let without = push(&with, &shipped);
    assert!(matches!(&without.wider, Side::Unknown { because: told } if told == because), "{without:?}");
    assert!(matches!(&without.narrower, Side::None), "{without:?}");
    let added = push(&shipped, &with);
    assert!(matches!(&added.narrower, Side::Unknown { because: told } if told == because), "{added:?}");
    assert!(matches!(&added.wider, Side::None), "{added:?}");
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn what_the_engine_does_not_confirm_is_unknown() {
    // Cedar skips it where the sum is too large; the engine denies.
    let failing = r#"@id("sum") forbid (principal is User, action == Action::"Push", resource)
        when { context has credential && context.credential.age_seconds + 1 < context.credential.age_seconds };"#;
    // Only where the sum is too large.
    let more = r#"@id("old-keys") permit (principal is User, action == Action::"Push", resource is Application)
        when { context has credential && context.credential.age_seconds == 9223372036854775807 };"#;
    let with = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        copy_policies(folder.path());
        fs::write(folder.path().join("more.cedar"), text).unwrap();
        generation(folder.path().to_owned())
    };
    let actions = diff(&with(failing), &with(&format!("{failing}\n{more}")), Some(&mut solver()), &mut untold);
    let actions = actions.proof.unwrap().actions;
    let push = actions.iter().find(|action| action.action == "Push").unwrap();
    assert!(matches!(&push.wider, Side::Some(found) if !found.confirmed && !found.new.allowed), "{push:?}");
    assert!(matches!(&push.narrower, Side::None), "{push:?}");
    assert_eq!(push.verdict, Verdict::Unknown);
    assert!(push.kinds.iter().all(|kind| kind.verdict == Verdict::Unknown) && push.kinds.len() == 1, "{push:?}");
}

/// A folder with the shipped policies in `old`, and those with one edit in `new`.
fn with_edit(name: &str) -> Program {
    let program = Program::new();
    copy_policies(&program.folder().join("old"));
    edits().iter().find(|edit| edit.name == name).unwrap().write(&program.folder().join("new"));
    program
}

#[test]
fn what_changes_is_told_without_a_solver_which_is_said() {
    let mut program = with_edit("operators push");
    program.set("PATH", "/nowhere");
    let run = program.run(&["policy", "diff", "old", "new"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert_eq!(
        run.out,
        "policies that differ: operator (changed)\n\
         \n\
         40 of 6591 questions that other policies are for are answered otherwise:\n  \
           opens  operator  Push  on Application  if credential: session or session with second factor or API key or \
         API key for this action or API key for this application\n\
         \n\
         nothing is proved about other requests, as no solver is installed\n  \
           help: install cvc5 (Debian: `apt install cvc5`), so that it is on the PATH, or name it in the variable CVC5\n"
    );
    let failed = program.failure(&["policy", "diff", "old", "new", "--require-proof"]);
    assert!(failed.contains("no solver is installed"), "{failed}");
    program.set("CVC5", "/nowhere/cvc5");
    let failed = program.failure(&["policy", "diff", "old", "new"]);
    assert!(failed.contains("cannot run the solver `/nowhere/cvc5`"), "{failed}");
}

#[test]
fn the_exit_code_says_which_way_it_goes() {
    for (edit, codes) in [("operators push", [1, 0, 1]), ("nobody signs up", [0, 1, 1]), ("a list of one", [0, 0, 0])] {
        let program = with_edit(edit);
        for (change, code) in ["wider", "narrower", "any"].into_iter().zip(codes) {
            let run = program.run(&["policy", "diff", "old", "new", "--no-proof", "--fail-on", change]);
            assert_eq!(run.code, code, "{edit}, {change}: {run:?}");
        }
    }
}

#[test]
fn json_has_each_cell_and_markdown_is_a_table() {
    let program = with_edit("nobody signs up");
    let document = program.json(&["policy", "diff", "old", "new", "--no-proof"]);
    assert_eq!(document["policies"], json!([{"id": "sign-up", "change": "removed"}]));
    assert_eq!(
        document["cells"],
        json!([{
            "turn": "closes", "who": "anonymous", "action": "SignUp", "resource_type": "Installation", "when": [],
            "exact": true, "questions": 1, "of": 1, "policies": ["sign-up"]
        }])
    );
    assert_eq!(document["proof"], json!(null));
    let run = program.run(&["policy", "diff", "old", "new", "--no-proof", "--markdown"]);
    assert!(run.out.contains("| **closes** | anonymous | SignUp | Installation | always |\n"), "{}", run.out);
}

#[test]
fn what_cannot_be_compared_is_no_success() {
    let mut program = with_edit("operators push");
    let run = program.failure(&["policy", "diff", "old", "nowhere"]);
    assert!(run.contains("there is no folder `nowhere`; other forms are"), "{run}");
    fs::write(program.folder().join("new/matrix.cedar"), "permit (principal, action, resource) when { x };").unwrap();
    let run = program.failure(&["policy", "diff", "old", "new"]);
    assert!(run.contains("`new` cannot be compared") && run.contains("new/matrix.cedar:1:45"), "{run}");
    program.set("PATH", "/nowhere");
    let run = program.failure(&["policy", "diff", "git:HEAD", "old"]);
    assert!(run.contains("the program `git` is not installed"), "{run}");
}

#[test]
#[ignore = "needs git: tests/run.sh"]
fn revisions_are_read_by_git() {
    let mut program = Program::new();
    let git = |program: &Program, arguments: &[&str]| {
        let identity = ["-c", "user.name=ada", "-c", "user.email=ada@example.com"];
        let mut git = Command::new("git");
        let done = git.current_dir(program.folder()).args(identity).args(arguments).output().unwrap();
        assert!(done.status.success(), "{done:?}");
    };
    git(&program, &["init", "--quiet"]);
    copy_policies(&program.folder().join("policies"));
    fs::create_dir(program.folder().join("schema")).unwrap();
    for name in ["gatepost.cedarschema", "routes.toml"] {
        fs::copy(format!("{ROOT}/schema/{name}"), program.folder().join("schema").join(name)).unwrap();
    }
    git(&program, &["add", "."]);
    git(&program, &["commit", "--quiet", "-m", "the shipped ones"]);
    edits()[0].write(&program.folder().join("policies"));
    program.set("PATH", &variable("PATH").unwrap());
    for old in ["git:HEAD", "HEAD:policies", "git:HEAD:./policies", "HEAD:", "built-in"] {
        let document = program.json(&["policy", "diff", old, "policies", "--no-proof"]);
        assert_eq!(document["policies"], json!([{"id": "operator", "change": "changed"}]), "{old}");
    }
    let document = program.json(&["policy", "diff", "git:HEAD", "HEAD:policies", "--no-proof"]);
    assert_eq!((&document["policies"], &document["schema_differs"]), (&json!([]), &json!(false)));
    for (old, told) in [
        ("git:nothing", "git knows no revision `nothing`"),
        ("HEAD:nowhere", "the revision `HEAD` has no folder `nowhere`"),
        ("git:--help", "`--help` is no revision"),
    ] {
        let run = program.failure(&["policy", "diff", old, "policies"]);
        assert!(run.contains(told), "{run}");
    }
}
