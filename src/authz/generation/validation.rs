//! Holding one policy against the schema without asking about what its scope rules out.
//!
//! Cedar's validator checks each policy's types once for each request environment: an action with a type of principal and
//! a type of resource. So it takes as long as there are policies times environments, though most policies are for one
//! action, and an environment of another one tells nothing of them. Here only those are asked that the scope leaves.

use std::collections::HashSet;

use cedar_policy_core::ast::{ActionConstraint, EntityType, EntityUID, Template};
use cedar_policy_core::validator::typecheck::{PolicyCheck, Typechecker};
use cedar_policy_core::validator::types::RequestEnv;
use cedar_policy_core::validator::{ValidationMode, Validator, ValidatorSchema, confusable_string_checks};

/// Finds out whether policies are beyond doubt.
pub(super) struct Glance<'a> {
    schema: &'a ValidatorSchema,
    environments: Vec<(&'a EntityUID, &'a EntityType, RequestEnv<'a>)>,
    /// The positions of some of them: one for each type of principal and type of action.
    samples: HashSet<usize>,
}

impl<'a> Glance<'a> {
    pub(super) fn new(schema: &'a ValidatorSchema) -> Self {
        let environments: Vec<_> = schema
            .unlinked_request_envs(ValidationMode::Strict)
            .filter_map(|environment| match environment {
                RequestEnv::DeclaredAction { action, principal, .. } => Some((action, principal, environment)),
                RequestEnv::UndeclaredAction => None,
            })
            .collect();
        let mut seen = HashSet::new();
        let types = environments.iter().map(|(action, principal, _)| (action.entity_type(), *principal));
        let samples = types.enumerate().filter(|(_, types)| seen.insert(*types)).map(|(at, _)| at).collect();
        Self { schema, environments, samples }
    }

    /// Whether Cedar's validator has nothing to say of the policy, be it an error or a warning. If not, it may have.
    // INVARIANT: Cedar's validator says that a policy names something that the schema does not have, that a text in it
    // is confusable, that a type is wrong in some environment, that the policy can apply in none, or that none fits its
    // scope. The first two are asked as they are. A type is found in the order in which a policy is evaluated: the
    // principal of the scope, the action, the resource, the conditions; and whatever stands after something that is
    // false is not looked at. In an environment with an action that the scope does not take, the action is false. So what
    // can be wrong there is wrong about the principal or the action, which depends on their types alone: one environment
    // with each two types is asked. Each with an action that the scope takes is asked as a whole. One in which the policy
    // can apply has to be among them, and that one fits the scope.
    pub(super) fn is_beyond_doubt(&self, policy: &Template) -> bool {
        let Some(actions) = self.actions(policy.action_constraint()) else { return false };
        if !policy.is_static()
            || Validator::validate_entity_types_and_literals(self.schema, policy).next().is_some()
            || confusable_string_checks(std::iter::once(policy)).next().is_some()
        {
            return false;
        }
        let typechecker = Typechecker::new(self.schema, ValidationMode::Strict);
        let mut may_apply = false;
        let wanted = self.environments.iter().enumerate().filter(|(at, (action, ..))| {
            actions.as_ref().is_none_or(|actions| actions.contains(action)) || self.samples.contains(at)
        });
        for (_, (_, _, environment)) in wanted {
            match typechecker.typecheck_by_single_request_env(policy, environment) {
                PolicyCheck::Success(_) => may_apply = true,
                PolicyCheck::Irrelevant(errors, _) if errors.is_empty() => {}
                PolicyCheck::Irrelevant(..) | PolicyCheck::Fail(_) => return false,
            }
        }
        may_apply
    }

