//! From facts to the Cedar entities of one request: the slice that policies need, and nothing more.
//!
//! A role is membership in a team, so the slice holds the subject with its teams, the resource, and what the resource
//! belongs to. What is not registered has teams too, which nobody is in: policies find every attribute that they ask
//! for, and deny without an error.

use std::collections::{HashMap, HashSet};
use std::fmt::Display;
use std::str::FromStr;
use std::sync::LazyLock;

use cedar_policy::{Context, Entity, EntityId, EntityTypeName, EntityUid, ParseErrors, RestrictedExpression as Value};

use super::facts::{ApplicationFacts, Facts, OrganizationFacts};
use super::question::{Circumstances, Credential, Resource, Subject};
use crate::model::{
    Application, ApplicationId, ApplicationType, CredentialKind, DeviceId, Email, Name, Organization, OrganizationId,
    Plan, Role, Scope, ScopeError, Timestamp, User, UserId, Username,
};

/// The slice could not be built; the decision is then a deny.
#[derive(Debug, thiserror::Error)]
pub(super) enum BuildError {
    #[error("`{0}` is no entity type")]
    EntityType(String, #[source] Box<ParseErrors>),
    #[error("an entity could not be built: {0}")]
    Entity(Box<dyn std::error::Error + Send + Sync>),
    #[error("the context could not be built: {0}")]
    Context(Box<dyn std::error::Error + Send + Sync>),
}

/// The types that Gatepost owns, parsed once: parsing a name costs more than the rest of an entity.
static OWN_TYPES: LazyLock<HashMap<&str, EntityTypeName>> = LazyLock::new(|| {
    let names =
        ["Team", "User", "Anonymous", "Console", "Installation", "Organization", "Application", "Device"].into_iter();
    names.filter_map(|name| Some((name, name.parse().ok()?))).collect()
});

type Result<T> = std::result::Result<T, BuildError>;

/// The subject and the resource, and the entities that stand for them.
pub(super) struct Slice {
    pub(super) principal: EntityUid,
    pub(super) resource: EntityUid,
    pub(super) entities: Vec<Entity>,
}

/// Builds the slice.
pub(super) fn slice(subject: &Subject<'_>, resource: &Resource, facts: &Facts) -> Result<Slice> {
    let resource_uid = uid(resource.entity_type(), resource.id())?;
    let mut entities = Vec::with_capacity(8);
    let mut teams = HashSet::new();
    match (facts, resource) {
        (Facts::Application(known), _) => {
            entities.push(application(&resource_uid, known.as_ref())?);
            if let Some(known) = known {
                teams.extend(teams_of(known)?);
                entities.push(organization(&known.organization)?);
            }
        }
        (Facts::Device(known), _) => {
            entities.push(device(&resource_uid, known.as_ref())?);
            if let Some(known) = known {
                teams.extend(teams_of(known)?);
                entities.push(application(&uid("Application", known.application.id)?, Some(known))?);
                entities.push(organization(&known.organization)?);
            }
        }
        (Facts::Organization(Some(known)), _) => {
            teams.extend(administration(known)?);
            entities.push(organization(known)?);
        }
        (Facts::Organization(None), _) | (Facts::Nothing, Resource::Unregistered { .. }) => {
            entities.push(unregistered(&resource_uid)?);
        }
        (Facts::User(Some(known)), _) if subject.user_id() != Some(known.id) => {
            entities.push(user(known, HashSet::new())?);
        }
        (Facts::User(_) | Facts::Nothing, _) => {
            entities.push(Entity::new_no_attrs(resource_uid.clone(), HashSet::new()))
        }
    }
    let principal = match subject {
        Subject::User { user: known, .. } => {
            let entity = user(known, teams)?;
            let uid = entity.uid();
            // The subject may be the resource as well, which then stands in the slice once.
            entities.retain(|entity| entity.uid() != uid);
            entities.push(entity);
            uid
        }
        Subject::Anonymous => lone(&mut entities, "Anonymous", "anonymous")?,
        Subject::Console => lone(&mut entities, "Console", "local")?,
    };
    Ok(Slice { principal, resource: resource_uid, entities })
}

/// The circumstances, as `context`.
pub(super) fn context(subject: &Subject<'_>, circumstances: &Circumstances<'_>) -> Result<Context> {
    let text = |text: &str| Value::new_string(text.to_owned());
    let mut pairs = vec![
        ("method".to_owned(), text(circumstances.method)),
        ("host".to_owned(), text(circumstances.host)),
        ("path".to_owned(), text(circumstances.path)),
    ];
    if let Subject::User { credential, .. } = subject {
        let age = circumstances.now.since(credential.issued_at).as_secs();
        let mut record = vec![
            ("kind".to_owned(), text(credential.kind.as_str())),
            ("id".to_owned(), text(credential.id)),
            ("mfa".to_owned(), Value::new_bool(credential.mfa)),
            ("scopes".to_owned(), Value::new_set(credential.scopes.iter().map(|scope| text(scope)))),
            ("age_seconds".to_owned(), Value::new_long(i64::try_from(age).unwrap_or(i64::MAX))),
        ];
        record.extend(narrowed(credential.scopes)?);
        let record = Value::new_record(record);
        pairs.push(("credential".to_owned(), record.map_err(|error| BuildError::Context(error.into()))?));
    }
    if let Some(client) = circumstances.client {
        pairs.push(("client".to_owned(), Value::new_ip(client.to_string())));
    }
    if let Some(member) = circumstances.member {
        pairs.push(("member".to_owned(), Value::new_entity_uid(uid("User", member)?)));
    }
    if let Some(role) = circumstances.role {
        pairs.push(("role".to_owned(), text(role.as_str())));
    }
    if circumstances.returning {
        pairs.push(("returning".to_owned(), Value::new_bool(true)));
    }
    Context::from_pairs(pairs).map_err(|error| BuildError::Context(error.into()))
}

/// The scopes of a key, taken apart.
fn narrowed(scopes: &[String]) -> Result<Vec<(String, Value)>> {
    let (mut read_only, mut actions, mut applications) = (false, Vec::new(), Vec::new());
    for scope in scopes {
        // A scope that is not understood must not leave the key as wide as if it were not there.
        match scope.parse().map_err(|error: ScopeError| BuildError::Context(error.into()))? {
            Scope::ReadOnly => read_only = true,
            Scope::Action(column) => actions.push(Value::new_string(column.to_owned())),
            Scope::Application(id) => applications.push(Value::new_entity_uid(uid("Application", id)?)),
        }
    }
    let mut pairs = vec![("read_only".to_owned(), Value::new_bool(read_only))];
    if !actions.is_empty() {
        pairs.push(("actions".to_owned(), Value::new_set(actions)));
    }
    if !applications.is_empty() {
        pairs.push(("applications".to_owned(), Value::new_set(applications)));
    }
    Ok(pairs)
}

fn user(user: &User, teams: HashSet<EntityUid>) -> Result<Entity> {
    let attributes = [
        ("username", Value::new_string(user.username.as_str().to_owned())),
        ("email", Value::new_string(user.email.as_str().to_owned())),
        ("installation_administrator", Value::new_bool(user.installation_administrator)),
    ];
    entity(uid("User", user.id)?, attributes, teams)
}

fn application(uid_of_it: &EntityUid, facts: Option<&ApplicationFacts>) -> Result<Entity> {
    let mut attributes = team_attributes(facts)?;
    let mut parents = HashSet::new();
    if let Some(ApplicationFacts { application, .. }) = facts {
        let organization = uid("Organization", application.organization)?;
        attributes.extend([
            ("organization", Value::new_entity_uid(organization.clone())),
            ("owner", Value::new_entity_uid(uid("User", application.owner)?)),
            ("type", Value::new_string(application.application_type.as_str().to_owned())),
        ]);
        parents.insert(organization);
    }
    entity(uid_of_it.clone(), attributes, parents)
}

fn device(uid_of_it: &EntityUid, facts: Option<&ApplicationFacts>) -> Result<Entity> {
    let mut attributes = team_attributes(facts)?;
    let mut parents = HashSet::new();
    if let Some(facts) = facts {
        let application = uid("Application", facts.application.id)?;
        attributes.push(("application", Value::new_entity_uid(application.clone())));
        parents.insert(application);
    }
    entity(uid_of_it.clone(), attributes, parents)
}

fn organization(facts: &OrganizationFacts) -> Result<Entity> {
    let attributes = [
        ("plan", Value::new_string(facts.organization.plan.as_str().to_owned())),
        ("administrators", Value::new_entity_uid(team(facts.organization.id, Role::Administrator)?)),
    ];
    entity(uid("Organization", facts.organization.id)?, attributes, HashSet::new())
}

/// Something that the store does not know. Of Gatepost's own types it has the teams that policies ask for.
fn unregistered(uid: &EntityUid) -> Result<Entity> {
    let attributes = match uid.type_name().to_string().as_str() {
        "Application" | "Device" => team_attributes(None)?,
        "Organization" => vec![("administrators", Value::new_entity_uid(nobody()?))],
        _ => Vec::new(),
    };
    entity(uid.clone(), attributes, HashSet::new())
}

fn lone(entities: &mut Vec<Entity>, entity_type: &str, id: &str) -> Result<EntityUid> {
    let uid = uid(entity_type, id)?;
    entities.push(Entity::new_no_attrs(uid.clone(), HashSet::new()));
    Ok(uid)
}

/// The teams that the subject is in, as far as the application and its organization know.
fn teams_of(facts: &ApplicationFacts) -> Result<Vec<EntityUid>> {
    let mut teams = administration(&facts.organization)?;
    if let Some(role) = facts.role {
        teams.push(team(facts.application.id, role)?);
    }
    Ok(teams)
}

fn administration(facts: &OrganizationFacts) -> Result<Vec<EntityUid>> {
    if facts.is_administrator { Ok(vec![team(facts.organization.id, Role::Administrator)?]) } else { Ok(Vec::new()) }
}

fn team_attributes(facts: Option<&ApplicationFacts>) -> Result<Vec<(&'static str, Value)>> {
    let attribute = |role| {
        let team = match facts {
            Some(facts) => team(facts.application.id, role)?,
            None => nobody()?,
        };
        Ok((team_name(role), Value::new_entity_uid(team)))
    };
    Role::ALL.into_iter().map(attribute).collect()
}

const fn team_name(role: Role) -> &'static str {
    match role {
        Role::Administrator => "administrators",
        Role::Developer => "developers",
        Role::Operator => "operators",
        Role::Observer => "observers",
    }
}

