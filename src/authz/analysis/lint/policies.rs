//! What is odd about policies, and about actions that they should permit.

use cedar_policy_core::ast::{Effect, PolicySet};
use cedar_policy_core::validator::ValidatorSchema;

use super::outcomes::Outcomes;
use super::{Lint, Rule};

impl Lint<'_> {
    pub(super) fn policies(&mut self, outcomes: &Outcomes) {
        let generation = self.generation;
        let policies: &PolicySet = generation.policies().as_ref();
        for policy in policies.policies() {
            let id: &str = policy.id().as_ref();
            if !policy.annotations().any(|(key, _)| key.as_ref() == "id") {
                let problem = self.at(policy.loc(), "the policy has no `@id`");
                let help = format!(
                    "in logs and explanations it is `{id}`, by its position in the file, which changes: name it, like \
                     `@id(\"what-it-does\")`"
                );
                self.find(Rule::PolicyWithoutId, problem.help(help));
            }
            let Some(outcome) = outcomes.policy(id) else { continue };
            if let Some(kind) = outcome.fails.first() {
                let more = match outcome.fails.len() - 1 {
                    0 => String::new(),
                    more => format!(" (and {more} more kinds of requests)"),
                };
                let problem = self.at(policy.loc(), format_args!("the policy `{id}` fails whenever {kind}{more}"));
                self.find(Rule::PolicyFails, problem.help("an error denies, whatever other policies say"));
            } else if outcome.applies == 0 {
                let problem = self.at(policy.loc(), format_args!("no request can satisfy the policy `{id}`"));
                let help = "its conditions are false for every kind of request that the schema has: remove it, or correct \
                            them";
                self.find(Rule::PolicyNeverApplies, problem.help(help));
            } else if policy.effect() == Effect::Permit && outcome.is_overruled() {
                let by: Vec<String> = outcome.overruling.iter().map(|id| format!("`{id}`")).collect();
                let problem = self.at(policy.loc(), format_args!("the policy `{id}` never permits anything"));
                let help = format!("wherever it applies this forbids: {}", by.join(", "));
                self.find(Rule::PolicyOverruled, problem.help(help));
            }
        }
    }

    pub(super) fn actions(&mut self, outcomes: &Outcomes) {
        let generation = self.generation;
        let schema: &ValidatorSchema = generation.schema().as_ref();
        let routes_file = self.files.iter().find(|file| file.name.ends_with("routes.toml"));
        let routes_file = routes_file.map(|file| file.name.as_str()).unwrap_or_default();
        for action in &outcomes.closed {
            let loc = schema.get_action_id(action).and_then(|id| id.loc());
            let problem = self.at(loc, format_args!("no policy permits `{action}` to anybody"));
            let routes = generation.routes().as_slice().iter();
            let lines: Vec<String> = routes
                .filter(|route| route.action_uid.as_ref() == action)
                .map(|route| format!("{routes_file}:{}", route.line))
                .collect();
            let help = match lines.as_slice() {
                [] => "write a policy that permits it, or remove the action".to_owned(),
                lines => format!("so these routes are always denied: {}", lines.join(", ")),
            };
            self.find(Rule::ActionNeverPermitted, problem.help(help));
        }
    }
}
