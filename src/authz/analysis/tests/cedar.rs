//! The tests of Cedar's command line (`cedar run-tests`): a list of requests in JSON, each with its entities and the
//! decision, the policies that must be among its reasons, and how many policies fail.

use std::ops::Range;

use cedar_policy::{Context, Entities, EntityUid, PolicyId, Request};
use serde::Deserialize;
use serde_json::Value;

use super::super::super::problem::with_causes;
use super::{Asked, Because, Body, Case, Expected, Outcome};
use crate::authz::generation::{Generation, SourceFile};
use crate::authz::problem::Problem;

#[derive(Deserialize)]
struct RawTest {
    request: RawRequest,
    /// A list of entities, or the name of a file beside this one that has it.
    entities: Value,
    decision: RawDecision,
    reason: Vec<String>,
    num_errors: usize,
}

#[derive(Deserialize)]
struct RawRequest {
    principal: String,
    action: String,
    resource: String,
    context: Value,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum RawDecision {
    Allow,
    Deny,
}

/// Reads the file, whose tests may name the files that `beside` gives: its tests, and what is wrong with it. A file with a
/// list of entities has none.
pub(super) fn read<'a>(
    file: &SourceFile,
    generation: &Generation,
    beside: impl Fn(&str) -> Option<&'a str>,
    problems: &mut Vec<Problem>,
) -> Vec<Case> {
    let values: Vec<Value> = match serde_json::from_str(&file.text) {
        Ok(values) => values,
        Err(error) => {
            let at = offset(&file.text, error.line(), error.column());
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default().to_owned();
            problems.push(Problem::at(&file.name, &file.text, at..at, message));
            return Vec::new();
        }
    };
    if !values.is_empty() && values.iter().all(|value| value.get("uid").is_some() && value.get("request").is_none()) {
        return Vec::new();
    }
    let mut cases = Vec::new();
    for (number, (value, span)) in values.into_iter().zip(spans(&file.text)).enumerate() {
        let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
        match case(value, generation, &beside) {
            Ok((body, expected)) => {
                let name = name.unwrap_or_else(|| format!("test {}", number.saturating_add(1)));
                cases.push(Case { name, span, body, expected });
            }
            Err(message) => problems.push(Problem::at(&file.name, &file.text, span, message)),
        }
    }
    cases
}

fn case<'a>(
    value: Value,
    generation: &Generation,
    beside: impl Fn(&str) -> Option<&'a str>,
) -> Result<(Body, Expected), String> {
    let raw: RawTest = serde_path_to_error::deserialize(value).map_err(|error| error.to_string())?;
    let uid = |what: &str, text: &str| {
        text.parse::<EntityUid>().map_err(|error| format!("the {what} `{text}` is no entity: {}", with_causes(&error)))
    };
    let request = &raw.request;
    let (principal, action) = (uid("principal", &request.principal)?, uid("action", &request.action)?);
    let resource = uid("resource", &request.resource)?;
    let known = generation.actions().iter().zip(0..).find(|(known, _)| *known.uid() == action);
    let (_, index) = known.ok_or_else(|| format!("the schema has no action `{action}`"))?;
    let schema = generation.schema();
    let context = Context::from_json_value(request.context.clone(), Some((schema, &action)));
    let context = context.map_err(|error| format!("the context does not fit the schema: {}", with_causes(&error)))?;
    let cedar = Request::new(principal, action, resource, context, Some(schema));
    let cedar = cedar.map_err(|error| format!("the request does not fit the schema: {}", with_causes(&error)))?;
    let entities = match &raw.entities {
        Value::String(name) => {
            let text = beside(name).ok_or_else(|| format!("there is no file `{name}` beside this one"))?;
            Entities::from_json_str(text, Some(schema))
        }
        list => Entities::from_json_value(list.clone(), Some(schema)),
    };
    let entities = entities.map_err(|error| format!("the entities do not fit the schema: {}", with_causes(&error)))?;
    for policy in &raw.reason {
        if generation.policies().policy(&PolicyId::new(policy)).is_none() {
            return Err(format!("there is no policy `{policy}`"));
        }
    }
    let outcome = match (raw.decision, raw.num_errors) {
        (RawDecision::Allow, 0) => Outcome::Allow,
        (RawDecision::Allow, _) => {
            return Err("nothing is allowed while a policy fails: here any error denies".to_owned());
        }
        (RawDecision::Deny, 0) => Outcome::Deny,
        (RawDecision::Deny, _) => Outcome::Error,
    };
    let asked = Asked { request: cedar.as_ref().clone(), entities: entities.as_ref().clone() };
    let expected = Expected { outcome, because: Because::Among(raw.reason), errors: Some(raw.num_errors) };
    Ok((Body::Cedar { action: index, asked: Box::new(asked) }, expected))
}

/// Where the entries of a list stand in the text, which is known to be one.
fn spans(text: &str) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let mut at = text.find('[').map_or(text.len(), |open| open.saturating_add(1));
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let entry = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == ',');
        let start = text.len().saturating_sub(entry.len());
        let mut stream = serde_json::Deserializer::from_str(entry).into_iter::<serde::de::IgnoredAny>();
        let Some(Ok(_)) = stream.next() else { return spans };
        at = start.saturating_add(stream.byte_offset());
        spans.push(start..at);
    }
}

fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before.saturating_add(column.saturating_sub(1))
}
