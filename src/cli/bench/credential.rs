//! The credential that is sent, from anywhere but the command line, which other users of the machine can read.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::cli::password;
use crate::config;
use crate::secret::Secret;

/// Holds the credential, where no option does. Not the variable of other commands: what that holds is for one server.
const VARIABLE: &str = "GATEPOST_BENCH_KEY";

/// Where the credential is.
#[derive(Args)]
#[group(multiple = false)]
pub(super) struct CredentialArguments {
    /// Send the API key or session token in this file's first line as `Authorization: Bearer …`
    /// [default: that in GATEPOST_BENCH_KEY, or none]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Send the API key or session token in the first line of standard input
    #[arg(long)]
    key_stdin: bool,
}

impl CredentialArguments {
    /// The credential, if there is one.
    pub(super) fn read(&self) -> Result<Option<Secret>> {
        if self.key_stdin {
            return password::from_stdin("key").map(Some);
        }
        let Some(path) = &self.key_file else { return Ok(variable()) };
        let text = fs::read_to_string(path).map(Zeroizing::new);
        let text = text.with_context(|| format!("cannot read `{}`", path.display()))?;
        match text.lines().next() {
            Some(line) if !line.is_empty() => Ok(Some(Secret::new(line.to_owned()))),
            _ => bail!("expected a key in the first line of `{}`, found nothing", path.display()),
        }
    }
}

fn variable() -> Option<Secret> {
    let (_, value) = config::environment().into_iter().find(|(name, _)| name == VARIABLE)?;
    value.into_string().ok().filter(|value| !value.is_empty()).map(Secret::new)
}
