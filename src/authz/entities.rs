//! From facts to the Cedar entities of one request: the slice that policies need, and nothing more.
//!
//! A role is membership in a team, so the slice holds the subject with its teams, the resource, and what the resource
//! belongs to. What is not registered has teams too, which nobody is in: policies find every attribute that they ask
//! for, and deny without an error.
//!
//! All of it is built as Cedar's core holds it, each entity with all that it is in: nothing is parsed, and nothing is
//! left to be worked out. That it fits the schema is checked when the schema is loaded, by [`samples`].

mod context;
mod samples;
mod uids;

use std::collections::HashSet;
use std::sync::Arc;

use cedar_policy_core::ast::{Entity, EntityUID, PartialValue, Value};
use cedar_policy_core::parser::err::ParseErrors;
use smol_str::SmolStr;

pub(super) use self::context::context;
pub(super) use self::samples::{ContextSamples, context_samples, samples};
pub(super) use self::uids::Types;
use self::uids::{OwnTypes, nobody, own_types, team};
use super::facts::{ApplicationFacts, Facts, OrganizationFacts};
use super::question::{Resource, Subject};
use crate::model::{Role, User};

/// The slice could not be built; the decision is then a deny.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error("`{0}` is no entity type")]
    EntityType(String, #[source] Box<ParseErrors>),
    #[error("{0}")]
    OwnTypes(String),
    #[error("the context could not be built: {0}")]
    Context(Box<dyn std::error::Error + Send + Sync>),
}

type Result<T> = std::result::Result<T, BuildError>;

/// The subject and the resource, and the entities that stand for them.
pub(super) struct Slice {
    pub(super) principal: Arc<EntityUID>,
    pub(super) resource: Arc<EntityUID>,
    /// Each has all its ancestors, not its parents only.
    // INVARIANT: of what is built here a device is in its application and that in its organization, and a user is in
    // teams; none of these is in anything else. So no entity is in itself.
    pub(super) entities: Vec<Entity>,
}

/// Builds the slice.
pub(super) fn slice(subject: &Subject<'_>, resource: &Resource, facts: &Facts, types: &Types) -> Result<Slice> {
    let own = own_types()?;
    let resource_uid = Arc::new(uids::of_resource(own, types, resource)?);
    let mut entities = Vec::with_capacity(4);
    let mut teams = HashSet::new();
    match (facts, resource) {
        (Facts::Application(Some(known)), _) => {
            let organization = uids::organization(own, known.organization.organization.id);
            entities.push(application(own, &resource_uid, known, &organization));
            entities.push(organization_entity(own, organization, &known.organization));
            join_teams(own, known, &mut teams);
        }
        (Facts::Device(Some(known)), _) => {
            let organization = uids::organization(own, known.organization.organization.id);
            let application_uid = Arc::new(uids::application(own, known.application.id));
            entities.push(device(own, &resource_uid, known, &application_uid, &organization));
            entities.push(application(own, &application_uid, known, &organization));
            entities.push(organization_entity(own, organization, &known.organization));
            join_teams(own, known, &mut teams);
        }
        (Facts::Application(None) | Facts::Device(None), _) => {
            entities.push(entity((*resource_uid).clone(), nobodys_teams(own), HashSet::new(), HashSet::new()));
        }
        (Facts::Organization(Some(known)), _) => {
            entities.push(organization_entity(own, (*resource_uid).clone(), known));
            join_administration(own, known, &mut teams);
        }
        (Facts::Organization(None), _) | (Facts::Nothing, Resource::Unregistered { .. }) => {
            entities.push(unregistered(own, &resource_uid));
        }
        (Facts::User(Some(known)), _) if subject.user_id() != Some(known.id) => {
            entities.push(user(known, (*resource_uid).clone(), HashSet::new()));
        }
        (Facts::User(_) | Facts::Nothing, _) => entities.push(Entity::with_uid((*resource_uid).clone())),
    }
    let principal = Arc::new(uids::of_subject(own, subject));
    if let Subject::User { user: known, .. } = subject {
        // The subject may be the resource as well, which then stands in the slice once.
        entities.retain(|entity| *entity.uid() != *principal);
        entities.push(user(known, (*principal).clone(), teams));
    } else {
        entities.push(Entity::with_uid((*principal).clone()));
    }
    Ok(Slice { principal, resource: resource_uid, entities })
}

