//! From facts to the Cedar entities of one request: the slice that policies need, and nothing more.
//!
//! A role is membership in a team, so the slice holds the subject with its teams, the resource, and what the resource
//! belongs to. What is not registered has teams too, which nobody is in: policies find every attribute that they ask
//! for, and deny without an error.
//!
//! All of it is built as Cedar's core holds it, each entity with all that it is in: nothing is parsed, and nothing is
//! left to be worked out. That it fits the schema is checked when the schema is loaded, by [`samples()`].

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
pub(super) use self::uids::{OwnTypes, Types, of_resource, own_types, user as user_uid};
use self::uids::{nobody, team};
use super::facts::{ApplicationFacts, Facts, OrganizationFacts};
use super::question::{Resource, Subject};
use super::reads::{Attribute, Reads};
use crate::model::{Role, User, UserId};

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

/// Builds the slice, as far as `reads` tells that it is looked at.
pub(super) fn slice(
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    types: &Types,
    reads: Reads,
) -> Result<Slice> {
    let own = own_types()?;
    let builder = Builder { own: &own, reads };
    let resource_uid = Arc::new(uids::of_resource(&own, types, resource)?);
    let Surroundings { mut entities, teams } = builder.surroundings(subject.user_id(), resource, &resource_uid, facts);
    let principal = Arc::new(uids::of_subject(&own, subject));
    if let Subject::User { user: known, .. } = subject {
        // The subject may be the resource as well, which then stands in the slice once.
        entities.retain(|entity| *entity.uid() != *principal);
        entities.push(builder.user(known, (*principal).clone(), teams));
    } else {
        entities.push(Entity::with_uid((*principal).clone()));
    }
    Ok(Slice { principal, resource: resource_uid, entities })
}

/// A resource and what it belongs to.
pub(super) struct Surroundings {
    /// As of [`Slice::entities`].
    pub(super) entities: Vec<Entity>,
    /// The teams that the user is in, as far as the application and its organization know.
    pub(super) teams: HashSet<EntityUID>,
}

/// Builds all of a resource that the store may know, and finds the teams of `user` there.
pub(super) fn surroundings(
    user: Option<UserId>,
    resource: &Resource,
    uid: &EntityUID,
    facts: &Facts,
) -> Result<Surroundings> {
    let own = own_types()?;
    Ok(Builder { own: &own, reads: Reads::EVERYTHING }.surroundings(user, resource, uid, facts))
}

/// Builds all of a user who is in these teams.
pub(super) fn user(user: &User, uid: EntityUID, teams: HashSet<EntityUID>) -> Result<Entity> {
    let own = own_types()?;
    Ok(Builder { own: &own, reads: Reads::EVERYTHING }.user(user, uid, teams))
}

struct Builder<'a> {
    own: &'a OwnTypes,
    reads: Reads,
}

