//! `gatepost man`: the manual.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Command, CommandFactory as _};
use clap_mangen::Man as Page;

use super::CommandLine;
use super::settings::Settings;

/// Print the manual page, or write the pages of all commands into a folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost man | man -l -
  gatepost man --out /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder; it is made if it does not exist
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        match self.out {
            Some(folder) => {
                let pages = |()| clap_mangen::generate_to(unabridged(CommandLine::command()), &folder);
                let written = fs::create_dir_all(&folder).and_then(pages);
                written.with_context(|| format!("cannot write into `{}`", folder.display()))?;
            }
            None => {
                let mut page = Vec::new();
                Page::new(unabridged(CommandLine::command())).render(&mut page)?;
                settings.output().text(&String::from_utf8(page)?)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// With the help of the options that short help leaves out: the page would have their names alone.
fn unabridged(command: Command) -> Command {
    command.mut_args(|option| option.hide_short_help(false)).mut_subcommands(unabridged)
}
