//! `gatepost key-file`: the key that is not in the database.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde_json::json;

use super::console::Console;
use super::settings::Settings;

/// Replace the key under which the database's secrets are encrypted
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum KeyFile {
    /// Make a new key, and encrypt everything anew under it, also beside a running server
    ///
    /// Whatever interrupts it, nothing is lost: to run it again ends what was begun. Backups of the database need the key
    /// file of their time.
    Rotate,
}

impl KeyFile {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let Self::Rotate = self;
        let console = Console::open(settings)?;
        console.accounts().rotate_key_file(&console.actor).context("cannot replace the key")?;
        settings.output().done(&json!({"rotated": true}), "everything is encrypted under a new key")?;
        Ok(ExitCode::SUCCESS)
    }
}
