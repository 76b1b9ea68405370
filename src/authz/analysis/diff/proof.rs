//! Whether any request at all is answered otherwise, action by action.
//!
//! The solver is asked about the decisions of Cedar, in which a policy that fails is skipped; the engine denies when one
//! fails. The two differ only where a policy can fail. Suppose Cedar permits nothing by the new policies that it did not
//! permit by the old ones. If the engine permits something by the new policies, then Cedar does, so Cedar did by the old
//! ones, and the engine did as well unless one of the old policies failed. If that policy is among the new ones too, it
//! fails now as well, and the engine does not permit. So what is left to prove is that those of the old policies that are
//! not among the new ones never fail. The same holds the other way round.
//!
//! The schemas may differ. Of requests of a kind that both have, those are meant that fit the new one; old policies that do
//! not fit it leave it unknown. A kind that only one has is denied by the other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, RequestEnv, Schema};
use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::{CompiledPolicy, CompiledPolicySet, Env, implies_asserts, never_errors_asserts};
use serde::Serialize;

use crate::authz::analysis::counterexample::{Case, Counterexample, Outcome};
use crate::authz::analysis::progress::{OnProgress, Progress};
use crate::authz::analysis::scope::{self, Meaning, Policies};
use crate::authz::analysis::solver::{Answer, Solver};
use crate::authz::generation::Generation;
use crate::authz::problem::with_causes;

/// What holds for all requests that the schema takes.
#[derive(Debug, Clone, Serialize)]
pub struct Proof {
    /// The program that was asked.
    pub solver: String,
    /// Every action, in the order of names.
    pub actions: Vec<ActionProof>,
}

/// What holds for all requests for one action.
#[derive(Debug, Clone, Serialize)]
pub struct ActionProof {
    /// The action's name.
    pub action: String,
    /// In short.
    pub verdict: Verdict,
    /// Whether something is permitted that was not.
    pub wider: Side,
    /// Whether something is not permitted that was.
    pub narrower: Side,
    /// By the types of principal and resource, where not all is equivalent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<KindProof>,
}

/// What holds for all requests for one action by principals of one type on resources of one type.
#[derive(Debug, Clone, Serialize)]
pub struct KindProof {
    /// The principal's type.
    pub principal: String,
    /// The resource's type.
    pub resource: String,
    /// In short.
    pub verdict: Verdict,
}

/// How the new policies compare to the old ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every request is answered as before.
    Equivalent,
    /// Some requests are permitted that were not, and none the other way round.
    OnlyWider,
    /// Some requests are not permitted that were, and none the other way round.
    OnlyNarrower,
    /// Both.
    Both,
    /// At least one direction could not be told, or what the solver has found for it is not confirmed.
    Unknown,
}

/// One direction.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "found", rename_all = "kebab-case")]
pub enum Side {
    /// There is no such request: this is proved.
    None,
    /// There is one.
    Some(Box<Difference>),
    /// It could not be told.
    Unknown {
        /// Why.
        because: String,
    },
}

/// A request that is answered otherwise.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// The request.
    pub request: Counterexample,
    /// What the engine says by the old policies.
    pub old: Outcome,
    /// What the engine says by the new policies.
    pub new: Outcome,
    /// Whether the engine's answers differ as the solver has said.
    pub confirmed: bool,
}

impl Verdict {
    /// In words.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Equivalent => "equivalent",
            Self::OnlyWider => "only wider",
            Self::OnlyNarrower => "only narrower",
            Self::Both => "both wider and narrower",
            Self::Unknown => "unknown",
        }
    }

    fn of(wider: &Side, narrower: &Side) -> Self {
        match (wider.exists(), narrower.exists()) {
            (None, _) | (_, None) => Self::Unknown,
            (Some(false), Some(false)) => Self::Equivalent,
            (Some(true), Some(false)) => Self::OnlyWider,
            (Some(false), Some(true)) => Self::OnlyNarrower,
            (Some(true), Some(true)) => Self::Both,
        }
    }
}

impl Side {
    /// Whether there is such a request, if that is certain.
    fn exists(&self) -> Option<bool> {
        match self {
            Self::None => Some(false),
            Self::Some(difference) => difference.confirmed.then_some(true),
            Self::Unknown { .. } => None,
        }
    }

