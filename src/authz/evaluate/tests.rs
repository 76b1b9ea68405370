mod beyond;

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{IpAddr, Ipv4Addr};

use cedar_policy_core::authorizer::Authorizer;

use super::*;
use crate::authz::facts::{ApplicationFacts, OrganizationFacts};
use crate::authz::generation::{self, Source};
use crate::authz::question::Credential;
use crate::authz::reads::Reads;
use crate::model::{
    ApplicationId, ApplicationType, CredentialKind, DeviceId, Email, OrganizationId, Plan, Role, Timestamp, User,
    UserId, Username,
};
use crate::secret::Digest;

const ID: [u8; 16] = [7; 16];
const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

/// Policies that look at what the shipped ones do not.
const MORE: &str = r#"
    @id("address") forbid (principal, action == Action::"Push", resource)
    when { context has client && context.client.isInRange(ip("192.0.2.0/24")) };
    @id("plan") forbid (principal, action == Action::"Configure", resource is Application)
    when { resource has organization.plan && resource.organization.plan == "free" };
    @id("group") permit (principal is Anonymous, action == Action::"FleetAction", resource)
    when { Action::"FleetAction" in Action::"FleetActions" };
    @id("in") permit (principal, action == Action::"SshAccess", resource)
    when { resource in Organization::"07070707-0707-0707-0707-070707070707" };
    @id("scope-in") permit (principal, action == Action::"DownloadImage",
        resource in Organization::"07070707-0707-0707-0707-070707070707");
    @id("names") permit (principal == User::"07070707-0707-0707-0707-070707070707",
        action == Action::"DeleteApplication", resource is Application) when { principal.email like "ada@*" };
    @id("device") forbid (principal, action == Action::"DeviceAction", resource is Device)
    when { resource has application.owner && resource.application.owner == principal };
"#;

/// The shipped files, with further policies and with an edited schema.
fn generation(policies: &str, schema: impl Fn(String) -> String) -> Generation {
    let folder = tempfile::tempdir().unwrap();
    let (policies_folder, schema_folder) = (folder.path().join("policies"), folder.path().join("schema"));
    let shipped = |path: &str| fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    fs::create_dir(&policies_folder).unwrap();
    fs::create_dir(&schema_folder).unwrap();
    for name in ["accounts.cedar", "matrix.cedar", "scopes.cedar"] {
        fs::write(policies_folder.join(name), shipped(&format!("policies/{name}"))).unwrap();
    }
    fs::write(policies_folder.join("more.cedar"), policies).unwrap();
    fs::write(schema_folder.join("gatepost.cedarschema"), schema(shipped("schema/gatepost.cedarschema"))).unwrap();
    fs::write(schema_folder.join("routes.toml"), "").unwrap();
    let source = Source { policies: policies_folder.into(), schema: schema_folder.into(), tests: true };
    generation::load(&source, 3, &entities::samples()).unwrap()
}

/// There are no files whose entities could lead to more.
fn no_store(_: Option<UserId>, _: &Resource) -> Result<Arc<Facts>, StoreError> {
    unreachable!("nothing leads to the store")
}

fn user(id: [u8; 16]) -> User {
    User {
        id: UserId::from_bytes(id),
        username: Username::parse("ada").unwrap(),
        email: Email::parse("ada@example.com").unwrap(),
        installation_administrator: id == ID,
        tokens_not_before: NOW,
        created_at: NOW,
    }
}

fn organization(plan: Plan, is_administrator: bool) -> OrganizationFacts {
    OrganizationFacts { id: OrganizationId::from_bytes(ID), plan, is_administrator }
}

fn application(plan: Plan, role: Option<Role>) -> ApplicationFacts {
    ApplicationFacts {
        id: ApplicationId::from_bytes(ID),
        application_type: ApplicationType::Standard,
        owner: UserId::from_bytes(ID),
        organization: organization(plan, role.is_none()),
        role,
    }
}

