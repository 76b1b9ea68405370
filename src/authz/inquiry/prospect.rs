//! What can be found at all: the policies, evaluated with the one that is searched for left open.
//!
//! Cedar's type-aware partial evaluation leaves of each policy what depends on it. If nothing is left that could permit
//! anything, nothing need be tried. If whatever is left demands that it is one of a few entities, or in one of them, then
//! only such need be tried. This says what need not be tried, and never what is permitted: so nothing depends on it but
//! how much is tried.

use std::collections::HashSet;
use std::sync::Arc;

use cedar_policy::{ActionConstraint, Decision, PolicySet};
use cedar_policy_core::ast::{BinaryOp, Entity, EntityUID, Literal, PartialValue, Value, ValueKind, Var};
use cedar_policy_core::tpe;
use cedar_policy_core::tpe::entities::{PartialEntities, PartialEntity};
use cedar_policy_core::tpe::request::{PartialEntityUID, PartialRequest};
use cedar_policy_core::tpe::residual::{Residual, ResidualKind};
use cedar_policy_core::validator::ValidatorSchema;

use super::gather::{Gathering, LoadFacts};
use super::{Inquiry, InquiryError, Sought, Unfit, action, fit, subject};
use crate::authz::entities::own_types;
use crate::authz::generation::Generation;

/// Of how many policies is found out what they leave: each is checked against the schema again, which takes a while.
const MOST_POLICIES: usize = 1_000;

/// Where something may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Prospect {
    /// Nowhere.
    None,
    /// Among these entities, and what is in them.
    Within(HashSet<EntityUID>),
    /// That is open.
    Anywhere,
}

/// What may be found. A question that does not fit the schema, whatever is found, is an error.
pub(super) fn prospect(
    generation: &Generation,
    load: LoadFacts<'_>,
    sought: Sought,
    inquiry: &Inquiry<'_>,
) -> Result<Prospect, InquiryError> {
    // Of a search for actions nothing is open: each is decided by itself.
    let (variable, known) = match sought {
        Sought::Actions => return Ok(Prospect::Anywhere),
        Sought::Subjects => (Var::Principal, &inquiry.resource),
        Sought::Resources => (Var::Resource, &inquiry.subject),
    };
    let action = action(generation, inquiry.action)?;
    let schema: &ValidatorSchema = generation.schema().as_ref();
    let context = fit::context(generation, &action.uid, inquiry.context, inquiry.action_properties)?;
    let (open, uid) = match sought {
        Sought::Resources => (&inquiry.resource, subject(generation, known)?),
        Sought::Subjects | Sought::Actions => (&inquiry.subject, fit::uid(generation, known)?),
    };
    let types = generation.prepared().types();
    let open = types.get(open.entity_type).ok_or_else(|| Unfit(format!("no type `{}`", open.entity_type)))?;
    let open = PartialEntityUID { ty: open.clone(), eid: None };
    let (principal, resource) = match variable {
        Var::Resource => (uid.clone().into(), open),
        _ => (open, uid.clone().into()),
    };
    let request = PartialRequest::new(principal, (*action.uid).clone(), resource, Some(Arc::clone(&context)), schema);
    let request = request.map_err(|error| Unfit(error.to_string()))?;

    // Who is asked about decides what the facts are, so of a search for subjects nobody in particular does.
    let mut gathering = Gathering::new(generation, load, (variable == Var::Resource).then_some(&uid))?;
    gathering.add_party(&uid, known.properties)?;
    gathering.follow(context.values().flat_map(Value::all_literal_uids))?;
    gathering.follow(generation.filed().named().iter().cloned())?;
    gathering.follow_named(&action.strays)?;
    let (entities, _) = gathering.finish()?;
    let Some(entities) = partial(entities, schema) else { return Ok(Prospect::Anywhere) };

    let Some(policies) = concerning(generation, &action.uid) else { return Ok(Prospect::Anywhere) };
    let Ok(response) = tpe::is_authorized(policies.as_ref(), &request, &entities, schema) else {
        return Ok(Prospect::Anywhere);
    };
    if response.decision() == Some(Decision::Deny) {
        return Ok(Prospect::None);
    }
    if response.true_permits().next().is_some() {
        return Ok(Prospect::Anywhere);
    }
    let bounds = response.residual_permits().map(|left| bounds(left.as_residual(), variable));
    Ok(match bounds.collect::<Option<Vec<_>>>() {
        Some(bounds) => Prospect::Within(bounds.into_iter().flatten().collect()),
        None => Prospect::Anywhere,
    })
}

