//! Whether what must hold of the policies holds, for all requests.
//!
//! That something is never permitted is proved of Cedar's decisions, in which a policy that fails is skipped. The engine
//! denies where one fails, so it permits no more, provided that the invariant itself does not fail. That something is always
//! permitted is proved with the further proof that no policy fails.

use std::collections::BTreeSet;

use cedar_policy::{Policy, RequestEnv};
use cedar_policy_symcc::{
    CompiledPolicy, CompiledPolicySet, Env, disjoint_asserts, implies_asserts, never_errors_asserts,
};
use serde::Serialize;
use serde_json::Value;

use super::counterexample::{Case, Counterexample, Outcome};
use super::scope::{self, Policies};
use super::solver::{Answer, Solver};
use crate::authz::generation::{Generation, Invariant};
use crate::authz::index::PolicyIndex;
use crate::authz::problem::with_causes;

/// An invariant, and whether it holds.
#[derive(Debug, Clone, Serialize)]
pub struct Proved {
    /// Its name.
    pub invariant: String,
    /// What it says.
    pub description: Option<String>,
    /// Whether it holds.
    #[serde(flatten)]
    pub result: Conclusion,
}

/// Whether an invariant holds.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Conclusion {
    /// For all requests that the schema takes.
    Proved,
    /// Not for this one.
    Refuted(Box<Refutation>),
    /// It could not be told.
    Unknown {
        /// Why.
        because: String,
    },
}

/// A request for which an invariant does not hold.
#[derive(Debug, Clone, Serialize)]
pub struct Refutation {
    /// The request.
    pub request: Counterexample,
    /// What the engine says.
    pub outcome: Outcome,
    /// Whether the engine's answer is against the invariant, as the solver has said.
    pub confirmed: bool,
}

/// Proves or refutes an invariant of the policies of `generation`.
pub fn prove(generation: &Generation, invariant: &Invariant, solver: &mut Solver) -> Proved {
    Proved {
        invariant: invariant.id.clone(),
        description: invariant.description.clone(),
        result: conclude(generation, invariant, solver).unwrap_or_else(|because| Conclusion::Unknown { because }),
    }
}

fn conclude(generation: &Generation, invariant: &Invariant, solver: &mut Solver) -> Result<Conclusion, String> {
    let told = permitting(&invariant.policy)?;
    let policies = Policies::of(generation);
    let mut unknown = None;
    let mut unconfirmed = None;
    for kind in generation.schema().request_envs() {
        let action = generation.actions().iter().find(|action| action.uid() == kind.action());
        let groups: BTreeSet<String> =
            action.into_iter().flat_map(|action| action.entities()).map(|action| action.uid().to_string()).collect();
        if !scope::concerns(&told, &kind, &groups) {
            continue;
        }
        let of_kind = OfKind {
            generation,
            policies: policies.relevant(&kind).into_values().collect(),
            told: &told,
            is_promise: invariant.is_promise(),
            kind: &kind,
        };
        match of_kind.conclude(solver) {
            Ok(Conclusion::Proved) => {}
            Ok(Conclusion::Refuted(found)) if found.confirmed => return Ok(Conclusion::Refuted(found)),
            Ok(found) => unconfirmed = unconfirmed.or(Some(found)),
            Err(because) => {
                let (principal, action, resource) = (kind.principal(), kind.action(), kind.resource());
                unknown = unknown.or(Some(format!("{principal}, {action}, {resource}: {because}")));
            }
        }
    }
    match unknown {
        Some(because) => Err(because),
        None => Ok(unconfirmed.unwrap_or(Conclusion::Proved)),
    }
}

/// The policy that permits what this one permits or forbids.
fn permitting(policy: &Policy) -> Result<Policy, String> {
    let mut json = policy.to_json().map_err(|error| with_causes(&error))?;
    if let Some(members) = json.as_object_mut() {
        members.insert("effect".to_owned(), Value::from("permit"));
    }
    Policy::from_json(Some(policy.id().clone()), json).map_err(|error| with_causes(&error))
}

/// Requests of one kind, the policies that can say something about them, and what the invariant is about.
struct OfKind<'a> {
    generation: &'a Generation,
    policies: Vec<&'a Policy>,
    told: &'a Policy,
    is_promise: bool,
    kind: &'a RequestEnv,
}

impl OfKind<'_> {
    fn conclude(&self, solver: &mut Solver) -> Result<Conclusion, String> {
        let compiled = |policies: &[&Policy]| {
            let set = scope::set(policies.iter().copied())?;
            CompiledPolicySet::compile(&set, self.kind, self.generation.schema()).map_err(|error| with_causes(&error))
        };
        let (policies, told) = (compiled(&self.policies)?, compiled(&[self.told])?);
        let asserts =
            if self.is_promise { implies_asserts(&told, &policies) } else { disjoint_asserts(&policies, &told) };
        match solver.ask(&asserts) {
            Answer::Unknown(because) => Err(because),
            Answer::Sometimes(found) => self.replay(*found),
            Answer::Never => {
                self.never_fails(self.told, solver)?;
                if self.is_promise {
                    self.policies.iter().try_for_each(|policy| self.never_fails(policy, solver))?;
                }
                Ok(Conclusion::Proved)
            }
        }
    }

    fn never_fails(&self, policy: &Policy, solver: &mut Solver) -> Result<(), String> {
        let compiled = CompiledPolicy::compile(policy, self.kind, self.generation.schema());
        match solver.ask(&never_errors_asserts(&compiled.map_err(|error| with_causes(&error))?)) {
            Answer::Never => Ok(()),
            Answer::Sometimes(_) => Err(format!("`{}` can fail, which denies", policy.id())),
            Answer::Unknown(because) => Err(format!("whether `{}` can fail: {because}", policy.id())),
        }
    }

    /// What the engine says to the request that the solver has found.
    fn replay(&self, found: Env) -> Result<Conclusion, String> {
        let schema = self.generation.schema();
        let mut case =
            Case::new(found, schema).map_err(|error| format!("what the solver has found is no request: {error}"))?;
        let told = PolicyIndex::new(&scope::set([self.told])?, schema);
        let contradicts = |case: &Case| {
            let is_concerned = case.decide(&told).allowed;
            is_concerned && Outcome::of(self.generation, case).allowed != self.is_promise
        };
        let confirmed = contradicts(&case);
        if confirmed {
            case.shrink(schema, contradicts);
        }
        let outcome = Outcome::of(self.generation, &case);
        Ok(Conclusion::Refuted(Box::new(Refutation { request: case.shown(), outcome, confirmed })))
    }
}
