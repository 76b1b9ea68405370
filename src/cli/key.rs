//! `gatepost key`: API keys.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::arguments;
use super::console::Console;
use super::output::Shown;
use super::settings::Settings;
use crate::accounts::{CreatedApiKey, NewApiKey};
use crate::model::{ApiKey, ApiKeyId, Name, Timestamp};

/// Create, list and revoke API keys
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Key {
    Create(Create),
    /// List the API keys of a user
    List {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: String,
    },
    /// Revoke API keys: all of those that are given, or none
    Revoke {
        /// Ids, as `gatepost key list` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<ApiKeyId>,
    },
}

/// Create an API key, and print it; it cannot be shown again
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost key create --user devi --name ci
  gatepost key create --user devi --name ci --expires-at 2027-01-31T08:00:00Z
  KEY=$(gatepost key create --user devi --name ci --output json | jq -r .key)")]
pub(super) struct Create {
    /// Username or address
    #[arg(long, value_name = "LOGIN")]
    user: String,
    /// What it is called
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// When it ends, as RFC 3339 [default: never]
    #[arg(long, value_name = "TIME", value_parser = arguments::time)]
    expires_at: Option<Timestamp>,
    /// What it is narrowed to; may be given several times
    #[arg(long = "scope", value_name = "SCOPE", hide = true)]
    scopes: Vec<String>,
}

impl Key {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        match self {
            Self::Create(create) => create.run(&console)?,
            Self::List { user } => list(&console, &user)?,
            Self::Revoke { ids } => revoke(&console, &ids)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct CreatedRow<'a> {
    id: ApiKeyId,
    name: &'a Name,
    description: Option<&'a str>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    scopes: &'a [String],
    key: &'a str,
}

impl Shown for CreatedRow<'_> {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "description", "created_at", "expires_at", "scopes", "key"];
}

#[derive(Serialize)]
struct KeyRow {
    id: ApiKeyId,
    name: Name,
    description: Option<String>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    scopes: Vec<String>,
    prefix: String,
}

impl Shown for KeyRow {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "prefix", "created_at", "last_used_at", "expires_at", "scopes", "description"];
}

impl From<ApiKey> for KeyRow {
    fn from(key: ApiKey) -> Self {
        let ApiKey { id, name, description, created_at, last_used_at, expires_at, scopes, prefix, .. } = key;
        Self { id, name, description, created_at, last_used_at, expires_at, scopes, prefix }
    }
}

impl Create {
    fn run(self, console: &Console) -> Result<()> {
        let Self { user: login, name, description, expires_at, scopes } = self;
        let user = console.user(&login)?;
        let new = NewApiKey { name: &name, description: description.as_deref(), expires_at, scopes };
        let created = console.accounts().create_api_key(&console.actor, user.id, new);
        let CreatedApiKey { api_key, key } = created.with_context(|| format!("cannot create a key for `{login}`"))?;
        console.output.one(&CreatedRow {
            id: api_key.id,
            name: &api_key.name,
            description: api_key.description.as_deref(),
            created_at: api_key.created_at,
            expires_at: api_key.expires_at,
            scopes: &api_key.scopes,
            key: key.expose(),
        })
    }
}

fn list(console: &Console, login: &str) -> Result<()> {
    let user = console.user(login)?;
    let keys = console.accounts().api_keys(&console.actor, user.id);
    let keys = keys.with_context(|| format!("cannot list the keys of `{login}`"))?;
    console.output.list(&keys.into_iter().map(KeyRow::from).collect::<Vec<_>>())
}

fn revoke(console: &Console, ids: &[ApiKeyId]) -> Result<()> {
    let revoked = console.accounts().revoke_api_keys(&console.actor, ids).context("cannot revoke the keys")?;
    let plural = if revoked == 1 { "" } else { "s" };
    console.output.done(&json!({"revoked": revoked}), &format!("revoked {revoked} key{plural}"))
}
