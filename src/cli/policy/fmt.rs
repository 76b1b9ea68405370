//! `gatepost policy fmt`: lays policies out as Cedar's formatter does.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;
use serde_json::json;
use similar::TextDiff;
use tempfile::NamedTempFile;

use crate::authz::analysis::format::{self, format};
use crate::authz::problem::Problem;
use crate::cli::FAILURE;
use crate::cli::failure::UsageError;
use crate::cli::output::printable;
use crate::cli::settings::Settings;
use crate::config::Folder;

/// Stands for standard input and output.
const STANDARD: &str = "-";

/// Lay policies out as Cedar's formatter does
///
/// Each file is replaced at once, and only if the result has the same policies and the same comments. Of folders all
/// `*.cedar` files are laid out, those of folders within too. Schemas stay as they are: Cedar's formatter for schemas drops
/// all comments. Exit code: 0 done, or nothing to do, 1 with `--check` some files are not laid out so, or a file has a
/// mistake, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy fmt
  gatepost policy fmt --check
  gatepost policy fmt policies/matrix.cedar
  gatepost policy fmt - < policies/matrix.cedar")]
pub(in crate::cli) struct Fmt {
    /// Change nothing: print what would change
    #[arg(long)]
    check: bool,
    /// Files and folders, or `-` for standard input [default: the folder of the policies]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// A file as programs see it.
#[derive(Serialize)]
struct FileRow {
    file: String,
    changed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    diff: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorRow>,
}

#[derive(Serialize)]
struct ErrorRow {
    line: Option<usize>,
    column: Option<usize>,
    message: String,
    #[serde(skip)]
    text: String,
}

impl Fmt {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        if self.files.iter().any(|file| file.as_os_str() == STANDARD) {
            return self.standard(settings);
        }
        let files = if self.files.is_empty() {
            let (config, _) = settings.load(Vec::new())?;
            match &config.policy.policies {
                Folder::BuiltIn => bail!("the policies are the built-in ones, which are laid out"),
                Folder::Usual(folder) if !folder.exists() => {
                    bail!("there is no folder `{}`: the built-in policies are in force, and laid out", folder.display())
                }
                Folder::Usual(folder) | Folder::Named { path: folder, .. } => vec![folder.clone()],
            }
        } else {
            self.files.clone()
        };
        let mut paths = Vec::new();
        for file in &files {
            add_files(file, &mut paths).with_context(|| format!("cannot read `{}`", file.display()))?;
        }
        if let Some(other) = paths.iter().find(|path| path.extension().is_none_or(|extension| extension != "cedar")) {
            return Err(refused(other).into());
        }
        paths.sort();
        paths.dedup();
        let rows = paths.iter().map(|path| self.file(path)).collect::<Result<Vec<_>>>()?;
        let document = json!({"check": self.check, "files": rows});
        settings.output().either(&document, || Ok(self.text(&rows)))?;
        let is_good = rows.iter().all(|row| row.errors.is_empty() && !(self.check && row.changed));
        Ok(if is_good { ExitCode::SUCCESS } else { FAILURE.into() })
    }

    /// From standard input to standard output.
    fn standard(&self, settings: &Settings) -> Result<ExitCode> {
        if self.files.len() > 1 {
            return Err(UsageError::new("`-` is standard input, and stands alone").into());
        }
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
        let name = "standard input";
        let laid_out = format(name, &text).map_err(|problems| anyhow::Error::msg(told(&problems)))?;
        if !self.check {
            settings.output().text(&laid_out)?;
            return Ok(ExitCode::SUCCESS);
        }
        settings.output().text(&diff(name, &text, &laid_out))?;
        Ok(if text == laid_out { ExitCode::SUCCESS } else { FAILURE.into() })
    }