fn user(user: &User, uid: EntityUID, teams: HashSet<EntityUID>) -> Entity {
    let attributes = [
        ("email", text(user.email.as_str())),
        ("installation_administrator", user.installation_administrator.into()),
        ("username", text(user.username.as_str())),
    ];
    entity(uid, attributes, teams, HashSet::new())
}

fn application(own: &OwnTypes, uid: &EntityUID, facts: &ApplicationFacts, organization: &EntityUID) -> Entity {
    let ApplicationFacts { application, .. } = facts;
    let more = [
        ("organization", organization.clone().into()),
        ("owner", uids::user(own, application.owner).into()),
        ("type", text(application.application_type.as_str())),
    ];
    let attributes = teams_of(own, facts).into_iter().chain(more);
    entity(uid.clone(), attributes, HashSet::from([organization.clone()]), HashSet::new())
}

fn device(
    own: &OwnTypes,
    uid: &EntityUID,
    facts: &ApplicationFacts,
    application: &Arc<EntityUID>,
    organization: &EntityUID,
) -> Entity {
    let more = [("application", Arc::clone(application).into())];
    let attributes = teams_of(own, facts).into_iter().chain(more);
    let parents = HashSet::from([(**application).clone()]);
    entity(uid.clone(), attributes, parents, HashSet::from([organization.clone()]))
}

fn organization_entity(own: &OwnTypes, uid: EntityUID, facts: &OrganizationFacts) -> Entity {
    let administrators = team(own, facts.organization.id.as_bytes(), Role::Administrator);
    let attributes = [("administrators", administrators.into()), ("plan", text(facts.organization.plan.as_str()))];
    entity(uid, attributes, HashSet::new(), HashSet::new())
}

/// Something that the store does not know. Of Gatepost's own types it has the teams that policies ask for.
fn unregistered(own: &OwnTypes, uid: &EntityUID) -> Entity {
    let entity_type = uid.entity_type();
    let none = HashSet::new;
    if [&own.application, &own.device].contains(&entity_type) {
        entity(uid.clone(), nobodys_teams(own), none(), none())
    } else if *entity_type == own.organization {
        entity(uid.clone(), [("administrators", nobody(own).into())], none(), none())
    } else {
        Entity::with_uid(uid.clone())
    }
}

/// The teams that the subject is in, as far as the application and its organization know.
fn join_teams(own: &OwnTypes, facts: &ApplicationFacts, teams: &mut HashSet<EntityUID>) {
    join_administration(own, &facts.organization, teams);
    teams.extend(facts.role.map(|role| team(own, facts.application.id.as_bytes(), role)));
}

fn join_administration(own: &OwnTypes, facts: &OrganizationFacts, teams: &mut HashSet<EntityUID>) {
    if facts.is_administrator {
        teams.insert(team(own, facts.organization.id.as_bytes(), Role::Administrator));
    }
}

fn teams_of(own: &OwnTypes, facts: &ApplicationFacts) -> [(&'static str, Value); 4] {
    Role::ALL.map(|role| (uids::team_name(role), team(own, facts.application.id.as_bytes(), role).into()))
}

fn nobodys_teams(own: &OwnTypes) -> [(&'static str, Value); 4] {
    let nobody = Arc::new(nobody(own));
    Role::ALL.map(|role| (uids::team_name(role), Arc::clone(&nobody).into()))
}

fn text(text: &str) -> Value {
    SmolStr::new(text).into()
}

fn entity(
    uid: EntityUID,
    attributes: impl IntoIterator<Item = (&'static str, Value)>,
    parents: HashSet<EntityUID>,
    further_ancestors: HashSet<EntityUID>,
) -> Entity {
    let attributes =
        attributes.into_iter().map(|(name, value)| (SmolStr::new_static(name), PartialValue::Value(value)));
    Entity::new_with_attr_partial_value(uid, attributes, further_ancestors, parents, [])
}
