//! What of the requests for an action is made, and held against the schema, ahead of time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy::Schema;
use cedar_policy_core::ast::{Entity, EntityType, EntityUID, RequestSchema};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::{ValidatorEntityTypeKind, ValidatorSchema};

use super::actions::Action;
use super::entities::{self, ContextSamples, Types};
use super::index::{ActionKeys, PolicyIndex};
use super::question::Circumstances;
use super::reads::{Reads, Strays};

/// The actions of a schema, in their order, and its types.
#[derive(Debug)]
pub(super) struct Prepared {
    actions: Vec<PreparedAction>,
    types: Types,
}

impl Prepared {
    pub(super) fn new(actions: &[Action], schema: &Schema, policies: &PolicyIndex) -> Self {
        let types = Types::of(schema);
        let schema: &ValidatorSchema = schema.as_ref();
        let samples = entities::context_samples();
        let (reads, strays) = (policies.summary(Reads::of), policies.summary(Strays::of));
        // Many actions share few types of context.
        let mut taken = HashMap::new();
        let prepare = |action: &Action| {
            let (uid, keys) = (action.uid().as_ref(), policies.action(action.uid().as_ref()));
            let context = schema.context_type(uid);
            let takes = *taken.entry(context).or_insert_with(|| Takes::new(uid, schema, samples.as_ref()));
            let (reads, strays) = (reads(&keys), strays(&keys));
            PreparedAction::new(action, reads, strays, keys, schema, takes)
        };
        Self { actions: actions.iter().map(prepare).collect(), types }
    }

    /// All actions, each at its index.
    pub(super) fn actions(&self) -> &[PreparedAction] {
        &self.actions
    }

    /// The action with this index.
    pub(super) fn action(&self, index: u16) -> Option<&PreparedAction> {
        self.actions.get(usize::from(index))
    }

    /// The schema's types.
    pub(super) fn types(&self) -> &Types {
        &self.types
    }
}

/// An action, as requests are made for it.
#[derive(Debug)]
pub(super) struct PreparedAction {
    pub(super) uid: Arc<EntityUID>,
    pub(super) keys: ActionKeys,
    /// The entities that a slice needs of it: the action, and the groups that it is in if policies may look at these.
    pub(super) entities: Vec<Entity>,
    /// What policies on it can read.
    pub(super) reads: Reads,
    /// What of that a slice does not have.
    pub(super) strays: Strays,
    principals: Kinds,
    resources: Kinds,
    takes: Takes,
}

impl PreparedAction {
    fn new(
        action: &Action,
        reads: Reads,
        strays: Strays,
        keys: ActionKeys,
        schema: &ValidatorSchema,
        takes: Takes,
    ) -> Self {
        let uid: &EntityUID = action.uid().as_ref();
        let needed = action.entities().iter().take(if reads.follows_literals { usize::MAX } else { 1 });
        Self {
            uid: Arc::new(uid.clone()),
            keys,
            entities: needed.map(|entity| entity.as_ref().clone()).collect(),
            reads,
            strays,
            principals: Kinds::of(schema, schema.principals_for_action(uid).into_iter().flatten()),
            resources: Kinds::of(schema, schema.resources_for_action(uid).into_iter().flatten()),
            takes,
        }
    }

    /// Whether it is for groups only: no request is for it.
    pub(super) fn is_group(&self) -> bool {
        self.principals.is_empty() || self.resources.is_empty()
    }

    /// Whether it is known that the schema takes such a request. If it is not, that has to be found out.
    // INVARIANT: the validator looks at a request's principal and resource for their types, and for their identifiers
    // where these are enumerated, which `Kinds` does alike. Of a context it asks that each attribute has its type and
    // that none is missing. The samples are the largest and the smallest that are built, so one in between is taken.
    pub(super) fn fits(&self, principal: &EntityUID, resource: &EntityUID, circumstances: &Circumstances<'_>) -> bool {
        let takes_context = if circumstances.tells_member() { self.takes.of_member } else { self.takes.others };
        takes_context && self.principals.include(principal) && self.resources.include(resource)
    }
}

/// Whether the schema takes the contexts of requests for an action, those that concern a member and the others.
#[derive(Debug, Clone, Copy)]
struct Takes {
    of_member: bool,
    others: bool,
}

impl Takes {
    fn new(action: &EntityUID, schema: &ValidatorSchema, samples: Option<&ContextSamples>) -> Self {
        let extensions = Extensions::all_available();
        let takes = |context| schema.validate_context(context, action, extensions).is_ok();
        let others = samples.is_some_and(|samples| samples.without_member.iter().all(takes));
        Self { of_member: others && samples.is_some_and(|samples| takes(&samples.with_member)), others }
    }
}

/// The entities that an action applies to.
#[derive(Debug, Default)]
struct Kinds {
    types: Vec<EntityType>,
    enumerated: HashSet<EntityUID>,
}

impl Kinds {
    fn of<'a>(schema: &ValidatorSchema, types: impl Iterator<Item = &'a EntityType>) -> Self {
        let mut kinds = Self::default();
        for entity_type in types {
            match schema.get_entity_type(entity_type).map(|known| &known.kind) {
                Some(ValidatorEntityTypeKind::Standard(_)) => kinds.types.push(entity_type.clone()),
                Some(ValidatorEntityTypeKind::Enum(ids)) => {
                    let uids = ids.iter().map(|id| EntityUID::from_components(entity_type.clone(), id.clone(), None));
                    kinds.enumerated.extend(uids);
                }
                Some(ValidatorEntityTypeKind::External) | None => {}
            }
        }
        kinds
    }

    fn is_empty(&self) -> bool {
        self.types.is_empty() && self.enumerated.is_empty()
    }

    fn include(&self, uid: &EntityUID) -> bool {
        self.types.contains(uid.entity_type()) || self.enumerated.contains(uid)
    }
}
