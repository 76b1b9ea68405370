//! `gatepost policy check`, and that no mistake which it tells gets into force.

use std::fs;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::cli::program::{Program, members};
use crate::support::{World, send};

const FOLDERS: [&str; 2] = ["policies", "schema"];

/// A mistake in one of the files that are shipped, or in one beside them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mistake {
    what: String,
    file: String,
    /// The file's content,
    text: Option<String>,
    /// or what is added to it,
    append: Option<String>,
    /// or a text in it and what is in its place.
    replace: Option<[String; 2]>,
    /// A file without mistake that is needed for it, with its content.
    also: Option<[String; 2]>,
    /// The file that must be told, if that is another.
    told_in: Option<String>,
    /// The line that must be told is the first that has this.
    at: String,
    /// What the message must have.
    cause: String,
    rule: String,
}

pub fn mistakes() -> Vec<Mistake> {
    serde_json::from_str(include_str!("../../../cases/mistakes.json")).unwrap()
}

/// Copies the shipped files, but for entities.
fn copy_shipped(to: &Path) {
    for folder in FOLDERS {
        fs::create_dir_all(to.join(folder)).unwrap();
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), to.join(folder).join(entry.file_name())).unwrap();
            }
        }
    }
}

pub fn with_policies() -> Program {
    let program = Program::new();
    copy_shipped(program.folder());
    program
}

pub fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

impl Mistake {
    /// Makes it. Gives the line that must be told.
    pub fn make(&self, folder: &Path) -> usize {
        if let Some([file, text]) = &self.also {
            write(folder, file, text);
        }
        let old = fs::read_to_string(folder.join(&self.file)).unwrap_or_default();
        let text = match (&self.text, &self.append, &self.replace) {
            (Some(text), None, None) => text.clone(),
            (None, Some(more), None) => format!("{old}{more}"),
            (None, None, Some([from, to])) => {
                assert!(old.contains(from.as_str()), "{}", self.what);
                old.replacen(from, to, 1)
            }
            _ => panic!("{}: one of text, append, replace", self.what),
        };
        write(folder, &self.file, &text);
        let told = fs::read_to_string(folder.join(self.told_in())).unwrap();
        let at = told.find(&self.at).unwrap_or_else(|| panic!("{}: {}", self.what, self.at));
        1 + told[..at].matches('\n').count()
    }

    fn told_in(&self) -> &str {
        self.told_in.as_ref().unwrap_or(&self.file)
    }

    pub fn undo(&self, folder: &Path) {
        for folder in FOLDERS.map(|name| folder.join(name)) {
            fs::remove_dir_all(folder).unwrap();
        }
        copy_shipped(folder);
    }
}

#[test]
fn each_mistake_is_told_with_file_line_and_cause_and_the_last_good_generation_goes_on() {
    let mistakes = mistakes();
    assert!(mistakes.len() >= 30);
    let program = with_policies();
    let folder = program.folder();
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let (policies, schema) = (path("policies"), path("schema"));
    let world = World::without_passwords(&[("policy.policies", &policies), ("policy.schema", &schema)]);
    let target = format!("/applications/{}", world.application);
    let key = world.person("olga").api_key.clone();
    for mistake in &mistakes {
        let (what, line) = (&mistake.what, mistake.make(folder));
        let run = program.run(&["policy", "check", "--output", "json"]);
        assert_eq!((run.code, run.err.as_str()), (1, ""), "{what}: {run:?}");
        let document = run.json();
        let is_told = |finding: &&Value| {
            finding["rule"] == *mistake.rule
                && finding["file"] == mistake.told_in()
                && finding["line"] == line
                && finding["message"].as_str().unwrap().contains(&mistake.cause)
        };
        let findings = document["findings"].as_array().unwrap();
        assert!(findings.iter().any(|finding| is_told(&finding)), "{what}: line {line}: {document:#}");
        assert_eq!(document["loads"], false, "{what}");

        let error = world.app.reload_policies().unwrap_err().to_string();
        assert!(
            error.contains(&mistake.cause) && error.contains(&format!("{}:{line}:", mistake.told_in())),
            "{what}: {error}"
        );
        let ready = send(world.decision, "GET", "/readyz", &[], "").json();
        assert_eq!((&ready["ready"], &ready["policies"]["generation"]), (&true.into(), &1.into()), "{what}: {ready}");
        let reply = world.check("GET", &target, Some(&key));
        let record = world.decision_record(reply.header("gatepost-decision").unwrap());
        assert_eq!((reply.status, &record["generation"]), (200, &1.into()), "{what}");
        mistake.undo(folder);
    }
    // The same contents are the same generation.
    assert_eq!(world.app.reload_policies().unwrap(), 1, "nothing of the mistakes is left");
}

