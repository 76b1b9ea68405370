//! The shadow log: one line of JSON for each decision on which a candidate disagrees, and one now and then for how many were
//! compared.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Deserialize, Serialize, Serializer};

use super::Metrics;
use super::line_log::{LineLog, LogError, Name, Output};
use crate::model::{CredentialKind, DecisionId, PolicyDigest, Role, Timestamp, UserId};

/// What a candidate makes of a decision, as the shadow log and the metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ShadowResult {
    /// The same.
    Same,
    /// It would allow what was denied.
    Gains,
    /// It would deny what was allowed.
    Loses,
    /// One of its policies fails, which denies, and none of those in force does.
    Error,
    /// The policies in force would decide otherwise themselves by now: the data or they have changed meanwhile.
    Stale,
}

impl ShadowResult {
    /// All results, in the order of their definition.
    pub const ALL: [Self; 5] = [Self::Same, Self::Gains, Self::Loses, Self::Error, Self::Stale];

    /// The result's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Gains => "gains",
            Self::Loses => "loses",
            Self::Error => "error",
            Self::Stale => "stale",
        }
    }
}

/// What is written of a disagreement, in this order. Nothing in it may be a secret.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ShadowRecord<'a> {
    /// When the decision was made.
    pub time: Timestamp,
    /// The decision, as the decision log and whoever asked know it. Not called `id`: a line by that is the decision's own.
    pub decision_id: DecisionId,
    /// What the candidate makes of it.
    pub change: ShadowResult,
    /// The generation that decided.
    pub generation: u64,
    /// What the candidate's files come to, as in the history of generations if it goes into force.
    pub candidate: PolicyDigest,
    /// Who asked; nobody if that is unknown.
    pub principal: Option<UserId>,
    /// Their role on the resource's application, if they have one.
    pub role: Option<Role>,
    /// The kind of the credential.
    pub credential: Option<CredentialKind>,
    /// Its identifier, never the credential itself.
    pub credential_id: Option<&'a str>,
    /// What was to be done.
    pub action: &'a str,
    /// On what.
    pub resource: ShadowResource<'a>,
    /// The address of the proxy's client.
    pub client: Option<IpAddr>,
    /// The method of the request.
    pub method: &'a str,
    /// Its host.
    pub host: &'a str,
    /// Its canonical path, without its query.
    pub path: &'a str,
    /// What was decided.
    pub live: ShadowDecision<'a>,
    /// What the candidate would have decided.
    pub shadow: ShadowDecision<'a>,
}

/// What is written of a resource.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ShadowResource<'a> {
    /// Its type.
    #[serde(rename = "type")]
    pub entity_type: &'a str,
    /// Its identifier.
    pub id: &'a str,
}

/// What is written of a decision.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ShadowDecision<'a> {
    /// `allow` or `deny`.
    pub decision: &'a str,
    /// The policies that determined it.
    #[serde(serialize_with = "texts")]
    pub policies: &'a [Arc<str>],
    /// The policies that failed, with what went wrong.
    #[serde(serialize_with = "texts")]
    pub errors: &'a [Arc<str>],
}

impl<'a> ShadowDecision<'a> {
    /// A decision that allows, or does not.
    pub fn new(allowed: bool, policies: &'a [Arc<str>], errors: &'a [Arc<str>]) -> Self {
        Self { decision: if allowed { "allow" } else { "deny" }, policies, errors }
    }
}

fn texts<S: Serializer>(texts: &&[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(texts.iter().map(|text| &**text))
}

/// How many decisions were compared in some time: those of one generation with one candidate.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct ShadowTally {
    /// The time of the last decision.
    pub time: Timestamp,
    /// The time of the first one.
    pub since: Timestamp,
    /// The generation that decided.
    pub generation: u64,
    /// What the candidate's files come to.
    pub candidate: PolicyDigest,
    /// How many, by what the candidate made of them, in the order of [`ShadowResult::ALL`].
    #[serde(serialize_with = "by_result")]
    pub compared: [u64; 5],
    /// How many were not compared in this time, whatever decided them.
    pub dropped: u64,
}

