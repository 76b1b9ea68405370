//! The entities that files tell, of types that Gatepost does not own.

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy_core::ast::{Eid, Entity, EntityType, EntityUID, Expr, ExprKind, Literal, PartialValue};
use cedar_policy_core::entities::Entities;
use smol_str::SmolStr;

use super::entities::own_types;
use super::index::PolicyIndex;
use super::question::Resource;
use super::reads::Reads;

/// The entities of one generation, each with all that it is in.
#[derive(Debug, Default)]
pub(super) struct Filed {
    entities: HashMap<EntityUID, Entity>,
    ids: HashMap<EntityType, BTreeSet<SmolStr>>,
    /// Those that conditions of policies name, so that they may be looked at in every decision.
    named: Vec<EntityUID>,
    /// Those from which attributes lead to something that the store knows, if only by way of others.
    to_store: HashSet<EntityUID>,
}

impl Filed {
    /// `entities` are transitively closed, and none is of a type that Gatepost owns.
    pub(super) fn new(entities: Entities) -> Self {
        let entities: HashMap<_, _> = entities.iter().map(|entity| (entity.uid().clone(), entity.clone())).collect();
        let mut ids: HashMap<EntityType, BTreeSet<SmolStr>> = HashMap::new();
        for uid in entities.keys() {
            let id: &str = uid.eid().as_ref();
            ids.entry(uid.entity_type().clone()).or_default().insert(id.into());
        }
        let to_store = leading_to_store(&entities);
        Self { entities, ids, named: Vec::new(), to_store }
    }

    /// The same, for these policies.
    pub(super) fn named_by(mut self, policies: &PolicyIndex) -> Self {
        if !self.entities.is_empty() {
            let literals: HashSet<&EntityUID> = policies.conditions().flat_map(literals).collect();
            self.named = literals.into_iter().filter(|uid| self.entities.contains_key(*uid)).cloned().collect();
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }

    pub(super) fn get(&self, uid: &EntityUID) -> Option<&Entity> {
        self.entities.get(uid)
    }

    /// The identifiers of all entities of a type, in their order.
    pub(super) fn ids<'a>(&'a self, entity_type: &EntityType) -> impl Iterator<Item = &'a str> {
        self.ids.get(entity_type).into_iter().flatten().map(SmolStr::as_str)
    }

    /// Where a decision on this resource may begin to look at entities of files, if policies read so.
    pub(super) fn roots<'a>(&'a self, resource: &'a EntityUID, reads: Reads) -> impl Iterator<Item = &'a EntityUID> {
        let named = if reads.follows_literals { self.named.as_slice() } else { &[] };
        std::iter::once(resource).chain(named)
    }

    /// Those that conditions of policies name.
    pub(super) fn named(&self) -> &[EntityUID] {
        &self.named
    }

    /// Whether what these lead to must be asked of the store.
    pub(super) fn lead_to_store<'a>(&self, roots: impl IntoIterator<Item = &'a EntityUID>) -> bool {
        roots.into_iter().any(|uid| self.to_store.contains(uid))
    }

    /// Whether a decision on this resource may look at something that must be asked of the store, though its own facts do
    /// not tell it.
    pub(super) fn may_lead_to_store(&self, resource: &Resource, reads: Reads) -> bool {
        if self.to_store.is_empty() {
            return false;
        }
        let by_name = reads.follows_literals && self.lead_to_store(&self.named);
        by_name || matches!(resource, Resource::Unregistered { entity_type, id } if self.leads(entity_type, id))
    }

    fn leads(&self, entity_type: &str, id: &str) -> bool {
        let entity_type = self.ids.keys().find(|known| known.to_string() == entity_type);
        entity_type.is_some_and(|entity_type| {
            self.to_store.contains(&EntityUID::from_components(entity_type.clone(), Eid::new(id), None))
        })
    }

    /// These entities and all that their attributes lead to, as far as files tell.
    pub(super) fn reach<'a>(&'a self, roots: impl IntoIterator<Item = &'a EntityUID>) -> Vec<&'a Entity> {
        let mut found: HashMap<&EntityUID, &Entity> = HashMap::new();
        let mut waiting: Vec<&Entity> = roots.into_iter().filter_map(|uid| self.entities.get(uid)).collect();
        while let Some(entity) = waiting.pop() {
            if found.insert(entity.uid(), entity).is_none() {
                waiting.extend(references(entity).iter().filter_map(|uid| self.entities.get(uid)));
            }
        }
        found.into_values().collect()
    }
}

/// The entities that an entity's attributes and tags name.
pub(super) fn references(entity: &Entity) -> HashSet<EntityUID> {
    let values = entity.attrs().chain(entity.tags()).map(|(_, value)| value);
    let uids = values.map(|value| match value {
        PartialValue::Value(value) => value.all_literal_uids(),
        PartialValue::Residual(_) => HashSet::new(),
    });
    uids.flatten().collect()
}

/// The entities that an expression names.
fn literals(condition: &Expr) -> impl Iterator<Item = &EntityUID> {
    condition.subexpressions().filter_map(|expr| match expr.expr_kind() {
        ExprKind::Lit(Literal::EntityUID(uid)) => Some(&**uid),
        _ => None,
    })
}

fn leading_to_store(entities: &HashMap<EntityUID, Entity>) -> HashSet<EntityUID> {
    let mut from: HashMap<EntityUID, Vec<&EntityUID>> = HashMap::new();
    for entity in entities.values() {
        for uid in references(entity) {
            from.entry(uid).or_default().push(entity.uid());
        }
    }
    let is_own = |uid: &EntityUID| own_types().map_or(true, |own| own.include(uid.entity_type()));
    let mut waiting: Vec<&EntityUID> = from.keys().filter(|uid| is_own(uid)).collect();
    let mut leading = HashSet::new();
    while let Some(uid) = waiting.pop() {
        for source in from.get(uid).into_iter().flatten() {
            if leading.insert((*source).clone()) {
                waiting.push(source);
            }
        }
    }
    leading
}

#[cfg(test)]
mod tests;
