//! Policies that look at what is neither the principal nor the resource: held against Cedar's authorizer, which is given
//! all that there is.

use super::*;
use crate::authz::question::Circumstances;
use crate::config::Folder;

const PERMIT: &str = "@id(\"all\") permit (principal, action, resource);\n";
/// Conditions under which it is forbidden: whom and what for, and when.
const FORBIDDEN: [(&str, &str); 24] = [
    (ON_APPLICATION, "context has member && context.member in resource.developers"),
    (
        ON_APPLICATION,
        "context has member && resource has organization && context.member in resource.organization.administrators",
    ),
    (ON_APPLICATION, "context has member && context.member has email && context.member.email like \"u2@*\""),
    (ON_APPLICATION, "context has member.username && context.member.username == \"u3\""),
    (ON_APPLICATION, "context has member && context.member in Team::\"A2/observers\""),
    (ON_APPLICATION, "resource has owner && resource.owner in resource.administrators"),
    (ON_APPLICATION, "resource has owner && resource.owner in Team::\"A1/developers\""),
    (ON_APPLICATION, "resource has owner.installation_administrator && resource.owner.installation_administrator"),
    (ON_APPLICATION, "Application::\"A1\" has owner && Application::\"A1\".owner == principal"),
    (ON_APPLICATION, "principal in Application::\"A1\".developers"),
    (ON_APPLICATION, "Application::\"A2\" in Organization::\"O2\" && resource == Application::\"A1\""),
    (
        ON_APPLICATION,
        "Application::\"A2\" has organization.plan && Application::\"A2\".organization.plan == \"free\" && resource == Application::\"A1\"",
    ),
    (
        ON_APPLICATION,
        "Organization::\"O2\" has plan && Organization::\"O2\".plan == \"free\" && principal == User::\"U1\"",
    ),
    (ON_APPLICATION, "Device::\"D1\" in resource"),
    (ON_APPLICATION, "User::\"U2\" in resource.developers"),
    (ON_APPLICATION, "[Application::\"A1\"].contains(resource) && principal in Team::\"A2/observers\""),
    (ON_APPLICATION, "(if resource has owner then resource.owner else principal) in resource.administrators"),
    (ON_APPLICATION, "{a: User::\"U3\"}.a in resource.operators"),
    (ON_APPLICATION, "principal in [resource.operators, Team::\"A1/developers\", Team::\"O1/administrators\"]"),
    ("principal is User in Team::\"A1/developers\", action == Action::\"AddMember\", resource is Application", "true"),
    ("principal in Team::\"O1/administrators\", action == Action::\"AddMember\", resource is Application", "true"),
    (
        "principal is User, action == Action::\"SshAccess\", resource is Device",
        "resource has application.owner && resource.application.owner.email like \"u1@*\"",
    ),
    (
        "principal is User, action == Action::\"SshAccess\", resource is Device",
        "principal in Team::\"A2/administrators\"",
    ),
    ("principal is User, action == Action::\"ViewAccount\", resource is User in Team::\"A1/operators\"", "true"),
];
const ON_APPLICATION: &str = "principal is User, action == Action::\"AddMember\", resource is Application";

const USERS: [[u8; 16]; 4] = [[1; 16], [2; 16], [3; 16], [4; 16]];
/// An application, and a device that is called as it is.
struct Known {
    id: [u8; 16],
    organization: [u8; 16],
    owner: usize,
    roles: &'static [(usize, Role)],
}

const APPLICATIONS: [Known; 2] = [
    Known {
        id: [21; 16],
        organization: [11; 16],
        owner: 0,
        roles: &[(0, Role::Administrator), (1, Role::Developer), (2, Role::Operator)],
    },
    Known {
        id: [22; 16],
        organization: [12; 16],
        owner: 1,
        roles: &[(1, Role::Administrator), (0, Role::Observer), (2, Role::Developer)],
    },
];

fn person(number: usize) -> User {
    User {
        id: UserId::from_bytes(USERS[number]),
        username: Username::parse(&format!("u{}", number + 1)).unwrap(),
        email: Email::parse(&format!("u{}@example.com", number + 1)).unwrap(),
        installation_administrator: number == 1,
        tokens_not_before: NOW,
        created_at: NOW,
    }
}

/// The first user administers the first organization, which is on a paid plan.
fn organization_facts(id: OrganizationId, user: Option<UserId>) -> OrganizationFacts {
    let is_first = id.as_bytes() == &APPLICATIONS[0].organization;
    let mut facts = organization(if is_first { Plan::Paid } else { Plan::Free }, false);
    facts.id = id;
    facts.is_administrator = is_first && user == Some(UserId::from_bytes(USERS[0]));
    facts
}

