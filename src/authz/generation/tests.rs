mod accounts;
mod loading;
mod matrix;

use std::path::PathBuf;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Request};
use serde_json::{Value, json};

use super::*;

fn built_in() -> Generation {
    load(&Source { policies: Folder::BuiltIn, schema: Folder::BuiltIn, tests: true }, 1, &[]).unwrap()
}

/// An organization with one application and one device, and a user for each role. Held against the schema.
struct World {
    generation: Generation,
    entities: Entities,
}

impl World {
    /// The organization's plan, and the type of its application.
    fn new(plan: &str, application_type: &str) -> Self {
        let generation = built_in();
        let entities = entities(plan, application_type);
        let entities = Entities::from_json_value(entities, Some(generation.schema())).unwrap();
        Self { generation, entities }
    }

    /// The decision, and the determining policies. An evaluation error is a failure of the test.
    fn decide(&self, principal: &str, action: &str, resource: &str, extra: Value) -> (Decision, Vec<String>) {
        let action: EntityUid = format!("Action::\"{action}\"").parse().unwrap();
        let schema = self.generation.schema();
        let context = Context::from_json_value(context(extra), Some((schema, &action))).unwrap();
        let (principal, resource) = (principal.parse().unwrap(), resource.parse().unwrap());
        let request = Request::new(principal, action, resource, context, Some(schema)).unwrap();
        let response = Authorizer::new().is_authorized(&request, self.generation.policies(), &self.entities);
        let errors: Vec<String> = response.diagnostics().errors().map(ToString::to_string).collect();
        assert!(errors.is_empty(), "{request}: {errors:?}");
        let mut reasons: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        reasons.sort();
        (response.decision(), reasons)
    }

    fn allows(&self, principal: &str, action: &str, resource: &str) -> bool {
        self.decide(principal, action, resource, json!({})).0 == Decision::Allow
    }

    /// The names of all actions that apply to resources of this type and to principals of that one.
    fn actions(&self, principal: &str, resource: &str) -> Vec<String> {
        let (principal, resource) = (principal.parse().unwrap(), resource.parse().unwrap());
        let actions = self.generation.schema().actions_for_principal_and_resource(&principal, &resource);
        let mut names: Vec<String> = actions.map(|uid| uid.id().unescaped().to_owned()).collect();
        names.sort();
        names
    }
}

fn context(extra: Value) -> Value {
    let mut context = json!({
        "credential": {"kind": "api_key", "id": "k", "mfa": false, "scopes": [], "read_only": false, "age_seconds": 60},
        "client": {"__extn": {"fn": "ip", "arg": "192.0.2.1"}},
        "method": "GET", "host": "api.example.com", "path": "/"
    });
    context.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
    context
}

fn user(id: &str, installation_administrator: bool, teams: &[&str]) -> Value {
    let attrs = json!({
        "username": id, "email": format!("{id}@example.com"), "installation_administrator": installation_administrator
    });
    let parents: Vec<Value> = teams.iter().map(|team| json!({"type": "Team", "id": team})).collect();
    json!({"uid": {"type": "User", "id": id}, "attrs": attrs, "parents": parents})
}

fn teams(prefix: &str) -> Value {
    let team = |name: &str| json!({"__entity": {"type": "Team", "id": format!("{prefix}{name}")}});
    json!({
        "administrators": team("administrators"), "developers": team("developers"),
        "operators": team("operators"), "observers": team("observers")
    })
}

fn with(mut attrs: Value, more: Value) -> Value {
    attrs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    attrs
}

fn entities(plan: &str, application_type: &str) -> Value {
    let reference = |kind: &str, id: &str| json!({"__entity": {"type": kind, "id": id}});
    let application = with(
        teams("thermostat/"),
        json!({
            "type": application_type, "owner": reference("User", "owner"), "organization": reference("Organization", "acme")
        }),
    );
    let device = with(teams("thermostat/"), json!({"application": reference("Application", "thermostat")}));
    let nobody = json!({
        "administrators": reference("Team", "nobody"), "developers": reference("Team", "nobody"),
        "operators": reference("Team", "nobody"), "observers": reference("Team", "nobody")
    });
    json!([
        user("owner", false, &["thermostat/administrators", "acme/administrators"]),
        user("administrator", false, &["thermostat/administrators"]),
        user("developer", false, &["thermostat/developers"]),
        user("operator", false, &["thermostat/operators"]),
        user("observer", false, &["thermostat/observers"]),
        user("elsewhere", false, &["other/administrators", "other/developers", "other/operators", "other/observers"]),
        user("organizer", false, &["acme/administrators"]),
        user("installer", true, &[]),
        {
            "uid": {"type": "Organization", "id": "acme"}, "parents": [],
            "attrs": {"plan": plan, "administrators": reference("Team", "acme/administrators")}
        },
        {
            "uid": {"type": "Application", "id": "thermostat"}, "attrs": application,
            "parents": [{"type": "Organization", "id": "acme"}]
        },
        {
            "uid": {"type": "Device", "id": "d1"}, "attrs": device,
            "parents": [{"type": "Application", "id": "thermostat"}]
        },
        {"uid": {"type": "Application", "id": "unknown"}, "attrs": nobody, "parents": []},
        {"uid": {"type": "Device", "id": "unknown"}, "attrs": nobody, "parents": []},
        {
            "uid": {"type": "Organization", "id": "unknown"}, "parents": [],
            "attrs": {"administrators": reference("Team", "nobody")}
        },
    ])
}
