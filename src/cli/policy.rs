//! `gatepost policy`: policies as files, apart from the account system.

mod check;
mod corpus;
mod diff;
mod explain;
mod export;
mod fmt;
mod history;
mod matrix;
mod prove;
mod replay;
mod rollback;
mod shadow;
mod side;
mod solving;
mod test;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;

use super::settings::Settings;

/// Work with policies as files
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Policy {
    Check(check::Check),
    Fmt(fmt::Fmt),
    Corpus(corpus::Corpus),
    Diff(diff::Diff),
    Explain(explain::Explain),
    Export(export::Export),
    Matrix(matrix::Matrix),
    Prove(prove::Prove),
    Replay(replay::Replay),
    History(history::History),
    Rollback(rollback::Rollback),
    Shadow(shadow::Shadow),
    Test(test::Test),
}

impl Policy {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        match self {
            Self::Check(command) => command.run(settings),
            Self::Fmt(command) => command.run(settings),
            Self::Corpus(command) => command.run(settings),
            Self::Diff(command) => command.run(settings),
            Self::Explain(command) => command.run(settings),
            Self::Export(command) => command.run(settings),
            Self::Matrix(command) => command.run(settings),
            Self::Prove(command) => command.run(settings),
            Self::Replay(command) => command.run(settings),
            Self::History(command) => command.run(settings),
            Self::Rollback(command) => command.run(settings),
            Self::Shadow(command) => command.run(settings),
            Self::Test(command) => command.run(settings),
        }
    }
}
