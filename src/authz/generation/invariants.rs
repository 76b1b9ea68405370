//! Invariants: what must hold of the policies whatever else they say.
//!
//! They are written as policies, in a folder that is not read as policies. A `forbid` is what must never be permitted, a
//! `permit` what must always be.

use std::fmt;

use cedar_policy::{Effect, Policy};

use super::files::{Files, Origin, read_invariants};
use super::steady::{settled, unsettled};
use super::{Generation, LoadError, Source, policies};
use crate::authz::problem::Problem;

/// The folder with the invariants, in that of the policies.
pub const FOLDER: &str = "invariants";

/// What must hold of the policies.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// Its name: its `@id`, or else `<file>#<position>`.
    pub id: String,
    /// What it says in words: its `@description`.
    pub description: Option<String>,
    /// Of which requests it says that they are always permitted, or never.
    pub policy: Policy,
    /// Where it stands.
    place: Problem,
}

impl Invariant {
    /// Whether it says what must be permitted. Otherwise it says what must not be.
    pub fn is_promise(&self) -> bool {
        self.policy.effect() == Effect::Permit
    }

    /// A problem with it, at its place.
    pub(super) fn problem(&self, message: impl fmt::Display) -> Problem {
        self.place.clone().saying(message)
    }
}

/// Reads the invariants in the folder `invariants` within that of the policies, and holds them against the schema of
/// `generation`. The built-in ones stand in only where the policies themselves are the built-in ones.
pub fn load_invariants(source: &Source, generation: &Generation) -> Result<(Vec<Invariant>, Origin), LoadError> {
    let files = settled(|links| read_invariants(links, source, generation.policies_origin));
    parse(&files.unwrap_or_else(|| Err(vec![unsettled(&folder(source))])), generation)?.ok_or_else(|| none(source))
}

/// The folder that invariants are read from, for messages.
pub(super) fn folder(source: &Source) -> String {
    format!("{}/{FOLDER}", source.policies)
}

/// That there are no invariants, where some are wanted.
pub(super) fn none(source: &Source) -> LoadError {
    let problem =
        Problem::with(&folder(source), "there is no such folder, or nothing in it: there is nothing to prove");
    LoadError { problems: vec![problem.help("write what must never be permitted as `forbid`, each with an `@id`")] }
}

/// The files with invariants as they were read; nothing if there is no folder for them.
pub(in crate::authz) type Stated = Result<Option<Files>, Vec<Problem>>;

/// What they say of `generation`, against whose schema they are held; nothing if they say nothing.
pub(super) fn parse(stated: &Stated, generation: &Generation) -> Result<Option<(Vec<Invariant>, Origin)>, LoadError> {
    let failed = |problems| LoadError { problems };
    let files = stated.as_ref().map_err(|problems| failed(problems.clone()))?;
    let Some(files) = files.as_ref().filter(|files| !files.cedar.is_empty()) else { return Ok(None) };
    let mut problems = Vec::new();
    let parsed = policies::parse(files, &mut problems);
    let places = parsed.places();
    let (validated, _) = parsed.validate(generation.schema(), &mut problems);
    if !problems.is_empty() {
        return Err(failed(problems));
    }
    let invariants = validated.policies().map(|policy| Invariant {
        id: policy.id().to_string(),
        description: policy.annotation("description").map(str::to_owned),
        place: places.get(policy.id()).cloned().unwrap_or_else(|| Problem::with(&files.folder, "")),
        policy: policy.clone(),
    });
    let mut invariants: Vec<Invariant> = invariants.collect();
    invariants.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(Some((invariants, files.origin)))
}
