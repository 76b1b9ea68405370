//! Findings as a log in the Static Analysis Results Interchange Format (OASIS SARIF 2.1.0), as code hosts take it.

use std::collections::HashMap;
use std::env;
use std::path::{Component, Path};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::authz::analysis::lint::{Finding, Report, Rule, Severity};

const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// What a path may hold as it is (RFC 3986, section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// The log: one run of one tool, with all rules and all findings.
pub(super) fn log(report: &Report) -> Value {
    let mut known = HashMap::new();
    let results: Vec<Value> = report.findings.iter().map(|finding| result(finding, &mut known)).collect();
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "gatepost",
                "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": Rule::ALL.map(rule),
            }},
            // Columns are counted in characters.
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn rule(rule: Rule) -> Value {
    json!({
        "id": rule.code(),
        "shortDescription": {"text": rule.summary()},
        "fullDescription": {"text": rule.summary()},
        "help": {"text": format!("{} `gatepost policy check --help` says more.", rule.summary())},
        "defaultConfiguration": {"level": level(rule)},
        "properties": {"tags": ["authorization", "cedar"]},
    })
}

fn level(rule: Rule) -> &'static str {
    match rule.severity() {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    }
}

/// `known` counts the findings that are alike but for where in the file they are.
fn result(finding: &Finding, known: &mut HashMap<String, usize>) -> Value {
    let Finding { rule, problem } = finding;
    let index = Rule::ALL.iter().position(|known| known == rule);
    let message = match problem.hint() {
        Some(help) => format!("{}\n\nhelp: {help}", problem.message()),
        None => problem.message().to_owned(),
    };
    let mut region = json!({
        "startLine": problem.line().unwrap_or(1),
        "startColumn": problem.column().unwrap_or(1),
    });
    if let (Some(end), Some(region)) = (problem.end_column(), region.as_object_mut()) {
        region.insert("endColumn".to_owned(), end.into());
    }
    let uri = uri(problem.file());
    let fingerprint = fingerprint(finding, &uri);
    let times = known.entry(fingerprint.clone()).or_default();
    *times += 1;
    json!({
        "ruleId": rule.code(),
        "ruleIndex": index,
        "level": level(*rule),
        "message": {"text": message},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}],
        "partialFingerprints": {"primaryLocationLineHash": format!("{fingerprint}:{times}")},
    })
}

/// The same for a finding whose file has more or fewer lines before it.
fn fingerprint(finding: &Finding, uri: &str) -> String {
    let line = finding.problem.excerpt().unwrap_or_else(|| finding.problem.message());
    let mut digest = Sha256::new();
    for part in [finding.rule.code(), uri, line.trim()] {
        digest.update(part.as_bytes());
        digest.update([0]);
    }
    digest.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Where the file is, from the folder in which the program runs: code hosts take that for the repository.
fn uri(file: &str) -> String {
    let file = Path::new(file.strip_prefix("built-in ").unwrap_or(file));
    let here = env::current_dir().ok();
    let file = here.and_then(|here| file.strip_prefix(here).ok()).unwrap_or(file);
    let steps: Vec<String> = file
        .components()
        .filter_map(|step| match step {
            Component::Normal(name) => Some(name.to_string_lossy().into_owned()),
            Component::ParentDir => Some("..".to_owned()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => None,
        })
        .collect();
    let path = steps.join("/");
    let path = utf8_percent_encode(&path, RESERVED);
    match (file.is_absolute(), steps.is_empty()) {
        (true, _) => format!("file:///{path}"),
        (false, true) => ".".to_owned(),
        (false, false) => path.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_from_the_folder_in_which_the_program_runs() {
        let here = env::current_dir().unwrap();
        let inside = here.join("policies/own rules.cedar");
        for (file, told) in [
            ("policies/a.cedar", "policies/a.cedar"),
            ("./policies/caf\u{e9}.cedar", "policies/caf%C3%A9.cedar"),
            ("../a.cedar", "../a.cedar"),
            ("built-in schema/routes.toml", "schema/routes.toml"),
            (inside.to_str().unwrap(), "policies/own%20rules.cedar"),
            ("/nowhere/a.cedar", "file:///nowhere/a.cedar"),
            (here.to_str().unwrap(), "."),
        ] {
            assert_eq!(uri(file), told);
        }
    }
}
