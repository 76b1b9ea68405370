//! Where the policies are.

use std::path::PathBuf;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section =
    Section { name: "policy", doc: "Where the policies are.", keys: &[&POLICIES, &SCHEMA] };

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

/// Where the policies are.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The folder of the Cedar policies.
    pub policies: PathBuf,
    /// The folder of the Cedar schema, the routes and the entities.
    pub schema: PathBuf,
}

impl Policy {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let policies = reader.one(&POLICIES, |text| Some(text.into()));
        let schema = reader.one(&SCHEMA, |text| Some(text.into()));
        Some(Self { policies: policies?, schema: schema? })
    }
}
