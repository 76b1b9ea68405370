//! Cedar's own evaluator, through its public interface: the whole policy set on each request.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use cedar_policy::{
    Authorizer, Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, Response,
    RestrictedExpression as Value,
};
use gatepost::authz::generation::Generation;

use crate::asked::Asked;
use crate::world::{Opened, World};

/// Policies, and the entities of who asks and what is asked about, which are the same in each request.
pub(crate) struct Cedar {
    generation: Arc<Generation>,
    user_type: EntityTypeName,
    application_type: EntityTypeName,
    slice: Vec<Entity>,
}

/// A request, as it is known once a proxy's headers are read.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) user: &'a str,
    pub(crate) credential_id: &'a str,
    pub(crate) credential_age_secs: i64,
    pub(crate) action: u16,
    pub(crate) application: &'a str,
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) client: Option<IpAddr>,
}

impl Cedar {
    pub(crate) fn new(world: &World, opened: &Opened) -> Result<Self> {
        let asked = Asked::by_operator(world, opened)?;
        let engine = &opened.app.engine;
        let question = asked.question();
        let json = engine.entities_json(&*opened.app.store, &question.subject, question.resource)?;
        let mut slice = Vec::new();
        for entity in json.as_array().context("expected a list of entities")? {
            slice.push(Entity::from_json_value(entity.clone(), None)?);
        }
        let generation = Arc::clone(&engine.generation());
        Ok(Self { generation, user_type: "User".parse()?, application_type: "Application".parse()?, slice })
    }

    pub(crate) fn generation(&self) -> &Generation {
        &self.generation
    }

    /// What Cedar is given for a question.
    pub(crate) fn prepare(&self, question: Question<'_>) -> Result<(Request, Entities)> {
        let action = self.generation.action(question.action).context("there is no such action")?;
        let uid = |kind: &EntityTypeName, id| EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id));
        let (principal, resource) =
            (uid(&self.user_type, question.user), uid(&self.application_type, question.application));
        let context = context(question)?;
        let request = Request::new(principal, action.uid().clone(), resource, context, Some(self.generation.schema()))?;
        let entities = self.slice.iter().chain(action.entities()).cloned();
        Ok((request, Entities::from_entities(entities, None)?))
    }

    pub(crate) fn evaluate(&self, request: &Request, entities: &Entities) -> Response {
        Authorizer::new().is_authorized(request, self.generation.policies(), entities)
    }

    /// The answer to a question, from its beginning.
    pub(crate) fn ask(&self, question: Question<'_>) -> Result<Response> {
        let (request, entities) = self.prepare(question)?;
        Ok(self.evaluate(&request, &entities))
    }
}

/// As Gatepost makes it for the same request.
fn context(question: Question<'_>) -> Result<Context> {
    let text = |text: &str| Value::new_string(text.to_owned());
    let credential = Value::new_record([
        ("kind".to_owned(), text("api_key")),
        ("id".to_owned(), text(question.credential_id)),
        ("mfa".to_owned(), Value::new_bool(false)),
        ("scopes".to_owned(), Value::new_set([])),
        ("read_only".to_owned(), Value::new_bool(false)),
        ("age_seconds".to_owned(), Value::new_long(question.credential_age_secs)),
    ])?;
    let client = question.client.map(|client| ("client".to_owned(), Value::new_ip(client.to_string())));
    let known = [
        ("method".to_owned(), text(question.method)),
        ("host".to_owned(), text(question.host)),
        ("path".to_owned(), text(question.path)),
        ("credential".to_owned(), credential),
    ];
    Ok(Context::from_pairs(known.into_iter().chain(client))?)
}
