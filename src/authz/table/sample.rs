//! Samples: one question that stands for all of its kind.
//!
//! What a sample leaves unknown is everything but the structure: which entities there are, which attributes they have,
//! which of these lead to other entities, and who is in which team.

use std::sync::Arc;

use cedar_policy_core::ast::{
    Context, Entity, EntityUID, Literal, PartialValue, RestrictedExpr, Unknown, Value, ValueKind,
};
use cedar_policy_core::extensions::Extensions;

use super::kind::{Class, Dimension, Kind, Standing, State};
use crate::authz::entities::{self, Types};
use crate::authz::facts::{ApplicationFacts, Facts, OrganizationFacts};
use crate::authz::question::{Circumstances, Credential, Resource, Subject};
use crate::authz::reads::{ContextParts, Reads};
use crate::model::{ApplicationId, DeviceId, Email, OrganizationId, Timestamp, User, UserId, Username};
use crate::secret::Digest;

/// A question of a class, in one of its states, of which so much is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::authz) struct Sample {
    pub(super) class: Class,
    pub(super) state: State,
    known: [Option<usize>; Dimension::ALL.len()],
}

/// What Cedar is asked about a sample.
pub(in crate::authz) struct Asked {
    pub(in crate::authz) principal: Arc<EntityUID>,
    pub(in crate::authz) resource: Arc<EntityUID>,
    pub(in crate::authz) entities: Vec<Entity>,
    pub(in crate::authz) context: Context,
}

/// Attributes that belong to the structure: they lead to what an entity belongs to, and to teams.
const STRUCTURE: [&str; 6] = ["administrators", "developers", "operators", "observers", "organization", "application"];

/// Parts of the context that follow from how the credential is narrowed, which a sample always knows.
const NARROWING: [&str; 2] = ["context.credential.scopes", "context.credential.read_only"];

const NOW: Timestamp = Timestamp::from_secs(0);
const SUBJECT: UserId = UserId::from_bytes([1; 16]);
const OTHER: UserId = UserId::from_bytes([2; 16]);

impl Sample {
    /// A sample of which nothing but the structure is known.
    pub(in crate::authz) const fn new(class: Class, state: State) -> Self {
        Self { class, state, known: [None; Dimension::ALL.len()] }
    }

    /// The same where `dimension` has the value with this number.
    #[must_use]
    pub(super) fn with(mut self, dimension: Dimension, value: usize) -> Self {
        if let Some(known) = self.known.get_mut(dimension as usize) {
            *known = Some(value);
        }
        self
    }

    /// Whether nothing but the structure is known.
    pub(super) fn is_untold(&self) -> bool {
        self.known.iter().all(Option::is_none)
    }

    pub(super) fn knows(&self, dimension: Dimension) -> bool {
        self.value(dimension).is_some()
    }

    fn value(&self, dimension: Dimension) -> Option<usize> {
        self.known.get(dimension as usize).copied().flatten()
    }

    /// The question. Nothing if it could not be built.
    pub(super) fn asked(&self) -> Option<Asked> {
        self.asked_under(&Circumstances::UNTOLD)
    }

    /// The question under circumstances of which it is known what they tell, and not what that is.
    pub(in crate::authz) fn asked_under(&self, circumstances: &Circumstances<'_>) -> Option<Asked> {
        let administers = self.value(Dimension::InstallationAdministrator) == Some(1);
        let (user, other) = (user(SUBJECT, "subject", administers)?, user(OTHER, "other", false)?);
        let scopes = self.state.narrowed.scopes();
        let credential = Credential {
            kind: *Dimension::CREDENTIAL_KINDS.get(self.value(Dimension::CredentialKind).unwrap_or(0))?,
            id: "",
            digest: Digest::from_bytes([0; 32]),
            mfa: self.value(Dimension::SecondFactor) == Some(1),
            scopes: &scopes,
            issued_at: NOW,
        };
        let subject =
            if self.class.is_anonymous { Subject::Anonymous } else { Subject::User { user: &user, credential } };
        let (resource, facts) = self.facts(other)?;
        let slice = entities::slice(&subject, &resource, &facts, &Types::default(), Reads::EVERYTHING).ok()?;
        let blank = |entity| self.blank_entity(entity, &slice.principal);
        Some(Asked {
            entities: slice.entities.into_iter().map(blank).collect(),
            context: self.blank_context(entities::context(&subject, circumstances, ContextParts::EVERYTHING).ok()?)?,
            principal: slice.principal,
            resource: slice.resource,
        })
    }

