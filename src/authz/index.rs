//! Which policies a question must be put to: all but those whose scopes rule it out.
//!
//! Cedar's own `Authorizer` evaluates each policy of the set for each request. Here they are filed by their scopes when
//! they are loaded, so that a request meets only the few that can say something about it, however many there are. What
//! they say is decided by Cedar's evaluator, and put together as its authorizer does.

mod plain;
mod reach;
mod scope;
mod shelves;

use std::collections::HashMap;
use std::ops::BitOr;
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Decision, PolicySet, Schema};
use cedar_policy_core::ast::{Effect, EntityType, EntityUID, Expr, Literal, Policy, Request, Value, ValueKind};
use cedar_policy_core::authorizer::AuthorizationError as CoreError;
use cedar_policy_core::entities::Entities;
use cedar_policy_core::evaluator::{EvaluationError, Evaluator};
use cedar_policy_core::extensions::Extensions;

use self::plain::plain;
use self::reach::Reaches;
pub(super) use self::scope::ActionKeys;
use self::scope::{Asked, Numbers, Scope};
use self::shelves::Shelves;

/// The policies of one set, in its order, and where to find those that a request can concern.
#[derive(Debug)]
pub struct PolicyIndex {
    policies: Vec<Indexed>,
    actions: Numbers<EntityUID>,
    shelves: Shelves,
    reaches: Reaches,
}

#[derive(Debug)]
struct Indexed {
    policy: Policy,
    id: Arc<str>,
    scope: Scope,
    /// What its conditions come to, if it has any.
    condition: Option<Expr>,
}

/// What Cedar's `Authorizer` would answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Authorization {
    /// Whether a policy permits, and none forbids.
    pub decision: Decision,
    /// The identifiers of the policies that determined the decision, sorted: the satisfied permits of an `Allow`, the
    /// satisfied forbids of a `Deny`.
    pub reason: Vec<Arc<str>>,
    /// What went wrong in policies, which then count as not satisfied, in the order of the set.
    pub errors: Vec<AuthorizationError>,
}

impl PolicyIndex {
    /// Files the policies. The schema says which actions are in which groups, and which types can be in which: it is
    /// used by [`Self::unnamed`] and [`Self::names_entities`] only.
    pub fn new(policies: &PolicySet, schema: &Schema) -> Self {
        let set: &cedar_policy_core::ast::PolicySet = policies.as_ref();
        let mut actions = Numbers::default();
        let indexed: Vec<Indexed> = set
            .policies()
            .map(|policy| Indexed {
                id: AsRef::<str>::as_ref(policy.id()).into(),
                scope: Scope::of(policy, &mut actions),
                condition: policy.non_scope_constraints().map(plain),
                policy: policy.clone(),
            })
            .collect();
        let scopes = || indexed.iter().map(|indexed| &indexed.scope);
        let shelves = Shelves::new(scopes());
        let reaches = Reaches::new(scopes(), &actions, schema.as_ref());
        Self { policies: indexed, actions, shelves, reaches }
    }

    /// The answer to a request in which nothing is unknown: exactly that of Cedar's `Authorizer` over the whole set.
    pub fn authorize(&self, request: &Request, entities: &Entities) -> Authorization {
        match scope::asked_action(request, entities, &self.actions) {
            Some(action) => self.authorize_for(&action, request, entities),
            None => self.authorize_by_all(request, entities),
        }
    }

    /// The same, if the request's action is this one, and in the groups that it is in by the schema and in no others.
    pub(super) fn authorize_for(&self, action: &ActionKeys, request: &Request, entities: &Entities) -> Authorization {
        let Some(asked) = Asked::of(request, entities, action) else { return self.authorize_by_all(request, entities) };
        let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
        let mut answer = Answer::default();
        for indexed in self.shelves.candidates(&asked).into_iter().filter_map(|at| self.at(at)) {
            answer.add(indexed, indexed.is_satisfied(&asked, &evaluator));
        }
        answer.concluded()
    }

    /// The permits for the action that the request does not satisfy: those whose scopes hold for it, and those that are for
    /// another principal or resource of the same types; in the order of the set.
    pub(super) fn unsatisfied(
        &self,
        action: &ActionKeys,
        request: &Request,
        entities: &Entities,
    ) -> (Vec<&Policy>, Vec<&Policy>) {
        let Some(asked) = Asked::of(request, entities, action) else { return Default::default() };
        let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
        let permits = self.policies.iter().filter(|indexed| indexed.policy.effect() == Effect::Permit);
        let permits = permits.filter(|indexed| indexed.scope.fits_types(&asked));
        let (within, beside): (Vec<&Indexed>, Vec<&Indexed>) =
            permits.filter(|indexed| indexed.scope.is_for(action)).partition(|indexed| indexed.scope.holds(&asked));
        let is_unsatisfied = |indexed: &&Indexed| !matches!(indexed.is_satisfied(&asked, &evaluator), Ok(true));
        let within = within.into_iter().filter(is_unsatisfied).map(|indexed| &indexed.policy);
        (within.collect(), beside.into_iter().map(|indexed| &indexed.policy).collect())
    }

