//! `gatepost session`: session tokens, and the keys that sign them.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::console::Console;
use super::output::Shown;
use super::settings::Settings;
use crate::model::{SessionId, SigningKeyId, Timestamp};

/// Issue and end session tokens; rotate the keys that sign them
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Session {
    /// Issue a session token for a user, without the user's password
    #[command(after_help = "\
Example:
  TOKEN=$(gatepost session issue --user devi --output json | jq -r .token)")]
    Issue {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: String,
    },
    /// End all session tokens of a user; API keys stay
    EndAll {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: String,
    },
    /// Make a new signing key; tokens that older keys signed stay valid until they expire
    RotateKeys {
        /// Forget the older keys, so that all session tokens of all users end at once
        #[arg(long)]
        forget_others: bool,
    },
}

impl Session {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        match self {
            Self::Issue { user } => issue(&console, &user)?,
            Self::EndAll { user } => end_all(&console, &user)?,
            Self::RotateKeys { forget_others } => rotate_keys(&console, forget_others)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct IssuedRow<'a> {
    id: SessionId,
    token: &'a str,
    expires_at: Timestamp,
}

impl Shown for IssuedRow<'_> {
    const COLUMNS: &'static [&'static str] = &["id", "expires_at", "token"];
}

#[derive(Serialize)]
struct SigningKeyRow {
    id: SigningKeyId,
}

impl Shown for SigningKeyRow {
    const COLUMNS: &'static [&'static str] = &["id"];
}

fn issue(console: &Console, login: &str) -> Result<()> {
    let user = console.user(login)?;
    let issued = console.accounts().issue_session(&console.actor, user.id);
    let issued = issued.with_context(|| format!("cannot issue a session token for `{login}`"))?;
    console.output.one(&IssuedRow { id: issued.id, token: issued.token.expose(), expires_at: issued.expires_at })
}

fn end_all(console: &Console, login: &str) -> Result<()> {
    let user = console.user(login)?;
    let ended = console.accounts().end_sessions(&console.actor, user.id);
    ended.with_context(|| format!("cannot end the sessions of `{login}`"))?;
    console.output.done(&json!({"ended": user.id}), &format!("ended all session tokens of {}", user.username))
}

fn rotate_keys(console: &Console, forget_others: bool) -> Result<()> {
    let id = console.accounts().rotate_signing_keys(&console.actor, forget_others);
    console.output.one(&SigningKeyRow { id: id.context("cannot rotate the signing keys")? })
}
