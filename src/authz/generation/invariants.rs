//! Invariants: what must hold of the policies whatever else they say.
//!
//! They are written as policies, in a folder that is not read as policies. A `forbid` is what must never be permitted, a
//! `permit` what must always be.

use cedar_policy::{Effect, Policy};

use super::files::{Origin, read_invariants};
use super::{Generation, LoadError, Source, policies};
use crate::authz::problem::Problem;

/// What must hold of the policies.
#[derive(Debug, Clone)]
pub struct Invariant {
    /// Its name: its `@id`, or else `<file>#<position>`.
    pub id: String,
    /// What it says in words: its `@description`.
    pub description: Option<String>,
    /// Of which requests it says that they are always permitted, or never.
    pub policy: Policy,
}

impl Invariant {
    /// Whether it says what must be permitted. Otherwise it says what must not be.
    pub fn is_promise(&self) -> bool {
        self.policy.effect() == Effect::Permit
    }
}

/// Reads the invariants in the folder `invariants` within that of the policies, and holds them against the schema of
/// `generation`. The built-in ones stand in only where the policies themselves are the built-in ones.
pub fn load_invariants(source: &Source, generation: &Generation) -> Result<(Vec<Invariant>, Origin), LoadError> {
    let failed = |problems| LoadError { problems };
    let files = read_invariants(source).map_err(failed)?;
    let Some(files) = files.filter(|files| !files.cedar.is_empty()) else {
        let folder = format!("{}/invariants", source.policies);
        let problem = Problem::with(&folder, "there is no such folder, or nothing in it: there is nothing to prove");
        return Err(failed(vec![problem.help("write what must never be permitted as `forbid`, each with an `@id`")]));
    };
    let mut problems = Vec::new();
    let parsed = policies::parse(&files, &mut problems);
    let (validated, _) = parsed.validate(generation.schema(), &mut problems);
    if !problems.is_empty() {
        return Err(failed(problems));
    }
    let invariants = validated.policies().map(|policy| Invariant {
        id: policy.id().to_string(),
        description: policy.annotation("description").map(str::to_owned),
        policy: policy.clone(),
    });
    let mut invariants: Vec<Invariant> = invariants.collect();
    invariants.sort_by(|a, b| a.id.cmp(&b.id));
    Ok((invariants, files.origin))
}
