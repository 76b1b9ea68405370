//! Requests that a solver has found, and what the engine says to them.
//!
//! A solver works on a translation of policies; what it finds is believed only if the engine, which decides in earnest,
//! says the same.

use std::fmt;

use cedar_policy::{Decision, Entities, Entity, EntityUid, Request, RequestEnv, Schema};
use cedar_policy_core::ast::EntityType;
use cedar_policy_symcc::Env;
use serde::Serialize;
use serde_json::Value;

use crate::authz::generation::Generation;
use crate::authz::index::PolicyIndex;
use crate::authz::problem::with_causes;

/// A request with entities, in which everything is told.
pub(super) struct Case {
    request: Request,
    /// Without actions.
    told: Vec<Entity>,
    entities: Entities,
}

/// What the engine says to a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whether it is permitted: by a policy, by none forbidden, and without any error.
    pub allowed: bool,
    /// The policies that determined this.
    pub policies: Vec<String>,
    /// What went wrong; any error denies.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>,
}

/// A request as it is shown, in the forms of Cedar's own tools.
#[derive(Debug, Clone, Serialize)]
pub struct Counterexample {
    /// Who asks.
    pub principal: String,
    /// To do what.
    pub action: String,
    /// On what.
    pub resource: String,
    /// Under which circumstances.
    pub context: Value,
    /// The entities that take part, in Cedar's JSON format.
    pub entities: Value,
    /// The same entities, as text.
    #[serde(skip)]
    text: Vec<String>,
}

impl Case {
    /// The case that the solver has found. An error if it does not fit the schema.
    pub(super) fn new(found: Env, schema: &Schema) -> Result<Self, String> {
        let Env { request, entities } = found;
        let told: Vec<Entity> = entities.iter().filter(|entity| !is_action(entity)).cloned().collect();
        let entities = closed(&told, schema)?;
        Ok(Self { request, told, entities })
    }

    /// What the engine says by these policies, if they fit the same schema.
    pub(super) fn decide(&self, index: &PolicyIndex) -> Outcome {
        decide(index, &self.request, &self.entities)
    }

    /// Leaves out what it does not take, as long as `still` holds.
    pub(super) fn shrink(&mut self, schema: &Schema, still: impl Fn(&Self) -> bool) {
        let mut at = 0;
        while at < self.told.len() {
            let mut told = self.told.clone();
            let removed = told.remove(at);
            let is_asked = [self.request.principal(), self.request.resource()].contains(&Some(&removed.uid()));
            let smaller = if is_asked { None } else { closed(&told, schema).ok() };
            let smaller = smaller.map(|entities| Self { request: self.request.clone(), told, entities });
            match smaller.filter(|smaller| still(smaller)) {
                Some(smaller) => *self = smaller,
                None => at += 1,
            }
        }
    }

    /// As it is shown.
    pub(super) fn shown(&self) -> Counterexample {
        let text = |uid: Option<&EntityUid>| uid.map(ToString::to_string).unwrap_or_default();
        let shown = self.told.iter().map(|entity| {
            let json = entity.to_json_value().unwrap_or_default();
            (brief(entity, &json), json)
        });
        let (lines, entities): (Vec<Option<String>>, Vec<Value>) = shown.unzip();
        Counterexample {
            principal: text(self.request.principal()),
            action: text(self.request.action()),
            resource: text(self.request.resource()),
            context: self.request.context().and_then(|context| context.to_json_value().ok()).unwrap_or_default(),
            entities: Value::Array(entities),
            text: lines.into_iter().flatten().collect(),
        }
    }
}

/// What the engine says to a request by these policies.
fn decide(index: &PolicyIndex, request: &Request, entities: &Entities) -> Outcome {
    let answer = index.authorize(request.as_ref(), entities.as_ref());
    Outcome {
        allowed: answer.decision == Decision::Allow && answer.errors.is_empty(),
        policies: answer.reason.iter().map(ToString::to_string).collect(),
        errors: answer.errors.iter().map(ToString::to_string).collect(),
    }
}

impl Outcome {
    /// That of a generation, which need not have the schema that the case fits: its actions are in the groups that the
    /// generation knows, and a request of a kind that it does not know is denied.
    pub(super) fn of(generation: &Generation, case: &Case) -> Self {
        let request = &case.request;
        let is_kind = |kind: &RequestEnv| {
            let types = (Some(kind.principal()), Some(kind.resource()));
            (request.principal().map(EntityUid::type_name), request.resource().map(EntityUid::type_name)) == types
                && request.action() == Some(kind.action())
        };
        let action = generation.actions().iter().find(|action| request.action() == Some(action.uid()));
        let action = action.filter(|_| generation.schema().request_envs().any(|kind| is_kind(&kind)));
        let Some(action) = action else { return Self::failed("the schema has no such requests") };
        let entities = case.told.iter().chain(action.entities()).cloned();
        match Entities::from_entities(entities, None) {
            Ok(entities) => decide(generation.index(), request, &entities),
            Err(error) => Self::failed(with_causes(&error)),
        }
    }

    fn failed(error: impl Into<String>) -> Self {
        Self { allowed: false, policies: Vec::new(), errors: vec![error.into()] }
    }
}

fn is_action(entity: &Entity) -> bool {
    let uid = entity.uid();
    let entity_type: &EntityType = uid.type_name().as_ref();
    entity_type.is_action()
}

fn closed(told: &[Entity], schema: &Schema) -> Result<Entities, String> {
    Entities::from_entities(told.iter().cloned(), Some(schema)).map_err(|error| with_causes(&error))
}

/// The entity in one line; nothing if there is nothing to say of it.
fn brief(entity: &Entity, json: &Value) -> Option<String> {
    let list = |name: &str| json.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let parents: Vec<String> = list("parents").iter().map(plain).collect();
    let attributes = json.get("attrs").filter(|attributes| attributes.as_object().is_some_and(|all| !all.is_empty()));
    let mut text = entity.uid().to_string();
    if !parents.is_empty() {
        text.push_str(&format!(" in [{}]", parents.join(", ")));
    }
    if let Some(attributes) = attributes {
        text.push_str(&format!(" {}", plain(attributes)));
    }
    (!parents.is_empty() || attributes.is_some()).then_some(text)
}

/// A value of Cedar's JSON format, as it is written in policies.
fn plain(value: &Value) -> String {
    let text = |value: &Value, name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let entity = value.get("__entity").unwrap_or(value);
    if let (Some(entity_type), Some(id)) = (text(entity, "type"), text(entity, "id")) {
        return format!("{entity_type}::{id:?}");
    }
    if let Some(extension) = value.get("__extn") {
        let argument = extension.get("arg").map(plain).unwrap_or_default();
        return format!("{}({argument})", text(extension, "fn").unwrap_or_default());
    }
    match value {
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(name, value)| format!("{name}: {}", plain(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Array(values) => format!("[{}]", values.iter().map(plain).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}, {}, {}", self.principal, self.action, self.resource)?;
        write!(f, "context {}", plain(&self.context))?;
        self.text.iter().try_for_each(|line| write!(f, "\n{line}"))
    }
}
