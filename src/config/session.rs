//! What session tokens say, and how long they last.

use std::time::Duration;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section = Section {
    name: "session",
    doc: "What session tokens say, and how long they last.",
    keys: &[&ISSUER, &AUDIENCE, &TTL_SECS],
};

static ISSUER: Key = Key {
    name: "session.issuer",
    shape: Shape::Text("a text without control characters"),
    default: Some("gatepost"),
    doc: "The issuer of session tokens (`iss`); tokens of another one are refused.",
};

static AUDIENCE: Key = Key {
    name: "session.audience",
    shape: Shape::Text("a text without control characters"),
    default: Some("gatepost"),
    doc: "The audience of session tokens (`aud`); tokens for another one are refused.",
};

static TTL_SECS: Key = Key {
    name: "session.ttl_secs",
    shape: Shape::Number(60..=604_800),
    default: Some("604800"),
    doc: "How many seconds a session token lasts.",
};

/// What session tokens say, and how long they last.
#[derive(Debug, Clone)]
pub struct Session {
    /// The claim `iss`.
    pub issuer: String,
    /// The claim `aud`.
    pub audience: String,
    /// How long a token lasts.
    pub ttl: Duration,
}

impl Session {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let issuer = reader.one(&ISSUER, |text| Some(text.to_owned()));
        let audience = reader.one(&AUDIENCE, |text| Some(text.to_owned()));
        let ttl = reader.number(&TTL_SECS).map(Duration::from_secs);
        Some(Self { issuer: issuer?, audience: audience?, ttl: ttl? })
    }
}
