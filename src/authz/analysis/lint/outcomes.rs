//! What policies come to if all that is known of a request is its action and the types of who asks and on what.
//!
//! Cedar's type-aware partial evaluation is asked about each such kind of request that the schema has. What it leaves
//! open could be either; what it calls false, true or failed is so for every request of that kind.

use std::collections::{BTreeSet, HashMap};

use cedar_policy::{ActionConstraint, Policy, PolicySet};
use cedar_policy_core::ast::{Effect, EntityType, EntityUID};
use cedar_policy_core::tpe;
use cedar_policy_core::tpe::entities::PartialEntities;
use cedar_policy_core::tpe::request::{PartialEntityUID, PartialRequest};
use cedar_policy_core::tpe::residual::Residual;
use cedar_policy_core::validator::ValidatorSchema;

use crate::authz::actions::Action;
use crate::authz::generation::Generation;
use crate::authz::generation::policies::in_parallel;

/// What the policies of one generation come to.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    policies: HashMap<String, Outcome>,
    /// The actions that are denied to everybody.
    pub(super) closed: Vec<EntityUID>,
}

/// What one policy comes to.
#[derive(Debug, Default, Clone)]
pub(super) struct Outcome {
    /// In how many kinds of requests it could be satisfied.
    pub(super) applies: usize,
    /// In how many of these a policy that forbids is satisfied for sure.
    overruled: usize,
    /// Policies that forbid there.
    pub(super) overruling: BTreeSet<String>,
    /// Kinds of requests for which it fails for sure, in words.
    pub(super) fails: Vec<String>,
}

impl Outcome {
    /// Whether it is without effect, wherever it could be satisfied.
    pub(super) fn is_overruled(&self) -> bool {
        self.applies > 0 && self.overruled == self.applies
    }
}

impl Outcomes {
    pub(super) fn of(generation: &Generation) -> Self {
        let mut outcomes = Self::default();
        for part in in_parallel(generation.actions(), 8, |actions| {
            actions.iter().map(|action| Self::of_action(generation, action).unwrap_or_else(Self::unknown)).collect()
        }) {
            outcomes.add(part);
        }
        outcomes
    }

    /// What is known of the policy; nothing if that could not be found out.
    pub(super) fn policy(&self, id: &str) -> Option<&Outcome> {
        self.policies.get(id)
    }

    /// Nothing is claimed of policies that could not be evaluated.
    fn unknown(policies: Vec<Policy>) -> Self {
        let open = Outcome { applies: 1, ..Outcome::default() };
        let policies = policies.into_iter().map(|policy| (policy.id().to_string(), open.clone()));
        Self { policies: policies.collect(), closed: Vec::new() }
    }

    fn add(&mut self, other: Self) {
        self.closed.extend(other.closed);
        for (id, outcome) in other.policies {
            let known = self.policies.entry(id).or_default();
            known.applies += outcome.applies;
            known.overruled += outcome.overruled;
            known.overruling.extend(outcome.overruling);
            known.fails.extend(outcome.fails);
        }
    }

    /// The policies on the action, if they cannot be evaluated.
    fn of_action(generation: &Generation, action: &Action) -> Result<Self, Vec<Policy>> {
        let schema: &ValidatorSchema = generation.schema().as_ref();
        let uid: &EntityUID = action.uid().as_ref();
        let policies: Vec<Policy> =
            generation.policies().policies().filter(|policy| is_for(policy, action)).cloned().collect();
        let Ok(set) = PolicySet::from_policies(policies.iter().cloned()) else { return Err(policies) };
        let mut outcomes = Self::default();
        for policy in &policies {
            outcomes.policies.entry(policy.id().to_string()).or_default();
        }
        let (mut is_asked, mut is_open) = (false, false);
        for principal in schema.principals_for_action(uid).into_iter().flatten() {
            for resource in schema.resources_for_action(uid).into_iter().flatten() {
                is_asked = true;
                match outcomes.add_kind(&set, schema, uid, principal, resource) {
                    Some(can_permit) => is_open |= can_permit,
                    None => return Err(policies),
                }
            }
        }
        if is_asked && !is_open {
            outcomes.closed.push(uid.clone());
        }
        Ok(outcomes)
    }

    /// Whether a request of this kind may be permitted; nothing if that cannot be found out.
    fn add_kind(
        &mut self,
        policies: &PolicySet,
        schema: &ValidatorSchema,
        action: &EntityUID,
        principal: &EntityType,
        resource: &EntityType,
    ) -> Option<bool> {
        let any = |ty: &EntityType| PartialEntityUID { ty: ty.clone(), eid: None };
        let request = PartialRequest::new(any(principal), action.clone(), any(resource), None, schema).ok()?;
        let entities = PartialEntities::new();
        let response = tpe::is_authorized(policies.as_ref(), &request, &entities, schema).ok()?;
        let forbids: Vec<String> = response.true_forbids().map(|left| left.get_policy_id().to_string()).collect();
        let mut can_permit = false;
        for left in response.policies() {
            let outcome = self.policies.entry(left.get_policy_id().to_string()).or_default();
            let residual = left.as_residual();
            if matches!(residual, Residual::Error(_)) {
                outcome.fails.push(format!("a `{principal}` asks for `{action}` on a `{resource}`"));
            } else if !residual.is_false() {
                outcome.applies += 1;
                if left.get_effect() == Effect::Permit {
                    outcome.overruled += usize::from(!forbids.is_empty());
                    outcome.overruling.extend(forbids.iter().cloned());
                    can_permit |= forbids.is_empty();
                }
            }
        }
        Some(can_permit)
    }
}

/// Whether the policy's scope takes the action.
fn is_for(policy: &Policy, action: &Action) -> bool {
    match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == *action.uid(),
        ActionConstraint::In(uids) => uids.iter().any(|uid| action.entities().iter().any(|known| known.uid() == *uid)),
    }
}
