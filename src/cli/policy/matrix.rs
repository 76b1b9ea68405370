//! `gatepost policy matrix`: who may do what, as the policies themselves answer.

mod render;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, ValueEnum};
use similar::{ChangeTag, TextDiff};

use self::render::Rendered;
use crate::authz::analysis::{self, matrix};
use crate::authz::generation::Source;
use crate::cli::FAILURE;
use crate::cli::failure::UsageError;
use crate::cli::output::{Format, printable};
use crate::cli::settings::Settings;

/// Show who may do what: a row for each action, a column for each role
///
/// The policies are not read for this but asked, for each action, kind of resource and role, with all else left open.
/// What a cell depends on is then what the policies leave: the notes below the table say which policy, and under which
/// condition. Credentials are taken not to be narrowed by scopes. Exit code: 0 done, with --check no difference; 1 some
/// difference, or failed; 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy matrix
  gatepost policy matrix --format markdown > policies/MATRIX.md
  gatepost policy matrix --check policies/MATRIX.md")]
pub(in crate::cli) struct Matrix {
    /// How it is printed [default: table, or that of --check's file by its name]
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<Form>,
    /// Compare with this file, and tell what differs
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    Table,
    Markdown,
    Json,
    Html,
}

impl Matrix {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, _) = settings.load(Vec::new())?;
        let policy = &config.policy;
        let source = Source { policies: policy.policies.clone(), schema: policy.schema.clone(), tests: false };
        let computed = matrix::compute(&analysis::load(&source)?);
        let rendered = Rendered::new(&computed);
        let output = settings.output();
        let form = match (self.format, &self.check) {
            (Some(form), _) => form,
            (None, Some(file)) => Form::of(file)?,
            (None, None) if settings.format() == Format::Json => Form::Json,
            (None, None) => Form::Table,
        };
        let text = match form {
            Form::Table => rendered.table(),
            Form::Markdown => rendered.markdown(),
            Form::Json => rendered.json()?,
            Form::Html => rendered.html(),
        };
        let Some(file) = &self.check else {
            output.text(&text)?;
            return Ok(ExitCode::SUCCESS);
        };
        let committed = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        let committed = committed.replace("\r\n", "\n");
        let lines = differences(&committed, &text);
        let document = serde_json::json!({ "file": file, "differences": lines });
        output.either(&document, || Ok(told(file, &lines)))?;
        Ok(if lines.is_empty() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

impl Form {
    /// By the file's name.
    fn of(file: &Path) -> Result<Self, UsageError> {
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("md") => Ok(Self::Markdown),
            Some("json") => Ok(Self::Json),
            Some("html") => Ok(Self::Html),
            Some("txt") => Ok(Self::Table),
            _ => Err(UsageError::new(
                "the file's name does not tell its format: name it *.md, *.json, *.html or *.txt, or give --format",
            )),
        }
    }
}

/// The lines that the file has and the policies do not say, and the other way round.
fn differences(committed: &str, computed: &str) -> Vec<String> {
    let diff = TextDiff::from_lines(committed, computed);
    let lines = diff.iter_all_changes().filter_map(|change| {
        let sign = match change.tag() {
            ChangeTag::Equal => return None,
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        Some(format!("{sign} {}", change.value().trim_end_matches('\n')))
    });
    lines.collect()
}

fn told(file: &Path, lines: &[String]) -> String {
    let file = file.display();
    if lines.is_empty() {
        return format!("{file}: as the policies say\n");
    }
    let mut text = printable(&format!("{file}: not as the policies say: - the file, + the policies")) + "\n";
    lines.iter().for_each(|line| text.push_str(&format!("{}\n", printable(line))));
    text
}