fn application_facts(id: &[u8; 16], user: Option<UserId>) -> Option<ApplicationFacts> {
    let Known { organization: of, owner, roles, .. } = APPLICATIONS.iter().find(|known| known.id == *id)?;
    let mut facts = application(Plan::Paid, None);
    facts.id = ApplicationId::from_bytes(*id);
    facts.owner = UserId::from_bytes(USERS[*owner]);
    facts.organization = organization_facts(OrganizationId::from_bytes(*of), user);
    facts.role = roles.iter().find(|(who, _)| user == Some(UserId::from_bytes(USERS[*who]))).map(|(_, role)| *role);
    Some(facts)
}

/// What the store says. Devices are called as their applications are.
fn load(user: Option<UserId>, resource: &Resource) -> Result<Arc<Facts>, StoreError> {
    Ok(Arc::new(match resource {
        Resource::Application(id) => Facts::Application(application_facts(id.as_bytes(), user)),
        Resource::Device(id) => Facts::Device(application_facts(id.as_bytes(), user)),
        Resource::Organization(id) => {
            let is_known = APPLICATIONS.iter().any(|known| known.organization == *id.as_bytes());
            Facts::Organization(is_known.then(|| organization_facts(*id, user)))
        }
        Resource::User(id) => {
            Facts::User(USERS.iter().position(|known| known == id.as_bytes()).map(person).map(Box::new))
        }
        Resource::Installation | Resource::Unregistered { .. } => Facts::Nothing,
    }))
}

fn things() -> Vec<Resource> {
    let of_application = |Known { id, organization, .. }: &Known| {
        [
            Resource::Application(ApplicationId::from_bytes(*id)),
            Resource::Device(DeviceId::from_bytes(*id)),
            Resource::Organization(OrganizationId::from_bytes(*organization)),
        ]
    };
    let mut all: Vec<_> = APPLICATIONS.iter().flat_map(of_application).collect();
    all.extend(USERS.map(|id| Resource::User(UserId::from_bytes(id))));
    all.push(Resource::Application(ApplicationId::from_bytes([99; 16])));
    all
}

/// All entities that there are.
fn everything(generation: &Generation) -> Entities {
    let (own, types) = (entities::own_types().unwrap(), generation.prepared().types());
    let uid = |resource: &Resource| entities::of_resource(&own, types, resource).unwrap();
    let mut all = HashMap::new();
    for resource in things() {
        let facts = load(None, &resource).unwrap();
        let around = entities::surroundings(None, &resource, &uid(&resource), &facts).unwrap();
        all.extend(around.entities.into_iter().map(|entity| (entity.uid().clone(), entity)));
    }
    for (number, id) in USERS.into_iter().enumerate() {
        let (id, mut teams) = (UserId::from_bytes(id), HashSet::new());
        for resource in things() {
            let facts = load(Some(id), &resource).unwrap();
            teams.extend(entities::surroundings(Some(id), &resource, &uid(&resource), &facts).unwrap().teams);
        }
        let uid = uid(&Resource::User(id));
        all.insert(uid.clone(), entities::user(&person(number), uid, teams).unwrap());
    }
    let schema: &ValidatorSchema = generation.schema().as_ref();
    let all = all.into_values().chain(schema.action_entities().unwrap());
    let extensions = Extensions::all_available();
    Entities::from_entities(all, None::<&NoEntitiesSchema>, TCComputation::ComputeNow, extensions).unwrap()
}

fn of(scope: &str, condition: &str) -> Generation {
    let mut text = format!("{PERMIT}@id(\"beyond\") forbid ({scope}) when {{ {condition} }};\n");
    for (name, id) in [("A1", [21; 16]), ("A2", [22; 16]), ("O1", [11; 16]), ("O2", [12; 16]), ("D1", [21; 16])] {
        let id = ApplicationId::from_bytes(id).to_string();
        text = text
            .replace(&format!("\"{name}\""), &format!("\"{id}\""))
            .replace(&format!("\"{name}/"), &format!("\"{id}/"));
    }
    for (number, id) in USERS.into_iter().enumerate() {
        text = text.replace(&format!("\"U{}\"", number + 1), &format!("\"{}\"", UserId::from_bytes(id)));
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("beyond.cedar"), text).unwrap();
    let source = Source { policies: folder.path().to_owned().into(), schema: Folder::BuiltIn, tests: false };
    generation::load(&source, 1, &entities::samples()).unwrap_or_else(|error| panic!("{scope} {condition}: {error}"))
}

