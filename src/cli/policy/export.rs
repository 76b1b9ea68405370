//! `gatepost policy export`: the files of a state of the policies, written to a folder of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

use super::side::{after_generation, generation};
use crate::app::source;
use crate::authz::generation::{Contents, Restored, export, export_files, export_folders};
use crate::cli::settings::Settings;

/// Write the files of the policies to a folder of their own, to edit them or to look at them
///
/// The folders `policies` and `schema` are made in it, and are what the files say, byte by byte: those that are configured, the
/// built-in ones included, with tests and invariants; or those of a generation, which has neither. The folder must be empty or
/// not there. Exit code: 0 written, 1 failed, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy export own       the built-in policies, where there are no others, to make one's own of them
  gatepost policy export /tmp/newest --generation generation:newest
  gatepost policy export /tmp/seven --generation generation:7 --output json")]
pub(in crate::cli) struct Export {
    /// The folder
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    /// Write the files of this generation of the history: `generation:NUMBER` or `generation:newest`
    #[arg(long, value_name = "GENERATION", value_parser = after_generation)]
    generation: Option<String>,
}

/// What was done.
#[derive(Serialize)]
struct Done {
    /// The generation, unless it is the files.
    generation: Option<u64>,
    written: Vec<PathBuf>,
}

impl Export {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, _) = settings.load(Vec::new())?;
        must_be_empty(&self.to)?;
        let (number, written) = match &self.generation {
            Some(number) => {
                let kept = generation(number, settings)?;
                (Some(kept.number), export(&export_folders(&self.to), &Contents::new(kept.files)))
            }
            None => (None, export_files(&source(&config.policy), &self.to)),
        };
        let Restored { written, .. } = written.context("cannot export the policies")?;
        let of = number.map_or_else(String::new, |number| format!(" of generation {number}"));
        let done = Done { generation: number, written };
        let sentence = format!("{} files{of} written to `{}`", done.written.len(), self.to.display());
        settings.output().done(&done, &sentence)?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Nothing is overwritten, and nothing that is there becomes part of the policies.
fn must_be_empty(folder: &Path) -> Result<()> {
    match fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot read `{}`", folder.display())),
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => bail!("`{}` is not empty: name a folder that is, or that does not exist", folder.display()),
        },
    }
}
