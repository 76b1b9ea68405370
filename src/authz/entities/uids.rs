//! What entities are called: types, parsed once, and identifiers.

use std::collections::HashMap;
use std::rc::Rc;

use cedar_policy::Schema;
use cedar_policy_core::ast::{Eid, EntityType, EntityUID};
use smallvec::SmallVec;
use smol_str::SmolStr;
use uuid::Uuid;

use super::{BuildError, Result};
use crate::authz::question::{Resource, Subject};
use crate::authz::reads::Attribute;
use crate::model::{ApplicationId, OrganizationId, Role, UserId};

/// The types that Gatepost owns.
pub(in crate::authz) struct OwnTypes {
    pub(in crate::authz) team: EntityType,
    pub(in crate::authz) user: EntityType,
    pub(in crate::authz) anonymous: EntityType,
    pub(in crate::authz) console: EntityType,
    pub(in crate::authz) installation: EntityType,
    pub(in crate::authz) organization: EntityType,
    pub(in crate::authz) application: EntityType,
    pub(in crate::authz) device: EntityType,
}

impl OwnTypes {
    /// Whether Gatepost owns this type.
    pub(in crate::authz) fn include(&self, entity_type: &EntityType) -> bool {
        let Self { team, user, anonymous, console, installation, organization, application, device } = self;
        [team, user, anonymous, console, installation, organization, application, device].contains(&entity_type)
    }

    fn parse() -> Result<Self> {
        Ok(Self {
            team: parse("Team")?,
            user: parse("User")?,
            anonymous: parse("Anonymous")?,
            console: parse("Console")?,
            installation: parse("Installation")?,
            organization: parse("Organization")?,
            application: parse("Application")?,
            device: parse("Device")?,
        })
    }
}

/// The types that Gatepost owns, parsed once: parsing a name costs more than the rest of an entity. Each thread has its
/// own, as each use of a type counts a reference.
pub(in crate::authz) fn own_types() -> Result<Rc<OwnTypes>> {
    thread_local! {
        static OWN: Result<Rc<OwnTypes>> = OwnTypes::parse().map(Rc::new);
    }
    OWN.with(|own| match own {
        Ok(own) => Ok(Rc::clone(own)),
        Err(error) => Err(BuildError::OwnTypes(error.to_string())),
    })
}

fn parse(name: &str) -> Result<EntityType> {
    let parsed = name.parse::<EntityType>();
    // Without the place in a text that it was parsed from, which would be copied with each entity.
    let parsed = parsed.map(|parsed| parsed.with_loc(None));
    parsed.map_err(|error| BuildError::EntityType(name.to_owned(), Box::new(error)))
}

/// All types of a schema, by their names.
#[derive(Debug, Default)]
pub(in crate::authz) struct Types(HashMap<Box<str>, EntityType>);

impl Types {
    /// The types of `schema`.
    pub(in crate::authz) fn of(schema: &Schema) -> Self {
        let named = |name: &cedar_policy::EntityTypeName| {
            let entity_type: &EntityType = name.as_ref();
            (name.to_string().into(), entity_type.with_loc(None))
        };
        Self(schema.entity_types().map(named).collect())
    }

    /// The type with this name, if the schema has it.
    pub(in crate::authz) fn get(&self, name: &str) -> Option<&EntityType> {
        self.0.get(name)
    }

    fn find(&self, name: &str) -> Result<EntityType> {
        match self.0.get(name) {
            Some(known) => Ok(known.clone()),
            None => parse(name),
        }
    }
}

/// The subject's.
pub(in crate::authz) fn of_subject(own: &OwnTypes, subject: &Subject<'_>) -> EntityUID {
    match subject {
        Subject::User { user: known, .. } => user(own, known.id),
        Subject::Anonymous => uid(&own.anonymous, SmolStr::new_static("anonymous")),
        Subject::Console => uid(&own.console, SmolStr::new_static("local")),
    }
}

/// The resource's.
pub(in crate::authz) fn of_resource(own: &OwnTypes, types: &Types, resource: &Resource) -> Result<EntityUID> {
    Ok(match resource {
        Resource::Application(id) => application(own, *id),
        Resource::Device(id) => identified(&own.device, id.as_bytes()),
        Resource::Organization(id) => organization(own, *id),
        Resource::User(id) => user(own, *id),
        Resource::Installation => uid(&own.installation, SmolStr::new_static("local")),
        Resource::Unregistered { entity_type, id } => uid(&types.find(entity_type)?, SmolStr::new(id)),
    })
}

pub(in crate::authz) fn user(own: &OwnTypes, id: UserId) -> EntityUID {
    identified(&own.user, id.as_bytes())
}

pub(super) fn application(own: &OwnTypes, id: ApplicationId) -> EntityUID {
    identified(&own.application, id.as_bytes())
}

pub(super) fn organization(own: &OwnTypes, id: OrganizationId) -> EntityUID {
    identified(&own.organization, id.as_bytes())
}

/// The team of those who have `role` on the application or the organization with this identifier. Identifiers are
/// UUIDs, so no two teams share a name, and none is called `nobody`.
pub(super) fn team(own: &OwnTypes, of: &[u8; 16], role: Role) -> EntityUID {
    // On the stack.
    let mut name = SmallVec::<[u8; 64]>::from_slice(hyphenated(of, &mut [0; 36]).as_bytes());
    name.push(b'/');
    name.extend_from_slice(Attribute::team(role).name().as_bytes());
    let name = std::str::from_utf8(&name).map_or_else(|_| String::from_utf8_lossy(&name).into(), SmolStr::new);
    uid(&own.team, name)
}

pub(super) fn nobody(own: &OwnTypes) -> EntityUID {
    uid(&own.team, SmolStr::new_static("nobody"))
}

fn identified(entity_type: &EntityType, id: &[u8; 16]) -> EntityUID {
    uid(entity_type, SmolStr::new(hyphenated(id, &mut [0; 36])))
}

/// As identifiers are written everywhere.
fn hyphenated<'a>(id: &[u8; 16], buffer: &'a mut [u8; 36]) -> &'a str {
    Uuid::from_bytes(*id).hyphenated().encode_lower(buffer)
}

fn uid(entity_type: &EntityType, id: SmolStr) -> EntityUID {
    EntityUID::from_components(entity_type.clone(), Eid::new(id), None)
}
