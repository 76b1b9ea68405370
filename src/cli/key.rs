//! `gatepost key`: API keys.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::arguments;
use super::backend::{Backend, needed, not_by_server};
use super::confirmation::{Confirmation, Loss};
use super::output::{Output, Shown, expose};
use super::settings::Settings;
use crate::accounts::{AccountError, CreatedApiKey, NewApiKey};
use crate::model::{ApiKey, ApiKeyId, Scope, Timestamp};
use crate::secret::Secret;

/// Create, list and revoke API keys
///
/// Through a server, those of whoever the token belongs to; on the database of this machine, those of any user.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Key {
    Create(Create),
    /// List the API keys of a user
    List {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
    /// Revoke API keys: all of those that are given, or none
    ///
    /// Asks, and tells what they are called; without a terminal it needs --yes.
    #[command(after_help = "\
Example:
  gatepost key revoke 019ab… --yes")]
    Revoke {
        /// Ids, as `gatepost key list` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<ApiKeyId>,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Create an API key, and print it; it cannot be shown again
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost key create --user devi --name ci
  gatepost key create --user devi --name ci --expires-at 2027-01-31T08:00:00Z
  gatepost key create --user devi --name watch --scope read-only
  gatepost key create --user devi --name deploy --scope action:Push --scope action:Configuration
  gatepost key create --server https://gatepost.example.com --name ci
  KEY=$(gatepost key create --user devi --name ci --output json | jq -r .key)")]
pub(super) struct Create {
    /// Username or address
    #[arg(long, value_name = "LOGIN")]
    user: Option<String>,
    /// What it is called
    #[arg(long)]
    name: String,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// When it ends, as RFC 3339 [default: never]
    #[arg(long, value_name = "TIME", value_parser = arguments::time)]
    expires_at: Option<Timestamp>,
    /// What it is narrowed to: `read-only`, `action:` with a column of the matrix like `action:Push`, or `application:`
    /// with an id; may be given several times [default: nothing, it may do all that its user may]
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
}

impl Key {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (backend, output) = (Backend::open(settings)?, settings.output());
        match self {
            Self::Create(create) => output.one(&create.run(&backend)?)?,
            Self::List { user } => output.list(&list(&backend, user.as_ref())?)?,
            Self::Revoke { ids, confirmation } => revoke(&backend, output, &ids, &confirmation)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A new key: the only time that it is shown.
#[derive(Serialize, Deserialize)]
struct CreatedRow {
    id: ApiKeyId,
    name: String,
    description: Option<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    scopes: Vec<String>,
    #[serde(serialize_with = "expose")]
    key: Secret,
}

impl Shown for CreatedRow {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "description", "created_at", "expires_at", "scopes", "key"];
}

impl From<CreatedApiKey> for CreatedRow {
    fn from(created: CreatedApiKey) -> Self {
        let ApiKey { id, name, description, created_at, expires_at, scopes, .. } = created.api_key;
        Self { id, name: name.to_string(), description, created_at, expires_at, scopes, key: created.key }
    }
}

#[derive(Serialize, Deserialize)]
struct KeyRow {
    id: ApiKeyId,
    name: String,
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
        Self { id, name: name.to_string(), description, created_at, last_used_at, expires_at, scopes, prefix }
    }
}

impl Create {
    fn run(&self, backend: &Backend) -> Result<CreatedRow> {
        let Self { user, name, description, expires_at, scopes } = self;
        let (expires_at, scopes) = (*expires_at, scopes.iter().map(ToString::to_string).collect());
        match backend {
            Backend::Console(console) => {
                let login = needed(user.as_ref(), "--user")?;
                let user = console.user(login)?;
                let new = NewApiKey { name, description: description.as_deref(), expires_at, scopes };
                let created = console.accounts().create_api_key(&console.actor, user.id, new);
                Ok(created.with_context(|| format!("cannot create a key for `{login}`"))?.into())
            }
            Backend::Server(server) => {
                not_by_server(user.as_ref(), "--user")?;
                let new = json!({
                    "name": name,
                    "description": description,
                    "expires_at": expires_at,
                    "scopes": scopes,
                });
                Ok(server.send(Method::POST, "/v1/api-keys", &new)?)
            }
        }
    }
}

fn list(backend: &Backend, user: Option<&String>) -> Result<Vec<KeyRow>> {
    match backend {
        Backend::Console(console) => {
            let login = needed(user, "--user")?;
            let user = console.user(login)?;
            let keys = console.accounts().api_keys(&console.actor, user.id);
            let keys = keys.with_context(|| format!("cannot list the keys of `{login}`"))?;
            Ok(keys.into_iter().map(KeyRow::from).collect())
        }
        Backend::Server(server) => {
            not_by_server(user, "--user")?;
            Ok(server.list("/v1/api-keys", usize::MAX)?)
        }
    }
}

/// What the keys are called, and on the console whose they are. Through a server, those that the caller has.
fn names(backend: &Backend, ids: &[ApiKeyId]) -> Result<Vec<String>> {
    match backend {
        Backend::Console(console) => {
            let name = |id: &ApiKeyId| {
                let (key, owner) = console.accounts().api_key(&console.actor, *id)?;
                Ok(format!("{} of {}", key.name, owner.username))
            };
            let names: std::result::Result<_, AccountError> = ids.iter().map(name).collect();
            names.context("cannot revoke the keys")
        }
        Backend::Server(server) => {
            let keys: Vec<KeyRow> = server.list("/v1/api-keys", usize::MAX)?;
            Ok(keys.into_iter().filter(|key| ids.contains(&key.id)).map(|key| key.name).collect())
        }
    }
}

fn revoke(backend: &Backend, output: Output, ids: &[ApiKeyId], confirmation: &Confirmation) -> Result<()> {
    #[derive(Deserialize)]
    struct Revoked {
        revoked: usize,
    }
    confirmation.obtain(|| {
        let names = names(backend, ids)?;
        let plural = if ids.len() == 1 { "" } else { "s" };
        Ok(Loss::new(format!("revokes {} API key{plural}: {}", ids.len(), names.join(", "))))
    })?;
    let revoked = match backend {
        Backend::Console(console) => {
            console.accounts().revoke_api_keys(&console.actor, ids).context("cannot revoke the keys")?
        }
        Backend::Server(server) => {
            let Revoked { revoked } = server.send(Method::POST, "/v1/api-keys/revoke", &json!({"ids": ids}))?;
            revoked
        }
    };
    let plural = if revoked == 1 { "" } else { "s" };
    output.done(&json!({"revoked": revoked}), &format!("revoked {revoked} key{plural}"))
}
