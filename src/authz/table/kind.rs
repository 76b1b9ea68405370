//! Of which kind a question is, and what is distinguished within a kind.

use crate::authz::facts::{ApplicationFacts, Facts, OrganizationFacts};
use crate::authz::question::{Credential, Resource, Subject};
use crate::model::{ApplicationType, CredentialKind, Plan, Role, User};

/// Questions with the same kinds of subject and resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::authz) struct Class {
    /// Whether nobody in particular asks; otherwise a user does.
    pub(in crate::authz) is_anonymous: bool,
    pub(in crate::authz) kind: Kind,
}

/// Kinds of resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::authz) enum Kind {
    Application,
    Device,
    Organization,
    User,
    Installation,
}

/// What the structure of the entities depends on: who is in which team, and which attributes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::authz) struct State {
    pub(in crate::authz) standing: Standing,
    pub(in crate::authz) narrowed: Narrowed,
}

/// Where the subject stands towards the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::authz) enum Standing {
    /// The store does not know the resource.
    Unregistered,
    /// The resource is the subject itself.
    Own,
    /// The subject has this role on it, and administers the organization that it belongs to or is, or does not.
    Registered { role: Option<Role>, administers: bool },
}

/// What the credential is narrowed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::authz) enum Narrowed {
    /// Nothing: it is as good as its user.
    Not,
    /// Reading.
    ReadOnly,
}

/// What else a policy may distinguish, and has few values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Dimension {
    InstallationAdministrator,
    Owner,
    ApplicationType,
    Plan,
    CredentialKind,
    SecondFactor,
}

impl Class {
    pub(super) const COUNT: usize = 2 * Kind::ALL.len();

    pub(super) fn all() -> impl Iterator<Item = Self> {
        Kind::ALL.into_iter().flat_map(|kind| [false, true].map(|is_anonymous| Self { is_anonymous, kind }))
    }

    /// The class of a question; none if no sample stands for such questions.
    pub(super) fn of(subject: &Subject<'_>, resource: &Resource) -> Option<Self> {
        let kind = Kind::of(resource)?;
        match subject {
            Subject::User { .. } => Some(Self { is_anonymous: false, kind }),
            Subject::Anonymous => Some(Self { is_anonymous: true, kind }),
            Subject::Console => None,
        }
    }

    /// Its position among all classes.
    pub(super) const fn index(self) -> usize {
        2 * self.kind as usize + self.is_anonymous as usize
    }
}

impl Kind {
    pub(in crate::authz) const ALL: [Self; 5] =
        [Self::Application, Self::Device, Self::Organization, Self::User, Self::Installation];

    fn of(resource: &Resource) -> Option<Self> {
        match resource {
            Resource::Application(_) => Some(Self::Application),
            Resource::Device(_) => Some(Self::Device),
            Resource::Organization(_) => Some(Self::Organization),
            Resource::User(_) => Some(Self::User),
            Resource::Installation => Some(Self::Installation),
            Resource::Unregistered { entity_type, .. } => match &**entity_type {
                "Application" => Some(Self::Application),
                "Device" => Some(Self::Device),
                "Organization" => Some(Self::Organization),
                "User" => Some(Self::User),
                _ => None,
            },
        }
    }
}

impl State {
    /// All states, each at its index.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let both = [Narrowed::Not, Narrowed::ReadOnly];
        Standing::all().flat_map(move |standing| both.map(|narrowed| Self { standing, narrowed }))
    }

    /// The state of a question; none if no sample stands for it.
    pub(super) fn of(subject: &Subject<'_>, resource: &Resource, facts: &Facts) -> Option<Self> {
        let narrowed = match subject {
            Subject::User { credential, .. } => Narrowed::of(credential.scopes)?,
            Subject::Anonymous | Subject::Console => Narrowed::Not,
        };
        Some(Self { standing: Standing::of(subject, resource, facts), narrowed })
    }

    /// Its position among all states.
    pub(super) fn index(self) -> usize {
        2 * self.standing.index() + self.narrowed as usize
    }

    /// Whether a question of `class` can be in this state.
    pub(super) fn is_of(self, class: Class) -> bool {
        let nobody = matches!(self.standing, Standing::Registered { role: None, administers: false });
        let standing = match (class.kind, self.standing) {
            (_, Standing::Unregistered) => class.kind != Kind::Installation,
            (kind, Standing::Own) => kind == Kind::User && !class.is_anonymous,
            (Kind::Application | Kind::Device, Standing::Registered { .. }) => !class.is_anonymous || nobody,
            (Kind::Organization, Standing::Registered { role, .. }) => {
                role.is_none() && (!class.is_anonymous || nobody)
            }
            (Kind::User | Kind::Installation, Standing::Registered { .. }) => nobody,
        };
        standing && (!class.is_anonymous || self.narrowed == Narrowed::Not)
    }
}

