//! Lines of the shadow log, as far as they are looked at.

use serde::Deserialize;

use crate::model::Role;
use crate::telemetry::ShadowResult;

/// A line that is about a candidate.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    pub(super) time: String,
    pub(super) generation: u64,
    pub(super) candidate: String,
    #[serde(flatten)]
    pub(super) said: Said,
}

/// What it says.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub(super) enum Said {
    /// How many were compared.
    Tally { since: String, compared: Counts, dropped: u64 },
    /// On what the candidate disagrees.
    Disagreement(Box<Disagreement>),
}

/// How many decisions, by what the candidate made of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub(super) struct Counts {
    pub(super) same: u64,
    pub(super) gains: u64,
    pub(super) loses: u64,
    pub(super) error: u64,
    pub(super) stale: u64,
}

/// On what the candidate disagrees.
#[derive(Debug, Deserialize)]
pub(super) struct Disagreement {
    pub(super) decision_id: String,
    pub(super) change: ShadowResult,
    pub(super) principal: Option<String>,
    pub(super) role: Option<Role>,
    pub(super) action: String,
    pub(super) resource: Resource,
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) live: Verdict,
    pub(super) shadow: Verdict,
}

#[derive(Debug, Deserialize)]
pub(super) struct Resource {
    #[serde(rename = "type")]
    pub(super) entity_type: String,
}

/// One of both decisions.
#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) decision: String,
    pub(super) policies: Vec<String>,
    pub(super) errors: Vec<String>,
}
