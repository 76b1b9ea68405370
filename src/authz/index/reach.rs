//! Which policies can concern which kind of request at all, as far as the schema tells.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use cedar_policy_core::ast::{EntityType, EntityUID, PrincipalOrResourceConstraint};
use cedar_policy_core::validator::ValidatorSchema;

use super::scope::{ActionKeys, Actions, Numbers, Scope};

/// The schema's hierarchies as far as scopes use them, and the reach of those scopes that name entities.
#[derive(Debug)]
pub(super) struct Reaches {
    /// The numbers of the groups that an action is in.
    groups: HashMap<EntityUID, Vec<u32>>,
    /// The types whose entities can be in entities of a type.
    members: HashMap<Arc<EntityType>, HashSet<EntityType>>,
    /// By the number of an action: the reach of the policies that name principals or resources.
    named: HashMap<u32, HashSet<Named>>,
}

/// The reach of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Named {
    /// Whether it is for this one action, and not for what is in it.
    exactly: bool,
    principals: Reach,
    resources: Reach,
}

/// The entities that a constraint can hold for, by their type.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Reach {
    Any,
    Of(Arc<EntityType>),
    /// Of this type, or in an entity of this type.
    In(Arc<EntityType>),
}

impl Reach {
    fn of(constraint: &PrincipalOrResourceConstraint) -> Self {
        use PrincipalOrResourceConstraint::{Any, Eq, In, Is, IsIn};
        let named = || constraint.get_euid().map(|uid| Arc::new(uid.entity_type().clone()));
        match constraint {
            Any => Self::Any,
            Is(entity_type) | IsIn(entity_type, _) => Self::Of(Arc::clone(entity_type)),
            Eq(_) => named().map_or(Self::Any, Self::Of),
            In(_) => named().map_or(Self::Any, Self::In),
        }
    }
}

impl Reaches {
    pub(super) fn new<'a>(
        scopes: impl Iterator<Item = &'a Scope>,
        numbers: &Numbers<EntityUID>,
        schema: &ValidatorSchema,
    ) -> Self {
        let mut groups: HashMap<EntityUID, Vec<u32>> = HashMap::new();
        for (group, number) in numbers.iter() {
            for member in schema.get_action_id(group).into_iter().flat_map(|group| group.descendants()) {
                groups.entry(member.clone()).or_default().push(number);
            }
        }
        let mut reaches = Self { groups, members: HashMap::new(), named: HashMap::new() };
        for scope in scopes.filter(|scope| scope.names_an_entity()) {
            let exactly = matches!(scope.action, Actions::Eq(..));
            let reach =
                Named { exactly, principals: Reach::of(&scope.principal), resources: Reach::of(&scope.resource) };
            for side in [&reach.principals, &reach.resources] {
                if let Reach::In(group) = side
                    && !reaches.members.contains_key(group)
                {
                    let members = schema.get_entity_type(group).map(|known| known.descendants.clone());
                    reaches.members.insert(Arc::clone(group), members.unwrap_or_default());
                }
            }
            for action in scope.actions() {
                let known = reaches.named.entry(*action).or_default();
                if !known.contains(&reach) {
                    known.insert(reach.clone());
                }
            }
        }
        reaches
    }

    /// The action, as it stands in the schema.
    pub(super) fn action(&self, action: &EntityUID, numbers: &Numbers<EntityUID>) -> ActionKeys {
        let groups = self.groups.get(action).into_iter().flatten();
        let mut keys = ActionKeys::new(action, [], numbers);
        keys.all.extend(groups.copied());
        keys
    }

    /// Whether some policy for the action names an entity, and can hold for these types.
    pub(super) fn any_named(&self, action: &ActionKeys, principal: &EntityType, resource: &EntityType) -> bool {
        action.all.iter().any(|number| {
            self.named.get(number).into_iter().flatten().any(|named| {
                (!named.exactly || action.own == Some(*number))
                    && self.includes(&named.principals, principal)
                    && self.includes(&named.resources, resource)
            })
        })
    }

    fn includes(&self, reach: &Reach, entity_type: &EntityType) -> bool {
        match reach {
            Reach::Any => true,
            Reach::Of(known) => **known == *entity_type,
            Reach::In(group) => {
                **group == *entity_type || self.members.get(group).is_some_and(|members| members.contains(entity_type))
            }
        }
    }
}
