//! `gatepost account totp`: two-factor authentication of one's own account.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::{Proof, show_recovery_codes};
use crate::authn::qr_png;
use crate::cli::output::{Output, Shown, expose};
use crate::cli::password::Typed;
use crate::cli::server::Server;
use crate::cli::terminal;
use crate::secret::Secret;

/// Enable, confirm and disable two-factor authentication
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  gatepost account totp enable --qr totp.png
  gatepost account totp confirm 123456")]
pub(in crate::cli) enum Totp {
    /// Begin: print what an authenticator is paired with; nothing is enabled before `confirm`
    Enable {
        #[command(flatten)]
        typed: Typed,
        /// Write a QR code of it to this new file, as PNG; it is as secret as the text
        #[arg(long, value_name = "FILE")]
        qr: Option<PathBuf>,
    },
    /// Enable it with a code of the authenticator, and print the recovery codes; they cannot be shown again
    Confirm {
        /// The code [default: asked for]
        code: Option<Secret>,
    },
    /// Disable it
    Disable {
        #[command(flatten)]
        typed: Typed,
    },
}

#[derive(Deserialize)]
struct Pairing {
    secret: Secret,
    uri: Secret,
}

#[derive(Serialize)]
struct PairingRow {
    #[serde(serialize_with = "expose")]
    secret: Secret,
    #[serde(serialize_with = "expose")]
    uri: Secret,
    qr: Option<PathBuf>,
}

impl Shown for PairingRow {
    const COLUMNS: &'static [&'static str] = &["secret", "uri", "qr"];
}

impl Totp {
    pub(super) fn run(self, server: &Server, output: Output) -> Result<()> {
        match self {
            Self::Enable { typed, qr } => enable(server, output, typed, qr),
            Self::Confirm { code } => confirm(server, output, code),
            Self::Disable { typed } => {
                let password = typed.password("Password")?;
                server.tell(Method::DELETE, "/v1/account/totp", &Proof::new(&password))?;
                output.done(&json!({"totp_enabled": false}), "two-factor authentication is disabled")
            }
        }
    }
}

fn enable(server: &Server, output: Output, typed: Typed, qr: Option<PathBuf>) -> Result<()> {
    if let Some(path) = qr.as_deref().filter(|path| path.symlink_metadata().is_ok()) {
        bail!("`{}` exists: name a new file", path.display());
    }
    let password = typed.password("Password")?;
    let Pairing { secret, uri } = server.send(Method::POST, "/v1/account/totp", &Proof::new(&password))?;
    if let Some(path) = &qr {
        write_picture(path, &uri).with_context(|| format!("cannot write `{}`", path.display()))?;
    }
    output.one(&PairingRow { secret, uri, qr })
}

fn confirm(server: &Server, output: Output, code: Option<Secret>) -> Result<()> {
    #[derive(Serialize)]
    struct Code<'a> {
        code: &'a str,
    }
    let code = match code {
        Some(code) => code,
        None => terminal::secret("Code of your authenticator")?,
    };
    let codes = server.send(Method::POST, "/v1/account/totp/confirm", &Code { code: code.expose() })?;
    show_recovery_codes(output, &codes)
}

/// For its owner alone, and never over a file that exists.
fn write_picture(path: &Path, uri: &Secret) -> Result<()> {
    let picture = qr_png(uri)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&picture)?;
    Ok(())
}