    fn facts(&self, other: User) -> Option<(Resource, Facts)> {
        let organization = OrganizationId::from_bytes([3; 16]);
        let application = ApplicationId::from_bytes([4; 16]);
        let device = DeviceId::from_bytes([5; 16]);
        let standing = self.state.standing;
        let of_organization = || self.organization(organization);
        let of_application = || self.application(application, organization);
        Some(match (self.class.kind, standing) {
            (Kind::Application, Standing::Unregistered) => {
                (Resource::Application(application), Facts::Application(None))
            }
            (Kind::Application, _) => (Resource::Application(application), Facts::Application(Some(of_application()?))),
            (Kind::Device, Standing::Unregistered) => (Resource::Device(device), Facts::Device(None)),
            (Kind::Device, _) => (Resource::Device(device), Facts::Device(Some(of_application()?))),
            (Kind::Organization, Standing::Unregistered) => {
                (Resource::Organization(organization), Facts::Organization(None))
            }
            (Kind::Organization, _) => {
                (Resource::Organization(organization), Facts::Organization(Some(of_organization()?)))
            }
            (Kind::User, Standing::Unregistered) => (Resource::User(OTHER), Facts::User(None)),
            (Kind::User, Standing::Own) => (Resource::User(SUBJECT), Facts::User(None)),
            (Kind::User, Standing::Registered { .. }) => (Resource::User(OTHER), Facts::User(Some(other.into()))),
            (Kind::Installation, _) => (Resource::Installation, Facts::Nothing),
        })
    }

    fn application(&self, id: ApplicationId, organization: OrganizationId) -> Option<ApplicationFacts> {
        let Standing::Registered { role, .. } = self.state.standing else { return None };
        let owner = if self.value(Dimension::Owner) == Some(1) { SUBJECT } else { OTHER };
        let application_type =
            *Dimension::APPLICATION_TYPES.get(self.value(Dimension::ApplicationType).unwrap_or(0))?;
        Some(ApplicationFacts { id, application_type, owner, organization: self.organization(organization)?, role })
    }

    fn organization(&self, id: OrganizationId) -> Option<OrganizationFacts> {
        let Standing::Registered { administers, .. } = self.state.standing else { return None };
        let plan = *Dimension::PLANS.get(self.value(Dimension::Plan).unwrap_or(0))?;
        Some(OrganizationFacts { id, plan, is_administrator: administers })
    }

    /// The entity, with all attributes unknown that neither belong to the structure nor are known.
    // INVARIANT: an attribute that entities come to have is unknown here until it is listed above.
    fn blank_entity(&self, entity: Entity, principal: &EntityUID) -> Entity {
        let (uid, attributes, indirect_ancestors, parents, tags) = entity.into_inner();
        let of = if uid == *principal { "principal".to_owned() } else { uid.entity_type().to_string() };
        let blank = |path: String, value| {
            let unknown = PartialValue::unknown(Unknown::new_untyped(path.as_str()));
            if self.tells(&path) { value } else { unknown }
        };
        let attributes = attributes.into_iter().map(|(name, value)| {
            let is_structure = STRUCTURE.contains(&name.as_str()) && is_entity(&value);
            let value = if is_structure { value } else { blank(format!("{of}.{name}"), value) };
            (name, value)
        });
        let attributes: Vec<_> = attributes.collect();
        let tags: Vec<_> = tags
            .into_iter()
            .map(|(name, value)| {
                let path = format!("{of}[{name}]");
                (name, blank(path, value))
            })
            .collect();
        Entity::new_with_attr_partial_value(uid, attributes, indirect_ancestors, parents, tags)
    }

    /// The context, in which all is unknown but for how the credential is narrowed, and what is known.
    fn blank_context(&self, context: Context) -> Option<Context> {
        let Context::Value(parts) = context else { return None };
        let parts = parts.iter().map(|(name, value)| {
            let path = format!("context.{name}");
            let value = match value.value_kind() {
                ValueKind::Record(fields) => RestrictedExpr::record(fields.iter().map(|(name, value)| {
                    let path = format!("{path}.{name}");
                    (name.clone(), self.known_or_not(path, value))
                }))
                .ok()?,
                _ => self.known_or_not(path, value),
            };
            Some((name.clone(), value))
        });
        let parts: Option<Vec<_>> = parts.collect();
        Context::from_pairs(parts?, Extensions::all_available()).ok()
    }

    fn known_or_not(&self, path: String, value: &Value) -> RestrictedExpr {
        if NARROWING.contains(&path.as_str()) || self.tells(&path) {
            value.clone().into()
        } else {
            RestrictedExpr::unknown(Unknown::new_untyped(path))
        }
    }

    fn tells(&self, path: &str) -> bool {
        Dimension::with_path(path).is_some_and(|dimension| self.knows(dimension))
    }
}

fn is_entity(value: &PartialValue) -> bool {
    matches!(value, PartialValue::Value(Value { value: ValueKind::Lit(Literal::EntityUID(_)), .. }))
}

fn user(id: UserId, username: &str, installation_administrator: bool) -> Option<User> {
    Some(User {
        id,
        username: Username::parse(username).ok()?,
        email: Email::parse("sample@example.com").ok()?,
        installation_administrator,
        tokens_not_before: NOW,
        created_at: NOW,
    })
}
