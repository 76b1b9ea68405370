//! Whether any request at all is answered otherwise, action by action.
//!
//! The solver is asked about the decisions of Cedar, in which a policy that fails is skipped; the engine denies when one
//! fails. The two differ only where a policy can fail. Suppose Cedar permits nothing by the new policies that it did not
//! permit by the old ones. If the engine permits something by the new policies, then Cedar does, so Cedar did by the old
//! ones, and the engine did as well unless one of the old policies failed. If that policy is among the new ones too, it
//! fails now as well, and the engine does not permit. So what is left to prove is that those of the old policies that are
//! not among the new ones never fail. The same holds the other way round.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{Policy, RequestEnv, Schema};
use cedar_policy_symcc::{CompiledPolicy, CompiledPolicySet, Env, implies_asserts, never_errors_asserts};
use serde::Serialize;

use crate::authz::analysis::counterexample::{Case, Counterexample, Outcome};
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
    /// At least one direction could not be told.
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
        match (wider, narrower) {
            (Side::Unknown { .. }, _) | (_, Side::Unknown { .. }) => Self::Unknown,
            (Side::None, Side::None) => Self::Equivalent,
            (Side::Some(_), Side::None) => Self::OnlyWider,
            (Side::None, Side::Some(_)) => Self::OnlyNarrower,
            (Side::Some(_), Side::Some(_)) => Self::Both,
        }
    }
}

impl Side {
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

/// Asks about each action, and within it about each type of principal and resource.
pub(super) fn prove(old: &Generation, new: &Generation, solver: &mut Solver) -> Proof {
    let (old_policies, new_policies) = (Policies::of(old), Policies::of(new));
    let mut kinds: BTreeMap<String, Vec<RequestEnv>> = BTreeMap::new();
    for kind in new.schema().request_envs() {
        let action = new.actions().iter().find(|action| action.uid() == kind.action());
        kinds.entry(action.map(|action| action.name().to_string()).unwrap_or_default()).or_default().push(kind);
    }
    let mut actions = Vec::new();
    for (action, mut kinds) in kinds {
        kinds.sort_by_key(|kind| (kind.principal().to_string(), kind.resource().to_string()));
        let mut proof = ActionProof {
            action,
            verdict: Verdict::Equivalent,
            wider: Side::None,
            narrower: Side::None,
            kinds: vec![],
        };
        for kind in kinds {
            let of_kind = OfKind {
                old,
                new,
                old_policies: old_policies.relevant(&kind),
                new_policies: new_policies.relevant(&kind),
                kind: &kind,
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

/// Requests of one kind, and the policies that can say something about them.
struct OfKind<'a> {
    old: &'a Generation,
    new: &'a Generation,
    old_policies: BTreeMap<&'a Meaning, &'a Policy>,
    new_policies: BTreeMap<&'a Meaning, &'a Policy>,
    kind: &'a RequestEnv,
}

impl OfKind<'_> {
    fn prove(&self, solver: &mut Solver) -> (Side, Side) {
        if self.old_policies.keys().eq(self.new_policies.keys()) {
            // The same policies say the same.
            return (Side::None, Side::None);
        }
        let compiled = self.compile(&self.old_policies).and_then(|old| Ok((old, self.compile(&self.new_policies)?)));
        match compiled {
            Ok((old, new)) => {
                let wider = solver.ask(&implies_asserts(&new, &old));
                let wider = self.side(wider, Direction::Wider, solver);
                let narrower = solver.ask(&implies_asserts(&old, &new));
                (wider, self.side(narrower, Direction::Narrower, solver))
            }
            Err(because) => (Side::Unknown { because: because.clone() }, Side::Unknown { because }),
        }
    }

    /// All is asked about requests of the new schema, so the old policies must fit it as well.
    fn compile(&self, policies: &BTreeMap<&Meaning, &Policy>) -> Result<CompiledPolicySet, String> {
        let set = scope::set(policies.values().copied())?;
        CompiledPolicySet::compile(&set, self.kind, self.schema()).map_err(|error| with_causes(&error))
    }

    fn schema(&self) -> &Schema {
        self.new.schema()
    }

    fn side(&self, answer: Answer, direction: Direction, solver: &mut Solver) -> Side {
        match answer {
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
            let answer = match CompiledPolicy::compile(policy, self.kind, self.schema()) {
                Ok(compiled) => solver.ask(&never_errors_asserts(&compiled)),
                Err(error) => Answer::Unknown(with_causes(&error)),
            };
            match answer {
                Answer::Never => None,
                Answer::Sometimes(_) => Some(format!("the policy `{}` can fail, which denies", policy.id())),
                Answer::Unknown(because) => Some(format!("whether the policy `{}` can fail: {because}", policy.id())),
            }
        })
    }

    /// What the engine says to the request that the solver has found.
    fn replay(&self, found: Env, direction: Direction) -> Side {
        let mut case = match Case::new(found, self.schema()) {
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
            case.shrink(self.schema(), differs);
        }
        let (old, new) = (Outcome::of(self.old, &case), Outcome::of(self.new, &case));
        Side::Some(Box::new(Difference { request: case.shown(), old, new, confirmed }))
    }
}
