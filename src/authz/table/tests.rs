mod world;

use std::collections::BTreeSet;

use cedar_policy::{PolicySet, Schema};
use cedar_policy_core::ast::{EntityUIDEntry, Request};
use cedar_policy_core::authorizer::{Authorizer, Decision as CoreDecision};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use proptest::prelude::*;
use proptest::sample::select;

use self::world::{World, application, operator, worlds};
use super::*;
use crate::authz::actions::Actions;
use crate::authz::entities::{self, Types};
use crate::authz::index::PolicyIndex;
use crate::authz::reads::{ContextParts, Reads};
use crate::cache::Stamp;
use crate::model::{Plan, Role};

/// Policies, by the shipped schema.
struct Fixture {
    policies: PolicySet,
    actions: Actions,
    prepared: Prepared,
    tables: Tables,
}

impl Fixture {
    fn new(policies: &str) -> Self {
        let schema: Schema = include_str!("../../../schema/gatepost.cedarschema").parse().unwrap();
        let policies: PolicySet = policies.parse().unwrap();
        let actions = Actions::new(&schema).unwrap();
        let index = PolicyIndex::new(&policies, &schema);
        let prepared = Prepared::new(actions.as_slice(), &schema, &index);
        let tables = Tables::new(1, &prepared, &index);
        Self { policies, actions, prepared, tables }
    }

    fn shipped() -> Self {
        Self::new(
            &[
                include_str!("../../../policies/accounts.cedar"),
                include_str!("../../../policies/matrix.cedar"),
                include_str!("../../../policies/scopes.cedar"),
            ]
            .concat(),
        )
    }

    /// What Cedar's own authorizer says, over the whole set: whether it allows, and why. Nothing if something failed.
    fn by_cedar(&self, action: &str, world: &World) -> Option<(bool, Vec<String>)> {
        let (action, _) = self.actions.find(action).unwrap();
        let action = self.prepared.action(action).unwrap();
        let subject = world.subject();
        let slice =
            entities::slice(&subject, &world.resource, &world.facts, &Types::default(), Reads::EVERYTHING).unwrap();
        let context = entities::context(&subject, &world.circumstances(), ContextParts::EVERYTHING).unwrap();
        let all = slice.entities.into_iter().chain(action.entities.iter().cloned());
        let (extensions, closed) = (Extensions::all_available(), TCComputation::AssumeAlreadyComputed);
        let entities = Entities::from_entities(all, None::<&NoEntitiesSchema>, closed, extensions).unwrap();
        let known = |euid| EntityUIDEntry::Known { euid, loc: None };
        let action = known(Arc::clone(&action.uid));
        let request = Request::new_unchecked(known(slice.principal), action, known(slice.resource), Some(context));
        let response = Authorizer::new().is_authorized(request, self.policies.as_ref(), &entities);
        if !response.diagnostics.errors.is_empty() {
            return None;
        }
        let mut reason: Vec<String> = response.diagnostics.reason.iter().map(ToString::to_string).collect();
        reason.sort();
        Some((response.decision == CoreDecision::Allow, reason))
    }

    fn by_table(&self, action: &str, world: &World) -> Option<(bool, Vec<String>)> {
        let (action, _) = self.actions.find(action).unwrap();
        let question = Question {
            subject: world.subject(),
            subject_stamp: Stamp::default(),
            action,
            resource: &world.resource,
            circumstances: world.circumstances(),
        };
        let decision = self.tables.find(&question, &world.facts)?;
        assert_eq!(decision.role(), world.facts.role());
        assert!(decision.errors().is_empty() && decision.generation() == 1);
        Some((decision.permit().is_some(), decision.policies().iter().map(ToString::to_string).collect()))
    }
}

