//! The credential that is sent, from anywhere but the command line, which other users of the machine can read.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use zeroize::Zeroizing;

use crate::cli::password;
use crate::config;
use crate::secret::Secret;

/// Where the credential is.
#[derive(Args)]
#[group(multiple = false)]
pub(in crate::cli) struct CredentialArguments {
    /// Send the API key or session token in this file's first line as `Authorization: Bearer …`
    /// [default: that in GATEPOST_BENCH_KEY for `bench`, in GATEPOST_PROBE_KEY for `probe`, or none]
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Send the API key or session token in the first line of standard input
    #[arg(long)]
    key_stdin: bool,
}

impl CredentialArguments {
    /// The credential, if there is one. `variable` holds it where no option does; it is not the variable of commands that
    /// ask a server, as what that holds is for one server.
    pub(in crate::cli) fn read(&self, variable: &str) -> Result<Option<Secret>> {
        if self.key_stdin {
            return password::from_stdin("key").map(Some);
        }
        self.key_file.as_deref().map_or_else(|| Ok(from_variable(variable)), |path| secret_in(path).map(Some))
    }
}

/// The credential in a file's first line.
pub(in crate::cli) fn secret_in(path: &Path) -> Result<Secret> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.with_context(|| format!("cannot read `{}`", path.display()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::new(line.to_owned())),
        _ => bail!("expected a key in the first line of `{}`, found nothing", path.display()),
    }
}

fn from_variable(name: &str) -> Option<Secret> {
    let (_, value) = config::environment().into_iter().find(|(given, _)| given == name)?;
    value.into_string().ok().filter(|value| !value.is_empty()).map(Secret::new)
}
