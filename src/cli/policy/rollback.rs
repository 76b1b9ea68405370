//! `gatepost policy rollback`: the files of an older generation, written back into their folders.
//!
//! It is the files that are rolled back, not the server: what is on disk and what is in force stay the same, so neither
//! the next start nor the next edit undoes it by surprise.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use serde::Serialize;

use super::history::{find, open};
use crate::accounts::{Actor, PolicyHistory};
use crate::app::source;
use crate::authz::generation::{Contents, Found, Restored, Source, export, restore};
use crate::cli::settings::Settings;
use crate::config::Folder;
use crate::model::{PolicyFile, PolicyFolder};

/// Write the files of an older generation back into their folders
///
/// Policies, schema, routes and entities that the generation did not have are removed; all other files are left alone. A
/// running server that watches its folders puts the files in force by itself, another one at SIGHUP. Nothing is changed
/// where files would be lost that no generation has, or that this version would not load.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy history
  gatepost policy rollback 7
  gatepost policy rollback 7 --to /tmp/seven    into other folders, to look at them")]
pub(in crate::cli) struct Rollback {
    /// The generation's number
    #[arg(value_name = "NUMBER")]
    number: u64,
    /// Write to the folders `policies` and `schema` in this folder instead
    #[arg(long, value_name = "FOLDER")]
    to: Option<PathBuf>,
    /// Overwrite files that no generation has
    #[arg(long)]
    force: bool,
}

/// What was done.
#[derive(Serialize)]
struct Done {
    /// The generation whose files were written.
    restored: u64,
    /// The number that they go under from now on; none if they were there already, or written elsewhere.
    generation: Option<u64>,
    written: Vec<PathBuf>,
    removed: Vec<PathBuf>,
}

impl Rollback {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, history) = open(settings)?;
        let (generation, _) = find(&history, self.number)?;
        let contents = Contents::new(generation.files);
        let target = match &self.to {
            Some(folder) => {
                let (policies, schema) = (folder.join("policies"), folder.join("schema"));
                Source { policies: policies.into(), schema: schema.into(), tests: false }
            }
            None => source(&config.policy),
        };
        if !self.force {
            match &self.to {
                Some(_) => must_not_exist(&target)?,
                None => must_be_known(&history, &target)?,
            }
        }
        let restored = match &self.to {
            Some(_) => export(&target, &contents),
            None => restore(&target, &contents),
        };
        let Restored { written, removed } = restored.with_context(|| {
            format!("cannot write generation {} back; --to FOLDER writes it elsewhere", self.number)
        })?;
        let changed = self.to.is_none() && !(written.is_empty() && removed.is_empty());
        let recorded = changed.then(|| history.record_rollback(&Actor::console(), &contents)).transpose();
        let generation = recorded.context("the files are written back, and the history could not be written")?;
        let done = Done { restored: self.number, generation, written, removed };
        settings.output().done(&done, &done.sentence())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Whatever is overwritten can be had back from the history.
fn must_be_known(history: &PolicyHistory, target: &Source) -> Result<()> {
    let found = Found::read(target);
    let known = history.newest(u32::MAX).context("cannot read the history")?;
    for (folder, place) in [(PolicyFolder::Policies, &target.policies), (PolicyFolder::Schema, &target.schema)] {
        if place.path().is_some_and(|path| matches!(path.try_exists(), Ok(false))) {
            continue;
        }
        let is_known = |files: Vec<PolicyFile>| {
            known.iter().any(|generation| generation.files.iter().filter(|file| file.folder == folder).eq(&files))
        };
        if !found.files(folder).is_some_and(is_known) {
            bail!(
                "the files in `{place}` are of no generation in the history, and would be lost: copy them elsewhere, or \
                 give --force"
            );
        }
    }
    Ok(())
}

fn must_not_exist(target: &Source) -> Result<()> {
    let exists = |folder: &&Folder| folder.path().is_some_and(|path| path.symlink_metadata().is_ok());
    match [&target.policies, &target.schema].into_iter().find(exists) {
        Some(folder) => bail!("`{folder}` exists already: name another folder, or give --force"),
        None => Ok(()),
    }
}

impl Done {
    fn sentence(&self) -> String {
        let Self { restored, generation, written, removed } = self;
        let (written, removed) = (written.len(), removed.len());
        match generation {
            None if written == 0 && removed == 0 => format!("the files are those of generation {restored} already"),
            None => format!("generation {restored}: {written} files written, {removed} removed"),
            Some(generation) => format!(
                "generation {restored} is written back as generation {generation}: {written} files written, {removed} \
                 removed"
            ),
        }
    }
}
