//! The scope of a policy, and whether a request is within it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use cedar_policy_core::ast::{
    ActionConstraint, Entity, EntityReference, EntityType, EntityUID, Policy, PrincipalOrResourceConstraint, Request,
};
use cedar_policy_core::entities::{Dereference, Entities};
use smallvec::SmallVec;

/// Small numbers for what scopes name. 0 is none of them: it stands for what is not constrained.
#[derive(Debug)]
pub(super) struct Numbers<T>(HashMap<Arc<T>, u32>);

/// The number that stands for what is not constrained.
pub(super) const ANY: u32 = 0;

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T: Eq + Hash> Numbers<T> {
    /// The number of `thing`, a new one if it has none.
    pub(super) fn number(&mut self, thing: &Arc<T>) -> u32 {
        let next = u32::try_from(self.0.len()).map_or(u32::MAX, |len| len.saturating_add(1));
        *self.0.entry(Arc::clone(thing)).or_insert(next)
    }

    /// The number of `thing`, if scopes name it.
    pub(super) fn find(&self, thing: &T) -> Option<u32> {
        // To hash takes longer than to compare with a few.
        if self.0.len() <= 8 {
            return self.iter().find_map(|(known, number)| (known == thing).then_some(number));
        }
        self.0.get(thing).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, u32)> {
        self.0.iter().map(|(thing, number)| (&**thing, *number))
    }
}

/// What a policy is for.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) principal: PrincipalOrResourceConstraint,
    pub(super) action: Actions,
    pub(super) resource: PrincipalOrResourceConstraint,
}

/// The actions that a policy is for, by their numbers.
#[derive(Debug)]
pub(super) enum Actions {
    Any,
    Eq(u32, Arc<EntityUID>),
    In(Box<[u32]>),
}

impl Scope {
    pub(super) fn of(policy: &Policy, numbers: &mut Numbers<EntityUID>) -> Self {
        let action = match policy.action_constraint() {
            ActionConstraint::Any => Actions::Any,
            ActionConstraint::Eq(uid) => Actions::Eq(numbers.number(uid), Arc::clone(uid)),
            ActionConstraint::In(uids) => Actions::In(uids.iter().map(|uid| numbers.number(uid)).collect()),
        };
        Self {
            principal: policy.principal_constraint().into_inner(),
            action,
            resource: policy.resource_constraint().into_inner(),
        }
    }

    /// Whether the request is within the scope: what Cedar's evaluator makes of it.
    // INVARIANT: no part of a scope can fail to evaluate. `is` and `==` look at identifiers only, and what is on the
    // right of `in` is an entity or a list of entities, whether there is such an entity or not.
    pub(super) fn holds(&self, asked: &Asked<'_>) -> bool {
        self.is_for(asked.action) && holds(&self.principal, &asked.principal) && holds(&self.resource, &asked.resource)
    }

    /// Whether it is for this action.
    pub(super) fn is_for(&self, action: &ActionKeys) -> bool {
        match &self.action {
            Actions::Any => true,
            Actions::Eq(number, _) => action.own == Some(*number),
            Actions::In(numbers) => numbers.iter().any(|number| action.all.contains(number)),
        }
    }

    /// Whether a principal and a resource of the types of these could be within the scope.
    pub(super) fn fits_types(&self, asked: &Asked<'_>) -> bool {
        use PrincipalOrResourceConstraint::{Any, Eq, In, Is, IsIn};
        let fits = |constraint: &PrincipalOrResourceConstraint, party: &Party<'_>| match constraint {
            Any | In(_) => true,
            Is(entity_type) | IsIn(entity_type, _) => **entity_type == *party.entity_type(),
            Eq(_) => constraint.get_euid().is_some_and(|uid| uid.entity_type() == party.entity_type()),
        };
        fits(&self.principal, &asked.principal) && fits(&self.resource, &asked.resource)
    }

    /// Whether requests for `action`, of which it is known that it is one of these actions or in one of them, can be
    /// within the scope.
    pub(super) fn could_be_for(&self, action: &EntityUID) -> bool {
        !matches!(&self.action, Actions::Eq(_, uid) if **uid != *action)
    }

    pub(super) fn names_an_entity(&self) -> bool {
        self.principal.get_euid().is_some() || self.resource.get_euid().is_some()
    }

    /// The numbers that the policy is to be found by.
    pub(super) fn actions(&self) -> &[u32] {
        match &self.action {
            Actions::Any => &[ANY],
            Actions::Eq(number, _) => std::slice::from_ref(number),
            Actions::In(numbers) => numbers,
        }
    }
}

