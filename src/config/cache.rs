//! How much is remembered.

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section = Section {
    name: "cache",
    doc: "How much is remembered, in numbers of entries; 0 remembers nothing.",
    keys: &[&CREDENTIALS, &UNKNOWN_KEYS, &STANDINGS, &DECISIONS],
};

const ENTRIES: Shape = Shape::Number(0..=100_000_000);
const DEFAULT: Option<&str> = Some("100000");
/// Of what there may be as many as keys.
const DEFAULT_OF_MANY: Option<&str> = Some("200000");

static CREDENTIALS: Key = Key {
    name: "cache.credentials",
    shape: ENTRIES,
    default: DEFAULT_OF_MANY,
    doc: "Credentials that were verified: as many as are in use, at about 700 bytes each.",
};

static UNKNOWN_KEYS: Key =
    Key { name: "cache.unknown_keys", shape: ENTRIES, default: DEFAULT, doc: "API keys that do not exist." };

static STANDINGS: Key = Key {
    name: "cache.standings",
    shape: ENTRIES,
    default: DEFAULT_OF_MANY,
    doc: "Users with their roles on an application: at about 250 bytes each.",
};

static DECISIONS: Key =
    Key { name: "cache.decisions", shape: ENTRIES, default: DEFAULT, doc: "Decisions of the policies in force." };

/// How much is remembered, in numbers of entries.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Credentials that were verified.
    pub credentials: u64,
    /// API keys that do not exist.
    pub unknown_keys: u64,
    /// Users with their roles on an application.
    pub standings: u64,
    /// Decisions of the policies in force.
    pub decisions: u64,
}

impl Cache {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let credentials = reader.number(&CREDENTIALS);
        let unknown_keys = reader.number(&UNKNOWN_KEYS);
        let standings = reader.number(&STANDINGS);
        let decisions = reader.number(&DECISIONS);
        Some(Self {
            credentials: credentials?,
            unknown_keys: unknown_keys?,
            standings: standings?,
            decisions: decisions?,
        })
    }
}
