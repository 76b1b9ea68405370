//! Policies, filed by what their scopes name.
//!
//! Each policy stands in one place: with the resource that its scope names (`==` or `in`), or with the principal, or, if
//! it names neither, with the types (`is`). Within its place it stands under each action or group that it is for.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use cedar_policy_core::ast::{EntityType, EntityUID, PrincipalOrResourceConstraint};
use smallvec::SmallVec;

use super::scope::{ANY, Asked, Numbers, Scope};

/// Positions of policies.
pub(super) type Found = SmallVec<[u32; 32]>;

/// All places.
#[derive(Debug)]
pub(super) struct Shelves {
    principals: Shelf<Arc<EntityUID>>,
    resources: Shelf<Arc<EntityUID>>,
    by_types: Shelf<(u32, u32)>,
    types: Numbers<EntityType>,
}

impl Shelves {
    /// Files the policies with these scopes; the position of each is its name.
    pub(super) fn new<'a>(scopes: impl Iterator<Item = &'a Scope> + Clone) -> Self {
        let (mut principals, mut resources, mut by_types) = (Filing::default(), Filing::default(), Filing::default());
        let mut types = Numbers::default();
        let popular = Popularity::of(scopes.clone());
        for (scope, at) in scopes.zip(0..) {
            match (scope.principal.get_euid(), scope.resource.get_euid()) {
                // The rarer of the two stands for fewer policies.
                (Some(principal), Some(resource)) if popular.is_rarer(principal, resource) => {
                    principals.add(Arc::clone(principal), scope, at);
                }
                (_, Some(resource)) => resources.add(Arc::clone(resource), scope, at),
                (Some(principal), None) => principals.add(Arc::clone(principal), scope, at),
                (None, None) => {
                    let mut number = |constraint: &PrincipalOrResourceConstraint| match constraint {
                        PrincipalOrResourceConstraint::Is(entity_type) => types.number(entity_type),
                        _ => ANY,
                    };
                    by_types.add((number(&scope.principal), number(&scope.resource)), scope, at);
                }
            }
        }
        Self {
            principals: Shelf::from(principals),
            resources: Shelf::from(resources),
            by_types: Shelf::from(by_types),
            types,
        }
    }

    /// The policies that the request can be within the scope of: others than these it cannot.
    // INVARIANT: a scope that names a principal or a resource holds only for it and for what is in it, so for a request
    // whose principal or resource is `within` it; one that constrains a type only for requests of that type; and one
    // that lists actions only if the request's action is one of them or in one of them. So a policy that is not found
    // has a scope that does not hold, which is evaluated before the conditions: it is not satisfied, and cannot fail.
    pub(super) fn candidates(&self, asked: &Asked<'_>) -> Found {
        let mut found = self.of_types(&asked.actions, asked.principal.entity_type(), asked.resource.entity_type());
        for (shelf, party) in [(&self.principals, &asked.principal), (&self.resources, &asked.resource)] {
            if !shelf.is_empty() {
                party.within().for_each(|uid| shelf.find(uid, &asked.actions, &mut found));
            }
        }
        in_order(found)
    }

    /// The policies that name no entity and that can be for these actions and types.
    pub(super) fn unnamed(&self, actions: &[u32], principal: &EntityType, resource: &EntityType) -> Found {
        in_order(self.of_types(actions, principal, resource))
    }

    fn of_types(&self, actions: &[u32], principal: &EntityType, resource: &EntityType) -> Found {
        let mut found = Found::new();
        let numbers = |entity_type| std::iter::once(ANY).chain(self.types.find(entity_type));
        for principal in numbers(principal) {
            numbers(resource).for_each(|resource| self.by_types.find(&(principal, resource), actions, &mut found));
        }
        found
    }
}

/// In the order of the set, each once: a policy stands under each action that it lists.
fn in_order(mut found: Found) -> Found {
    found.sort_unstable();
    found.dedup();
    found
}

/// How many policies name an entity as their principal or as their resource.
struct Popularity<'a> {
    principals: HashMap<&'a EntityUID, usize>,
    resources: HashMap<&'a EntityUID, usize>,
}

impl<'a> Popularity<'a> {
    fn of(scopes: impl Iterator<Item = &'a Scope>) -> Self {
        let mut popular = Self { principals: HashMap::new(), resources: HashMap::new() };
        for scope in scopes {
            if let Some(uid) = scope.principal.get_euid() {
                *popular.principals.entry(uid).or_default() += 1;
            }
            if let Some(uid) = scope.resource.get_euid() {
                *popular.resources.entry(uid).or_default() += 1;
            }
        }
        popular
    }

    fn is_rarer(&self, principal: &EntityUID, resource: &EntityUID) -> bool {
        self.principals.get(principal) < self.resources.get(resource)
    }
}

/// Policies that are being filed: the numbers of actions and the positions, by key.
struct Filing<K>(HashMap<K, Vec<(u32, u32)>>);

impl<K> Default for Filing<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Filing<K> {
    fn add(&mut self, key: K, scope: &Scope, at: u32) {
        self.0.entry(key).or_default().extend(scope.actions().iter().map(|&action| (action, at)));
    }
}

/// Policies by key, and under each key by action.
#[derive(Debug)]
struct Shelf<K> {
    keys: HashMap<K, Range<usize>>,
    /// Sorted within each key's range: the number of an action, and the position of a policy.
    entries: Vec<(u32, u32)>,
}

impl<K: Eq + Hash> From<Filing<K>> for Shelf<K> {
    fn from(Filing(filing): Filing<K>) -> Self {
        let mut entries = Vec::with_capacity(filing.values().map(Vec::len).sum());
        let place = |(key, mut filed): (K, Vec<(u32, u32)>)| {
            filed.sort_unstable();
            let start = entries.len();
            entries.append(&mut filed);
            (key, start..entries.len())
        };
        Self { keys: filing.into_iter().map(place).collect(), entries }
    }
}

impl<K: Eq + Hash> Shelf<K> {
    fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn find<Q: Eq + Hash>(&self, key: &Q, actions: &[u32], found: &mut Found)
    where
        K: Borrow<Q>,
    {
        let filed = self.keys.get(key).and_then(|range| self.entries.get(range.clone())).unwrap_or_default();
        for &wanted in actions {
            let from = filed.partition_point(|(action, _)| *action < wanted);
            let run = filed.iter().skip(from).take_while(|(action, _)| *action == wanted);
            found.extend(run.map(|(_, at)| *at));
        }
    }
}