    /// How much it weighs against that of other requests for the same action.
    fn weight(&self) -> u8 {
        match self {
            Self::None => 0,
            Self::Some(difference) if difference.confirmed => 3,
            Self::Unknown { .. } => 2,
            Self::Some(_) => 1,
        }
    }

    fn or(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }
}

#[derive(Clone, Copy)]
enum Direction {
    Wider,
    Narrower,
}

/// The kinds of requests that a schema has, by the names of their actions and their types of principal and resource.
fn kinds(generation: &Generation) -> BTreeMap<(String, String, String), RequestEnv> {
    let named = generation.schema().request_envs().map(|kind| {
        let action = generation.actions().iter().find(|action| action.uid() == kind.action());
        let action = action.map_or_else(|| kind.action().to_string(), |action| action.name().to_string());
        ((action, kind.principal().to_string(), kind.resource().to_string()), kind)
    });
    named.collect()
}

/// Asks about each action, and within it about each type of principal and resource.
pub(super) fn prove(
    old: &Generation,
    new: &Generation,
    solver: &mut Solver,
    on_progress: &mut OnProgress<'_>,
) -> Proof {
    let (old_policies, new_policies) = (Policies::of(old), Policies::of(new));
    let (old_kinds, new_kinds) = (kinds(old), kinds(new));
    let mut by_action: BTreeMap<&str, BTreeMap<_, &RequestEnv>> = BTreeMap::new();
    for (named, kind) in old_kinds.iter().chain(&new_kinds) {
        by_action.entry(&named.0).or_default().insert(named, kind);
    }
    let of = by_action.values().map(BTreeMap::len).sum();
    let mut done = 0;
    let mut actions = Vec::new();
    for (action, kinds) in by_action {
        let mut proof = ActionProof {
            action: action.to_owned(),
            verdict: Verdict::Equivalent,
            wider: Side::None,
            narrower: Side::None,
            kinds: vec![],
        };
        for (named, kind) in kinds {
            on_progress(Progress { done, of, what: action });
            done += 1;
            let (is_old, is_new) = (old_kinds.contains_key(named), new_kinds.contains_key(named));
            let of_kind = OfKind {
                old,
                new,
                old_policies: if is_old { old_policies.relevant(kind) } else { BTreeMap::new() },
                new_policies: if is_new { new_policies.relevant(kind) } else { BTreeMap::new() },
                is_regrouped: is_old && is_new && scope::groups(old, kind) != scope::groups(new, kind),
                schema: if is_new { new.schema() } else { old.schema() },
                kind,
            };
            let (wider, narrower) = of_kind.prove(solver);
            let verdict = Verdict::of(&wider, &narrower);
            if verdict != Verdict::Equivalent {
                let (principal, resource) = (kind.principal().to_string(), kind.resource().to_string());
                proof.kinds.push(KindProof { principal, resource, verdict });
            }
            (proof.wider, proof.narrower) = (proof.wider.or(wider), proof.narrower.or(narrower));
        }
        proof.verdict = Verdict::of(&proof.wider, &proof.narrower);
        actions.push(proof);
    }
    Proof { solver: solver.to_string(), actions }
}

/// Why the solver cannot be asked. Policies fit the schema that they were loaded with.
fn uncompiled(error: &Error) -> String {
    match error {
        Error::PolicyNotWellTyped { errs } => {
            let first = errs.first().map(|error| format!(": {error}")).unwrap_or_default();
            format!("not all of the policies fit the schema of the requests{first}")
        }
        error => with_causes(error),
    }
}

/// Requests of one kind, and the policies that can say something about them.
struct OfKind<'a> {
    old: &'a Generation,
    new: &'a Generation,
    old_policies: BTreeMap<&'a Meaning, &'a Policy>,
    new_policies: BTreeMap<&'a Meaning, &'a Policy>,
    /// Whether the action is in other groups than before.
    is_regrouped: bool,
    /// All is asked about requests that fit this one, which the policies of both must fit as well.
    schema: &'a Schema,
    kind: &'a RequestEnv,
}