impl Builder<'_> {
    fn surroundings(&self, user: Option<UserId>, resource: &Resource, uid: &EntityUID, facts: &Facts) -> Surroundings {
        let mut entities = Vec::with_capacity(4);
        let mut teams = HashSet::new();
        match (facts, resource) {
            (Facts::Application(Some(known)), _) => {
                let organization = uids::organization(self.own, known.organization.id);
                entities.push(self.application(uid.clone(), known, &organization));
                entities.extend(self.organization_of_application(organization, &known.organization));
                self.join_teams(known, &mut teams);
            }
            (Facts::Device(Some(known)), _) => {
                let organization = uids::organization(self.own, known.organization.id);
                let application = uids::application(self.own, known.id);
                entities.push(self.device(uid.clone(), known, &application, &organization));
                if self.reads.reach(Attribute::Application) {
                    entities.push(self.application(application, known, &organization));
                    entities.extend(self.organization_of_application(organization, &known.organization));
                }
                self.join_teams(known, &mut teams);
            }
            (Facts::Application(None) | Facts::Device(None), _) => {
                entities.push(self.entity(uid.clone(), self.nobodys_teams()));
            }
            (Facts::Organization(Some(known)), _) => {
                entities.push(self.organization(uid.clone(), known));
                self.join_administration(known, &mut teams);
            }
            (Facts::Organization(None), _) | (Facts::Nothing, Resource::Unregistered { .. }) => {
                entities.push(self.unregistered(uid.clone()));
            }
            (Facts::User(Some(known)), _) if user != Some(known.id) => {
                entities.push(self.user(known, uid.clone(), HashSet::new()));
            }
            (Facts::User(_) | Facts::Nothing, _) => entities.push(Entity::with_uid(uid.clone())),
        }
        Surroundings { entities, teams }
    }

    fn user(&self, user: &User, uid: EntityUID, teams: HashSet<EntityUID>) -> Entity {
        let attributes = [
            self.attribute(Attribute::Email, || text(user.email.as_str())),
            self.attribute(Attribute::InstallationAdministrator, || user.installation_administrator.into()),
            self.attribute(Attribute::Username, || text(user.username.as_str())),
        ];
        entity(uid, attributes.into_iter().flatten(), teams, HashSet::new())
    }

    fn application(&self, uid: EntityUID, facts: &ApplicationFacts, organization: &EntityUID) -> Entity {
        let more = [
            self.attribute(Attribute::Organization, || organization.clone().into()),
            self.attribute(Attribute::Owner, || uids::user(self.own, facts.owner).into()),
            self.attribute(Attribute::Type, || text(facts.application_type.as_str())),
        ];
        let attributes = self.teams_of(facts).chain(more.into_iter().flatten());
        entity(uid, attributes, HashSet::from([organization.clone()]), HashSet::new())
    }

    fn device(
        &self,
        uid: EntityUID,
        facts: &ApplicationFacts,
        application: &EntityUID,
        organization: &EntityUID,
    ) -> Entity {
        let more = self.attribute(Attribute::Application, || application.clone().into());
        let attributes = self.teams_of(facts).chain(more);
        entity(uid, attributes, HashSet::from([application.clone()]), HashSet::from([organization.clone()]))
    }

    fn organization_of_application(&self, uid: EntityUID, facts: &OrganizationFacts) -> Option<Entity> {
        self.reads.reach(Attribute::Organization).then(|| self.organization(uid, facts))
    }

    fn organization(&self, uid: EntityUID, facts: &OrganizationFacts) -> Entity {
        let administrators = || team(self.own, facts.id.as_bytes(), Role::Administrator).into();
        let attributes = [
            self.attribute(Attribute::Administrators, administrators),
            self.attribute(Attribute::Plan, || text(facts.plan.as_str())),
        ];
        self.entity(uid, attributes)
    }

    /// Something that the store does not know. Of Gatepost's own types it has the teams that policies ask for.
    fn unregistered(&self, uid: EntityUID) -> Entity {
        let entity_type = uid.entity_type();
        if [&self.own.application, &self.own.device].contains(&entity_type) {
            self.entity(uid, self.nobodys_teams())
        } else if *entity_type == self.own.organization {
            self.entity(uid, [self.attribute(Attribute::Administrators, || nobody(self.own).into())])
        } else {
            Entity::with_uid(uid)
        }
    }

    /// The teams that the subject is in, as far as the application and its organization know.
    fn join_teams(&self, facts: &ApplicationFacts, teams: &mut HashSet<EntityUID>) {
        self.join_administration(&facts.organization, teams);
        teams.extend(facts.role.map(|role| team(self.own, facts.id.as_bytes(), role)));
    }

    fn join_administration(&self, facts: &OrganizationFacts, teams: &mut HashSet<EntityUID>) {
        if facts.is_administrator {
            teams.insert(team(self.own, facts.id.as_bytes(), Role::Administrator));
        }
    }

    fn teams_of(&self, facts: &ApplicationFacts) -> impl Iterator<Item = Pair> {
        Role::ALL.into_iter().filter_map(|role| {
            let value = || team(self.own, facts.id.as_bytes(), role).into();
            self.attribute(Attribute::team(role), value)
        })
    }

    fn nobodys_teams(&self) -> [Option<Pair>; 4] {
        let nobody = Arc::new(nobody(self.own));
        Role::ALL.map(|role| self.attribute(Attribute::team(role), || Arc::clone(&nobody).into()))
    }

    fn attribute(&self, attribute: Attribute, value: impl FnOnce() -> Value) -> Option<Pair> {
        self.reads
            .attributes
            .include(attribute)
            .then(|| (SmolStr::new_static(attribute.name()), PartialValue::Value(value())))
    }

    /// An entity that is in no other.
    fn entity(&self, uid: EntityUID, attributes: impl IntoIterator<Item = Option<Pair>>) -> Entity {
        entity(uid, attributes.into_iter().flatten(), HashSet::new(), HashSet::new())
    }
}

/// An attribute's name and value.
type Pair = (SmolStr, PartialValue);

fn entity(
    uid: EntityUID,
    attributes: impl IntoIterator<Item = Pair>,
    parents: HashSet<EntityUID>,
    further_ancestors: HashSet<EntityUID>,
) -> Entity {
    Entity::new_with_attr_partial_value(uid, attributes, further_ancestors, parents, [])
}

fn text(text: &str) -> Value {
    SmolStr::new(text).into()
}
