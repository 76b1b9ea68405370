//! What a policy reads of a request's context. Decisions may be remembered only as far as this is known for certain.

use cedar_policy::Policy;
use serde_json::Value;

/// What of the context a decision can depend on; each value includes those before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContextUse {
    /// Nothing: requests that differ in their context only are decided alike.
    #[default]
    None,
    /// Nothing but whether there is a credential, and its kind, identifier, second factor and scopes.
    CredentialOnly,
    /// Anything, so also what differs from one request to the next.
    Everything,
}

/// What stays the same for as long as a credential is valid: all of `context.credential` but its age.
const LASTING: [&str; 7] = ["kind", "id", "mfa", "scopes", "read_only", "actions", "applications"];

impl ContextUse {
    /// What `policy` reads of the context.
    ///
    /// The policy's conditions are walked in their JSON form. The few shapes that are known to read a lasting part of
    /// the credential are recognized; any other mention of the word `context`, whatever it means, counts as
    /// [`ContextUse::Everything`].
    // INVARIANT: no variable but `context` gives access to the context, and in the JSON form it has no other spelling:
    // so a tree in which the word is nowhere left over depends on nothing but the shapes that were recognized.
    pub fn of(policy: &Policy) -> Self {
        match policy.to_json() {
            Ok(json) => json.get("conditions").map_or(Self::Everything, of_tree),
            Err(_) => Self::Everything,
        }
    }
}

fn of_tree(tree: &Value) -> ContextUse {
    if reads_lasting_credential(tree) {
        return ContextUse::CredentialOnly;
    }
    let widest = |uses: &mut dyn Iterator<Item = ContextUse>| uses.max().unwrap_or_default();
    match tree {
        Value::Null | Value::Bool(_) | Value::Number(_) => ContextUse::None,
        Value::String(text) if text == "context" => ContextUse::Everything,
        Value::String(_) => ContextUse::None,
        Value::Array(items) => widest(&mut items.iter().map(of_tree)),
        Value::Object(fields) if fields.contains_key("context") => ContextUse::Everything,
        Value::Object(fields) => widest(&mut fields.values().map(of_tree)),
    }
}

/// `context has credential`, `context has credential.a`, `context.credential has a` or `context.credential.a`, where
/// `a` is one of [`LASTING`].
fn reads_lasting_credential(tree: &Value) -> bool {
    let lasting = |attr: &str| LASTING.contains(&attr);
    if let Some((left, path)) = operands(tree, "has") {
        return match (left, path.as_slice()) {
            (left, ["credential"]) => is_context(left),
            (left, ["credential", attr]) => is_context(left) && lasting(attr),
            (left, [attr]) => is_credential(left) && lasting(attr),
            _ => false,
        };
    }
    matches!(operands(tree, "."), Some((left, path)) if is_credential(left) && matches!(path[..], [a] if lasting(a)))
}

fn is_credential(tree: &Value) -> bool {
    matches!(operands(tree, "."), Some((left, path)) if path == ["credential"] && is_context(left))
}

fn is_context(tree: &Value) -> bool {
    matches!(only_field(tree, "Var"), Some(Value::String(name)) if name == "context")
}