impl Standing {
    fn all() -> impl Iterator<Item = Self> {
        let roles = std::iter::once(None).chain(Role::ALL.map(Some));
        let registered = |role| [false, true].map(|administers| Self::Registered { role, administers });
        [Self::Unregistered, Self::Own].into_iter().chain(roles.flat_map(registered))
    }

    fn of(subject: &Subject<'_>, resource: &Resource, facts: &Facts) -> Self {
        let registered = |role, administers| Self::Registered { role, administers };
        match (facts, resource) {
            (_, Resource::User(id)) if subject.user_id() == Some(*id) => Self::Own,
            (Facts::Application(Some(facts)) | Facts::Device(Some(facts)), _) => {
                registered(facts.role, facts.organization.is_administrator)
            }
            (Facts::Organization(Some(facts)), _) => registered(None, facts.is_administrator),
            (Facts::User(Some(_)), _) | (Facts::Nothing, Resource::Installation) => registered(None, false),
            (Facts::Application(None) | Facts::Device(None) | Facts::Organization(None) | Facts::User(None), _)
            | (Facts::Nothing, _) => Self::Unregistered,
        }
    }

    fn index(self) -> usize {
        match self {
            Self::Unregistered => 0,
            Self::Own => 1,
            Self::Registered { role, administers } => {
                2 + 2 * role.map_or(0, |role| role as usize + 1) + usize::from(administers)
            }
        }
    }
}

impl Narrowed {
    pub(super) const COUNT: usize = 2;

    fn of(scopes: &[String]) -> Option<Self> {
        match scopes {
            [] => Some(Self::Not),
            [only] if only == "read-only" => Some(Self::ReadOnly),
            _ => None,
        }
    }

    /// The scopes of a key that is narrowed so.
    pub(super) fn scopes(self) -> Vec<String> {
        match self {
            Self::Not => Vec::new(),
            Self::ReadOnly => vec!["read-only".to_owned()],
        }
    }
}

impl Dimension {
    pub(super) const ALL: [Self; 6] = [
        Self::InstallationAdministrator,
        Self::Owner,
        Self::ApplicationType,
        Self::Plan,
        Self::CredentialKind,
        Self::SecondFactor,
    ];
    pub(super) const APPLICATION_TYPES: [ApplicationType; 2] = [ApplicationType::Starter, ApplicationType::Standard];
    pub(super) const PLANS: [Plan; 2] = [Plan::Free, Plan::Paid];
    pub(super) const CREDENTIAL_KINDS: [CredentialKind; 2] = [CredentialKind::Session, CredentialKind::ApiKey];

    /// How many values each has.
    pub(super) const VALUES: usize = 2;

    /// Where the value stands in a sample, which is also what it is called while it is unknown.
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::InstallationAdministrator => "principal.installation_administrator",
            Self::Owner => "Application.owner",
            Self::ApplicationType => "Application.type",
            Self::Plan => "Organization.plan",
            Self::CredentialKind => "context.credential.kind",
            Self::SecondFactor => "context.credential.mfa",
        }
    }

    pub(super) fn with_path(path: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dimension| dimension.path() == path)
    }

    /// The number of the value that a question has; none if it has no value.
    pub(super) fn value(self, subject: &Subject<'_>, facts: &Facts) -> Option<usize> {
        match self {
            Self::InstallationAdministrator => user(subject).map(|user| usize::from(user.installation_administrator)),
            Self::Owner => application(facts).map(|known| usize::from(subject.user_id() == Some(known.owner))),
            Self::ApplicationType => {
                let known = application(facts)?.application_type;
                Self::APPLICATION_TYPES.into_iter().position(|value| value == known)
            }
            Self::Plan => {
                let known = organization(facts)?.plan;
                Self::PLANS.into_iter().position(|value| value == known)
            }
            Self::CredentialKind => {
                let known = credential(subject)?.kind;
                Self::CREDENTIAL_KINDS.into_iter().position(|value| value == known)
            }
            Self::SecondFactor => credential(subject).map(|credential| usize::from(credential.mfa)),
        }
    }
}

fn user<'a>(subject: &Subject<'a>) -> Option<&'a User> {
    match subject {
        Subject::User { user, .. } => Some(user),
        Subject::Anonymous | Subject::Console => None,
    }
}

fn credential<'a>(subject: &Subject<'a>) -> Option<Credential<'a>> {
    match subject {
        Subject::User { credential, .. } => Some(*credential),
        Subject::Anonymous | Subject::Console => None,
    }
}

fn application(facts: &Facts) -> Option<&ApplicationFacts> {
    match facts {
        Facts::Application(Some(facts)) | Facts::Device(Some(facts)) => Some(facts),
        _ => None,
    }
}

fn organization(facts: &Facts) -> Option<&OrganizationFacts> {
    match facts {
        Facts::Application(Some(facts)) | Facts::Device(Some(facts)) => Some(&facts.organization),
        Facts::Organization(Some(facts)) => Some(facts),
        _ => None,
    }
}