impl OfKind<'_> {
    fn prove(&self, solver: &mut Solver) -> (Side, Side) {
        let both = || self.old_policies.values().chain(self.new_policies.values());
        let asked = both().try_for_each(|policy| self.as_asked(policy).map(drop));
        if asked.is_ok() && self.old_policies.keys().eq(self.new_policies.keys()) {
            // The same policies say the same.
            return (Side::None, Side::None);
        }
        let compiled = self.compile(&self.old_policies).and_then(|old| Ok((old, self.compile(&self.new_policies)?)));
        match compiled {
            Ok((old, new)) => {
                let wider = self.side(Direction::Wider, &new, &old, solver);
                (wider, self.side(Direction::Narrower, &old, &new, solver))
            }
            Err(because) => (Side::Unknown { because: because.clone() }, Side::Unknown { because }),
        }
    }

    /// The policy as the solver is asked about it. Which actions it is for is a matter of its own schema, by which it is
    /// relevant.
    fn as_asked<'p>(&self, policy: &'p Policy) -> Result<Cow<'p, Policy>, String> {
        if self.is_regrouped { scope::for_any_action(policy).map(Cow::Owned) } else { Ok(Cow::Borrowed(policy)) }
    }

    fn compile(&self, policies: &BTreeMap<&Meaning, &Policy>) -> Result<CompiledPolicySet, String> {
        let asked: Vec<Cow<'_, Policy>> =
            policies.values().map(|policy| self.as_asked(policy)).collect::<Result<_, _>>()?;
        let set = scope::set(asked.iter().map(AsRef::as_ref))?;
        CompiledPolicySet::compile(&set, self.kind, self.schema).map_err(|error| uncompiled(&error))
    }

    /// Whether `these` permit something that `those` do not.
    fn side(
        &self,
        direction: Direction,
        these: &CompiledPolicySet,
        those: &CompiledPolicySet,
        solver: &mut Solver,
    ) -> Side {
        let permitting = match direction {
            Direction::Wider => &self.new_policies,
            Direction::Narrower => &self.old_policies,
        };
        if permitting.is_empty() {
            return Side::None;
        }
        match solver.ask(&implies_asserts(these, those)) {
            Answer::Unknown(because) => Side::Unknown { because },
            Answer::Sometimes(found) => self.replay(*found, direction),
            Answer::Never => match self.may_fail(direction, solver) {
                Some(because) => Side::Unknown { because },
                None => Side::None,
            },
        }
    }

    /// Why a proof about Cedar's decisions does not hold for the engine's: a policy that was left out, or that is new, can
    /// fail.
    fn may_fail(&self, direction: Direction, solver: &mut Solver) -> Option<String> {
        let (of, kept) = match direction {
            Direction::Wider => (&self.old_policies, &self.new_policies),
            Direction::Narrower => (&self.new_policies, &self.old_policies),
        };
        let kept: BTreeSet<&&Meaning> = kept.keys().collect();
        of.iter().filter(|(meaning, _)| !kept.contains(meaning)).find_map(|(_, policy)| {
            let compiled = self.as_asked(policy).and_then(|policy| {
                CompiledPolicy::compile(&policy, self.kind, self.schema).map_err(|error| uncompiled(&error))
            });
            match compiled.map_or_else(Answer::Unknown, |compiled| solver.ask(&never_errors_asserts(&compiled))) {
                Answer::Never => None,
                Answer::Sometimes(_) => Some(format!("the policy `{}` can fail, which denies", policy.id())),
                Answer::Unknown(because) => Some(format!("whether the policy `{}` can fail: {because}", policy.id())),
            }
        })
    }

    /// What the engine says to the request that the solver has found.
    fn replay(&self, found: Env, direction: Direction) -> Side {
        let mut case = match Case::new(found, self.schema) {
            Ok(case) => case,
            Err(error) => {
                return Side::Unknown { because: format!("what the solver has found is no request: {error}") };
            }
        };
        let differs = |case: &Case| {
            let (old, new) = (Outcome::of(self.old, case).allowed, Outcome::of(self.new, case).allowed);
            match direction {
                Direction::Wider => !old && new,
                Direction::Narrower => old && !new,
            }
        };
        let confirmed = differs(&case);
        if confirmed {
            case.shrink(self.schema, differs);
        }
        let (old, new) = (Outcome::of(self.old, &case), Outcome::of(self.new, &case));
        Side::Some(Box::new(Difference { request: case.shown(), old, new, confirmed }))
    }
}