fn conditions() -> impl Strategy<Value = String> {
    let leaf = select(vec![
        "true",
        "principal in resource.operators",
        "principal in resource.administrators",
        "principal in resource.observers || principal in resource.developers",
        "resource has operators && principal in resource.operators",
        "{a: principal}.a in resource.operators",
        "resource.owner == principal",
        "resource has owner && resource.owner == principal",
        "resource has type && resource.type == \"standard\"",
        "resource.type like \"st*d\"",
        "resource has organization && resource.organization.plan == \"paid\"",
        "resource has organization.plan && resource.organization.plan != \"paid\"",
        "resource has organization && principal in resource.organization.administrators",
        "resource has application && resource.application.owner == principal",
        "resource in resource.organization",
        "principal.installation_administrator",
        "principal has installation_administrator && principal.installation_administrator",
        "principal == resource",
        "principal has username && principal.username == \"ada\"",
        "principal.username == principal.email",
        "principal == User::\"15151515-1515-1515-1515-151515151515\"",
        "resource in Organization::\"16161616-1616-1616-1616-161616161616\"",
        "resource is Device",
        "principal is User in resource.administrators",
        "action == Action::\"View\"",
        "action in Action::\"FleetActions\"",
        "context has credential",
        "context.credential.mfa",
        "context has credential && context.credential.mfa",
        "context has credential && context.credential.kind == \"session\"",
        "context has credential && context.credential.read_only",
        "context has credential && context.credential has actions && context.credential.actions.contains(\"Push\")",
        "context.credential.scopes.isEmpty()",
        "context has credential && context.credential.scopes.contains(\"read-only\")",
        "context.credential.age_seconds < 600",
        "context has client && context.client.isLoopback()",
        "context.method == \"GET\"",
        "context has role",
        "principal.tag == 1",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 10, 3, |inner| {
        let two = (inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            two.clone().prop_map(|(a, b)| format!("({a}) && ({b})")),
            two.clone().prop_map(|(a, b)| format!("({a}) || ({b})")),
            two.prop_map(|(a, b)| format!("[{a}, true].contains({b})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("if {a} then {b} else {c}")),
        ]
    })
}

fn policies() -> impl Strategy<Value = String> {
    // Scopes that name entities leave no table, so they are few.
    let principal = prop_oneof![
        9 => select(vec!["principal", "principal is User", "principal is Anonymous"]),
        1 => select(vec![
            "principal == User::\"15151515-1515-1515-1515-151515151515\"",
            "principal in Team::\"17171717-1717-1717-1717-171717171717/operators\"",
            "principal is User in Team::\"16161616-1616-1616-1616-161616161616/administrators\"",
        ]),
    ];
    let action = select(vec![
        "action",
        "action == Action::\"View\"",
        "action in Action::\"FleetActions\"",
        "action in [Action::\"View\", Action::\"ManageDevices\"]",
    ]);
    let resource = prop_oneof![
        9 => select(vec!["resource", "resource is Device", "resource is Application"]),
        1 => select(vec![
            "resource == Device::\"7\"",
            "resource in Organization::\"16161616-1616-1616-1616-161616161616\"",
            "resource in Application::\"17171717-1717-1717-1717-171717171717\"",
            "resource is Device in Organization::\"16161616-1616-1616-1616-161616161616\"",
        ]),
    ];
    let policy = (proptest::bool::weighted(0.7), principal, action, resource, conditions());
    let policy = policy.prop_map(|(permits, principal, action, resource, condition)| {
        let effect = if permits { "permit" } else { "forbid" };
        format!("{effect} ({principal}, {action}, {resource}) when {{ {condition} }};\n")
    });
    proptest::collection::vec(policy, 1..5).prop_map(|policies| policies.concat())
}

/// The actions that routes name.
const ON_APPLICATIONS: [&str; 17] = [
    "AddDevice",
    "AddMember",
    "ChangeMember",
    "Configure",
    "DeleteApplication",
    "DeviceAction",
    "DownloadImage",
    "FleetAction",
    "Push",
    "RemoveDevice",
    "RemoveMember",
    "SetDeviceTag",
    "SetDeviceVariable",
    "SetFleetTag",
    "SetFleetVariable",
    "SshAccess",
    "View",
];

const ACTIONS: [&str; 7] =
    ["View", "SetFleetTag", "AddDevice", "DeleteApplication", "ManageOrganization", "ViewAudit", "CreateUser"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_a_table_says_is_what_cedar_says(
        policies in policies(), worlds in proptest::collection::vec(worlds(), 20),
    ) {
        let fixture = Fixture::new(&policies);
        for world in worlds {
            for action in ACTIONS {
                if let Some(by_table) = fixture.by_table(action, &world) {
                    prop_assert_eq!(Some(by_table), fixture.by_cedar(action, &world), "{} {:?}", action, world);
                }
            }
        }
    }

    #[test]
    fn the_shipped_policies_are_in_tables_as_they_are(world in worlds()) {
        thread_local!(static SHIPPED: Fixture = Fixture::shipped());
        SHIPPED.with(|shipped| {
            for action in shipped.actions.as_slice() {
                if let Some(by_table) = shipped.by_table(action.name(), &world) {
                    prop_assert_eq!(Some(by_table), shipped.by_cedar(action.name(), &world), "{} {:?}", action.name(), world);
                }
            }
            Ok(())
        })?;
    }
}

/// Whether a table has the answer for an operator, who may be on an application or on one of its devices.
fn tabled(fixture: &Fixture, change: impl Fn(&mut World)) -> Option<(bool, Vec<String>)> {
    let mut world = operator();
    change(&mut world);
    let by_table = fixture.by_table("View", &world)?;
    assert_eq!(Some(&by_table), fixture.by_cedar("View", &world).as_ref());
    Some(by_table)
}

#[test]
fn the_shipped_matrix_is_decided_ahead_of_time() {
    let shipped = Fixture::shipped();
    let mut asked_of = BTreeSet::new();
    for action in shipped.actions.as_slice() {
        for role in [None, Some(Role::Observer), Some(Role::Operator), Some(Role::Administrator)] {
            for scopes in [vec![], vec!["read-only".to_owned()]] {
                let mut world = operator();
                application(&mut world).role = role;
                world.scopes = scopes;
                let asked = shipped.by_cedar(action.name(), &world);
                if ON_APPLICATIONS.contains(&&**action.name()) {
                    assert_eq!(shipped.by_table(action.name(), &world), asked, "{} {role:?}", action.name());
                    asked_of.insert(Arc::clone(action.name()));
                }
            }
        }
    }
    assert_eq!(asked_of.len(), ON_APPLICATIONS.len());
}

#[test]
fn what_a_policy_needs_to_know_is_split_and_what_only_the_question_tells_is_left_open() {
    let by = |condition: &str| {
        Fixture::new(&format!("@id(\"p\") permit (principal, action, resource) when {{ {condition} }};"))
    };
    let allowed = |is_allowed: bool| Some((is_allowed, if is_allowed { vec!["policy0".to_owned()] } else { vec![] }));

    let plan = by("principal in resource.operators && resource.organization.plan == \"paid\"");
    assert_eq!(tabled(&plan, |_| {}), allowed(true));
    assert_eq!(tabled(&plan, |world| application(world).organization.plan = Plan::Free), allowed(false));

    let second_factor = by("principal in resource.operators && context.credential.mfa");
    assert_eq!(tabled(&second_factor, |_| {}), allowed(false));
    assert_eq!(tabled(&second_factor, |world| world.mfa = true), allowed(true));

    // Who is no operator is not asked for a name.
    let name = by("principal in resource.operators && principal.username == \"ada\"");
    assert_eq!(tabled(&name, |_| {}), None);
    assert_eq!(tabled(&name, |world| application(world).role = None), allowed(false));

    for open in [
        "context.method == \"GET\"",
        "context has client",
        "context.credential.age_seconds < 9",
        "principal == User::\"15151515-1515-1515-1515-151515151515\"",
        "resource.owner.username == \"x\"",
    ] {
        assert_eq!(tabled(&by(open), |_| {}), None, "{open}");
    }

    let named = Fixture::new("permit (principal, action, resource == Application::\"a\");");
    assert_eq!(tabled(&named, |_| {}), None);
}
