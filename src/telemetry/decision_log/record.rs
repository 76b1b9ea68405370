//! What is told of a decision, and the parts of it that are the same for many and are written down once.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::line;
use crate::model::{CredentialKind, DecisionId, Timestamp, UserId};
use crate::telemetry::Outcome;

/// What is written of a decision. Nothing in it may be a secret.
#[derive(Debug, Clone, Copy)]
pub struct DecisionRecord<'a> {
    /// When it was made.
    pub at: Timestamp,
    /// Its identifier, which the caller was told.
    pub id: DecisionId,
    /// The generation of the policies that decided.
    pub generation: u64,
    /// Who asked; nobody if that is unknown.
    pub asker: Option<&'a AskerRecord>,
    /// The route, if one matched, and the identifier of the resource.
    pub route: Option<(&'a RouteRecord, &'a str)>,
    /// How it ended.
    pub decision: Outcome,
    /// The identifiers of the policies that determined it.
    pub policies: &'a [Arc<str>],
    /// The identifiers of the policies whose evaluation failed, with what went wrong.
    pub errors: &'a [Arc<str>],
    /// The address of the proxy's client.
    pub client: Option<IpAddr>,
    /// The request that was asked about, if that is certain.
    pub request: Option<RequestRecord<'a>>,
    /// Why it ended so, when no policy decided.
    pub cause: Option<&'a str>,
    /// How long it took.
    pub latency: Duration,
}

/// What is written of the request that was asked about.
#[derive(Debug, Clone, Copy)]
pub struct RequestRecord<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its host.
    pub host: &'a str,
    /// Its canonical path, without its query.
    pub path: &'a str,
}

/// What is written of a user and a credential of theirs, in JSON.
#[derive(Debug, Clone)]
pub struct AskerRecord(Box<[u8]>);

impl AskerRecord {
    /// `id` is the identifier of an API key or of a session, never the credential itself.
    pub fn new(user: UserId, kind: CredentialKind, id: &str) -> Self {
        Self(line::asker(user, kind, id).into())
    }

    /// Of a principal that somebody else asks about: its name, and the asker's credential, if one was sent.
    pub fn of_principal(name: &str, credential: Option<(CredentialKind, &str)>) -> Self {
        Self(line::principal(name, credential).into())
    }

    pub(super) fn as_json(&self) -> &[u8] {
        &self.0
    }
}

/// What is written of a route, in JSON.
#[derive(Debug, Clone)]
pub struct RouteRecord(Box<[u8]>);

impl RouteRecord {
    /// `action` and `resource_type` are what the route says of each request.
    pub fn new(action: &str, resource_type: &str) -> Self {
        Self(line::route(action, resource_type).into())
    }

    pub(super) fn as_json(&self) -> &[u8] {
        &self.0
    }
}
