//! Who asks, and what about.

use proptest::prelude::*;
use proptest::sample::select;

use crate::authz::facts::{ApplicationFacts, Facts, OrganizationFacts};
use crate::authz::question::{Circumstances, Credential, Resource, Subject};
use crate::model::{
    ApplicationId, ApplicationType, CredentialKind, DeviceId, Email, OrganizationId, Plan, Role, Timestamp, User,
    UserId, Username,
};
use crate::secret::Digest;

const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

/// Somebody who asks, and what about.
#[derive(Debug, Clone)]
pub(super) struct World {
    pub(super) user: User,
    pub(super) is_anonymous: bool,
    pub(super) kind: CredentialKind,
    pub(super) mfa: bool,
    pub(super) scopes: Vec<String>,
    pub(super) resource: Resource,
    pub(super) facts: Facts,
    pub(super) client: bool,
    pub(super) method: &'static str,
}

impl World {
    pub(super) fn subject(&self) -> Subject<'_> {
        let credential = Credential {
            kind: self.kind,
            id: "k",
            digest: Digest::from_bytes([9; 32]),
            mfa: self.mfa,
            scopes: &self.scopes,
            issued_at: NOW,
        };
        if self.is_anonymous { Subject::Anonymous } else { Subject::User { user: &self.user, credential } }
    }

    pub(super) fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            now: NOW,
            client: self.client.then_some([127, 0, 0, 1].into()),
            method: self.method,
            host: "app.example.com",
            path: "/a",
            member: None,
            role: None,
            returning: false,
        }
    }
}

fn user(byte: u8, name: &str, installation_administrator: bool) -> User {
    User {
        id: UserId::from_bytes([byte; 16]),
        username: Username::parse(name).unwrap(),
        email: Email::parse(&format!("{name}@example.com")).unwrap(),
        installation_administrator,
        tokens_not_before: NOW,
        created_at: NOW,
    }
}

pub(super) fn worlds() -> impl Strategy<Value = World> {
    let role = prop_oneof![Just(None), select(&Role::ALL[..]).prop_map(Some)];
    let who = (
        any::<bool>(),
        proptest::bool::weighted(0.15),
        any::<bool>(),
        any::<bool>(),
        select(vec![vec![], vec![], vec!["read-only"], vec!["action:Push"], vec!["read-only", "action:View"]]),
    );
    let resource = (0_usize..9, role, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (who, resource, any::<bool>(), select(vec!["GET", "POST"])).prop_map(|(who, resource, client, method)| {
        let (installation_administrator, is_anonymous, is_session, mfa, scopes) = who;
        let (kind, role, is_administrator, is_paid, is_standard, owns) = resource;
        let user = user(21, "ada", installation_administrator);
        let organization = OrganizationFacts {
            id: OrganizationId::from_bytes([22; 16]),
            plan: if is_paid { Plan::Paid } else { Plan::Free },
            is_administrator: is_administrator && !is_anonymous,
        };
        let application = ApplicationFacts {
            id: ApplicationId::from_bytes([23; 16]),
            application_type: if is_standard { ApplicationType::Standard } else { ApplicationType::Starter },
            owner: if owns { user.id } else { UserId::from_bytes([24; 16]) },
            organization,
            role: role.filter(|_| !is_anonymous),
        };
        let other = self::user(25, "oleg", owns);
        let device = DeviceId::from_bytes([26; 16]);
        let (resource, facts) = match kind {
            0 => (Resource::Application(application.id), Facts::Application(Some(application))),
            1 => (Resource::Device(device), Facts::Device(Some(application))),
            2 => (Resource::Organization(organization.id), Facts::Organization(Some(organization))),
            3 => (Resource::User(user.id), Facts::User(Some(user.clone().into()))),
            4 => (Resource::User(other.id), Facts::User(Some(other.into()))),
            5 => (Resource::Installation, Facts::Nothing),
            6 => (Resource::Application(application.id), Facts::Application(None)),
            7 => (Resource::Device(device), Facts::Device(None)),
            _ => (Resource::from_parts("Device", "7"), Facts::Nothing),
        };
        let kind = if is_session { CredentialKind::Session } else { CredentialKind::ApiKey };
        let scopes = scopes.into_iter().map(str::to_owned).collect();
        World { user, is_anonymous, kind, mfa, scopes, resource, facts, client, method }
    })
}

pub(super) fn operator() -> World {
    let id = OrganizationId::from_bytes([22; 16]);
    let application = ApplicationFacts {
        id: ApplicationId::from_bytes([23; 16]),
        application_type: ApplicationType::Standard,
        owner: UserId::from_bytes([24; 16]),
        organization: OrganizationFacts { id, plan: Plan::Paid, is_administrator: false },
        role: Some(Role::Operator),
    };
    World {
        user: user(21, "ada", false),
        is_anonymous: false,
        kind: CredentialKind::Session,
        mfa: false,
        scopes: Vec::new(),
        resource: Resource::Application(application.id),
        facts: Facts::Application(Some(application)),
        client: false,
        method: "GET",
    }
}

pub(super) fn application(world: &mut World) -> &mut ApplicationFacts {
    match &mut world.facts {
        Facts::Application(Some(application)) => application,
        other => panic!("{other:?}"),
    }
}
