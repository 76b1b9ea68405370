//! `gatepost check`: why a request is allowed or denied, without sending it.
//!
//! Goes the way of a proxy's question, on the same routes, policies and data, and tells what each step gave.

pub(in crate::cli) mod explanation;

use std::net::IpAddr;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use clap::Args;

use self::explanation::{CredentialUsed, Explanation, Principal, Route, Step};
use super::console::Console;
use super::settings::Settings;
use super::{DENIED, arguments, password};
use crate::accounts;
use crate::authn::{Candidate, Refused, Verified, VerifyError};
use crate::authz::{Circumstances, Credential, Resource, Subject};
use crate::http::host::CanonicalHost;
use crate::http::path::CanonicalPath;
use crate::model::{CredentialKind, User};
use crate::secret::Digest;

/// The identifier of the credential that `--user` stands for, as policies see it.
const NO_CREDENTIAL: &str = "none";

/// Explain why a request is allowed or denied
///
/// Nothing is sent and nothing is changed: the request is decided as a proxy's question would be, by the policies and
/// the data of this machine. Where the files of the policies cannot be loaded, the newest generation that a server has
/// recorded decides, with a warning; failing tests do not matter. Exit code: 0 allowed, 3 denied, 1 failed, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost check --method GET --path /applications/019ab… --user olga
  gatepost check --method POST --path /applications/019ab…/releases --token-stdin < key.txt
  gatepost check --method GET --path /status || echo not public")]
pub(super) struct Check {
    /// The request's method
    #[arg(long, value_parser = arguments::method)]
    method: String,
    /// The request's path, percent-encoded as it is sent
    #[arg(long)]
    path: String,
    /// The request's host
    #[arg(long, default_value = "localhost")]
    host: String,
    #[command(flatten)]
    caller: CallerArguments,
    /// The client's address [default: unknown]
    #[arg(long, value_name = "ADDRESS", value_parser = arguments::client)]
    client: Option<IpAddr>,
}

#[derive(Args)]
#[group(multiple = false)]
struct CallerArguments {
    /// Who asks, with a new session without second factor: username or address [default: nobody in particular]
    #[arg(long, value_name = "LOGIN")]
    user: Option<String>,
    /// Read the session token or API key of who asks from the first line of standard input
    #[arg(long)]
    token_stdin: bool,
}

/// Who asks.
pub(in crate::cli) enum Caller {
    Nobody,
    Refused,
    /// None of its credentials counts.
    Disabled,
    User(Box<User>, Assumed),
    Verified(Arc<Verified>),
}

/// The credential that somebody is taken to ask with.
pub(in crate::cli) struct Assumed {
    pub(in crate::cli) kind: CredentialKind,
    pub(in crate::cli) id: String,
    pub(in crate::cli) scopes: Vec<String>,
}

impl Assumed {
    /// A new session without second factor.
    fn session() -> Self {
        Self { kind: CredentialKind::Session, id: NO_CREDENTIAL.to_owned(), scopes: Vec::new() }
    }
}

/// A request to explain.
pub(in crate::cli) struct Asked<'a> {
    pub(in crate::cli) method: &'a str,
    pub(in crate::cli) host: &'a str,
    pub(in crate::cli) path: &'a str,
    pub(in crate::cli) client: Option<IpAddr>,
}

impl Check {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open_to_explain(settings)?;
        let caller = self.caller.resolve(&console)?;
        let asked = Asked { method: &self.method, host: &self.host, path: &self.path, client: self.client };
        let explanation = explain(&console, &caller, &asked)?;
        settings.output().either(&explanation, || explanation.text())?;
        Ok(if explanation.is_allowed() { ExitCode::SUCCESS } else { DENIED.into() })
    }
}