/// Identifiers are UUIDs, so no two teams share a name, and none is called `nobody`.
fn team(of: impl Display, role: Role) -> Result<EntityUid> {
    uid("Team", format_args!("{of}/{}", team_name(role)))
}

fn nobody() -> Result<EntityUid> {
    uid("Team", "nobody")
}

fn uid(entity_type: &str, id: impl Display) -> Result<EntityUid> {
    let name = match OWN_TYPES.get(entity_type) {
        Some(name) => name.clone(),
        None => EntityTypeName::from_str(entity_type)
            .map_err(|error| BuildError::EntityType(entity_type.to_owned(), Box::new(error)))?,
    };
    Ok(EntityUid::from_type_name_and_id(name, EntityId::new(id.to_string())))
}

fn entity(
    uid: EntityUid,
    attributes: impl IntoIterator<Item = (&'static str, Value)>,
    parents: HashSet<EntityUid>,
) -> Result<Entity> {
    let attributes: HashMap<_, _> = attributes.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Entity::new(uid, attributes, parents).map_err(|error| BuildError::Entity(error.into()))
}

/// Entities as they are built here, at least one of each type, registered and not: a schema must have room for them.
pub(super) fn samples() -> Vec<Entity> {
    let Ok(username) = Username::parse("ada") else { return Vec::new() };
    let (Ok(email), Ok(name)) = (Email::parse("ada@example.com"), Name::parse("thermostat")) else { return Vec::new() };
    let (now, bytes) = (Timestamp::from_secs(0), [1; 16]);
    let user = User {
        id: UserId::from_bytes(bytes),
        username,
        email,
        installation_administrator: false,
        tokens_not_before: now,
        created_at: now,
    };
    let organization = OrganizationFacts {
        organization: Organization {
            id: OrganizationId::from_bytes(bytes),
            name: name.clone(),
            plan: Plan::Free,
            personal_to: None,
            created_at: now,
        },
        is_administrator: true,
    };
    let application = ApplicationFacts {
        application: Application {
            id: ApplicationId::from_bytes(bytes),
            name,
            application_type: ApplicationType::Standard,
            organization: organization.organization.id,
            owner: user.id,
            created_at: now,
        },
        organization: organization.clone(),
        role: Some(Role::Administrator),
    };
    let device = Resource::Device(DeviceId::from_bytes([2; 16]));
    let unregistered = Resource::Application(ApplicationId::from_bytes([3; 16]));
    let digest = crate::secret::Digest::from_bytes([0; 32]);
    let kind = CredentialKind::ApiKey;
    let credential = Credential { kind, id: "", digest, mfa: false, scopes: &[], issued_at: now };
    let slices = [
        slice(&Subject::User { user: &user, credential }, &device, &Facts::Device(Some(application))),
        slice(&Subject::Anonymous, &device, &Facts::Device(None)),
        slice(&Subject::Console, &unregistered, &Facts::Application(None)),
        slice(&Subject::Console, &Resource::Organization(organization.organization.id), &Facts::Organization(None)),
        slice(&Subject::Console, &Resource::Installation, &Facts::Nothing),
    ];
    slices.into_iter().filter_map(Result::ok).flat_map(|slice| slice.entities).collect()
}
