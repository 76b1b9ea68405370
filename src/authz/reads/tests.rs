use cedar_policy::{Authorizer, Context, Entities, PolicySet, Request};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

type Parts = ContextParts;

fn reads(condition: &str) -> Reads {
    let text = format!("@id(\"context\") permit (principal, action, resource) {condition};");
    let policy: cedar_policy::Policy = text.parse().unwrap_or_else(|error| panic!("{condition}: {error:?}"));
    Reads::of(policy.as_ref())
}

fn of(condition: &str) -> ContextParts {
    reads(condition).context
}

#[test]
fn each_condition_reads_these_parts_of_the_context() {
    let none = Parts::default();
    let everything = Parts::EVERYTHING;
    for (condition, parts) in [
        ("", none),
        ("when { principal in resource.operators }", none),
        ("when { true } unless { resource has owner && resource.owner == principal }", none),
        ("when { principal.credential.mfa }", none),
        ("when { principal.name like \"context*\" || principal.name == \"context\" }", none),
        ("when { [1, 2].contains(principal.level) || ip(\"10.0.0.1\").isLoopback() }", none),
        ("when { {context: 1}.context == 1 || principal.context }", none),
        ("when { context has credential }", Parts::CREDENTIAL),
        ("when { !(context has credential) }", Parts::CREDENTIAL),
        ("when { context has \"credential\" }", Parts::CREDENTIAL),
        ("when { context has credential && context.credential.mfa }", Parts::CREDENTIAL),
        ("when { context has credential.mfa && context.credential.mfa }", Parts::CREDENTIAL),
        ("when { context[\"credential\"][\"mfa\"] }", Parts::CREDENTIAL),
        ("when { context.credential has kind }", Parts::CREDENTIAL),
        ("unless { context has credential && context.credential.scopes.contains(\"read\") }", Parts::CREDENTIAL),
        ("unless { context has credential && context.credential.scopes.isEmpty() }", Parts::CREDENTIAL),
        (
            "when { if context has credential then context.credential.kind == \"session\" else false }",
            Parts::CREDENTIAL,
        ),
        ("when { principal == User::\"a\" || context.credential.id like \"0*\" }", Parts::CREDENTIAL),
        (
            "when { {a: context.credential.id}.a == \"x\" && [context.credential.kind].contains(\"y\") }",
            Parts::CREDENTIAL,
        ),
        ("when { principal.level > 3 } unless { context.credential.mfa }", Parts::CREDENTIAL),
        ("when { resource.hasTag(context.credential.id) }", Parts::CREDENTIAL),
        ("when { context.method == \"GET\" }", Parts::METHOD),
        ("when { context has client && context.client.isInRange(ip(\"10.0.0.0/8\")) }", Parts::CLIENT),
        ("when { context.client.isLoopback() }", Parts::CLIENT),
        ("when { context has client }", Parts::CLIENT),
        ("when { context.credential.age_seconds < 600 }", Parts::CREDENTIAL.with(Parts::AGE)),
        ("when { context has credential.age_seconds }", Parts::CREDENTIAL.with(Parts::AGE)),
        ("when { context.credential has age_seconds }", Parts::CREDENTIAL.with(Parts::AGE)),
        ("when { ip(context.host).isLoopback() }", Parts::HOST),
        ("when { principal.hasTag(context.path) }", Parts::PATH),
        ("when { context has role }", Parts::MEMBER),
        ("when { context.member in resource.administrators }", Parts::MEMBER),
        ("when { context.credential.mfa } unless { context.path like \"/a*\" }", Parts::CREDENTIAL.with(Parts::PATH)),
        ("when { context == principal.context }", everything),
        ("when { context.credential == principal.credential }", everything),
        ("when { principal.seen.contains(context) }", everything),
        ("when { [context.credential].contains(principal.credential) }", everything),
        ("when { {a: context}.a.credential.mfa }", everything),
        ("when { (if principal.odd then context else context).credential.mfa }", everything),
        ("when { (if principal.odd then context.credential else context.credential).mfa }", everything),
        ("when { principal in context.credential.group }", everything),
        ("when { context.credential is User }", everything),
        ("when { context.something_new }", everything),
    ] {
        assert_eq!(of(condition), parts, "{condition}");
    }
}

