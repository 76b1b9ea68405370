//! `gatepost policy corpus`: whether the engine answers as Cedar's `Authorizer` does, and both as a corpus expects.

mod report;
mod test_file;

use std::fs;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use cedar_policy::{AuthorizationError, Authorizer, Decision};
use clap::Args;

use self::report::{Answer, Difference, Report};
use self::test_file::{Test, TestFile};
use crate::authz::index::{Authorization, PolicyIndex};
use crate::cli::FAILURE;
use crate::cli::settings::Settings;

/// On a terminal it is told how far it has come, each time that so many files are done.
const PROGRESS_EVERY: usize = 100;

/// Run Cedar's integration tests: hold the engine against Cedar, and both against what is expected
///
/// Such a test is a JSON file that names policies, entities and a schema, and lists requests with the decision, the
/// determining policies and the failing policies that each must have (github.com/cedar-policy/cedar-integration-tests).
/// All tests in the folder and below are run. Each request is put to Cedar's own authorizer, which evaluates all
/// policies, and to Gatepost's engine, which looks for those that can matter. Every difference is told. Exit code: 0 none,
/// 1 some, or failed, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy corpus cedar-integration-tests
  gatepost policy corpus cedar-integration-tests/tests/multi --output json")]
pub(in crate::cli) struct Corpus {
    /// The folder: the paths in its tests start there, or in a folder that it is in
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
}

impl Corpus {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let folder = &self.folder;
        let files = json_files(folder).with_context(|| format!("cannot read the folder `{}`", folder.display()))?;
        let mut report = Report::default();
        for (file, done) in files.iter().zip(0..) {
            progress(done, files.len());
            run_file(folder, file, &mut report);
        }
        progress(files.len(), files.len());
        ensure!(!report.is_empty(), "there is no test in `{}` or below", folder.display());
        settings.output().either(&report, || Ok(report.text()))?;
        Ok(if report.is_good() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

/// All files that may be tests, in the order of their names. Links to folders are not followed: they may lead back.
fn json_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(json_files(&entry.path())?);
        } else if entry.path().extension().is_some_and(|extension| extension == "json") {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

fn progress(done: usize, all: usize) {
    let mut terminal = io::stderr();
    if done > 0 && (done == all || done.is_multiple_of(PROGRESS_EVERY)) && terminal.is_terminal() {
        let end = if done == all { "\n" } else { "" };
        // Whoever does not see it misses nothing.
        let _ = write!(terminal, "\r{done} of {all} files{end}");
    }
}

fn run_file(folder: &Path, file: &Path, report: &mut Report) {
    let name = file.strip_prefix(folder).unwrap_or(file).display().to_string();
    let unreadable = |request, error: &anyhow::Error| Difference::unreadable(&name, request, error);
    let test_file = match TestFile::read(file) {
        Ok(Some(test_file)) => test_file,
        Ok(None) => return,
        Err(error) => return report.add(unreadable(None, &error)),
    };
    report.tests += 1;
    let test = match Test::load(folder, &test_file) {
        Ok(test) => test,
        Err(error) => return report.add(unreadable(None, &error)),
    };
    let is_valid = test.validates();
    if is_valid != test_file.should_validate {
        report.add(Difference::Validation { file: name.clone(), expected: test_file.should_validate, cedar: is_valid });
    }
    let index = PolicyIndex::new(&test.policies, &test.schema);
    for expected in &test_file.requests {
        report.requests += 1;
        let request = match test.request(expected) {
            Ok(request) => request,
            Err(error) => {
                report.add(unreadable(Some(&expected.description), &error));
                continue;
            }
        };
        let response = Authorizer::new().is_authorized(&request, &test.policies, &test.entities);
        let cedar = Answer::new(
            response.decision(),
            response.diagnostics().reason().map(ToString::to_string),
            response.diagnostics().errors(),
        );
        let Authorization { decision, reason, errors } = index.authorize(request.as_ref(), test.entities.as_ref());
        let indexed = Answer::new(decision, reason.iter().map(Arc::to_string), errors.iter());
        report.compare(&name, &expected.description, &expected.answer(), &cedar, &indexed);
    }
}

impl Answer {
    fn new<'a>(
        decision: Decision,
        reason: impl Iterator<Item = String>,
        errors: impl Iterator<Item = &'a AuthorizationError>,
    ) -> Self {
        let mut answer = Self { decision, reason: reason.collect(), errors: Vec::new(), messages: Vec::new() };
        for AuthorizationError::PolicyEvaluationError(error) in errors {
            answer.errors.push(error.policy_id().to_string());
            answer.messages.push(error.to_string());
        }
        answer.sort();
        answer
    }
}
