//! `gatepost completions`: what makes a shell complete the command line.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use super::CommandLine;
use super::settings::Settings;

/// Print the script by which a shell completes this command line
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost completions bash > /etc/bash_completion.d/gatepost
  gatepost completions zsh > \"${fpath[1]}/_gatepost\"
  gatepost completions fish > ~/.config/fish/completions/gatepost.fish")]
pub(super) struct Completions {
    shell: Shell,
}

impl Completions {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut CommandLine::command(), "gatepost", &mut script);
        settings.output().text(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
