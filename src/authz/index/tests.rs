pub(in crate::authz) mod world;

use cedar_policy::{Authorizer, EntityUid, PolicyId, Request, Template, ValidationMode, Validator};
use proptest::prelude::*;

use self::world::{Dice, World};
use super::*;

fn by_cedar(request: &Request, policies: &PolicySet, entities: &cedar_policy::Entities) -> Authorization {
    let response = Authorizer::new().is_authorized(request, policies, entities);
    let mut reason: Vec<Arc<str>> = response.diagnostics().reason().map(|id| id.to_string().into()).collect();
    reason.sort();
    let errors = response.diagnostics().errors().cloned().collect();
    Authorization { decision: response.decision(), reason, errors }
}

/// How often each outcome came about.
#[derive(Debug, Default)]
struct Outcomes {
    allowed: usize,
    forbidden: usize,
    denied_by_default: usize,
    failed: usize,
    all: usize,
    policies: usize,
    valid_policies: usize,
}

/// Asks the index and Cedar.
fn compare(world: &World, outcomes: &mut Outcomes) -> Result<(), TestCaseError> {
    let index = PolicyIndex::new(&world.policies, &world.schema);
    for request in &world.requests {
        let expected = by_cedar(request, &world.policies, &world.entities);
        let found = index.authorize(request.as_ref(), world.entities.as_ref());
        prop_assert_eq!(&found, &expected, "{}\n{}", request, world.text);
        let texts = |errors: &[AuthorizationError]| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        prop_assert_eq!(texts(&found.errors), texts(&expected.errors));
        outcomes.all += 1;
        outcomes.failed += usize::from(!expected.errors.is_empty());
        match expected.decision {
            Decision::Allow => outcomes.allowed += 1,
            Decision::Deny if expected.reason.is_empty() => outcomes.denied_by_default += 1,
            Decision::Deny => outcomes.forbidden += 1,
        }
    }
    Ok(())
}

/// What is told ahead of requests must hold for those that come: policies that are satisfied, or fail, were to be
/// expected.
fn expect(world: &World) -> Result<(), TestCaseError> {
    let index = PolicyIndex::new(&world.policies, &world.schema);
    for request in world.requests.iter().filter(|_| world.is_by_the_schema) {
        let (Some(principal), Some(action), Some(resource)) =
            (request.principal(), request.action(), request.resource())
        else {
            unreachable!("nothing is unknown");
        };
        let (action, types): (&EntityUID, [&EntityType; 2]) =
            (action.as_ref(), [principal.type_name().as_ref(), resource.type_name().as_ref()]);
        let unnamed = index.unnamed(action, types[0], types[1]);
        let evaluator = Evaluator::new(request.as_ref().clone(), world.entities.as_ref(), Extensions::all_available());
        for policy in world.policies.policies() {
            let policy: &Policy = policy.as_ref();
            let names = policy.principal_constraint().as_inner().get_euid().is_some()
                || policy.resource_constraint().as_inner().get_euid().is_some();
            prop_assert!(!names || !unnamed.contains(&policy));
            if evaluator.evaluate(policy).is_ok_and(|satisfied| !satisfied) {
                continue;
            }
            let expected = match names {
                true => index.names_entities(action, types[0], types[1]),
                false => unnamed.contains(&policy),
            };
            prop_assert!(expected, "{}: {}\n{}", request, policy, world.text);
        }
    }
    Ok(())
}

#[test]
fn says_what_cedar_says_and_every_outcome_comes_about() {
    let mut outcomes = Outcomes::default();
    for seed in 0..250 {
        let world = World::new(&mut Dice::seeded(seed));
        compare(&world, &mut outcomes).unwrap();
        expect(&world).unwrap();
        let validator = Validator::new(world.schema.clone());
        // That takes much longer than all else, and needs no such numbers.
        for policy in world.policies.policies().filter(|_| seed % 5 == 0) {
            let alone = PolicySet::from_policies([policy.clone()]).unwrap();
            outcomes.policies += 1;
            outcomes.valid_policies +=
                usize::from(validator.validate(&alone, ValidationMode::Strict).validation_passed());
        }
    }
    let Outcomes { allowed, forbidden, denied_by_default, failed, all, policies, valid_policies } = outcomes;
    for count in [allowed, forbidden, denied_by_default, failed] {
        assert!(count * 10 > all, "{outcomes:?}");
    }
    assert!(valid_policies * 2 > policies, "{outcomes:?}");
}

proptest! {
    #[test]
    fn says_what_cedar_says(numbers in proptest::collection::vec(any::<u16>(), 0..400)) {
        let world = World::new(&mut Dice::new(numbers));
        compare(&world, &mut Outcomes::default())?;
        expect(&world)?;
    }
}

fn index(text: &str, schema: &str) -> (PolicySet, PolicyIndex) {
    let policies: PolicySet = text.parse().unwrap();
    let schema = Schema::from_cedarschema_str(schema).unwrap().0;
    let index = PolicyIndex::new(&policies, &schema);
    (policies, index)
}

fn request(principal: &str, action: &str, resource: &str) -> Request {
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    Request::new(uid(principal), uid(action), uid(resource), cedar_policy::Context::empty(), None).unwrap()
}

const SCHEMA: &str = "
    entity Team in [Team]; entity User in [Team]; entity Robot; entity Folder; entity Doc in [Folder];
    action group;
    action view in [group] appliesTo { principal: [User, Robot], resource: [Doc, Folder] };
    action edit appliesTo { principal: [User, Robot], resource: [Doc, Folder] };";