fn by_result<S: Serializer>(counts: &[u64; 5], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(counts.len()))?;
    for (result, count) in ShadowResult::ALL.iter().zip(counts) {
        map.serialize_entry(result, count)?;
    }
    map.end()
}

/// The shadow log.
#[derive(Debug)]
pub struct ShadowLog(LineLog);

impl ShadowLog {
    /// A log that goes to `output`.
    pub fn open(output: Output<'_>, metrics: &Metrics) -> Result<Self, LogError> {
        LineLog::open(Name::Shadow, output, metrics.shadow_log_dropped()).map(Self)
    }

    /// Takes a record. It never waits for the output.
    pub fn record(&self, record: &ShadowRecord<'_>) {
        self.0.push(|queue| line(record).is_ok_and(|line| queue.push_line(&line)));
    }

    /// Takes a tally, as it takes a record.
    pub fn record_tally(&self, tally: &ShadowTally) {
        self.0.push(|queue| line(tally).is_ok_and(|line| queue.push_line(&line)));
    }

    /// Opens its file again, if it goes to one. Blocks.
    pub fn reopen(&self) {
        self.0.reopen();
    }

    /// Takes no more records, and waits until those that were taken are written; at most as long as `patience`. Gives
    /// whether all are written. This blocks the thread.
    pub fn shutdown(&self, patience: Duration) -> bool {
        self.0.shutdown(patience)
    }
}

fn line(record: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(record)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disagreement_is_one_line_whatever_it_holds() {
        let (by, errors): ([Arc<str>; 1], [Arc<str>; 1]) = (["operator".into()], ["while\nevaluating \"x\"".into()]);
        let record = ShadowRecord {
            time: Timestamp::from_micros(1_764_000_000_123_456),
            decision_id: DecisionId::from_bytes([1; 16]),
            change: ShadowResult::Loses,
            generation: 3,
            candidate: PolicyDigest::from_bytes([0xab; 32]),
            principal: Some(UserId::from_bytes([2; 16])),
            role: Some(Role::Operator),
            credential: Some(CredentialKind::ApiKey),
            credential_id: Some("03030303-0303-0303-0303-030303030303"),
            action: "DeviceAction",
            resource: ShadowResource { entity_type: "Device", id: "d\u{1}\n" },
            client: Some([192, 0, 2, 7].into()),
            method: "POST",
            host: "api.example.com",
            path: "/a",
            live: ShadowDecision::new(true, &by, &[]),
            shadow: ShadowDecision::new(false, &[], &errors),
        };
        let line = String::from_utf8(line(&record).unwrap()).unwrap();
        assert_eq!(line.find(|c: char| c < ' '), Some(line.len() - 1));
        insta::assert_snapshot!(line.trim_end(), @r#"{"time":"2025-11-24T16:00:00.123456Z","decision_id":"01010101-0101-0101-0101-010101010101","change":"loses","generation":3,"candidate":"abababababababababababababababababababababababababababababababab","principal":"02020202-0202-0202-0202-020202020202","role":"operator","credential":"api_key","credential_id":"03030303-0303-0303-0303-030303030303","action":"DeviceAction","resource":{"type":"Device","id":"d\u0001\n"},"client":"192.0.2.7","method":"POST","host":"api.example.com","path":"/a","live":{"decision":"allow","policies":["operator"],"errors":[]},"shadow":{"decision":"deny","policies":[],"errors":["while\nevaluating \"x\""]}}"#);
    }

    #[test]
    fn what_was_compared_is_one_line_by_result() {
        let at = Timestamp::from_secs(1_764_000_000);
        let candidate = PolicyDigest::from_bytes([0xab; 32]);
        let tally =
            ShadowTally { time: at, since: at, generation: 3, candidate, compared: [7, 1, 2, 0, 4], dropped: 5 };
        let line = String::from_utf8(line(&tally).unwrap()).unwrap();
        insta::assert_snapshot!(line.trim_end(), @r#"{"time":"2025-11-24T16:00:00.000000Z","since":"2025-11-24T16:00:00.000000Z","generation":3,"candidate":"abababababababababababababababababababababababababababababababab","compared":{"same":7,"gains":1,"loses":2,"error":0,"stale":4},"dropped":5}"#);
    }
}