    fn authorize_by_all(&self, request: &Request, entities: &Entities) -> Authorization {
        let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
        let mut answer = Answer::default();
        self.policies.iter().for_each(|indexed| answer.add(indexed, indexed.evaluated_in_full(&evaluator)));
        answer.concluded()
    }

    /// What the action is known by here, in the groups that it is in by the schema.
    pub(super) fn action(&self, action: &EntityUID) -> ActionKeys {
        self.reaches.action(action, &self.actions)
    }

    /// What `of` says of the policies that can be for an action, put together for each.
    pub(super) fn summary<T: BitOr<Output = T> + Clone + Default>(
        &self,
        of: impl Fn(&Policy) -> T,
    ) -> impl Fn(&ActionKeys) -> T {
        let mut known: HashMap<u32, T> = HashMap::new();
        for Indexed { policy, scope, .. } in &self.policies {
            let of_it = of(policy);
            for number in scope.actions() {
                let of_action = known.entry(*number).or_default();
                *of_action = std::mem::take(of_action) | of_it.clone();
            }
        }
        move |action| {
            let of_action = action.all.iter().filter_map(|number| known.get(number));
            of_action.fold(T::default(), |all, one| all | one.clone())
        }
    }

    /// The policies that could apply to requests for `action` by a principal and on a resource of these types, and whose
    /// scopes name neither a principal nor a resource; in the order of the set.
    pub fn unnamed(&self, action: &EntityUID, principal_type: &EntityType, resource_type: &EntityType) -> Vec<&Policy> {
        let found = self.shelves.unnamed(&self.action(action).all, principal_type, resource_type);
        let found = found.into_iter().filter_map(|at| self.at(at));
        found.filter(|indexed| indexed.scope.could_be_for(action)).map(|indexed| &indexed.policy).collect()
    }

    /// Whether a policy that could apply to such requests names a principal or a resource in its scope. Relies on the
    /// schema for what can be in what, as long as the entities of the request do.
    pub fn names_entities(&self, action: &EntityUID, principal_type: &EntityType, resource_type: &EntityType) -> bool {
        self.reaches.any_named(&self.action(action), principal_type, resource_type)
    }

    /// The conditions of all policies that have any.
    pub(super) fn conditions(&self) -> impl Iterator<Item = &Expr> {
        self.policies.iter().filter_map(|indexed| indexed.policy.non_scope_constraints())
    }

    fn at(&self, at: u32) -> Option<&Indexed> {
        self.policies.get(usize::try_from(at).ok()?)
    }
}

impl Indexed {
    /// Whether the policy is satisfied, as `Evaluator::evaluate` says.
    fn is_satisfied(&self, asked: &Asked<'_>, evaluator: &Evaluator<'_>) -> Result<bool, Box<EvaluationError>> {
        if !self.scope.holds(asked) {
            return Ok(false);
        }
        let Some(condition) = &self.condition else { return Ok(true) };
        match evaluator.interpret(condition, self.policy.env()) {
            Ok(Value { value: ValueKind::Lit(Literal::Bool(satisfied)), .. }) => Ok(satisfied),
            // What is wrong, and how that is said, is left to Cedar.
            _ => self.evaluated_in_full(evaluator),
        }
    }

    fn evaluated_in_full(&self, evaluator: &Evaluator<'_>) -> Result<bool, Box<EvaluationError>> {
        evaluator.evaluate(&self.policy).map_err(Box::new)
    }
}

/// What the policies said so far.
#[derive(Default)]
struct Answer<'a> {
    permits: Vec<&'a Indexed>,
    forbids: Vec<&'a Indexed>,
    errors: Vec<AuthorizationError>,
}

impl<'a> Answer<'a> {
    fn add(&mut self, indexed: &'a Indexed, satisfied: Result<bool, Box<EvaluationError>>) {
        match (satisfied, indexed.policy.effect()) {
            (Ok(true), Effect::Permit) => self.permits.push(indexed),
            (Ok(true), Effect::Forbid) => self.forbids.push(indexed),
            (Ok(false), _) => {}
            (Err(error), _) => {
                let id = indexed.policy.id().clone();
                self.errors.push(CoreError::PolicyEvaluationError { id, error: *error }.into());
            }
        }
    }

    fn concluded(self) -> Authorization {
        let (decision, determining) = match (self.permits.is_empty(), self.forbids.is_empty()) {
            (false, true) => (Decision::Allow, self.permits),
            (_, _) => (Decision::Deny, self.forbids),
        };
        let mut reason: Vec<Arc<str>> = determining.into_iter().map(|indexed| Arc::clone(&indexed.id)).collect();
        reason.sort_unstable();
        Authorization { decision, reason, errors: self.errors }
    }
}

#[cfg(test)]
pub(super) mod tests;