fn resources() -> Vec<(Resource, Facts)> {
    let unregistered =
        |entity_type: &str, id: &str| Resource::Unregistered { entity_type: entity_type.into(), id: id.into() };
    let (app, device) =
        (Resource::Application(ApplicationId::from_bytes(ID)), Resource::Device(DeviceId::from_bytes(ID)));
    let mut all = Vec::new();
    for role in Role::ALL.into_iter().map(Some).chain([None]) {
        all.push((app.clone(), Facts::Application(Some(application(Plan::Paid, role)))));
    }
    all.extend([
        (app.clone(), Facts::Application(Some(application(Plan::Free, Some(Role::Administrator))))),
        (app, Facts::Application(None)),
        (device.clone(), Facts::Device(Some(application(Plan::Paid, Some(Role::Operator))))),
        (device, Facts::Device(None)),
        (
            Resource::Organization(OrganizationId::from_bytes(ID)),
            Facts::Organization(Some(organization(Plan::Paid, true))),
        ),
        (Resource::Organization(OrganizationId::from_bytes(ID)), Facts::Organization(None)),
        (Resource::User(UserId::from_bytes(ID)), Facts::User(Some(user(ID).into()))),
        (Resource::User(UserId::from_bytes([8; 16])), Facts::User(Some(user([8; 16]).into()))),
        (Resource::User(UserId::from_bytes([9; 16])), Facts::User(None)),
        (Resource::Installation, Facts::Nothing),
        (unregistered("Installation", "other"), Facts::Nothing),
        (unregistered("Device", "other"), Facts::Nothing),
        (unregistered("Organization", "other"), Facts::Nothing),
        (unregistered("Team", "other"), Facts::Nothing),
        (unregistered("Ghost", "other"), Facts::Nothing),
    ]);
    all
}

/// The long way: everything is built, the request is held against the schema, and Cedar's `Authorizer` is asked.
fn by_cedar(
    generation: &Generation,
    action: u16,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
) -> Result<Authorization, String> {
    let schema: &ValidatorSchema = generation.schema().as_ref();
    let extensions = Extensions::all_available();
    let slice = entities::slice(subject, resource, facts, generation.prepared().types(), Reads::EVERYTHING).unwrap();
    let context = entities::context(subject, circumstances, ContextParts::EVERYTHING).unwrap();
    let action = known(Arc::new(generation.action(action).unwrap().uid().as_ref().clone()));
    let request = Request::new_unchecked(known(slice.principal), action, known(slice.resource), Some(context));
    schema.validate_request(&request, extensions).map_err(|error| error.to_string())?;
    let all = slice.entities.into_iter().chain(schema.action_entities().unwrap());
    let compute = TCComputation::ComputeNow;
    let entities = Entities::from_entities(all, None::<&NoEntitiesSchema>, compute, extensions).unwrap();
    let response = Authorizer::new().is_authorized(request, generation.policies().as_ref(), &entities);
    let mut reason: Vec<Arc<str>> = response.diagnostics.reason.iter().map(|id| id.to_string().into()).collect();
    reason.sort();
    let errors = response.diagnostics.errors.into_iter().map(Into::into).collect();
    Ok(Authorization { decision: response.decision, reason, errors })
}

fn circumstances<'a>() -> Vec<Circumstances<'a>> {
    let plain = Circumstances {
        now: NOW,
        client: None,
        method: "GET",
        host: "app.example.com",
        path: "/a/path/that/is/longer/than/others",
        member: None,
        role: None,
        returning: false,
    };
    let client = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)));
    let member = Some(UserId::from_bytes([8; 16]));
    vec![
        plain,
        Circumstances { client, ..plain },
        Circumstances { member, role: Some(Role::Operator), ..plain },
        Circumstances { member, role: Some(Role::Developer), returning: true, client, ..plain },
    ]
}

