//! A record as a line of JSON.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::DecisionRecord;
use crate::model::{CredentialKind, DecisionId, Timestamp, UserId};
use crate::telemetry::Outcome;

/// The line's fields, all of them in every line.
#[derive(Serialize)]
struct Line<'a> {
    time: Timestamp,
    id: DecisionId,
    generation: u64,
    principal: Option<UserId>,
    credential: Option<CredentialKind>,
    credential_id: Option<&'a str>,
    action: Option<&'a str>,
    resource: Option<Resource<'a>>,
    decision: Outcome,
    #[serde(serialize_with = "texts")]
    policies: &'a [Arc<str>],
    #[serde(serialize_with = "texts")]
    errors: &'a [Arc<str>],
    client: Option<IpAddr>,
    method: Option<&'a str>,
    host: Option<&'a str>,
    path: Option<&'a str>,
    cause: Option<&'a str>,
    latency_us: u64,
}

#[derive(Serialize)]
struct Resource<'a> {
    r#type: &'a str,
    id: Option<&'a str>,
}

/// Appends the record to `lines`, as one line: JSON escapes every line break within.
pub(super) fn append(lines: &mut Vec<u8>, record: &DecisionRecord) {
    let resource = record.resource_type.as_deref().map(|r#type| Resource { r#type, id: record.resource_id.as_deref() });
    let line = Line {
        time: record.at,
        id: record.id,
        generation: record.generation,
        principal: record.principal,
        credential: record.credential_kind,
        credential_id: record.credential_id.as_deref(),
        action: record.action.as_deref(),
        resource,
        decision: record.decision,
        policies: &record.policies,
        errors: &record.errors,
        client: record.client,
        method: record.method.as_deref(),
        host: record.host.as_deref(),
        path: record.path.as_deref(),
        cause: record.cause.as_deref(),
        latency_us: u64::try_from(record.latency.as_micros()).unwrap_or(u64::MAX),
    };
    // Texts and numbers can be written, and so can memory.
    let _ = serde_json::to_writer(&mut *lines, &line);
    lines.push(b'\n');
}

fn texts<S: Serializer>(texts: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(|text| &**text))
}