/// The identifiers of the policies that are looked at for a request without entities.
fn candidates(index: &PolicyIndex, request: &Request) -> Vec<String> {
    let entities = Entities::new();
    let action = scope::asked_action(request.as_ref(), &entities, &index.actions).unwrap();
    let asked = Asked::of(request.as_ref(), &entities, &action).unwrap();
    let found = index.shelves.candidates(&asked).into_iter().filter_map(|at| index.at(at));
    let mut found: Vec<String> = found.map(|indexed| indexed.id.to_string()).collect();
    found.sort();
    found
}

#[test]
fn a_request_meets_only_the_policies_that_its_action_types_and_entities_leave() {
    let (_, index) = index(
        "permit (principal, action, resource);
         permit (principal is User, action == Action::\"view\", resource);
         permit (principal is Robot, action, resource is Doc);
         permit (principal, action in [Action::\"edit\", Action::\"view\"], resource is Folder);
         permit (principal == User::\"a\", action, resource);
         permit (principal == User::\"b\", action, resource == Doc::\"x\");
         permit (principal, action == Action::\"view\", resource in Doc::\"x\");
         permit (principal, action == Action::\"edit\", resource in Doc::\"x\");",
        SCHEMA,
    );
    let (view, edit) = ("Action::\"view\"", "Action::\"edit\"");
    for (request, expected) in [
        (request("User::\"c\"", view, "Doc::\"y\""), &["policy0", "policy1"][..]),
        (request("User::\"c\"", edit, "Doc::\"y\""), &["policy0"]),
        (request("Robot::\"c\"", edit, "Doc::\"y\""), &["policy0", "policy2"]),
        (request("User::\"a\"", edit, "Folder::\"y\""), &["policy0", "policy3", "policy4"]),
        (request("User::\"c\"", view, "Doc::\"x\""), &["policy0", "policy1", "policy6"]),
        // Rarer than its resource, the principal is what the sixth is found by.
        (request("User::\"b\"", view, "Doc::\"y\""), &["policy0", "policy1", "policy5"]),
        (request("Ghost::\"c\"", "Action::\"unknown\"", "Ghost::\"y\""), &["policy0"]),
    ] {
        assert_eq!(candidates(&index, &request), expected, "{request}");
    }
}

#[test]
fn tells_what_to_expect_by_the_schema() {
    let (_, index) = index(
        "permit (principal in Team::\"a\", action == Action::\"view\", resource);
         permit (principal, action in Action::\"group\", resource == Folder::\"x\");
         permit (principal is User, action, resource) when { true };
         forbid (principal, action == Action::\"group\", resource is Doc);",
        SCHEMA,
    );
    let told = |action: &str, principal: &str, resource: &str| {
        let action: EntityUID = format!("Action::\"{action}\"").parse().unwrap();
        let (principal, resource) = (principal.parse().unwrap(), resource.parse().unwrap());
        let unnamed = index.unnamed(&action, &principal, &resource);
        let unnamed: Vec<String> = unnamed.iter().map(|policy| policy.id().to_string()).collect();
        (unnamed.join(" "), index.names_entities(&action, &principal, &resource))
    };
    assert_eq!(told("view", "User", "Doc"), ("policy2".to_owned(), true));
    // Only a user can be in a team.
    assert_eq!(told("view", "Robot", "Doc"), (String::new(), false));
    assert_eq!(told("view", "Robot", "Folder"), (String::new(), true));
    assert_eq!(told("edit", "User", "Folder"), ("policy2".to_owned(), false));
    assert_eq!(told("group", "Robot", "Doc"), ("policy3".to_owned(), false));
    assert_eq!(told("unknown", "User", "Doc"), ("policy2".to_owned(), false));
}

#[test]
fn linked_templates_are_found_by_what_fills_their_slots() {
    let mut policies: PolicySet = "permit (principal, action, resource) when { resource.missing };".parse().unwrap();
    let template = "permit (principal in ?principal, action, resource == ?resource);";
    policies.add_template(Template::parse(Some(PolicyId::new("template")), template).unwrap()).unwrap();
    let uid = |text: &str| text.parse::<EntityUid>().unwrap();
    for (id, principal, resource) in [("a", "User::\"a\"", "Doc::\"x\""), ("b", "User::\"b\"", "Doc::\"x\"")] {
        let slots =
            [(cedar_policy::SlotId::principal(), uid(principal)), (cedar_policy::SlotId::resource(), uid(resource))];
        policies.link(PolicyId::new("template"), PolicyId::new(id), slots.into()).unwrap();
    }
    let index = PolicyIndex::new(&policies, &Schema::from_cedarschema_str(SCHEMA).unwrap().0);
    for (principal, resource) in [("User::\"a\"", "Doc::\"x\""), ("User::\"b\"", "Doc::\"y\"")] {
        let request = request(principal, "Action::\"view\"", resource);
        let entities = cedar_policy::Entities::empty();
        assert_eq!(index.authorize(request.as_ref(), entities.as_ref()), by_cedar(&request, &policies, &entities));
    }
}

#[test]
fn many_policies_leave_a_request_few() {
    let text: String = (0..5_000)
        .map(|n| {
            format!(
                "permit (principal in Team::\"{}\", action in [Action::\"view\", Action::\"edit\"], resource == Doc::\"{n}\");
                 forbid (principal is User, action == Action::\"a{n}\", resource);",
                n % 10
            )
        })
        .collect();
    let (_, index) = index(&text, SCHEMA);
    assert_eq!(candidates(&index, &request("User::\"a\"", "Action::\"view\"", "Doc::\"77\"")).len(), 1);
    assert_eq!(candidates(&index, &request("User::\"a\"", "Action::\"a78\"", "Doc::\"77\"")).len(), 1);
}