    /// The actions that a scope takes; all of them if there is no set, and nothing if that is not known.
    fn actions(&self, constraint: &'a ActionConstraint) -> Option<Option<HashSet<&'a EntityUID>>> {
        Some(match constraint {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(action) => Some(HashSet::from([&**action])),
            ActionConstraint::In(groups) => {
                let mut actions = HashSet::new();
                for group in groups {
                    actions.insert(&**group);
                    actions.extend(self.schema.get_action_id(group)?.descendants());
                }
                Some(actions)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use cedar_policy::{Policy, PolicySet, Schema};
    use proptest::prelude::*;

    use super::*;
    use crate::authz::index::tests::world::{Dice, World};

    /// What Cedar's validator says of each policy by itself, and what a glance says.
    fn compare(policies: &PolicySet, schema: &Schema) -> Vec<(String, bool, bool)> {
        let validator = cedar_policy::Validator::new(schema.clone());
        let glance = Glance::new(schema.as_ref());
        let compared = policies.policies().map(|policy: &Policy| {
            let alone = PolicySet::from_policies([policy.clone()]).unwrap();
            let result = validator.validate(&alone, cedar_policy::ValidationMode::Strict);
            let core: &cedar_policy_core::ast::Policy = policy.as_ref();
            let text = policy.to_cedar().unwrap();
            (text, result.validation_passed_without_warnings(), glance.is_beyond_doubt(core.template()))
        });
        compared.collect()
    }

    #[test]
    fn a_glance_says_what_cedar_says_of_many_policies_good_and_bad() {
        let (mut good, mut bad) = (0, 0);
        for seed in 0..100 {
            let world = World::new(&mut Dice::seeded(seed));
            for (policy, by_cedar, by_glance) in compare(&world.policies, &world.schema) {
                assert_eq!(by_cedar, by_glance, "{policy}");
                if by_cedar { good += 1 } else { bad += 1 }
            }
        }
        assert!(good > 50 && bad > 50, "{good} good, {bad} bad");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_glance_says_what_cedar_says(numbers in proptest::collection::vec(any::<u16>(), 0..400)) {
            let world = World::new(&mut Dice::new(numbers));
            for (policy, by_cedar, by_glance) in compare(&world.policies, &world.schema) {
                prop_assert_eq!(by_cedar, by_glance, "{}", policy);
            }
        }
    }

    #[test]
    fn each_thing_that_cedar_warns_of_is_in_doubt() {
        let schema = "entity Team; entity User in [Team] { name: String }; entity Robot; entity Door;
             action g; action open in [g] appliesTo { principal: [User], resource: [Door] };
             action shut appliesTo { principal: [User, Robot], resource: [Door] };
             action call appliesTo { principal: [Robot], resource: [User] };
             namespace Far { entity Gate; action pull appliesTo { principal: [User], resource: [Gate] }; }";
        let (schema, _) = Schema::from_cedarschema_str(schema).unwrap();
        for (policy, good) in [
            ("permit (principal, action, resource);", true),
            ("permit (principal in Team::\"a\", action in Action::\"g\", resource);", true),
            (
                "permit (principal is User, action == Far::Action::\"pull\", resource) when { principal.name == \"\" };",
                true,
            ),
            ("permit (principal == Robot::\"a\", action == Action::\"open\", resource);", false),
            ("permit (principal, action == Action::\"call\", resource is Door);", false),
            ("permit (principal, action in [Action::\"open\", Far::Action::\"pull\"], resource);", false),
            ("permit (principal, action == Action::\"shut\", resource) when { principal.name == \"\" };", false),
            (
                "permit (principal, action == Action::\"open\", resource) when { principal.name == \"a\u{202e}b\" };",
                false,
            ),
            ("permit (principal, action == Action::\"open\", resource) when { principal.name == \"pаypal\" };", false),
            (
                "permit (principal, action == Action::\"open\", resource) when { false && principal in Ghost::\"a\" };",
                false,
            ),
            ("permit (principal, action == Action::\"open\", resource) when { false };", false),
            ("permit (principal, action == Action::\"stay\", resource);", false),
        ] {
            let [(_, by_cedar, by_glance)] = &compare(&policy.parse().unwrap(), &schema)[..] else {
                panic!("{policy}")
            };
            assert_eq!((*by_cedar, *by_glance), (good, good), "{policy}");
        }
    }
}
