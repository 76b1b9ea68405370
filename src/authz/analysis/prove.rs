//! Whether what must hold of the policies holds, for all requests.
//!
//! That something is never permitted is proved of Cedar's decisions, in which a policy that fails is skipped. The engine
//! denies where one fails, so it permits no more, provided that the invariant itself does not fail. That something is always
//! permitted is proved with the further proof that no policy fails.

use cedar_policy::{Policy, RequestEnv};
use cedar_policy_symcc::{
    CompiledPolicy, CompiledPolicySet, Env, disjoint_asserts, implies_asserts, never_errors_asserts,
};
use serde::Serialize;
use serde_json::Value;

use super::counterexample::{Case, Counterexample, Outcome};
use super::progress::{OnProgress, Progress};
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
    /// What the engine says, which is against the invariant.
    pub outcome: Outcome,
}

/// Proves or refutes each of these invariants of the policies of `generation`, in their order.
pub fn prove(
    generation: &Generation,
    invariants: &[Invariant],
    solver: &mut Solver,
    on_progress: &mut OnProgress<'_>,
) -> Vec<Proved> {
    let policies = Policies::of(generation);
    let questions: Vec<Result<Questions, String>> =
        invariants.iter().map(|invariant| Questions::about(generation, invariant)).collect();
    let of = questions.iter().flatten().map(|questions| questions.kinds.len()).sum();
    let mut begun = 0;
    let mut proved = Vec::new();
    for (invariant, questions) in invariants.iter().zip(questions) {
        let mut next = || {
            on_progress(Progress { done: begun, of, what: &invariant.id });
            begun += 1;
        };
        let result = questions.and_then(|questions| questions.conclude(generation, &policies, solver, &mut next));
        proved.push(Proved {
            invariant: invariant.id.clone(),
            description: invariant.description.clone(),
            result: result.unwrap_or_else(|because| Conclusion::Unknown { because }),
        });
    }
    proved
}

/// What is to be asked about an invariant.
struct Questions {
    /// The policy that permits what it is about.
    told: Policy,
    is_promise: bool,
    /// The kinds of requests that it is about.
    kinds: Vec<RequestEnv>,
}

impl Questions {
    fn about(generation: &Generation, invariant: &Invariant) -> Result<Self, String> {
        let told = permitting(&invariant.policy)?;
        let is_concerned = |kind: &RequestEnv| scope::concerns(&told, kind, &scope::groups(generation, kind));
        let kinds = generation.schema().request_envs().filter(is_concerned).collect();
        Ok(Self { is_promise: invariant.is_promise(), kinds, told })
    }

    /// Goes on after what could not be told: there may be a refutation yet.
    fn conclude(
        &self,
        generation: &Generation,
        policies: &Policies<'_>,
        solver: &mut Solver,
        next: &mut dyn FnMut(),
    ) -> Result<Conclusion, String> {
        let mut unknown = None;
        for kind in &self.kinds {
            next();
            let of_kind = OfKind {
                generation,
                policies: policies.relevant(kind).into_values().collect(),
                told: &self.told,
                is_promise: self.is_promise,
                kind,
            };
            match of_kind.conclude(solver) {
                Ok(Conclusion::Proved) => {}
                Ok(found) => return Ok(found),
                Err(because) => {
                    let (principal, action, resource) = (kind.principal(), kind.action(), kind.resource());
                    unknown = unknown.or(Some(format!("{principal}, {action}, {resource}: {because}")));
                }
            }
        }
        unknown.map_or(Ok(Conclusion::Proved), Err)
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
        if !contradicts(&case) {
            let outcome = Outcome::of(self.generation, &case);
            let answer = if outcome.allowed { "permits" } else { "denies" };
            return Err(format!("the engine {answer} what the solver has found:\n{}", case.shown()));
        }
        case.shrink(schema, contradicts);
        let outcome = Outcome::of(self.generation, &case);
        Ok(Conclusion::Refuted(Box::new(Refutation { request: case.shown(), outcome })))
    }
}
