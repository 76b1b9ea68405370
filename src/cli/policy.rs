//! `gatepost policy`: policies as files, apart from the account system.

mod corpus;
mod diff;
mod explain;
mod prove;
mod replay;
mod solving;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::settings::Settings;

/// Work with policies as files
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Policy {
    Corpus(corpus::Corpus),
    Diff(diff::Diff),
    Explain(explain::Explain),
    Prove(prove::Prove),
    Replay(replay::Replay),
}

impl Policy {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        match self {
            Self::Corpus(command) => command.run(settings),
            Self::Diff(command) => command.run(settings),
            Self::Explain(command) => command.run(settings),
            Self::Prove(command) => command.run(settings),
            Self::Replay(command) => command.run(settings),
        }
    }
}