#[test]
fn a_condition_that_names_an_entity_is_told() {
    for condition in [
        "when { principal == User::\"a\" }",
        "unless { resource.owner == User::\"a\" }",
        "when { principal in [Team::\"a\", resource.operators] }",
        "when { {a: User::\"a\"}.a == principal }",
        "when { if principal has name then true else User::\"a\" has name }",
        "when { principal is User in Team::\"a\" }",
    ] {
        assert!(reads(condition).names_entities, "{condition}");
    }
    for condition in [
        "",
        "when { action == Action::\"View\" }",
        "unless { action in [Action::\"View\", Action::\"Push\"] }",
        "when { principal is User }",
        "when { resource.owner == principal }",
    ] {
        assert!(!reads(condition).names_entities, "{condition}");
    }
}

#[test]
fn a_condition_that_looks_at_an_entity_is_told() {
    for (condition, looks) in [
        ("", false),
        ("when { context.credential.mfa && action == Action::\"View\" }", false),
        ("when { principal in resource.operators }", true),
        ("unless { {a: [resource]}.a.isEmpty() }", true),
        ("when { context }", true),
    ] {
        assert_eq!(reads(condition).entities, looks, "{condition}");
    }
}

fn attributes(condition: &str) -> (Vec<&'static str>, bool) {
    let reads = reads(condition);
    let names = Attribute::ALL.into_iter().filter(|known| reads.attributes.include(*known)).map(Attribute::name);
    (names.collect(), reads.follows_literals)
}

#[test]
fn attributes_are_found_wherever_they_are_read() {
    for (condition, expected) in [
        ("", &[][..]),
        ("when { principal in resource.operators }", &["operators"]),
        ("when { resource has owner && resource[\"owner\"] == principal }", &["owner"]),
        ("unless { resource has organization.plan }", &["organization", "plan"]),
        (
            "when { {a: principal}.a.email like \"*\" } unless { context.member.username == \"x\" }",
            &["email", "username"],
        ),
        (
            "when { if true then principal.email == \"type\" else [resource.type].contains(\"plan\") }",
            &["email", "type"],
        ),
        ("when { context.method == \"owner\" }", &[]),
    ] {
        assert_eq!(attributes(condition), (expected.to_vec(), false), "{condition}");
    }
}

#[test]
fn what_is_compared_with_is_not_followed() {
    for condition in [
        "when { principal == User::\"a\" || User::\"a\" == principal }",
        "when { action in [Action::\"a\", Action::\"b\"] && principal in Team::\"a\" }",
    ] {
        assert_eq!(attributes(condition), (Vec::new(), false), "{condition}");
    }
    for condition in [
        "when { Action::\"a\" in Action::\"b\" }",
        "when { User::\"a\".flag }",
        "when { Organization::\"a\" has flag }",
        "when { (if true then User::\"a\" else principal).flag }",
        "when { {a: User::\"a\"}.a in Team::\"b\" }",
        "when { principal in [if true then Team::\"a\" else Team::\"b\"] }",
        "when { [User::\"a\"].contains(principal) }",
    ] {
        assert_eq!(attributes(condition), (Vec::new(), true), "{condition}");
    }
}

#[test]
fn sets_of_parts_are_sets() {
    let both = Parts::METHOD.with(Parts::HOST);
    assert!(both.intersects(Parts::HOST) && !both.intersects(Parts::PATH));
    assert!(Parts::HOST.is_within(both) && !both.is_within(Parts::HOST));
    assert!(Parts::default().is_within(Parts::default()) && both.is_within(Parts::EVERYTHING));
}

