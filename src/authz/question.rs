//! What is asked: who wants to do what, on what, under which circumstances.

use std::net::IpAddr;

use crate::model::{ApplicationId, CredentialKind, DeviceId, OrganizationId, Role, Timestamp, User, UserId};
use crate::secret::Digest;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A user, identified by a verified credential.
    User {
        /// The user.
        user: &'a User,
        /// What the request was authenticated with.
        credential: Credential<'a>,
    },
    /// Somebody who sent no valid credential.
    Anonymous,
    /// Whoever runs the command line on the machine that holds the database.
    Console,
}

/// A verified credential, as policies see it.
#[derive(Debug, Clone, Copy)]
pub struct Credential<'a> {
    /// Its kind.
    pub kind: CredentialKind,
    /// Its identifier.
    pub id: &'a str,
    /// What it is known by in caches: everything else here, but for its age, follows from it.
    pub digest: Digest,
    /// Whether a second factor was given.
    pub mfa: bool,
    /// What it is narrowed to.
    pub scopes: &'a [String],
    /// When it was issued.
    pub issued_at: Timestamp,
}

impl Subject<'_> {
    pub(super) fn user_id(&self) -> Option<UserId> {
        match self {
            Subject::User { user, .. } => Some(user.id),
            Subject::Anonymous | Subject::Console => None,
        }
    }

    /// What a cached decision for this subject is found by, which may depend on the credential or does not; the
    /// console's are not cached.
    pub(super) fn cache_key(&self, by_credential: bool) -> Option<SubjectKey> {
        match self {
            Subject::User { credential, .. } if by_credential => Some(SubjectKey::Credential(credential.digest)),
            Subject::User { user, .. } => Some(SubjectKey::User(user.id)),
            Subject::Anonymous => Some(SubjectKey::Anonymous),
            Subject::Console => None,
        }
    }
}

/// A subject, as a cache knows it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum SubjectKey {
    User(UserId),
    Credential(Digest),
    Anonymous,
}

/// What it is to be done on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Resource {
    /// An application, registered or not.
    Application(ApplicationId),
    /// A device, registered or not.
    Device(DeviceId),
    /// An organization.
    Organization(OrganizationId),
    /// An account.
    User(UserId),
    /// This installation.
    Installation,
    /// Anything that the store does not know: of a type that Gatepost does not own, or with an identifier that nothing
    /// registered can have.
    Unregistered {
        /// Its Cedar entity type.
        entity_type: Box<str>,
        /// Its identifier.
        id: Box<str>,
    },
}

impl Resource {
    /// The resource of this Cedar type and identifier. Identifiers have one spelling: another one names nothing.
    pub fn from_parts(entity_type: &str, id: &str) -> Self {
        let known = match entity_type {
            "Application" => id.parse().ok().map(Self::Application),
            "Device" => id.parse().ok().map(Self::Device),
            "Organization" => id.parse().ok().map(Self::Organization),
            "User" => id.parse().ok().map(Self::User),
            _ => None,
        };
        known.unwrap_or_else(|| Self::Unregistered { entity_type: entity_type.into(), id: id.into() })
    }

    /// Whether the store can know it. Of anything else there are no facts, whoever asks.
    pub(super) const fn may_be_stored(&self) -> bool {
        !matches!(self, Self::Installation | Self::Unregistered { .. })
    }

    /// Whether its identifier is so long at most, in bytes. Those of what the store can know are short.
    pub(super) const fn has_id_within(&self, len: usize) -> bool {
        match self {
            Self::Unregistered { id, .. } => id.len() <= len,
            _ => true,
        }
    }

    /// Its Cedar entity type.
    pub fn entity_type(&self) -> &str {
        match self {
            Self::Application(_) => "Application",
            Self::Device(_) => "Device",
            Self::Organization(_) => "Organization",
            Self::User(_) => "User",
            Self::Installation => "Installation",
            Self::Unregistered { entity_type, .. } => entity_type,
        }
    }

    /// Its identifier.
    pub fn id(&self) -> String {
        match self {
            Self::Application(id) => id.to_string(),
            Self::Device(id) => id.to_string(),
            Self::Organization(id) => id.to_string(),
            Self::User(id) => id.to_string(),
            Self::Installation => "local".to_owned(),
            Self::Unregistered { id, .. } => id.to_string(),
        }
    }
}

/// Under which circumstances: what policies see as `context`, besides the credential.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// When.
    pub now: Timestamp,
    /// The client's address, if it is known for sure.
    pub client: Option<IpAddr>,
    /// The request's method.
    pub method: &'a str,
    /// The request's host, in canonical form.
    pub host: &'a str,
    /// The request's path, in canonical form.
    pub path: &'a str,
    /// Of actions on members: whom it concerns.
    pub member: Option<UserId>,
    /// Of actions on members: which role that user is to have.
    pub role: Option<Role>,
    /// Of actions on members: whether that user has left the application before.
    pub returning: bool,
}

impl Circumstances<'_> {
    /// Those of which nothing is told.
    pub(super) const UNTOLD: Self = Self {
        now: Timestamp::from_secs(0),
        client: None,
        method: "",
        host: "",
        path: "",
        member: None,
        role: None,
        returning: false,
    };

    /// Whether they tell about a member, as the account system's do, and a proxied request's never.
    pub(super) fn tells_member(&self) -> bool {
        self.member.is_some() || self.role.is_some() || self.returning
    }
}
