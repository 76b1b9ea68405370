//! Where the policies are, and how changes get in.

use std::path::PathBuf;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section = Section {
    name: "policy",
    doc: "Where the policies are, and how changes get in.",
    keys: &[&POLICIES, &SCHEMA, &TESTS, &WATCH, &SHADOW],
};

static POLICIES: Key = Key {
    name: "policy.policies",
    shape: Shape::Text("the path of a folder"),
    default: Some("policies"),
    doc: "The folder of the Cedar policies; where it does not exist, built-in copies are used.",
};

static SCHEMA: Key = Key {
    name: "policy.schema",
    shape: Shape::Text("the path of a folder"),
    default: Some("schema"),
    doc: "The folder of the Cedar schema, the routes and the entities; where it does not exist, built-in copies are used.",
};

static WATCH: Key = Key {
    name: "policy.watch",
    shape: Shape::Flag,
    default: Some("true"),
    doc: "Whether changes in the folders are put into force by themselves; without it, SIGHUP and the API do.",
};

static TESTS: Key = Key {
    name: "policy.tests",
    shape: Shape::Flag,
    default: Some("true"),
    doc: "Whether policies go into force only if the tests in their folder `tests`, if there is one, pass.",
};

static SHADOW: Key = Key {
    name: "policy.shadow",
    shape: Shape::Text("the path of a folder"),
    default: None,
    doc: "A folder of candidate policies, which are asked what they would decide beside those in force; nothing else \
          comes of it than lines in the shadow log and metrics.",
};

/// Where the policies are, and how changes get in.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The folder of the Cedar policies.
    pub policies: PathBuf,
    /// The folder of the Cedar schema, the routes and the entities.
    pub schema: PathBuf,
    /// Whether they are watched.
    pub watch: bool,
    /// Whether the tests beside the policies must pass.
    pub tests: bool,
    /// The folder of candidate policies, if there is one.
    pub shadow: Option<PathBuf>,
}

impl Policy {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let policies = reader.one(&POLICIES, |text| Some(text.into()));
        let schema = reader.one(&SCHEMA, |text| Some(text.into()));
        let (tests, watch) = (reader.flag(&TESTS), reader.flag(&WATCH));
        let shadow = reader.optional(&SHADOW, |text| (!text.is_empty()).then(|| text.into()));
        Some(Self { policies: policies?, schema: schema?, tests: tests?, watch: watch?, shadow: shadow? })
    }
}
