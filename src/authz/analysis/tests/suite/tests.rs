use std::path::Path;

use super::*;
use crate::authz::analysis::load;
use crate::authz::generation::Source;

fn shipped() -> Generation {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    load(&Source { policies: root.join("policies").into(), schema: root.join("schema").into(), tests: false }).unwrap()
}

fn suite(name: &str, text: &str) -> Suite {
    Suite { files: vec![SourceFile::apart(name, text)] }
}

fn failures(name: &str, text: &str) -> Vec<String> {
    suite(name, text).run(&shipped()).unwrap().problems().map(ToString::to_string).collect()
}

fn problems(name: &str, text: &str) -> Vec<String> {
    suite(name, text).run(&shipped()).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn the_shipped_tests_pass_and_cover_the_shipped_policies_in_full() {
    let (report, coverage) = Suite::built_in().run_with_coverage(&shipped()).unwrap();
    let failed: Vec<_> = report.problems().map(ToString::to_string).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(report.results().len() > 300, "{}", report.results().len());
    let missed = coverage.policies().flat_map(|policy| {
        let unmet = (!policy.satisfied).then(|| format!("{} was never satisfied", policy.id));
        let conditions = policy.conditions.iter().filter(|condition| !condition.is_covered());
        unmet.into_iter().chain(conditions.map(|condition| format!("{}: {condition:?}", policy.id)))
    });
    let missed: Vec<String> = missed.collect();
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(coverage.is_full());
}

#[test]
fn every_file_of_the_folder_is_built_in() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/tests");
    let read = Suite::read(&folder).unwrap().unwrap();
    let own = |suite: &Suite| -> Vec<(String, String)> {
        let name = |file: &SourceFile| file.name.rsplit('/').next().unwrap().to_owned();
        suite.files.iter().map(|file| (name(file), file.text.clone())).collect()
    };
    assert_eq!(own(&read), own(&Suite::built_in()));
}

