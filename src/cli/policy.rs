//! `gatepost policy`: policies as files, apart from the account system.

mod check;
mod corpus;
mod fmt;

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
}

impl Policy {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        match self {
            Self::Check(command) => command.run(settings),
            Self::Fmt(command) => command.run(settings),
            Self::Corpus(command) => command.run(settings),
        }
    }
}
