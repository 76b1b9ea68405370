//! Samples of what is built here, for the schema to be held against.

use std::net::{IpAddr, Ipv4Addr};

use cedar_policy::Entity;
use cedar_policy_core::ast::Context;

use super::{Types, context, slice};
use crate::authz::facts::{ApplicationFacts, Facts, OrganizationFacts};
use crate::authz::question::{Circumstances, Credential, Resource, Subject};
use crate::authz::reads::{ContextParts, Reads};
use crate::model::{
    ApplicationId, ApplicationType, CredentialKind, DeviceId, Email, OrganizationId, Plan, Role, Timestamp, User,
    UserId, Username,
};

/// Entities as they are built here, at least one of each type, registered and not: a schema must have room for them.
pub(in crate::authz) fn samples() -> Vec<Entity> {
    let Some(user) = user() else { return Vec::new() };
    let bytes = BYTES;
    let organization =
        OrganizationFacts { id: OrganizationId::from_bytes(bytes), plan: Plan::Free, is_administrator: true };
    let application = ApplicationFacts {
        id: ApplicationId::from_bytes(bytes),
        application_type: ApplicationType::Standard,
        owner: user.id,
        organization,
        role: Some(Role::Administrator),
    };
    let device = Resource::Device(DeviceId::from_bytes([2; 16]));
    let unregistered = Resource::Application(ApplicationId::from_bytes([3; 16]));
    let credential = credential(&[]);
    let types = &Types::default();
    let slices = [
        slice(
            &Subject::User { user: &user, credential },
            &device,
            &Facts::Device(Some(application)),
            types,
            Reads::EVERYTHING,
        ),
        slice(&Subject::Anonymous, &device, &Facts::Device(None), types, Reads::EVERYTHING),
        slice(&Subject::Console, &unregistered, &Facts::Application(None), types, Reads::EVERYTHING),
        slice(
            &Subject::Console,
            &Resource::Organization(organization.id),
            &Facts::Organization(None),
            types,
            Reads::EVERYTHING,
        ),
        slice(&Subject::Console, &Resource::Installation, &Facts::Nothing, types, Reads::EVERYTHING),
    ];
    slices.into_iter().filter_map(Result::ok).flat_map(|slice| slice.entities).map(Entity::from).collect()
}

/// Contexts as they are built here.
pub(in crate::authz) struct ContextSamples {
    /// The smallest with and without a credential, and the largest, of requests that concern no member.
    pub(in crate::authz) without_member: [Context; 3],
    /// The largest of those that do.
    pub(in crate::authz) with_member: Context,
}

/// The smallest and the largest contexts that are built here: whatever is built has at least the attributes of the
/// smallest and at most those of the largest, and values of the same types.
pub(in crate::authz) fn context_samples() -> Option<ContextSamples> {
    let user = user()?;
    let application = ApplicationId::from_bytes(BYTES);
    let scopes = ["read-only".to_owned(), "action:View".to_owned(), format!("application:{application}")];
    let small = Circumstances { now: user.created_at, ..Circumstances::UNTOLD };
    let large = Circumstances { client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), ..small };
    let of_member = Circumstances { member: Some(user.id), role: Some(Role::Administrator), returning: true, ..large };
    let of_user = |scopes| Subject::User { user: &user, credential: credential(scopes) };
    let built = |subject, circumstances| context(&subject, circumstances, ContextParts::EVERYTHING).ok();
    Some(ContextSamples {
        without_member: [
            built(Subject::Anonymous, &small)?,
            built(of_user(&[]), &small)?,
            built(of_user(&scopes), &large)?,
        ],
        with_member: built(of_user(&scopes), &of_member)?,
    })
}

const BYTES: [u8; 16] = [1; 16];

fn user() -> Option<User> {
    let (username, email) = (Username::parse("ada").ok()?, Email::parse("ada@example.com").ok()?);
    let now = Timestamp::from_secs(0);
    Some(User {
        id: UserId::from_bytes(BYTES),
        username,
        email,
        installation_administrator: false,
        tokens_not_before: now,
        created_at: now,
    })
}

fn credential(scopes: &[String]) -> Credential<'_> {
    let digest = crate::secret::Digest::from_bytes([0; 32]);
    let kind = CredentialKind::ApiKey;
    Credential { kind, id: "", digest, mfa: false, scopes, issued_at: Timestamp::from_secs(0) }
}
