//! `gatepost policy check`: whether policies, schema, routes and entities are right, before anything is live.

mod sarif;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use serde_json::{Value, json};

use super::side::{after_generation, generation};
use crate::authz::analysis::lint::{Finding, Report, Severity, lint};
use crate::authz::generation::Source;
use crate::cli::FAILURE;
use crate::cli::output::{Format, printable};
use crate::cli::settings::Settings;
use crate::config::Policy;

/// Check policies, schema, routes and entities, and tell all that is wrong or odd
///
/// Errors are what keeps a server from taking the files, failing tests in the folder `tests` of the policies included, and
/// policies that always fail. Warnings are what it would take
/// and what is probably not meant: policies that can never apply, permits that are always overruled, actions that nobody
/// is permitted, routes that no request takes, policies without `@id`. Notes are good to know. What may be odd is told
/// once the files have no error. Exit code: 0 fine, 1 errors, or warnings that are denied, 2 wrong usage.
///
/// With `--output sarif` findings are printed in SARIF 2.1.0, for code hosts.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy check
  gatepost policy check --policies new/policies --schema new/schema --deny warnings
  gatepost policy check --since generation:newest
  gatepost policy check --output sarif > gatepost.sarif")]
pub(in crate::cli) struct Check {
    /// What else is to fail, besides errors
    #[arg(long, value_enum, value_name = "WHAT")]
    deny: Option<Deny>,
    /// Leave out the tests, as a server without `policy.tests` does
    #[arg(long)]
    no_tests: bool,
    /// Warn where this generation of the history went by tests and there are none any more: `generation:NUMBER` or
    /// `generation:newest`
    #[arg(long, value_name = "GENERATION", value_parser = after_generation)]
    since: Option<String>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Deny {
    Warnings,
}

/// A finding as programs see it.
#[derive(Serialize)]
struct FindingRow<'a> {
    severity: &'static str,
    rule: &'static str,
    file: &'a str,
    line: Option<usize>,
    column: Option<usize>,
    end_column: Option<usize>,
    message: &'a str,
    help: Option<&'a str>,
}

impl Check {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, _) = settings.load(Vec::new())?;
        let Policy { policies, schema, tests, .. } = config.policy;
        let source = Source { policies, schema, tests: tests && !self.no_tests };
        let mut report = lint(&source);
        if let Some(number) = &self.since {
            let before = generation(number, settings)?;
            report.compare_tests(&source, before.number, before.tests);
        }
        let output = settings.output();
        match output.format() {
            Format::Sarif => output.json(&sarif::log(&report))?,
            Format::Json | Format::Table => output.either(&document(&report), || Ok(text(&report)))?,
        }
        let denied = match self.deny {
            Some(Deny::Warnings) => report.count(Severity::Warning),
            None => 0,
        };
        Ok(if report.count(Severity::Error) + denied == 0 { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

impl<'a> From<&'a Finding> for FindingRow<'a> {
    fn from(Finding { rule, problem }: &'a Finding) -> Self {
        Self {
            severity: rule.severity().name(),
            rule: rule.code(),
            file: problem.file(),
            line: problem.line(),
            column: problem.column(),
            end_column: problem.end_column(),
            message: problem.message(),
            help: problem.hint(),
        }
    }
}

fn document(report: &Report) -> Value {
    let Report { files, loads, policies, routes, tests, findings } = report;
    json!({
        "files": files,
        "loads": loads,
        "policies": policies,
        "routes": routes,
        "tests": tests,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notes": report.count(Severity::Note),
        "findings": findings.iter().map(FindingRow::from).collect::<Vec<_>>(),
    })
}

fn text(report: &Report) -> String {
    let mut text = String::new();
    for Finding { rule, problem } in &report.findings {
        let told = format!("{}[{}]: {problem}", rule.severity().name(), rule.code());
        told.lines().for_each(|line| text.push_str(&format!("{}\n", printable(line))));
        text.push('\n');
    }
    let built_in = report.files.iter().filter(|file| file.starts_with("built-in ")).count();
    let mut looked_at = counted(report.files.len(), "file");
    if built_in > 0 {
        looked_at.push_str(&format!(" ({built_in} built in)"));
    }
    if report.loads {
        let (policies, routes) = (counted_as(report.policies, "policy", "policies"), counted(report.routes, "route"));
        looked_at.push_str(&format!(", {policies}, {routes}"));
        if let Some(tests) = report.tests {
            looked_at.push_str(&format!(", {}", counted(tests, "test")));
        }
    }
    let found: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter(|severity| report.count(*severity) > 0)
        .map(|severity| counted(report.count(severity), severity.name()))
        .collect();
    let found = if found.is_empty() { "nothing to tell".to_owned() } else { found.join(", ") };
    let rest = if report.loads { "" } else { "; what else may be odd is told once there is no error" };
    text.push_str(&format!("{looked_at}: {found}{rest}\n"));
    text
}

fn counted(count: usize, what: &str) -> String {
    counted_as(count, what, &format!("{what}s"))
}

fn counted_as(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}
