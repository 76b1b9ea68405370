//! Policies, filed by what their scopes name.
//!
//! Each policy stands in one place: with the resource that its scope names (`==` or `in`), or with the principal, or, if
//! it names neither, with the types (`is`). Within its place it stands under each action or group that it is for.

use std::collections::HashMap;
use std::hash::Hash;
use std::ops::Range;
use std::sync::Arc;

use cedar_policy_core::ast::{EntityType, EntityUID, PrincipalOrResourceConstraint};
use smallvec::SmallVec;

use super::scope::{ANY, Asked, Numbers, Party, Scope};

/// Positions of policies.
pub(super) type Found = SmallVec<[u32; 32]>;

/// All places.
#[derive(Debug)]
pub(super) struct Shelves {
    principals: ByEntity,
    resources: ByEntity,
    by_types: ByTypes,
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
        Self { principals: principals.into(), resources: resources.into(), by_types: ByTypes::new(types, by_types) }
    }

    /// The policies that the request can be within the scope of: others than these it cannot.
    // INVARIANT: a scope that names a principal or a resource holds only for it and for what is in it, so for a request
    // whose principal or resource is `within` it; one that constrains a type only for requests of that type; and one
    // that lists actions only if the request's action is one of them or in one of them. So a policy that is not found
    // has a scope that does not hold, which is evaluated before the conditions: it is not satisfied, and cannot fail.
    pub(super) fn candidates(&self, asked: &Asked<'_>) -> Found {
        let mut found = Found::new();
        let Asked { principal, action, resource } = asked;
        self.by_types.find(principal.entity_type(), resource.entity_type(), &action.all, &mut found);
        self.principals.find(principal, &action.all, &mut found);
        self.resources.find(resource, &action.all, &mut found);
        in_order(found)
    }

    /// The policies that name no entity and that can be for these actions and types.
    pub(super) fn unnamed(&self, actions: &[u32], principal: &EntityType, resource: &EntityType) -> Found {
        let mut found = Found::new();
        self.by_types.find(principal, resource, actions, &mut found);
        in_order(found)
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

    /// The keys with their ranges of the entries.
    fn filed<T: FromIterator<(K, Range<usize>)>>(self) -> (T, Entries) {
        let mut entries = Vec::with_capacity(self.0.values().map(Vec::len).sum());
        let place = |(key, mut filed): (K, Vec<(u32, u32)>)| {
            filed.sort_unstable();
            let start = entries.len();
            entries.append(&mut filed);
            (key, start..entries.len())
        };
        (self.0.into_iter().map(place).collect(), Entries(entries))
    }
}

/// Sorted within the range of each key: the number of an action, and the position of a policy.
#[derive(Debug)]
struct Entries(Vec<(u32, u32)>);

impl Entries {
    fn find(&self, range: &Range<usize>, actions: &[u32], found: &mut Found) {
        let filed = self.0.get(range.clone()).unwrap_or_default();
        for &wanted in actions {
            let from = filed.partition_point(|(action, _)| *action < wanted);
            let run = filed.iter().skip(from).take_while(|(action, _)| *action == wanted);
            found.extend(run.map(|(_, at)| *at));
        }
    }
}

/// Policies by an entity that they name.
#[derive(Debug)]
struct ByEntity {
    keys: HashMap<Arc<EntityUID>, Range<usize>>,
    entries: Entries,
}

impl From<Filing<Arc<EntityUID>>> for ByEntity {
    fn from(filing: Filing<Arc<EntityUID>>) -> Self {
        let (keys, entries) = filing.filed();
        Self { keys, entries }
    }
}

impl ByEntity {
    fn find(&self, party: &Party<'_>, actions: &[u32], found: &mut Found) {
        // Nothing is hashed where no policy names any entity.
        if self.keys.is_empty() {
            return;
        }
        for range in party.within().filter_map(|uid| self.keys.get(uid)) {
            self.entries.find(range, actions, found);
        }
    }
}

/// The numbers of a principal's type and of a resource's.
type Types = (u32, u32);

/// Policies by the types that they are for.
#[derive(Debug)]
struct ByTypes {
    types: Numbers<EntityType>,
    /// Sorted.
    keys: Vec<(Types, Range<usize>)>,
    entries: Entries,
}

impl ByTypes {
    fn new(types: Numbers<EntityType>, filing: Filing<Types>) -> Self {
        let (mut keys, entries): (Vec<_>, _) = filing.filed();
        keys.sort_unstable_by_key(|(key, _)| *key);
        Self { types, keys, entries }
    }

    fn find(&self, principal: &EntityType, resource: &EntityType, actions: &[u32], found: &mut Found) {
        let numbers = |entity_type| [Some(ANY), self.types.find(entity_type)].into_iter().flatten();
        let resources = numbers(resource);
        for principal in numbers(principal) {
            for resource in resources.clone() {
                let at = self.keys.binary_search_by_key(&(principal, resource), |(key, _)| *key).ok();
                if let Some((_, range)) = at.and_then(|at| self.keys.get(at)) {
                    self.entries.find(range, actions, found);
                }
            }
        }
    }
}
