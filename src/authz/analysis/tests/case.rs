//! A question in the words of the account system: who asks, on what, under which circumstances, all of it made up.

use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy_core::ast::{Request, RequestSchema};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::ValidatorSchema;

use super::Asked;
use crate::authz::entities;
use crate::authz::evaluate::{Failure, ask};
use crate::authz::facts::{ApplicationFacts, Facts, OrganizationFacts};
use crate::authz::generation::Generation;
use crate::authz::question::{Circumstances, Credential, Resource, Subject};
use crate::authz::reads::ContextParts;
use crate::model::{
    ApplicationId, ApplicationType, CredentialKind, DeviceId, Email, OrganizationId, Plan, Role, Timestamp, User,
    UserId, Username,
};
use crate::secret::Digest;
use crate::store::StoreError;

/// Whoever asks, if that is a user.
pub(super) const SUBJECT: UserId = UserId::from_bytes([1; 16]);
/// Another user.
pub(super) const OTHER: UserId = UserId::from_bytes([2; 16]);
const ORGANIZATION: OrganizationId = OrganizationId::from_bytes([3; 16]);
/// The application that is asked about, or that the device is of.
pub(super) const APPLICATION: ApplicationId = ApplicationId::from_bytes([4; 16]);
/// Another application.
pub(super) const ELSEWHERE: ApplicationId = ApplicationId::from_bytes([5; 16]);
const DEVICE: DeviceId = DeviceId::from_bytes([6; 16]);
const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

/// The question.
#[derive(Clone)]
pub(super) struct Question {
    pub(super) asker: Asker,
    /// The action's index.
    pub(super) action: u16,
    pub(super) resource: Resource,
    pub(super) facts: Facts,
    pub(super) told: Told,
}

#[derive(Clone)]
pub(super) enum Asker {
    User { user: Box<User>, credential: Option<Presented> },
    Anonymous,
    Console,
}

/// What the request was authenticated with.
#[derive(Clone)]
pub(super) struct Presented {
    pub(super) kind: CredentialKind,
    pub(super) mfa: bool,
    pub(super) scopes: Vec<String>,
    pub(super) age_seconds: u32,
}

/// What the context tells besides the credential.
#[derive(Clone)]
pub(super) struct Told {
    pub(super) client: Option<IpAddr>,
    pub(super) method: String,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) member: Option<UserId>,
    pub(super) role: Option<Role>,
    pub(super) returning: bool,
}

/// Where whoever asks stands towards what is asked about.
#[derive(Clone, Copy, Default)]
pub(super) struct Standing {
    pub(super) role: Option<Role>,
    pub(super) is_owner: bool,
    pub(super) administers_organization: bool,
}

/// What is said of what is asked about.
pub(super) struct Thing<'a> {
    pub(super) entity_type: &'a str,
    pub(super) id: Option<&'a str>,
    pub(super) is_registered: bool,
    /// Of an account: whether it is the asker's.
    pub(super) is_own: bool,
    pub(super) application_type: ApplicationType,
    pub(super) plan: Plan,
}

impl Question {
    /// What Cedar is asked, by the way that requests go.
    pub(super) fn ask(&self, generation: &Generation) -> Result<Asked, String> {
        let action = generation.prepared().action(self.action).ok_or("the action is not one of this generation")?;
        let Told { client, method, host, path, member, role, returning } = &self.told;
        let circumstances = Circumstances {
            now: NOW,
            client: *client,
            method,
            host,
            path,
            member: *member,
            role: *role,
            returning: *returning,
        };
        let untold = Presented { kind: CredentialKind::Session, mfa: false, scopes: Vec::new(), age_seconds: 0 };
        let subject = match &self.asker {
            Asker::User { user, credential } => {
                Subject::User { user, credential: credential.as_ref().unwrap_or(&untold).as_seen() }
            }
            Asker::Anonymous => Subject::Anonymous,
            Asker::Console => Subject::Console,
        };
        let load = |user: Option<UserId>, resource: &Resource| {
            Ok::<_, StoreError>(Arc::new(self.facts.alone(&subject, &self.resource, user, resource)))
        };
        let asked = ask(generation, action, &subject, &self.resource, &self.facts, &circumstances, &load);
        let asked = asked.map_err(|failure| match failure {
            Failure::Store(error) => error.to_string(),
            Failure::Other(error) => error,
        })?;
        match &self.asker {
            Asker::User { credential: None, .. } => without_credential(asked, generation, &circumstances),
            _ => Ok(asked),
        }
    }
}

