//! Which policies can say something about requests of one kind, and which policies are the same.

use std::collections::{BTreeMap, BTreeSet};

use cedar_policy::{
    ActionConstraint, EntityTypeName, Policy, PolicySet, PrincipalConstraint, RequestEnv, ResourceConstraint,
};

use crate::authz::generation::Generation;

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
        let actions = self.generation.actions().iter().find(|action| action.uid() == kind.action());
        let groups: BTreeSet<String> =
            actions.into_iter().flat_map(|action| action.entities()).map(|action| action.uid().to_string()).collect();
        let relevant = self.all.iter().filter(|(_, policy)| concerns(policy, kind, &groups));
        relevant.map(|(meaning, policy)| (meaning, *policy)).collect()
    }
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

/// A set of these policies. An error if two share a name.
pub(super) fn set<'a>(policies: impl IntoIterator<Item = &'a Policy>) -> Result<PolicySet, String> {
    PolicySet::from_policies(policies.into_iter().cloned()).map_err(|error| error.to_string())
}
