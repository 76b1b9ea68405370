//! Which policies can say something about requests of one kind, and which policies are the same.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, EntityTypeName, Policy, PolicySet, PrincipalConstraint, RequestEnv, ResourceConstraint,
};

use serde_json::{Value, json};

use crate::authz::generation::Generation;
use crate::authz::problem::with_causes;

/// What a policy says, apart from its name and its annotations.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Meaning(String);

impl Meaning {
    pub(super) fn of(policy: &Policy) -> Self {
        let json = policy.to_json().map(|mut json| {
            json.as_object_mut().map(|members| members.remove("annotations"));
            json.to_string()
        });
        Self(json.unwrap_or_else(|_| policy.to_string()))
    }
}

/// The policies of a generation by what they say, each with what its scope rules out.
pub(super) struct Policies<'g> {
    generation: &'g Generation,
    all: Vec<(Meaning, &'g Policy)>,
}

impl<'g> Policies<'g> {
    pub(super) fn of(generation: &'g Generation) -> Self {
        Self { generation, all: generation.policies().policies().map(|policy| (Meaning::of(policy), policy)).collect() }
    }

    /// Those that can be satisfied by, or fail on, a request of this kind. Of all others the scope is false.
    pub(super) fn relevant(&self, kind: &RequestEnv) -> BTreeMap<&Meaning, &'g Policy> {
        let groups = groups(self.generation, kind);
        let relevant = self.all.iter().filter(|(_, policy)| concerns(policy, kind, &groups));
        relevant.map(|(meaning, policy)| (meaning, *policy)).collect()
    }
}

/// The groups that the action of such requests is in, itself included. Empty if the generation has no such action.
pub(super) fn groups(generation: &Generation, kind: &RequestEnv) -> BTreeSet<String> {
    let action = generation.actions().iter().find(|action| action.uid() == kind.action());
    action.into_iter().flat_map(|action| action.entities()).map(|action| action.uid().to_string()).collect()
}

/// Whether the policy's scope can hold for a request of this kind, whose action is in these groups, itself included.
pub(super) fn concerns(policy: &Policy, kind: &RequestEnv, groups: &BTreeSet<String>) -> bool {
    let action = match policy.action_constraint() {
        ActionConstraint::Any => true,
        ActionConstraint::In(listed) => listed.iter().any(|listed| groups.contains(&listed.to_string())),
        ActionConstraint::Eq(named) => named == *kind.action(),
    };
    let is = |found: &EntityTypeName, wanted: &EntityTypeName| found == wanted;
    let principal = match policy.principal_constraint() {
        PrincipalConstraint::Any | PrincipalConstraint::In(_) => true,
        PrincipalConstraint::Eq(uid) => is(uid.type_name(), kind.principal()),
        PrincipalConstraint::Is(name) | PrincipalConstraint::IsIn(name, _) => is(&name, kind.principal()),
    };
    let resource = match policy.resource_constraint() {
        ResourceConstraint::Any | ResourceConstraint::In(_) => true,
        ResourceConstraint::Eq(uid) => is(uid.type_name(), kind.resource()),
        ResourceConstraint::Is(name) | ResourceConstraint::IsIn(name, _) => is(&name, kind.resource()),
    };
    action && principal && resource
}

/// The policy for whatever action, which says the same of requests whose action its scope takes. An error if it asks about
/// the action elsewhere.
pub(super) fn for_any_action(policy: &Policy) -> Result<Policy, String> {
    let mut json = policy.to_json().map_err(|error| with_causes(&error))?;
    if json.get("conditions").is_some_and(asks_for_action) {
        return Err(format!("`{}` asks which action it is, which is in other groups than before", policy.id()));
    }
    if let Some(members) = json.as_object_mut() {
        members.insert("action".to_owned(), json!({"op": "All"}));
    }
    Policy::from_json(Some(policy.id().clone()), json).map_err(|error| with_causes(&error))
}

fn asks_for_action(json: &Value) -> bool {
    match json {
        Value::Object(members) => {
            members.get("Var").is_some_and(|name| name == "action") || members.values().any(asks_for_action)
        }
        Value::Array(items) => items.iter().any(asks_for_action),
        _ => false,
    }
}

/// A set of these policies. An error if two share a name.
pub(super) fn set<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Result<PolicySet, String> {
    PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())
}
