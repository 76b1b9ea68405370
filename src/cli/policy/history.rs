//! `gatepost policy history`: which policies were in force since when, who brought them in, and what they changed.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::{Args, Subcommand};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::accounts::PolicyHistory;
use crate::app::App;
use crate::cli::output::{Shown, aligned, printable};
use crate::cli::settings::Settings;
use crate::clock::SystemClock;
use crate::config::Config;
use crate::model::{PolicyDigest, PolicyFile, PolicyFolder, PolicyGeneration, ReloadCause, Timestamp, UserId};

/// Show which policies were in force since when, newest first, and who brought them in
///
/// The newest 50 generations are kept in the database, with all files of each. A start with the same files makes no new
/// one. `start`, `watcher`, `sighup` and `console` tell what brought one in where no user did.
#[derive(Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  gatepost policy history
  gatepost policy history show 7       what generation 7 has changed
  gatepost policy history --output json | jq '.[0].changes'"
)]
pub(in crate::cli) struct History {
    #[command(subcommand)]
    command: Option<Command>,
    /// How many generations to show at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=50))]
    limit: u32,
}

#[derive(Subcommand)]
enum Command {
    /// Show what a generation has changed, against the one before it
    #[command(after_help = "\
Examples:
  gatepost policy history show 7
  gatepost policy history show 7 --output json | jq -r '.changes[].diff'")]
    Show {
        /// The generation's number
        #[arg(value_name = "NUMBER")]
        number: u64,
    },
}

/// A generation in a list.
#[derive(Serialize)]
struct Row {
    generation: u64,
    at: Timestamp,
    by: ReloadCause,
    user: Option<UserId>,
    digest: String,
    /// How many tests it went by, if any were to be run and that is known.
    tests: Option<u32>,
    /// Of each file that it has changed: `policies/matrix.cedar +1 -2`. The oldest that is kept has none to differ from.
    changes: Vec<String>,
}

impl Shown for Row {
    const COLUMNS: &'static [&'static str] = &["generation", "at", "by", "user", "digest", "tests", "changes"];
}

/// A generation by itself.
#[derive(Serialize)]
struct Document {
    generation: u64,
    at: Timestamp,
    by: ReloadCause,
    user: Option<UserId>,
    digest: PolicyDigest,
    tests: Option<u32>,
    files: Vec<String>,
    /// The generation that it is compared with, if that is kept still.
    before: Option<u64>,
    changes: Vec<FileChange>,
}

/// How a file differs from what it was before.
#[derive(Serialize)]
struct FileChange {
    file: String,
    kind: Kind,
    added: usize,
    removed: usize,
    /// As `diff -u` tells it.
    diff: String,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Added,
    Removed,
    Changed,
}

