//! `gatepost session`: session tokens, and the keys that sign them.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::backend::{Backend, needed, not_by_server};
use super::confirmation::{Confirmation, Loss};
use super::console::Console;
use super::failure::UsageError;
use super::output::{Output, Shown};
use super::server::{Server, Session as StoredSession};
use super::settings::Settings;
use crate::model::{SessionId, SigningKeyId, Timestamp};

/// Issue, refresh and end session tokens; rotate the keys that sign them
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Session {
    /// Issue a session token for a user, without the user's password; on the database of this machine only
    #[command(after_help = "\
Example:
  TOKEN=$(gatepost session issue --user devi --output json | jq -r .token)")]
    Issue {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: String,
    },
    /// Let a server replace the stored session token by a new one, which lasts for as long as it does after a log-in
    Refresh,
    /// End all session tokens of a user, and through a server your own; API keys stay
    EndAll {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
    /// Make a new signing key; tokens that older keys signed stay valid until they expire. On the database of this
    /// machine only
    RotateKeys {
        /// Forget the older keys, so that all session tokens of all users end at once. Asks; without a terminal it needs
        /// --yes
        #[arg(long)]
        forget_others: bool,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Session {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let output = settings.output();
        match self {
            Self::Issue { user } => issue(&Console::open(settings)?, output, &user)?,
            Self::Refresh => refresh(&Server::named(settings)?, output)?,
            Self::EndAll { user } => end_all(&Backend::open(settings)?, output, user.as_ref())?,
            Self::RotateKeys { forget_others, confirmation } => {
                rotate_keys(&Console::open(settings)?, output, forget_others, &confirmation)?;
            }
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

fn issue(console: &Console, output: Output, login: &str) -> Result<()> {
    let user = console.user(login)?;
    let issued = console.accounts().issue_session(&console.actor, user.id);
    let issued = issued.with_context(|| format!("cannot issue a session token for `{login}`"))?;
    output.one(&IssuedRow { id: issued.id, token: issued.token.expose(), expires_at: issued.expires_at })
}

fn refresh(server: &Server, output: Output) -> Result<()> {
    if server.uses_environment_token() {
        return Err(UsageError::new("the token that is stored is refreshed: unset GATEPOST_TOKEN").into());
    }
    let session: StoredSession = server.post("/v1/sessions/refresh")?;
    let expires_at = session.expires_at;
    server.store(session)?;
    output.done(&json!({"expires_at": expires_at}), &format!("the session lasts until {expires_at}"))
}

fn end_all(backend: &Backend, output: Output, user: Option<&String>) -> Result<()> {
    let (id, username) = match backend {
        Backend::Console(console) => {
            let login = needed(user, "--user")?;
            let user = console.user(login)?;
            let ended = console.accounts().end_sessions(&console.actor, user.id);
            ended.with_context(|| format!("cannot end the sessions of `{login}`"))?;
            (user.id, user.username.to_string())
        }
        Backend::Server(server) => {
            not_by_server(user, "--user")?;
            let me = server.whoami()?;
            server.end_sessions()?;
            (me.id, me.username)
        }
    };
    output.done(&json!({"ended": id}), &format!("ended all session tokens of {username}"))
}

fn rotate_keys(console: &Console, output: Output, forget_others: bool, confirmation: &Confirmation) -> Result<()> {
    if forget_others {
        confirmation.obtain(|| Ok(Loss::new("ends all session tokens of all users")))?;
    }
    let id = console.accounts().rotate_signing_keys(&console.actor, forget_others);
    output.one(&SigningKeyRow { id: id.context("cannot rotate the signing keys")? })
}