/// The operand and the attribute, or attributes, of `{"<operator>": {"left": …, "attr": …}}`.
fn operands<'a>(tree: &'a Value, operator: &str) -> Option<(&'a Value, Vec<&'a str>)> {
    let fields = only_field(tree, operator)?.as_object().filter(|fields| fields.len() == 2)?;
    let path = match fields.get("attr")? {
        Value::String(attr) => vec![attr.as_str()],
        Value::Array(attrs) => attrs.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    Some((fields.get("left")?, path))
}

fn only_field<'a>(tree: &'a Value, name: &str) -> Option<&'a Value> {
    tree.as_object().filter(|fields| fields.len() == 1)?.get(name)
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Authorizer, Context, Entities, PolicySet, Request};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn of(condition: &str) -> ContextUse {
        let text = format!("@id(\"context\") permit (principal, action, resource) {condition};");
        ContextUse::of(&text.parse().unwrap_or_else(|error| panic!("{condition}: {error:?}")))
    }

    #[test]
    fn a_policy_that_does_not_mention_the_context_uses_nothing_of_it() {
        for condition in [
            "",
            "when { principal in resource.operators }",
            "when { true } unless { resource has owner && resource.owner == principal }",
            "when { principal.credential.mfa }",
            "when { principal.name like \"context*\" }",
            "when { [1, 2].contains(principal.level) || ip(\"10.0.0.1\").isLoopback() }",
        ] {
            assert_eq!(of(condition), ContextUse::None, "{condition}");
        }
    }

    #[test]
    fn the_lasting_parts_of_the_credential_are_told_apart() {
        for condition in [
            "when { context has credential }",
            "when { !(context has credential) }",
            "when { context has \"credential\" }",
            "when { context has credential && context.credential.mfa }",
            "when { context has credential.mfa && context.credential.mfa }",
            "when { context[\"credential\"][\"mfa\"] }",
            "when { context.credential has kind }",
            "unless { context has credential && context.credential.scopes.contains(\"read\") }",
            "unless { context has credential && context.credential.scopes.isEmpty() }",
            "when { if context has credential then context.credential.kind == \"session\" else false }",
            "when { principal == User::\"a\" || context.credential.id like \"0*\" }",
            "when { {a: context.credential.id}.a == \"x\" && [context.credential.kind].contains(\"y\") }",
            "when { principal.level > 3 } unless { context.credential.mfa }",
            "when { resource.hasTag(context.credential.id) }",
        ] {
            assert_eq!(of(condition), ContextUse::CredentialOnly, "{condition}");
        }
    }

    #[test]
    fn everything_else_counts_as_everything() {
        for condition in [
            "when { context.method == \"GET\" }",
            "when { context has client && context.client.isInRange(ip(\"10.0.0.0/8\")) }",
            "when { context.client.isLoopback() }",
            "when { context has credential && context.credential.age_seconds < 600 }",
            "when { context has credential.age_seconds }",
            "when { context.credential has age_seconds }",
            "when { context has credential.mfa.deeper }",
            "when { context.credential.scopes has deeper && context.credential == principal.credential }",
            "when { context == principal.context }",
            "when { context has client }",
            "when { context has role }",
            "when { context.credential == principal.credential }",
            "when { principal.seen.contains(context) }",
            "when { [context.credential].contains(principal.credential) }",
            "when { {a: context}.a.credential.mfa }",
            "when { (if principal.odd then context else context).credential.mfa }",
            "when { (if principal.odd then context.credential else context.credential).mfa }",
            "when { principal.credential.mfa } when { context.credential.mfa } unless { context.path like \"/a*\" }",
            "when { ip(context.host).isLoopback() }",
            "when { context.member in resource.administrators }",
            "when { principal.hasTag(context.path) }",
            "when { principal in context.credential.group }",
            "when { context.credential is User }",
        ] {
            assert_eq!(of(condition), ContextUse::Everything, "{condition}");
        }
    }

    #[test]
    fn what_is_not_understood_counts_as_everything() {
        for condition in [
            "when { principal.name == \"context\" }",
            "when { {context: 1}.context == 1 }",
            "when { principal.context }",
        ] {
            assert_eq!(of(condition), ContextUse::Everything, "{condition}");
        }
        for tree in [
            json!({"Var": "context"}),
            json!({"has": {"left": {"Var": "context"}, "attr": "credential", "more": 1}}),
            json!({"has": {"left": {"Var": "context"}, "attr": "credential"}, "and": {}}),
            json!({"has": {"left": {"Var": "context"}, "attr": []}}),
            json!({"has": {"left": {"Var": "context"}, "attr": [1]}}),
            json!({"in": {"left": {"Var": "context"}, "attr": "credential"}}),
            json!({"new": ["context"]}),
        ] {
            assert_eq!(of_tree(&tree), ContextUse::Everything, "{tree}");
        }
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

    /// Credentials that last, and contexts around them that differ in all that does not.
    fn contexts() -> Vec<Vec<Value>> {
        let lasting = |kind: &str, id: &str, mfa: bool, scopes: &[&str]| {
            Some(json!({"kind": kind, "id": id, "mfa": mfa, "scopes": scopes}))
        };
        let credentials = [
            None,
            lasting("session", "k", true, &[]),
            lasting("api_key", "k", false, &["read"]),
            lasting("x", "y", true, &[]),
        ];
        let around = |credential: &Option<Value>, age: i64, around: &Value| {
            let mut context = around.clone();
            if let Some(credential) = credential {
                context["credential"] = credential.clone();
                context["credential"]["age_seconds"] = json!(age);
            }
            context
        };
        let client = json!({"__extn": {"fn": "ip", "arg": "127.0.0.1"}});
        let arounds = [
            (1, json!({"method": "GET"})),
            (601, json!({"method": "PUT", "client": client, "host": "h"})),
            (1, json!({"method": "GET", "client": client})),
        ];
        credentials.iter().map(|c| arounds.iter().map(|(age, other)| around(c, *age, other)).collect()).collect()
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
        #[test]
        fn what_is_said_not_to_matter_does_not(condition in expression()) {
            let text = format!("permit (principal, action, resource) when {{ {condition} }};");
            let context_use = of(&format!("when {{ {condition} }}"));
            let policies: PolicySet = text.parse().unwrap();
            let all: Vec<Vec<String>> = contexts()
                .iter()
                .map(|alike| alike.iter().map(|context| evaluate(&policies, context)).collect())
                .collect();
            let one = |outcomes: &[&String]| outcomes.windows(2).all(|pair| pair[0] == pair[1]);
            match context_use {
                ContextUse::None => prop_assert!(one(&all.iter().flatten().collect::<Vec<_>>())),
                ContextUse::CredentialOnly => {
                    prop_assert!(all.iter().all(|alike| one(&alike.iter().collect::<Vec<_>>())));
                }
                ContextUse::Everything => {}
            }
        }
    }
}