/// The entities, as far as they are known whatever is found; nothing if some do not fit the schema.
// INVARIANT: what users are in depends on who asks and on what, and nothing else that is built here does.
fn partial(entities: Vec<Entity>, schema: &ValidatorSchema) -> Option<PartialEntities> {
    let own = own_types().ok()?;
    let known = |entity: Entity| {
        let is_user = *entity.uid().entity_type() == own.user;
        let ancestors = entity.ancestors().cloned().collect();
        let (uid, attributes, _, _, tags) = entity.into_inner();
        let values = |values: std::collections::BTreeMap<_, PartialValue>| {
            let values = values.into_iter().map(|(name, value)| match value {
                PartialValue::Value(value) => Some((name, value)),
                PartialValue::Residual(_) => None,
            });
            values.collect::<Option<_>>()
        };
        let ancestors = (!is_user).then_some(ancestors);
        PartialEntity::new(uid, Some(values(attributes)?), ancestors, Some(values(tags)?), schema).ok()
    };
    let known = entities.into_iter().map(known).collect::<Option<Vec<_>>>()?;
    PartialEntities::from_entities(known.into_iter(), schema).ok()
}

/// The policies that are for this action, or for a group that it is in; nothing if there are too many of them.
fn concerning(generation: &Generation, action: &EntityUID) -> Option<PolicySet> {
    let action = generation.actions().iter().find(|known| known.uid().as_ref() == action)?;
    let is_for = |uid: &cedar_policy::EntityUid| action.entities().iter().any(|entity| entity.uid() == *uid);
    let policies = generation.policies().policies().filter(|policy| match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => uid == *action.uid(),
        ActionConstraint::In(uids) => uids.iter().any(is_for),
    });
    let policies: Vec<_> = policies.take(MOST_POLICIES + 1).cloned().collect();
    if policies.len() > MOST_POLICIES {
        return None;
    }
    PolicySet::from_policies(policies).ok()
}

/// The entities, one of which the variable must be or be in, or what is left is not true; nothing if that is not seen.
fn bounds(left: &Residual, variable: Var) -> Option<Vec<EntityUID>> {
    let kind = match left {
        // What is false or fails is not true.
        Residual::Error(_) => return Some(Vec::new()),
        Residual::Concrete { .. } => return left.is_false().then(Vec::new),
        Residual::Partial { kind, .. } => kind,
    };
    match kind {
        ResidualKind::And { left, right } => bounds(left, variable).or_else(|| bounds(right, variable)),
        ResidualKind::Or { left, right } => {
            let (mut left, right) = (bounds(left, variable)?, bounds(right, variable)?);
            left.extend(right);
            Some(left)
        }
        ResidualKind::BinaryApp { op: BinaryOp::Eq, arg1, arg2 } => match (is(arg1, variable), is(arg2, variable)) {
            (true, _) => named(arg2),
            (_, true) => named(arg1),
            (false, false) => None,
        },
        ResidualKind::BinaryApp { op: BinaryOp::In, arg1, arg2 } if is(arg1, variable) => named(arg2),
        _ => None,
    }
}

fn is(residual: &Residual, variable: Var) -> bool {
    matches!(residual, Residual::Partial { kind: ResidualKind::Var(found), .. } if *found == variable)
}

/// The entity, or the entities of a set, that this is.
fn named(residual: &Residual) -> Option<Vec<EntityUID>> {
    let Residual::Concrete { value, .. } = residual else { return None };
    match value.value_kind() {
        ValueKind::Lit(Literal::EntityUID(uid)) => Some(vec![(**uid).clone()]),
        ValueKind::Set(_) => Some(value.all_literal_uids().into_iter().collect()),
        _ => None,
    }
}
