//! From what was sent to what the schema knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{Context, Entity as ApiEntity, EntityUid};
use cedar_policy_core::ast::{Context as CoreContext, Eid, Entity, EntityUID, Value};
use cedar_policy_core::entities::conformance::EntitySchemaConformanceChecker;
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::types::{Attributes as AttributeTypes, Type};
use cedar_policy_core::validator::{CoreSchema, ValidatorSchema};
use serde_json::{Value as Json, json};
use smol_str::SmolStr;

use super::{Attributes, Party, Unfit};
use crate::authz::generation::Generation;
use crate::authz::problem::with_causes;

/// What an action's properties are called in the context.
const ACTION: &str = "action";

/// The entity that is asked about.
pub(super) fn uid(generation: &Generation, party: &Party<'_>) -> Result<EntityUID, Unfit> {
    let found = generation.prepared().types().get(party.entity_type);
    let entity_type = found.ok_or_else(|| Unfit(format!("the schema has no type `{}`", party.entity_type)))?;
    Ok(EntityUID::from_components(entity_type.clone(), Eid::new(party.id), None))
}

/// The entity of a type that Gatepost does not own: as files tell it, with what is said of it instead where both say
/// something.
// INVARIANT: it fits the schema, as validated policies take it to.
pub(super) fn entity(generation: &Generation, uid: &EntityUID, said: Option<&Attributes>) -> Result<Entity, Unfit> {
    let filed = generation.filed().get(uid);
    let schema: &ValidatorSchema = generation.schema().as_ref();
    let Some(said) = said.filter(|said| !said.is_empty()) else {
        // What is filed was held against the schema when it was loaded.
        return filed.cloned().map_or_else(|| conforming(schema, Entity::with_uid(uid.clone())), Ok);
    };
    let mut attributes = said.clone();
    if let Some(known) = schema.get_entity_type(uid.entity_type()) {
        leave_out_unknown(&mut attributes, known.attributes());
    }
    if let Some(filed) = filed {
        let told = ApiEntity::from(filed.clone()).to_json_value().map_err(|error| unfit(uid, &error))?;
        for (name, value) in told.get("attrs").and_then(Json::as_object).into_iter().flatten() {
            attributes.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let item = json!({
        "uid": {"type": uid.entity_type().to_string(), "id": AsRef::<str>::as_ref(uid.eid())},
        "attrs": attributes,
        "parents": [],
    });
    let parsed = ApiEntity::from_json_value(item, Some(generation.schema())).map_err(|error| unfit(uid, &error))?;
    let parsed: &Entity = parsed.as_ref();
    let Some(filed) = filed else { return Ok(parsed.clone()) };
    let (_, attributes, ..) = parsed.clone().into_inner();
    let (uid, _, ancestors, parents, tags) = filed.clone().into_inner();
    Ok(Entity::new_with_attr_partial_value(uid, attributes, ancestors, parents, tags))
}

fn conforming(schema: &ValidatorSchema, entity: Entity) -> Result<Entity, Unfit> {
    let (schema, extensions) = (CoreSchema::new(schema), Extensions::all_available());
    let checked = EntitySchemaConformanceChecker::new(&schema, extensions).validate_entity(&entity);
    checked.map_err(|error| unfit(entity.uid(), &error))?;
    Ok(entity)
}

/// The context of a request for `action`.
pub(super) fn context(
    generation: &Generation,
    action: &EntityUID,
    said: Option<&Attributes>,
    of_action: Option<&Attributes>,
) -> Result<Arc<BTreeMap<SmolStr, Value>>, Unfit> {
    let mut context = said.cloned().unwrap_or_default();
    if let Some(properties) = of_action {
        context.insert(ACTION.to_owned(), Json::Object(properties.clone()));
    }
    let schema: &ValidatorSchema = generation.schema().as_ref();
    if let Some(Type::Record { attrs, .. }) = schema.context_type(action) {
        leave_out_unknown(&mut context, attrs);
    }
    let uid = EntityUid::from(action.clone());
    let parsed = Context::from_json_value(Json::Object(context), Some((generation.schema(), &uid)));
    let parsed =
        parsed.map_err(|error| Unfit(format!("the context does not fit the schema: {}", with_causes(&error))))?;
    match parsed.as_ref() {
        CoreContext::Value(values) => Ok(Arc::clone(values)),
        CoreContext::RestrictedResidual(_) => Err(Unfit("the context has unknown values".to_owned())),
    }
}

/// Leaves out what the schema does not know, however deep. Policies that fit the schema cannot read it.
fn leave_out_unknown(said: &mut Attributes, known: &AttributeTypes) {
    said.retain(|name, _| known.get_attr(name).is_some());
    for (name, value) in said {
        if let Some(attribute) = known.get_attr(name) {
            leave_out_of(value, &attribute.attr_type);
        }
    }
}

fn leave_out_of(value: &mut Json, expected: &Type) {
    match (value, expected) {
        (Json::Object(fields), Type::Record { attrs, .. }) => leave_out_unknown(fields, attrs),
        (Json::Array(items), Type::Set { element_type: Some(element) }) => {
            items.iter_mut().for_each(|item| leave_out_of(item, element));
        }
        _ => {}
    }
}

fn unfit(uid: &EntityUID, error: &dyn std::error::Error) -> Unfit {
    Unfit(format!("`{uid}` does not fit the schema: {}", with_causes(error)))
}