#[test]
fn a_decision_that_is_not_as_expected_is_told_with_its_place_and_its_policies() {
    let text =
        "[[test]]\nwho = \"observer\"\naction = [\"View\", \"Push\"]\non = \"Application\"\nexpect = \"allow\"\n";
    insta::assert_snapshot!(failures("a.toml", text).join("\n"), @r#"
    a.toml:1:1: observer: Push on Application: expected allow, came deny, since no policy permits it
      |
    1 | [[test]]
      | ^^^^^^^^
    "#);
    let text = "[[test]]\nwho = \"developer\"\naction = \"Push\"\non = \"Application\"\nexpect = \"deny\"\n";
    insta::assert_snapshot!(failures("a.toml", text).join("\n"), @r#"
    a.toml:1:1: developer: Push on Application: expected deny, came allow because of `developer`
      |
    1 | [[test]]
      | ^^^^^^^^
    "#);
    let text = "[[test]]\nwho = \"developer\"\naction = \"Push\"\non = \"Application\"\nexpect = \"allow\"\nbecause = [\"operator\"]\n";
    insta::assert_snapshot!(failures("a.toml", text).join("\n"), @r#"
    a.toml:1:1: developer: Push on Application: expected allow because of `operator`, came allow because of `developer`
      |
    1 | [[test]]
      | ^^^^^^^^
    "#);
    let text = "[[table]]\nwho = [\"operator\", \"anonymous\"]\non = \"Device\"\n[table.may]\nView = \"no yes\"\n";
    insta::assert_snapshot!(failures("a.toml", text).join("\n"), @r#"
    a.toml:5:1: operator: View on Device: expected deny, came allow because of `operator`
      |
    5 | View = "no yes"
      | ^^^^
    a.toml:5:1: anonymous: View on Device: expected allow, came deny, since no policy permits it
      |
    5 | View = "no yes"
      | ^^^^
    "#);
}

#[test]
fn an_error_is_no_deny() {
    let text =
        "[[test]]\nwho = \"anonymous\"\naction = \"LeaveApplication\"\non = \"Application\"\nexpect = \"deny\"\n";
    let [failure] = failures("a.toml", text).try_into().unwrap();
    assert!(failure.contains("expected deny, came error: "), "{failure}");
    assert_eq!(failures("a.toml", &text.replace("\"deny\"", "\"error\"")), Vec::<String>::new());
}

#[test]
fn a_file_that_is_wrong_is_told_with_all_its_places() {
    let text = r#"
[[test]]
who = "administrater"
action = "Psh"
on = "Application"
expect = "maybe"

[[test]]
who = { role = "operator", moon = 1 }
action = "Push"
on = "Application"
expect = "allow"
because = ["nobody-knows"]

[[test]]
who = "operator"
on = "Application"
expect = "allow"

[[table]]
who = ["operator", "observer"]
on = "Application"
may = { Push = "yes", Psh = "no no" }
"#;
    insta::assert_snapshot!(problems("a.toml", text).join("\n"), @r#"
    a.toml:3:7: `"administrater"` is nobody: expected `administrator`, `developer`, `operator`, `observer`, `owner`, `nobody`, `anonymous`, `console`, `organization administrator`, `installation administrator`, or a table such as `{ role = "operator", mfa = true }`
      |
    3 | who = "administrater"
      |       ^^^^^^^^^^^^^^^
    a.toml:6:10: expected `allow`, `deny` or `error`
      |
    6 | expect = "maybe"
      |          ^^^^^^^
    a.toml:9:7: unknown field `moon`, expected one of `role`, `owner`, `organization_administrator`, `installation_administrator`, `username`, `email`, `credential`, `mfa`, `scopes`, `age_seconds`
      |
    9 | who = { role = "operator", moon = 1 }
      |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    a.toml:13:12: there is no policy `nobody-knows`
       |
    13 | because = ["nobody-knows"]
       |            ^^^^^^^^^^^^^^
    a.toml:15:1: missing field `action`
       |
    15 | [[test]]
       | ^^^^^^^^
    a.toml:23:16: expected `yes` or `no` 2 times, once for each of `who`
       |
    23 | may = { Push = "yes", Psh = "no no" }
       |                ^^^^^
    a.toml:23:23: the schema has no action `Psh`
       |
    23 | may = { Push = "yes", Psh = "no no" }
       |                       ^^^
    "#);
    insta::assert_snapshot!(problems("a.toml", "[[test]\n").join("\n"), @r#"
    a.toml:1:8: unclosed array table, expected `]`
      |
    1 | [[test]
      |        ^
    "#);
    insta::assert_snapshot!(problems("a.toml", "[tests]\n").join("\n"), @r#"
    a.toml:1:2: unknown key `tests`: expected `[[test]]` or `[[table]]`
      |
    1 | [tests]
      |  ^^^^^
    "#);
}

const CEDAR: &str = r#"[
  {
    "name": "eve looks",
    "request": {
      "principal": "User::\"eve\"", "action": "Action::\"ViewAccount\"", "resource": "User::\"eve\"",
      "context": {"method": "", "host": "", "path": ""}
    },
    "entities": [
      {"uid": {"type": "User", "id": "eve"},
       "attrs": {"username": "eve", "email": "e", "installation_administrator": false}, "parents": []}
    ],
    "decision": "allow",
    "reason": ["own-account"],
    "num_errors": 0
  }
]
"#;

#[test]
fn the_tests_of_cedars_command_line_are_taken() {
    assert_eq!(failures("a.json", CEDAR), Vec::<String>::new());
    insta::assert_snapshot!(failures("a.json", &CEDAR.replace("\"allow\"", "\"deny\"")).join("\n"), @r#"
    a.json:2:3: eve looks: expected deny, came allow because of `own-account`
      |
    2 |   {
      |   ^
    "#);
    let other = CEDAR.replace("\"reason\": [\"own-account\"]", "\"reason\": [\"own-account\", \"console\"]");
    insta::assert_snapshot!(failures("a.json", &other).join("\n"), @r#"
    a.json:2:3: eve looks: expected allow because of `own-account`, `console`, came allow because of `own-account`
      |
    2 |   {
      |   ^
    "#);
    let errors = CEDAR.replace("\"num_errors\": 0", "\"num_errors\": 1");
    insta::assert_snapshot!(problems("a.json", &errors).join("\n"), @r#"
    a.json:2:3: nothing is allowed while a policy fails: here any error denies
      |
    2 |   {
      |   ^
    "#);
    for (from, to) in [
        ("\"reason\"", "\"raisin\""),
        ("ViewAccount", "ViewAcount"),
        ("\"User::\\\"eve\\\"\", \"action\"", "\"eve\", \"action\""),
        ("{\"method\"", "{\"mood\""),
        ("\"username\"", "\"user\""),
        ("own-account", "unknown"),
        ("\"name\"", "name"),
    ] {
        let [problem] = problems("a.json", &CEDAR.replace(from, to)).try_into().unwrap();
        assert!(problem.starts_with("a.json:"), "{problem}");
    }
}

#[test]
fn entities_may_stand_in_a_file_beside() {
    let (before, rest) = CEDAR.split_once("\"entities\": ").unwrap();
    let (entities, after) = rest.split_once(",\n    \"decision\"").unwrap();
    let tests = format!("{before}\"entities\": \"people.json\",\n    \"decision\"{after}");
    let file = |name: &str, text: &str| SourceFile::apart(format!("/x/{name}"), text);
    let suite = Suite { files: vec![file("people.json", entities), file("tests.json", &tests)] };
    let report = suite.run(&shipped()).unwrap();
    assert_eq!((report.results().len(), report.problems().count()), (1, 0));
    let alone = Suite { files: vec![file("tests.json", &tests)] };
    let problems = alone.run(&shipped()).unwrap_err();
    assert!(problems[0].message().contains("there is no file `people.json` beside this one"), "{problems:?}");
}

#[test]
fn coverage_tells_each_operand_that_came_out_one_way_only() {
    let text = "[[test]]\nwho = \"administrator\"\naction = \"AddMember\"\non = \"Application\"\n\
                context = { role = \"observer\" }\nexpect = \"allow\"\n";
    let (_, coverage) = suite("a.toml", text).run_with_coverage(&shipped()).unwrap();
    assert!(!coverage.is_full());
    let policy = coverage.policies().find(|policy| policy.id == "roles-by-plan").unwrap();
    assert!(!policy.satisfied && policy.file.ends_with("policies/accounts.cedar"));
    let seen: Vec<String> = policy
        .conditions
        .iter()
        .map(|condition| {
            format!("{:?} {} {} {}", condition.kind, condition.was_true, condition.was_false, condition.text)
        })
        .collect();
    insta::assert_debug_snapshot!(seen, @r#"
    [
        "Clause true false context has role && context.role != \"developer\"",
        "Operand true false context has role",
        "Operand true false context.role != \"developer\"",
        "Clause false true unless { resource has type && resource.type == \"standard\" && resource has organization.plan && resource.organization.plan == \"paid\" }",
        "Operand true false resource has type",
        "Operand true false resource.type == \"standard\"",
        "Operand true false resource has organization.plan",
        "Operand true false resource.organization.plan == \"paid\"",
    ]
    "#);
}
