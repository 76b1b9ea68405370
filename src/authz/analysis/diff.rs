//! What changes if one generation of policies follows another.
//!
//! Told in three ways: which policies differ; which of all the kinds of requests that Gatepost knows are answered otherwise,
//! by asking the engine about each; and, with a solver, whether any request at all is, which is a proof.

mod cells;
mod proof;
mod questions;

use std::collections::BTreeMap;

use cedar_policy::Policy;
use cedar_policy_core::validator::ValidatorSchema;
use serde::Serialize;

pub use self::cells::{Cell, Condition, Row, Turn, rows};
pub use self::proof::{ActionProof, Difference, KindProof, Proof, Side, Verdict};
use super::progress::OnProgress;
use super::scope::Meaning;
use super::solver::Solver;
use crate::authz::generation::Generation;

/// What changes.
#[derive(Debug, Clone, Serialize)]
pub struct Diff {
    /// The policies that are not the same, by their identifiers.
    pub policies: Vec<ChangedPolicy>,
    /// Whether the schemas are not the same.
    pub schema_differs: bool,
    /// How many questions the engine was asked about each of both: those that other policies are for than before.
    pub questions: usize,
    /// Whose answers differ.
    pub cells: Vec<Cell>,
    /// What holds for all requests; nothing without a solver.
    pub proof: Option<Proof>,
}

/// A policy that is not the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangedPolicy {
    /// Its identifier.
    pub id: String,
    /// What happened to it.
    pub change: PolicyChange,
}

/// What happened to a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyChange {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// It says something else, or the same otherwise.
    Changed,
    /// Only its annotations are other ones.
    Annotated,
}

impl PolicyChange {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Annotated => "other annotations",
        }
    }
}

/// What changes if `new` follows `old`. With a solver it is proved, or refuted, for all requests that the schema of `new`
/// takes, and for those of kinds that only the schema of `old` has.
pub fn diff(old: &Generation, new: &Generation, solver: Option<&mut Solver>, on_progress: &mut OnProgress<'_>) -> Diff {
    let (questions, cells) = cells::differing(old, new);
    let (old_schema, new_schema): (&ValidatorSchema, &ValidatorSchema) = (old.schema().as_ref(), new.schema().as_ref());
    Diff {
        policies: changed(old, new),
        schema_differs: old_schema != new_schema,
        questions,
        cells,
        proof: solver.map(|solver| proof::prove(old, new, solver, on_progress)),
    }
}

fn changed(old: &Generation, new: &Generation) -> Vec<ChangedPolicy> {
    let by_id = |generation: &Generation| -> BTreeMap<String, Policy> {
        generation.policies().policies().map(|policy| (policy.id().to_string(), policy.clone())).collect()
    };
    let (old, new) = (by_id(old), by_id(new));
    let removed = old.keys().filter(|id| !new.contains_key(*id)).map(|id| (id, PolicyChange::Removed));
    let others = new.iter().filter_map(|(id, policy)| {
        let Some(previous) = old.get(id) else { return Some((id, PolicyChange::Added)) };
        if Meaning::of(previous) != Meaning::of(policy) {
            return Some((id, PolicyChange::Changed));
        }
        let annotations = |policy: &Policy| -> BTreeMap<String, String> {
            policy.annotations().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
        };
        (annotations(previous) != annotations(policy)).then_some((id, PolicyChange::Annotated))
    });
    let mut changed: Vec<ChangedPolicy> =
        removed.chain(others).map(|(id, change)| ChangedPolicy { id: id.clone(), change }).collect();
    changed.sort_by(|a, b| a.id.cmp(&b.id));
    changed
}