fn holds(constraint: &PrincipalOrResourceConstraint, party: &Party<'_>) -> bool {
    use PrincipalOrResourceConstraint::{Any, Eq, In, Is, IsIn};
    let is = |entity_type: &EntityType| party.uid.entity_type() == entity_type;
    let within = |group: &EntityReference| match group {
        EntityReference::EUID(group) => party.is_in(group),
        // A policy of a set has its slots filled.
        EntityReference::Slot(_) => false,
    };
    match constraint {
        Any => true,
        Is(entity_type) => is(entity_type),
        Eq(EntityReference::EUID(uid)) => party.uid == &**uid,
        Eq(EntityReference::Slot(_)) => false,
        In(group) => within(group),
        IsIn(entity_type, group) => is(entity_type) && within(group),
    }
}

/// The principal or the resource of a request, and what its entities say of it.
#[derive(Debug)]
pub(super) struct Party<'a> {
    uid: &'a EntityUID,
    entity: Option<&'a Entity>,
}

impl<'a> Party<'a> {
    fn of(uid: &'a EntityUID, entities: &'a Entities) -> Self {
        let entity = match entities.entity(uid) {
            Dereference::Data(entity) => Some(entity),
            Dereference::NoSuchEntity | Dereference::Residual(_) => None,
        };
        Self { uid, entity }
    }

    pub(super) fn entity_type(&self) -> &'a EntityType {
        self.uid.entity_type()
    }

    /// It, and all that it is in.
    pub(super) fn within(&self) -> impl Iterator<Item = &'a EntityUID> {
        std::iter::once(self.uid).chain(self.entity.into_iter().flat_map(Entity::ancestors))
    }

    fn is_in(&self, group: &EntityUID) -> bool {
        self.uid == group || self.entity.is_some_and(|entity| entity.is_descendant_of(group))
    }
}

/// An action by the numbers that scopes know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::authz) struct ActionKeys {
    /// Its own, if a scope names it.
    pub(super) own: Option<u32>,
    /// `ANY`, its own, and those of all that it is in.
    pub(super) all: SmallVec<[u32; 8]>,
}

impl ActionKeys {
    /// Of an action that is in `groups`.
    pub(super) fn new<'a>(
        action: &EntityUID,
        groups: impl IntoIterator<Item = &'a EntityUID>,
        numbers: &Numbers<EntityUID>,
    ) -> Self {
        let own = numbers.find(action);
        let groups = groups.into_iter().filter_map(|group| numbers.find(group));
        Self { own, all: std::iter::once(ANY).chain(own).chain(groups).collect() }
    }
}

/// What a request asks, as far as scopes look at it.
pub(super) struct Asked<'a> {
    pub(super) principal: Party<'a>,
    pub(super) action: &'a ActionKeys,
    pub(super) resource: Party<'a>,
}

impl<'a> Asked<'a> {
    /// Nothing if a part of the request is unknown.
    pub(super) fn of(request: &'a Request, entities: &'a Entities, action: &'a ActionKeys) -> Option<Self> {
        request.context()?;
        let party = |uid: Option<&'a EntityUID>| Some(Party::of(uid?, entities));
        let (principal, resource) = (party(request.principal().uid())?, party(request.resource().uid())?);
        Some(Self { principal, action, resource })
    }
}

/// The action of a request, by what its entities say of it; nothing if it is unknown.
pub(super) fn asked_action(request: &Request, entities: &Entities, numbers: &Numbers<EntityUID>) -> Option<ActionKeys> {
    let uid = request.action().uid()?;
    let action = Party::of(uid, entities);
    Some(ActionKeys::new(uid, action.entity.into_iter().flat_map(Entity::ancestors), numbers))
}