impl History {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (_, history) = open(settings)?;
        match self.command {
            None => {
                // One more, which the last that is shown differs from.
                let all = history.newest(self.limit.saturating_add(1)).context("cannot read the history")?;
                let rows: Vec<Row> = all
                    .iter()
                    .zip(0..self.limit)
                    .map(|(generation, at)| row(generation, all.get(at as usize + 1)))
                    .collect();
                settings.output().list(&rows)?;
            }
            Some(Command::Show { number }) => {
                let (generation, before) = find(&history, number)?;
                let document = document(&generation, before.as_ref());
                settings.output().either(&document, || Ok(text(&document)))?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// The configuration, and the history in an existing database; whatever the policies are at the moment.
pub(super) fn open(settings: &Settings) -> Result<(Config, PolicyHistory)> {
    let (config, _) = settings.load(Vec::new())?;
    if matches!(config.store.path.try_exists(), Ok(false)) {
        bail!(
            "there is no database `{}`: name it with --store or in the configuration; `gatepost serve` makes a new one",
            config.store.path.display()
        );
    }
    let history = App::policy_history(&config, Arc::new(SystemClock))?;
    Ok((config, history))
}

/// A generation, and the one before it.
pub(super) fn find(history: &PolicyHistory, number: u64) -> Result<(PolicyGeneration, Option<PolicyGeneration>)> {
    let found = history.find(number).context("cannot read the history")?;
    match found {
        Some(found) => Ok(found),
        None => {
            let kept = history.newest(u32::MAX).context("cannot read the history")?;
            let kept: Vec<u64> = kept.iter().rev().map(|generation| generation.number).collect();
            match ranges(&kept) {
                kept if kept.is_empty() => bail!("there is no generation in the history yet"),
                kept => bail!("generation {number} is not in the history, which has {kept}"),
            }
        }
    }
}

/// Ascending numbers, in words: `3, 5 to 7`.
fn ranges(numbers: &[u64]) -> String {
    let runs = numbers.chunk_by(|one, next| one.checked_add(1) == Some(*next));
    let told = runs.filter_map(|run| match run {
        [] => None,
        [one] => Some(one.to_string()),
        [first, .., last] => Some(format!("{first} to {last}")),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn row(generation: &PolicyGeneration, before: Option<&PolicyGeneration>) -> Row {
    let PolicyGeneration { number, at, cause, user, digest, tests, .. } = generation;
    let changes = before.map_or_else(Vec::new, |before| changes(&before.files, &generation.files));
    let changes = changes.iter().map(|change| format!("{} +{} -{}", change.file, change.added, change.removed));
    let digest = digest.to_string().chars().take(12).collect();
    Row { generation: *number, at: *at, by: *cause, user: *user, digest, tests: *tests, changes: changes.collect() }
}

fn document(generation: &PolicyGeneration, before: Option<&PolicyGeneration>) -> Document {
    Document {
        generation: generation.number,
        at: generation.at,
        by: generation.cause,
        user: generation.user,
        digest: generation.digest,
        tests: generation.tests,
        files: generation.files.iter().map(path).collect(),
        before: before.map(|before| before.number),
        changes: before.map_or_else(Vec::new, |before| changes(&before.files, &generation.files)),
    }
}

fn text(document: &Document) -> String {
    let user = document.user.map_or_else(String::new, |user| format!(" {user}"));
    let lines = [
        ("generation:", document.generation.to_string()),
        ("at:", document.at.to_string()),
        ("by:", format!("{}{user}", document.by.as_str())),
        ("digest:", document.digest.to_string()),
        ("tests:", document.tests.map_or_else(|| "-".to_owned(), |tests| tests.to_string())),
        ("files:", document.files.join(", ")),
    ];
    let mut text = aligned(&lines.map(|(name, value)| vec![name.to_owned(), printable(&value)]));
    if document.before.is_none() {
        text.push_str("\nNo generation before it is kept.\n");
    }
    for change in &document.changes {
        text.push('\n');
        change.diff.lines().for_each(|line| {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", printable(line));
        });
    }
    text
}

fn path(file: &PolicyFile) -> String {
    format!("{}/{}", file.folder.as_str(), file.name)
}

/// Of each file that is not the same in both, how it differs. Both are sorted.
fn changes(before: &[PolicyFile], after: &[PolicyFile]) -> Vec<FileChange> {
    let key = |file: &PolicyFile| -> (PolicyFolder, String) { (file.folder, file.name.clone()) };
    let mut all: Vec<_> = before.iter().chain(after).map(key).collect();
    all.sort();
    all.dedup();
    let find = |files: &'_ [PolicyFile], wanted: &(PolicyFolder, String)| -> Option<PolicyFile> {
        files.iter().find(|file| (file.folder, &file.name) == (wanted.0, &wanted.1)).cloned()
    };
    all.iter().filter_map(|wanted| change(find(before, wanted), find(after, wanted))).collect()
}

fn change(before: Option<PolicyFile>, after: Option<PolicyFile>) -> Option<FileChange> {
    let file = path(after.as_ref().or(before.as_ref())?);
    let kind = match (&before, &after) {
        (Some(before), Some(after)) if before.text == after.text => return None,
        (Some(_), Some(_)) => Kind::Changed,
        (None, _) => Kind::Added,
        (_, None) => Kind::Removed,
    };
    let name = |there: bool| if there { file.clone() } else { "/dev/null".to_owned() };
    let names = (name(before.is_some()), name(after.is_some()));
    let text = |file: Option<PolicyFile>| file.map(|file| file.text).unwrap_or_default();
    let (before, after) = (text(before), text(after));
    let diff = TextDiff::from_lines(&before, &after);
    let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
    let (added, removed) = (count(ChangeTag::Insert), count(ChangeTag::Delete));
    let diff = diff.unified_diff().header(&names.0, &names.1).to_string();
    Some(FileChange { file, kind, added, removed, diff })
}