impl Presented {
    fn as_seen(&self) -> Credential<'_> {
        let issued_at = NOW.as_secs().saturating_sub(i64::from(self.age_seconds));
        Credential {
            kind: self.kind,
            id: "test",
            digest: Digest::of(b"test"),
            mfa: self.mfa,
            scopes: &self.scopes,
            issued_at: Timestamp::from_secs(issued_at),
        }
    }
}

/// The same question by somebody whom another program has authenticated: it does not tell how.
fn without_credential(
    asked: Asked,
    generation: &Generation,
    circumstances: &Circumstances<'_>,
) -> Result<Asked, String> {
    let request = &asked.request;
    let context = entities::context(&Subject::Anonymous, circumstances, ContextParts::EVERYTHING);
    let context = context.map_err(|error| error.to_string())?;
    let (principal, action, resource) =
        (request.principal().clone(), request.action().clone(), request.resource().clone());
    let request = Request::new_unchecked(principal, action, resource, Some(context));
    let schema: &ValidatorSchema = generation.schema().as_ref();
    schema.validate_request(&request, Extensions::all_available()).map_err(|error| error.to_string())?;
    Ok(Asked { request, entities: asked.entities })
}

/// A user who asks. Nothing if the names are none.
pub(super) fn user(username: &str, email: &str, installation_administrator: bool) -> Option<Box<User>> {
    user_with(SUBJECT, username, email, installation_administrator).map(Box::new)
}

fn user_with(id: UserId, username: &str, email: &str, installation_administrator: bool) -> Option<User> {
    Some(User {
        id,
        username: Username::parse(username).ok()?,
        email: Email::parse(email).ok()?,
        installation_administrator,
        tokens_not_before: Timestamp::from_secs(0),
        created_at: Timestamp::from_secs(0),
    })
}

impl Thing<'_> {
    /// The resource, and what is known of it and of whoever asks. Nothing if it cannot be made up.
    pub(super) fn resource(&self, standing: Standing) -> Option<(Resource, Facts)> {
        let registered = self.is_registered;
        Some(match (self.entity_type, self.id) {
            ("Application", None) => {
                (Resource::Application(APPLICATION), Facts::Application(self.application(standing, registered)))
            }
            ("Device", None) => (Resource::Device(DEVICE), Facts::Device(self.application(standing, registered))),
            ("Organization", None) => {
                let facts = registered.then(|| self.organization(standing));
                (Resource::Organization(ORGANIZATION), Facts::Organization(facts))
            }
            ("User", None) => {
                let id = if self.is_own { SUBJECT } else { OTHER };
                let other = if registered { Some(user_with(id, "other", "other@example.com", false)?) } else { None };
                (Resource::User(id), Facts::User(other.map(Box::new)))
            }
            ("Installation", None) => (Resource::Installation, Facts::Nothing),
            (entity_type, id) => {
                let id = id.unwrap_or("unregistered");
                (Resource::Unregistered { entity_type: entity_type.into(), id: id.into() }, Facts::Nothing)
            }
        })
    }

    fn application(&self, standing: Standing, registered: bool) -> Option<ApplicationFacts> {
        registered.then(|| ApplicationFacts {
            id: APPLICATION,
            application_type: self.application_type,
            owner: if standing.is_owner { SUBJECT } else { OTHER },
            organization: self.organization(standing),
            role: standing.role,
        })
    }

    fn organization(&self, standing: Standing) -> OrganizationFacts {
        OrganizationFacts { id: ORGANIZATION, plan: self.plan, is_administrator: standing.administers_organization }
    }
}