/// Decides by the policies and the data of this machine, and tells what each step gave.
pub(in crate::cli) fn explain(console: &Console, caller: &Caller, asked: &Asked<'_>) -> Result<Explanation> {
    let Asked { method, host, path, client } = *asked;
    let mut explanation = Explanation::new(method, host, path, client);
    explanation.principal = caller.principal();
    explanation.credential = caller.credential_used();
    let read = (CanonicalHost::parse(host.as_bytes()), CanonicalPath::parse(path.as_bytes()));
    let (host, path) = match read {
        (Ok(host), Ok(path)) => (host, path),
        (Err(error), _) => return Ok(explanation.conclude(Step::Malformed(error.to_string()))),
        (_, Err(error)) => return Ok(explanation.conclude(Step::Malformed(error.to_string()))),
    };
    explanation.canonical(host.as_str(), path.as_str());

    let engine = &console.app.engine;
    let generation = engine.generation();
    explanation.generation = generation.number();
    let Some(found) = generation.routes().find(host.as_str(), method, &path) else {
        return Ok(explanation.conclude(Step::NoRoute));
    };
    let file = generation.files().iter().find(|file| file.ends_with("routes.toml"));
    explanation.route = Some(Route::new(file.map(String::as_str).unwrap_or_default(), found.route));
    let resource = Resource::from_parts(&found.route.resource_type, found.resource_id);
    explanation.resource = Some((&resource).into());

    let circumstances = Circumstances {
        now: console.app.clock.now(),
        client,
        method,
        host: host.as_str(),
        path: path.as_str(),
        member: None,
        role: None,
        returning: false,
    };
    let subject = caller.subject(&circumstances);
    let store = &*console.app.store;
    let action = &found.route.action;
    let explained = engine.explain_in(store, &subject, action, &resource, &circumstances)?;
    explanation.entities = engine.entities_json(store, &subject, &resource)?;
    Ok(explanation.conclude(Step::Decided(explained)))
}

impl CallerArguments {
    fn resolve(&self, console: &Console) -> Result<Caller> {
        if self.token_stdin {
            let token = password::from_stdin("token")?;
            let candidate = Candidate::read(token.expose()).map_err(VerifyError::from);
            let verified =
                candidate.and_then(|candidate| console.app.verifier.verify(candidate, console.app.clock.now()));
            return match verified {
                Ok((verified, _)) => Ok(Caller::Verified(verified)),
                Err(VerifyError::Refused(Refused)) => Ok(Caller::Refused),
                Err(error) => Err(error).context("cannot verify the token"),
            };
        }
        match &self.user {
            Some(login) => {
                let user = console.user(login)?;
                let disabled = console.accounts().disabled_at(&console.actor, user.id);
                let is_disabled =
                    disabled.with_context(|| format!("cannot tell whether `{login}` is disabled"))?.is_some();
                Ok(if is_disabled { Caller::Disabled } else { Caller::User(Box::new(user), Assumed::session()) })
            }
            None => Ok(Caller::Nobody),
        }
    }
}

impl Caller {
    fn user(&self) -> Option<&User> {
        match self {
            Self::Nobody | Self::Refused | Self::Disabled => None,
            Self::User(user, _) => Some(user),
            Self::Verified(verified) => Some(verified.user()),
        }
    }

    fn principal(&self) -> Principal {
        match self.user() {
            Some(user) => Principal::User { id: user.id, username: user.username.clone() },
            None => Principal::Anonymous,
        }
    }

    fn credential_used(&self) -> CredentialUsed {
        match self {
            Self::Nobody => CredentialUsed::None,
            Self::Refused => CredentialUsed::Invalid,
            Self::Disabled => CredentialUsed::Disabled,
            Self::User(_, assumed) => CredentialUsed::Assumed { kind: assumed.kind },
            Self::Verified(verified) => {
                CredentialUsed::Verified { kind: verified.kind(), id: verified.id().to_owned() }
            }
        }
    }

    fn subject(&self, circumstances: &Circumstances<'_>) -> Subject<'_> {
        match self {
            Self::Nobody | Self::Refused | Self::Disabled => Subject::Anonymous,
            Self::User(user, Assumed { kind, id, scopes }) => Subject::User {
                user,
                credential: Credential {
                    kind: *kind,
                    id,
                    digest: Digest::of(id.as_bytes()),
                    mfa: false,
                    scopes,
                    issued_at: circumstances.now,
                },
            },
            Self::Verified(verified) => accounts::subject(verified),
        }
    }
}
