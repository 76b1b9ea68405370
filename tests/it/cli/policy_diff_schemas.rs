//! `gatepost policy diff` where the schemas differ: what the policies permit follows from both.

use std::collections::BTreeMap;
use std::fs;

use gatepost::authz::analysis;
use gatepost::authz::analysis::diff::{ActionProof, Side, Verdict, diff};
use gatepost::authz::analysis::progress::untold;
use gatepost::authz::generation::{Generation, Source};

use super::policy_diff::solver;

const TYPES: &str = "
entity Team;
entity Person in [Team];
entity Robot;
entity Paper { author: Person, secret: Bool };
entity Folder { author: Person, secret: Bool };
";

fn generation(schema: &str, policies: &str) -> Generation {
    let folder = tempfile::tempdir().unwrap();
    let (policies_folder, schema_folder) = (folder.path().join("policies"), folder.path().join("schema"));
    fs::create_dir_all(&policies_folder).unwrap();
    fs::create_dir_all(&schema_folder).unwrap();
    fs::write(policies_folder.join("own.cedar"), policies).unwrap();
    fs::write(schema_folder.join("own.cedarschema"), schema).unwrap();
    fs::write(schema_folder.join("routes.toml"), "").unwrap();
    analysis::load(&Source { policies: policies_folder.into(), schema: schema_folder.into(), tests: false }).unwrap()
}

/// A schema with these actions.
fn with(actions: &str) -> String {
    format!("{TYPES}{actions}")
}

/// What is told of each action. Whatever is said to exist is confirmed by the engine.
fn told(old: (&str, &str), new: (&str, &str)) -> BTreeMap<String, ActionProof> {
    let (old, new) = (generation(old.0, old.1), generation(new.0, new.1));
    let diff = diff(&old, &new, Some(&mut solver()), &mut untold);
    assert!(diff.schema_differs);
    let actions: BTreeMap<_, _> =
        diff.proof.unwrap().actions.into_iter().map(|action| (action.action.clone(), action)).collect();
    for action in actions.values() {
        for side in [&action.wider, &action.narrower] {
            assert!(!matches!(side, Side::Some(found) if !found.confirmed), "{action:?}");
        }
    }
    actions
}

fn verdicts(told: &BTreeMap<String, ActionProof>) -> Vec<(&str, Verdict)> {
    told.values().map(|action| (action.action.as_str(), action.verdict)).collect()
}

const ANYTHING: &str = "@id(\"anything\") permit (principal, action, resource);";
const VIEW: &str = "action View appliesTo { principal: Person, resource: Paper };\n";
const EDIT: &str = "action Edit appliesTo { principal: Person, resource: Paper };\n";

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn an_action_that_is_new_was_denied_before_whatever_the_policies_said() {
    let told = told((&with(VIEW), ANYTHING), (&with(&[VIEW, EDIT].concat()), ANYTHING));
    assert_eq!(verdicts(&told), [("Edit", Verdict::OnlyWider), ("View", Verdict::Equivalent)]);
    let Side::Some(found) = &told["Edit"].wider else { unreachable!() };
    assert_eq!(found.old.errors, ["the schema has no such requests"]);
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn an_action_that_is_gone_is_denied_now() {
    let told = told((&with(&[VIEW, EDIT].concat()), ANYTHING), (&with(VIEW), ANYTHING));
    assert_eq!(verdicts(&told), [("Edit", Verdict::OnlyNarrower), ("View", Verdict::Equivalent)]);
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn types_that_an_action_is_no_longer_for_are_denied_now_and_new_ones_were_before() {
    let robots = "action View appliesTo { principal: [Person, Robot], resource: Paper };\n";
    let folders = "action View appliesTo { principal: Person, resource: [Paper, Folder] };\n";
    let told = told((&with(robots), ANYTHING), (&with(folders), ANYTHING));
    assert_eq!(verdicts(&told), [("View", Verdict::Both)]);
    let kinds: Vec<_> =
        told["View"].kinds.iter().map(|kind| (&*kind.principal, &*kind.resource, kind.verdict)).collect();
    assert_eq!(kinds, [("Person", "Folder", Verdict::OnlyWider), ("Robot", "Paper", Verdict::OnlyNarrower)]);
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn an_entity_type_that_is_gone_takes_with_it_what_was_permitted_to_it() {
    let old = with("action View appliesTo { principal: [Person, Robot], resource: Paper };\n");
    let new = with(VIEW).replace("entity Robot;", "");
    let robots = format!("{ANYTHING}\n@id(\"robots\") permit (principal is Robot, action, resource);");
    let told = told((&old, &robots), (&new, ANYTHING));
    assert_eq!(verdicts(&told), [("View", Verdict::OnlyNarrower)]);
    assert_eq!(told["View"].kinds.len(), 1, "{:?}", told["View"].kinds);
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn old_policies_that_do_not_fit_the_new_schema_leave_it_unknown() {
    let open = "@id(\"open\") permit (principal, action, resource) when { !resource.secret };";
    let new = with(VIEW).replace(", secret: Bool", "");
    let told = told((&with(VIEW), open), (&new, ANYTHING));
    assert_eq!(verdicts(&told), [("View", Verdict::Unknown)]);
    for side in [&told["View"].wider, &told["View"].narrower] {
        let Side::Unknown { because } = side else { panic!("{side:?}") };
        assert!(because.contains("not all of the policies fit the schema of the requests"), "{because}");
        assert!(because.contains("secret"), "{because}");
    }
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn an_attribute_that_nobody_reads_changes_nothing() {
    let open = "@id(\"open\") permit (principal, action, resource) when { !resource.secret };";
    let new = with(VIEW).replace(", secret: Bool", ", secret: Bool, title: String");
    assert_eq!(verdicts(&told((&with(VIEW), open), (&new, open))), [("View", Verdict::Equivalent)]);
}

#[test]
#[ignore = "needs cvc5: tests/run.sh"]
fn an_action_that_moves_from_group_to_group_takes_the_policies_of_the_group() {
    let in_group = |view: &str, edit: &str| {
        let types = "appliesTo { principal: Person, resource: Paper };\n";
        with(&format!("action Reads, Writes;\naction View in [{view}] {types}action Edit in [{edit}] {types}"))
    };
    let (apart, reads) = (in_group("Reads", "Writes"), in_group("Reads", "Reads"));
    let of_group = "@id(\"reads\") permit (principal, action in Action::\"Reads\", resource);";
    assert_eq!(
        verdicts(&told((&apart, of_group), (&reads, of_group))),
        [("Edit", Verdict::OnlyWider), ("View", Verdict::Equivalent)]
    );
    assert_eq!(
        verdicts(&told((&reads, of_group), (&apart, of_group))),
        [("Edit", Verdict::OnlyNarrower), ("View", Verdict::Equivalent)]
    );
    // Policies that ask for the group elsewhere than in their scope cannot be asked both ways.
    let asking = "@id(\"asks\") permit (principal, action, resource) when { action in Action::\"Reads\" };";
    let told = told((&reads, asking), (&apart, asking));
    assert_eq!(verdicts(&told), [("Edit", Verdict::Unknown), ("View", Verdict::Equivalent)]);
    let Side::Unknown { because } = &told["Edit"].narrower else { unreachable!() };
    assert_eq!(because, "`asks` asks which action it is, which is in other groups than before");
}