fn expression() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("true"),
        Just("principal == User::\"a\""),
        Just("context has credential"),
        Just("context has credential.mfa"),
        Just("context.credential has mfa"),
        Just("context.credential.mfa"),
        Just("context[\"credential\"].kind == \"session\""),
        Just("context.credential.scopes.contains(\"read\")"),
        Just("context.credential.scopes.isEmpty()"),
        Just("context.credential.id like \"k*\""),
        Just("context has client"),
        Just("context.client.isLoopback()"),
        Just("context.method == \"GET\""),
        Just("context has credential.age_seconds"),
        Just("context.credential.age_seconds < 600"),
        Just("context.credential == {kind: \"session\", id: \"k\", mfa: true, scopes: [], age_seconds: 1}"),
        Just("context == {method: \"GET\"}"),
        Just("{a: context}.a.credential.mfa"),
        Just("[context.credential].isEmpty()"),
        Just("context.client.isInRange(ip(\"127.0.0.0/8\"))"),
        Just("context.host like \"h*\""),
    ];
    leaf.prop_map(str::to_owned).prop_recursive(4, 16, 3, |inner| {
        let three = (inner.clone(), inner.clone(), inner.clone());
        prop_oneof![
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("[{a}, true].contains({b})")),
            inner.clone().prop_map(|a| format!("(if {a} then context else context).method == \"GET\"")),
            inner.prop_map(|a| format!("{{a: {a}}}.a")),
            three.prop_map(|(a, b, c)| format!("if {a} then {b} else {c}")),
        ]
    })
}

/// Values for each part of the context, and what the part is.
fn variants() -> Vec<(Parts, &'static str, Vec<Option<Value>>)> {
    let lasting = |kind: &str, id: &str, mfa: bool, scopes: &[&str]| {
        Some(json!({"kind": kind, "id": id, "mfa": mfa, "scopes": scopes}))
    };
    let client = |address: &str| Some(json!({"__extn": {"fn": "ip", "arg": address}}));
    vec![
        (
            Parts::CREDENTIAL,
            "credential",
            vec![
                None,
                lasting("session", "k", true, &[]),
                lasting("api_key", "k", false, &["read"]),
                lasting("x", "y", true, &[]),
            ],
        ),
        (Parts::AGE, "age_seconds", vec![Some(json!(1)), Some(json!(601))]),
        (Parts::CLIENT, "client", vec![None, client("127.0.0.1"), client("192.0.2.1")]),
        (Parts::METHOD, "method", vec![Some(json!("GET")), Some(json!("PUT"))]),
        (Parts::HOST, "host", vec![None, Some(json!("h")), Some(json!("i"))]),
    ]
}

/// The context with these variants of its parts.
fn context(choice: &[usize]) -> Value {
    let mut context = json!({});
    for ((_, name, values), chosen) in variants().into_iter().zip(choice) {
        let Some(value) = values.into_iter().nth(*chosen).unwrap() else { continue };
        match name {
            "age_seconds" if context.get("credential").is_some() => context["credential"][name] = value,
            "age_seconds" => {}
            _ => context[name] = value,
        }
    }
    context
}

/// The decision and the errors, by the policy alone.
fn evaluate(policies: &PolicySet, context: &Value) -> String {
    let context = Context::from_json_value(context.clone(), None).unwrap();
    let uid = |text: &str| text.parse().unwrap();
    let (principal, action, resource) = (uid("User::\"a\""), uid("Action::\"b\""), uid("App::\"c\""));
    let request = Request::new(principal, action, resource, context, None).unwrap();
    let response = Authorizer::new().is_authorized(&request, policies, &Entities::empty());
    format!("{:?} {}", response.decision(), response.diagnostics().errors().count())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn what_is_said_not_to_matter_does_not(
        condition in expression(),
        choice in (0_usize..4, 0_usize..2, 0_usize..3, 0_usize..2, 0_usize..3),
        other in (0_usize..4, 0_usize..2, 0_usize..3, 0_usize..2, 0_usize..3),
    ) {
        let condition = format!("when {{ {condition} }}");
        let policies: PolicySet = format!("permit (principal, action, resource) {condition};").parse().unwrap();
        let read = of(&condition);
        let choice = [choice.0, choice.1, choice.2, choice.3, choice.4];
        let other = [other.0, other.1, other.2, other.3, other.4];
        // Another context, which is the same in all parts that are said to be read.
        let alike: Vec<usize> = variants().iter().zip(choice.iter().zip(other))
            .map(|((part, ..), (chosen, other))| if read.intersects(*part) { *chosen } else { other })
            .collect();
        prop_assert_eq!(evaluate(&policies, &context(&choice)), evaluate(&policies, &context(&alike)));
    }
}
