//! The schema's actions, numbered, with the entities that decisions on them need.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{Entity, EntityUid, Schema};

/// An action of the schema.
#[derive(Debug, Clone)]
pub struct Action {
    uid: EntityUid,
    name: Arc<str>,
    entities: Vec<Entity>,
}

impl Action {
    /// The action in Cedar.
    pub fn uid(&self) -> &EntityUid {
        &self.uid
    }

    /// Its name in routes and logs: `View` for `Action::"View"`, and the whole of it if its type has a namespace.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The entities that a slice needs of it: the action and all groups that it is in.
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }
}

/// Why a schema's actions cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ActionsError {
    /// They cannot be numbered.
    #[error("the schema has {0} actions, and at most 65535 are supported")]
    TooMany(usize),
    /// They are not a hierarchy.
    #[error("the schema's actions cannot be read: {0}")]
    Unreadable(#[from] Box<cedar_policy::entities_errors::EntitiesError>),
}

/// All actions of a schema, groups included. An action's index is its position, in the order of the names, and says
/// nothing beyond the generation that it is of.
#[derive(Debug, Clone)]
pub struct Actions {
    all: Vec<Action>,
    by_name: HashMap<Arc<str>, u16>,
}

impl Actions {
    /// The actions of `schema`.
    pub fn new(schema: &Schema) -> Result<Self, ActionsError> {
        let hierarchy = schema.action_entities().map_err(Box::new)?;
        let mut named: Vec<(Arc<str>, &EntityUid)> = schema.actions().map(|uid| (name_of(uid), uid)).collect();
        named.sort();
        if u16::try_from(named.len()).is_err() {
            return Err(ActionsError::TooMany(named.len()));
        }
        let all: Vec<Action> = named
            .into_iter()
            .map(|(name, uid)| {
                let groups = hierarchy.ancestors(uid).into_iter().flatten();
                let entities = std::iter::once(uid).chain(groups).filter_map(|uid| hierarchy.get(uid).cloned());
                Action { uid: uid.clone(), name, entities: entities.collect() }
            })
            .collect();
        let by_name = all.iter().zip(0..).map(|(action, index)| (Arc::clone(&action.name), index)).collect();
        Ok(Self { all, by_name })
    }

    /// All actions; the position of each is its index.
    pub fn as_slice(&self) -> &[Action] {
        &self.all
    }

    /// The action with this index.
    pub fn get(&self, index: u16) -> Option<&Action> {
        self.all.get(usize::from(index))
    }

    /// The index and the action with this name.
    pub fn find(&self, name: &str) -> Option<(u16, &Action)> {
        let index = *self.by_name.get(name)?;
        Some((index, self.get(index)?))
    }
}

fn name_of(uid: &EntityUid) -> Arc<str> {
    if uid.type_name().to_string() == "Action" { uid.id().unescaped().into() } else { uid.to_string().into() }
}