#[test]
fn what_policies_look_at_is_there_wherever_it_is_found() {
    let circumstances = circumstances().remove(0);
    let members = USERS.map(|id| Some(UserId::from_bytes(id))).into_iter().chain([None]);
    let members: Vec<_> = members.collect();
    for (scope, condition) in FORBIDDEN {
        let generation = of(scope, condition);
        let all = everything(&generation);
        let (mut forbidden, mut permitted) = (0, 0);
        let name = scope.split('"').find(|part| generation.action_by_name(part).is_some()).unwrap();
        let (action, _) = generation.action_by_name(name).unwrap();
        assert!(generation.prepared().action(action).unwrap().strays.is_any(), "{scope} {condition}");
        for (number, resource) in (0..USERS.len()).flat_map(|user| things().into_iter().map(move |on| (user, on))) {
            let known = person(number);
            let subject = Subject::User { user: &known, credential: session() };
            let facts = load(Some(known.id), &resource).unwrap();
            for member in &members {
                let told = Circumstances { member: *member, ..circumstances };
                let decision = evaluate(&generation, action, &subject, &resource, &facts, &told, &load).unwrap();
                let request = {
                    let prepared = generation.prepared().action(action).unwrap();
                    let slice =
                        entities::slice(&subject, &resource, &facts, generation.prepared().types(), Reads::EVERYTHING);
                    let slice = slice.unwrap();
                    let context = entities::context(&subject, &told, ContextParts::EVERYTHING).unwrap();
                    let action = known_uid(&prepared.uid);
                    Request::new_unchecked(
                        known_uid(&slice.principal),
                        action,
                        known_uid(&slice.resource),
                        Some(context),
                    )
                };
                let schema: &ValidatorSchema = generation.schema().as_ref();
                if schema.validate_request(&request, Extensions::all_available()).is_err() {
                    assert!(decision.permit().is_none());
                    continue;
                }
                let expected = Authorizer::new().is_authorized(request, generation.policies().as_ref(), &all);
                let asked = format!("{condition}: {number} {resource:?} {member:?} {decision:?}");
                // What is not registered is no entity to Cedar; here it is one of which nothing is true.
                let is_there = expected.diagnostics.errors.is_empty();
                let is_allowed = expected.decision == Answer::Allow && is_there;
                assert!(decision.permit().is_some() == is_allowed || !is_there, "{asked}: {expected:?}");
                forbidden += usize::from(!is_allowed);
                permitted += usize::from(is_allowed);
            }
        }
        assert!(forbidden > 0 && permitted > 0, "{scope} {condition}: {forbidden} {permitted}");
    }
}

fn session() -> Credential<'static> {
    let digest = Digest::from_bytes([0; 32]);
    Credential { kind: CredentialKind::Session, id: "", digest, mfa: false, scopes: &[], issued_at: NOW }
}

fn known_uid(uid: &Arc<EntityUID>) -> EntityUIDEntry {
    known(Arc::clone(uid))
}

#[test]
fn what_the_shipped_policies_look_at_is_in_the_slice() {
    let generation = generation("", |schema| schema);
    for action in generation.prepared().actions() {
        assert!(!action.strays.is_any(), "{}", action.uid);
    }
}

#[test]
fn what_policies_name_is_looked_up_however_much_it_is() {
    let circumstances = circumstances().remove(0);
    let teams = |count: u8| {
        let team = |number| format!("Team::\"{}/operators\"", ApplicationId::from_bytes([number; 16]));
        (1..=count).map(team).collect::<Vec<_>>().join(", ")
    };
    // What policies name themselves is looked up, however much that is.
    let generation = of(ON_APPLICATION, &format!("principal in [{}]", teams(200)));
    let (action, _) = generation.action_by_name("AddMember").unwrap();
    let known = person(3);
    let subject = Subject::User { user: &known, credential: session() };
    let resource = Resource::Application(ApplicationId::from_bytes(APPLICATIONS[0].id));
    let facts = load(Some(known.id), &resource).unwrap();
    let decision = evaluate(&generation, action, &subject, &resource, &facts, &circumstances, &load).unwrap();
    assert!(decision.permit().is_some(), "{decision:?}");
    // A store that fails is no answer.
    let fails = |_: Option<UserId>, _: &Resource| Err(StoreError::Missing("the store"));
    assert!(evaluate(&generation, action, &subject, &resource, &facts, &circumstances, &fails).is_err());
}