    fn file(&self, path: &Path) -> Result<FileRow> {
        let name = path.display().to_string();
        let row = FileRow { file: name.clone(), changed: false, diff: None, errors: Vec::new() };
        let text = match format::read(path) {
            Ok(text) => text,
            Err(problem) => return Ok(FileRow { errors: vec![ErrorRow::from(&problem)], ..row }),
        };
        let laid_out = match format(&name, &text) {
            Ok(laid_out) => laid_out,
            Err(problems) => return Ok(FileRow { errors: problems.iter().map(ErrorRow::from).collect(), ..row }),
        };
        if laid_out == text {
            return Ok(row);
        }
        if !self.check {
            replace(path, &laid_out).with_context(|| format!("cannot write `{name}`, which stays as it was"))?;
        }
        Ok(FileRow { changed: true, diff: self.check.then(|| diff(&name, &text, &laid_out)), ..row })
    }

    fn text(&self, rows: &[FileRow]) -> String {
        let mut text = String::new();
        for row in rows {
            for error in &row.errors {
                text.push_str(&format!("error: {}\n", error.text));
            }
            match &row.diff {
                Some(diff) => text.push_str(diff),
                None if row.changed => text.push_str(&format!("{}\n", printable(&row.file))),
                None => {}
            }
        }
        let changed = rows.iter().filter(|row| row.changed).count();
        let wrong = rows.iter().filter(|row| !row.errors.is_empty()).count();
        let what = if self.check { "to lay out" } else { "laid out anew" };
        let wrong = if wrong > 0 { format!(", {wrong} with errors") } else { String::new() };
        let files = if rows.len() == 1 { "file" } else { "files" };
        text.push_str(&format!("{} {files}, {changed} {what}{wrong}\n", rows.len()));
        text
    }
}

impl From<&Problem> for ErrorRow {
    fn from(problem: &Problem) -> Self {
        let text = told(std::slice::from_ref(problem));
        Self { line: problem.line(), column: problem.column(), message: problem.message().to_owned(), text }
    }
}

fn told(problems: &[Problem]) -> String {
    let lines = |problem: &Problem| problem.to_string().lines().map(printable).collect::<Vec<_>>().join("\n");
    problems.iter().map(lines).collect::<Vec<_>>().join("\n")
}

/// The file, or the policies in the folder and below. Hidden files, and links to folders, which may lead back, are passed
/// over.
fn add_files(path: &Path, paths: &mut Vec<PathBuf>) -> io::Result<()> {
    if !fs::metadata(path)?.is_dir() {
        paths.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let is_policy = path.extension().is_some_and(|extension| extension == "cedar");
        if entry.file_type()?.is_dir() {
            add_files(&path, paths)?;
        } else if is_policy && !path.is_dir() {
            paths.push(path);
        }
    }
    Ok(())
}

fn refused(path: &Path) -> UsageError {
    let name = path.display();
    UsageError::new(if path.extension().is_some_and(|extension| extension == "cedarschema") {
        format!("`{name}` is a schema: Cedar's formatter for schemas drops all comments, so schemas stay as they are")
    } else {
        format!("`{name}` is not a file of policies: their names end with `.cedar`")
    })
}

fn diff(name: &str, old: &str, new: &str) -> String {
    let name = printable(name);
    let diff = TextDiff::from_lines(old, new).unified_diff().context_radius(2).header(&name, &name).to_string();
    diff.lines().map(|line| format!("{}\n", printable(line))).collect()
}

/// Puts the text into the place of the file's content. Whoever reads the file at that time, or after a crash, finds the
/// one or the other as a whole. A link goes on to lead to the same file.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path)?;
    let folder = path.parent().unwrap_or(Path::new("/"));
    // Its name begins with a dot, so nobody takes it for policies.
    let mut next = NamedTempFile::new_in(folder)?;
    next.write_all(text.as_bytes())?;
    next.as_file().set_permissions(fs::metadata(&path)?.permissions())?;
    next.as_file().sync_all()?;
    next.persist(&path)?;
    Ok(())
}