#[test]
fn what_is_shipped_has_nothing_to_tell() {
    let program = Program::new();
    let run = program.run(&["policy", "check", "--deny", "warnings"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(
        run.out.starts_with("5 files (5 built in), ") && run.out.ends_with(" routes: nothing to tell\n"),
        "{run:?}"
    );
    let program = with_policies();
    let document = program.json(&["policy", "check", "--deny", "warnings"]);
    assert_eq!((&document["loads"], &document["findings"]), (&true.into(), &json!([])));
    assert_eq!(document["files"][0], "policies/accounts.cedar");
}

#[test]
fn warnings_fail_only_where_they_are_denied() {
    let program = with_policies();
    write(
        program.folder(),
        "policies/own.cedar",
        "// \u{202e}\nforbid (principal, action == Action::\"Push\", resource);\n",
    );
    let run = program.run(&["policy", "check"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(
        run.out.starts_with(
            "warning[policy-without-id]: policies/own.cedar:2:1: the policy has no `@id`\n  |\n2 | forbid (principal, \
             action == Action::\"Push\", resource);\n  | ^^^^"
        ),
        "{}",
        run.out
    );
    assert!(run.out.contains("\n  help: in logs and explanations it is `own#1`"), "{}", run.out);
    assert!(run.out.ends_with(": 2 warnings\n"), "{}", run.out);
    for arguments in [&["--deny", "warnings"][..], &["--deny", "warnings", "--output", "sarif"]] {
        assert_eq!(program.run(&[&["policy", "check"], arguments].concat()).code, 1);
    }
    for arguments in [&["--deny", "everything"][..], &["extra"], &["--server", "https://a.example.com"]] {
        assert_eq!(program.run(&[&["policy", "check"], arguments].concat()).code, 2, "{arguments:?}");
    }
}

#[test]
fn code_hosts_get_sarif() {
    let program = with_policies();
    let log = |text: &str| {
        write(program.folder(), "policies/own rules.cedar", text);
        let run = program.run(&["policy", "check", "--output", "sarif"]);
        assert_eq!(run.err, "");
        run.json()
    };
    let log_of_one = log("forbid (principal, action == Action::\"Configure\", resource)\nwhen { 1 > 2 };\n");
    assert_eq!(log_of_one["version"], "2.1.0");
    let run = &log_of_one["runs"][0];
    assert_eq!((&run["tool"]["driver"]["name"], &run["columnKind"]), (&"gatepost".into(), &"unicodeCodePoints".into()));
    let (rules, results) = (run["tool"]["driver"]["rules"].as_array().unwrap(), run["results"].as_array().unwrap());
    let ids: Vec<&str> = results.iter().map(|result| result["ruleId"].as_str().unwrap()).collect();
    assert_eq!(ids, ["policy-never-applies", "policy-without-id"]);
    for result in results {
        assert_eq!(
            members(result),
            ["level", "locations", "message", "partialFingerprints", "ruleId", "ruleIndex"],
            "{result}"
        );
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!((&rule["id"], &result["level"]), (&result["ruleId"], &"warning".into()));
        let place = &result["locations"][0]["physicalLocation"];
        assert_eq!(place["artifactLocation"]["uri"], "policies/own%20rules.cedar");
        assert_eq!((&place["region"]["startLine"], &place["region"]["startColumn"]), (&1.into(), &1.into()));
    }
    // Lines before it do not make another finding of it, and two that are alike are told apart.
    let prints = |log: &Value| -> Vec<String> {
        let results = log["runs"][0]["results"].as_array().unwrap().iter();
        let without_id = results.filter(|result| result["ruleId"] == "policy-without-id");
        without_id.map(|result| result["partialFingerprints"]["primaryLocationLineHash"].to_string()).collect()
    };
    let first = prints(&log_of_one);
    let policy = "forbid (principal, action == Action::\"Configure\", resource)\nwhen { context.host == \"a\" };\n";
    let log_of_two = log(&format!("// More.\n\n{policy}{policy}"));
    let second = prints(&log_of_two);
    assert_eq!((first.len(), second.len(), &first[0]), (1, 2, &second[0]));
    assert_ne!(second[0], second[1]);
    for command in [&["config", "show"][..], &["policy", "fmt"], &["user", "list"]] {
        assert_eq!(program.run(&[command, &["--output", "sarif"]].concat()).code, 2, "{command:?}");
    }
}