/// Decides everything in both ways. Gives how many were allowed, how many were errors, and what determined decisions.
fn compare(generation: &Generation) -> (usize, usize, HashSet<Arc<str>>) {
    let (ada, other) = (user(ID), user([8; 16]));
    let application = format!("application:{}", ApplicationId::from_bytes(ID));
    let scopes: [&[String]; 3] =
        [&[], &["read-only".to_owned()], &["action:View".to_owned(), "action:Push".to_owned(), application]];
    let credential = |scopes| Credential {
        kind: CredentialKind::ApiKey,
        id: "01890a5d-ac96-774b-bcce-b302099a8057",
        digest: Digest::from_bytes([0; 32]),
        mfa: false,
        scopes,
        issued_at: NOW,
    };
    let mut subjects = vec![Subject::Anonymous, Subject::Console];
    subjects.extend(scopes.map(|scopes| Subject::User { user: &ada, credential: credential(scopes) }));
    subjects.push(Subject::User { user: &other, credential: credential(&[]) });
    let (mut allowed, mut failed, mut determining) = (0, 0, HashSet::new());
    for (resource, facts) in resources() {
        for (subject, circumstances) in subjects.iter().flat_map(|s| circumstances().into_iter().map(move |c| (s, c))) {
            for (action, index) in generation.actions().iter().zip(0..) {
                let asked = format!("{subject:?} {} {resource:?} {facts:?} {circumstances:?}", action.name());
                let decision =
                    evaluate(generation, index, subject, &resource, &facts, &circumstances, &no_store).unwrap();
                match by_cedar(generation, index, subject, &resource, &facts, &circumstances) {
                    Ok(expected) => {
                        assert!(expected.errors.is_empty() && decision.errors().is_empty(), "{asked}");
                        assert_eq!(decision.permit().is_some(), expected.decision == Answer::Allow, "{asked}");
                        assert_eq!(**decision.policies(), expected.reason, "{asked}");
                        determining.extend(expected.reason);
                        allowed += usize::from(decision.permit().is_some());
                    }
                    Err(error) => {
                        assert!(decision.permit().is_none() && decision.policies().is_empty(), "{asked}");
                        assert_eq!(decision.errors().len(), 1, "{asked}");
                        // A context is shown without the address that no policy reads.
                        let cause = |error: &str| error.rsplit('}').next().map(str::to_owned);
                        assert_eq!(cause(&decision.errors()[0]), cause(&error), "{asked}");
                        failed += 1;
                    }
                }
            }
        }
    }
    (allowed, failed, determining)
}

#[test]
fn the_short_way_decides_as_the_long_one() {
    let (allowed, failed, determining) = compare(&generation(MORE, |schema| schema));
    assert!(allowed > 500 && failed > 500, "{allowed} allowed, {failed} failed");
    for policy in ["address", "plan", "group", "in", "scope-in", "names", "device", "scope-application"] {
        assert!(determining.contains(policy), "{policy}: {determining:?}");
    }
}

#[test]
fn a_schema_that_does_not_take_the_contexts_denies_with_an_error() {
    for (from, to) in [
        ("type RequestContext = {", "type RequestContext = { tenant: String,"),
        ("  method: String,\n", ""),
        ("  client?: ipaddr,\n", "  client?: String,\n"),
        ("  scopes: Set<String>,\n", "  scopes: Set<Long>,\n"),
    ] {
        let generation = generation("", |schema| {
            assert!(schema.contains(from), "{from}");
            schema.replacen(from, to, 1)
        });
        let (action, _) = generation.action_by_name("View").unwrap();
        let (_, facts) = resources().remove(0);
        let resource = Resource::Application(ApplicationId::from_bytes(ID));
        let ada = user(ID);
        let credential = Credential {
            kind: CredentialKind::Session,
            id: "",
            digest: Digest::from_bytes([0; 32]),
            mfa: true,
            scopes: &["action:View".to_owned()],
            issued_at: NOW,
        };
        let subject = Subject::User { user: &ada, credential };
        let circumstances = Circumstances { client: None, ..circumstances()[0] };
        let decision = evaluate(&generation, action, &subject, &resource, &facts, &circumstances, &no_store).unwrap();
        let expected = by_cedar(&generation, action, &subject, &resource, &facts, &circumstances);
        match expected {
            // Without an address there is nothing about it that does not fit.
            Ok(expected) => assert_eq!(decision.permit().is_some(), expected.decision == Answer::Allow, "{from}"),
            Err(error) => assert_eq!((decision.permit().is_none(), &*decision.errors()[0]), (true, &*error), "{from}"),
        }
    }
}
