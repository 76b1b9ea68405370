//! `/openapi.json`: the description of the API (OpenAPI 3.1), made from the operations that it serves.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::code::Code;
use super::operation::{Contract, Gives, Operation};
use super::problem::{PROBLEM_JSON, Problem};
use super::{Subject, subjects};

const ABOUT: &str = "\
Accounts, credentials, organizations, applications, members and devices.

Requests and answers are JSON in UTF-8, errors are `application/problem+json` (RFC 9457) with a `code` that programs may
rely on. Unknown fields are refused. What a caller may do is decided by policies; what it may not see is 404. Lists come
in pages: send `next_cursor` back as `cursor`. Times are RFC 3339 in UTC.";

static DOCUMENT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", document(subjects())));

/// The description of the management API: OpenAPI 3.1 as JSON, made to be read.
pub fn openapi() -> String {
    DOCUMENT.clone()
}

/// The description, as an answer.
pub(super) struct Document;

impl IntoResponse for Document {
    fn into_response(self) -> Response {
        let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
        (headers, DOCUMENT.as_str()).into_response()
    }
}

impl Gives for Document {
    fn describe(contract: &mut Contract) {
        contract.answers.insert(200, Some(("application/json", json!({"type": "object"}))));
    }
}

/// `GET /openapi.json`
pub(super) async fn show() -> Document {
    Document
}

fn document(subjects: Vec<Subject>) -> Value {
    let (mut paths, mut schemas, mut problems, mut tags) = (Map::new(), BTreeMap::new(), Map::new(), Vec::new());
    schemas.insert(Problem::name().into_owned(), json!(<Problem<'_> as utoipa::PartialSchema>::schema()));
    let mut parts = Vec::new();
    Problem::schemas(&mut parts);
    schemas.extend(parts.into_iter().map(|(name, schema)| (name, json!(schema))));
    for Subject { name, about, operations } in subjects {
        tags.push(json!({"name": name, "description": about}));
        for mut operation in operations {
            schemas.append(&mut operation.contract.schemas.drain(..).collect());
            let path = paths.entry(operation.path).or_insert_with(|| json!({}));
            add(path, operation.method, described(&operation, name, &mut problems));
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Gatepost management API",
            "description": ABOUT,
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": problems,
            "securitySchemes": {
                "session": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A session token: seven days, refreshable.",
                },
                "api_key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key, which begins with `gp_`: until it is revoked or expires.",
                },
                "api_key_as_password": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "An API key as the password, with any user name.",
                },
            },
        },
    })
}

fn described(operation: &Operation, tag: &str, problems: &mut Map<String, Value>) -> Value {
    let Operation { id, summary, about, contract, .. } = operation;
    let mut described = json!({
        "operationId": id,
        "summary": summary,
        "tags": [tag],
        "security": security(contract),
        "parameters": path_parameters(operation.path).chain(contract.query.iter().cloned()).collect::<Vec<_>>(),
        "responses": responses(contract, problems),
    });
    if let Some(about) = about {
        add(&mut described, "description", json!(about));
    }
    if let Some((media_type, schema)) = &contract.body {
        let content = json!({*media_type: {"schema": schema}});
        add(&mut described, "requestBody", json!({"required": true, "content": content}));
    }
    described
}

fn security(contract: &Contract) -> Value {
    match (contract.needs_credential, contract.takes_basic) {
        (false, _) => json!([]),
        (true, false) => json!([{"session": []}, {"api_key": []}]),
        (true, true) => json!([{"session": []}, {"api_key": []}, {"api_key_as_password": []}]),
    }
}

/// The identifiers in a path.
fn path_parameters(path: &str) -> impl Iterator<Item = Value> {
    let names = path.split('/').filter_map(|segment| segment.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let schema = json!({"$ref": "#/components/schemas/Id"});
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    })
}

/// The responses of an operation. Those that tell of problems are collected in `problems`: most are shared by many.
fn responses(contract: &Contract, problems: &mut Map<String, Value>) -> Value {
    let mut responses = Map::new();
    for (status, answer) in &contract.answers {
        let status = axum::http::StatusCode::from_u16(*status).unwrap_or_default();
        let mut response = json!({"description": status.canonical_reason()});
        if let Some((media_type, schema)) = answer {
            add(&mut response, "content", json!({*media_type: {"schema": schema}}));
        }
        responses.insert(status.as_u16().to_string(), response);
    }
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in &contract.codes {
        by_status.entry(code.status().as_u16()).or_default().push(*code);
    }
    for (status, codes) in by_status {
        let name = codes.iter().map(|code| code.name()).collect::<Vec<_>>().join(".");
        responses.insert(status.to_string(), json!({"$ref": format!("#/components/responses/{name}")}));
        problems.entry(name).or_insert_with(|| problem(status, &codes));
    }
    Value::Object(responses)
}

/// The response of the problems with this status.
fn problem(status: u16, codes: &[Code]) -> Value {
    let names: Vec<_> = codes.iter().map(|code| code.name()).collect();
    let lines: Vec<_> = codes.iter().map(|code| format!("`{}`: {}", code.name(), code.meaning())).collect();
    // A policy may give a code of its own.
    let known = if status == 403 { "examples" } else { "enum" };
    let schema = json!({
        "allOf": [{"$ref": format!("#/components/schemas/{}", Problem::name())}],
        "properties": {"status": {"const": status}, "code": {"type": "string", known: names}},
    });
    let mut problem = json!({"description": lines.join("\n\n"), "content": {PROBLEM_JSON: {"schema": schema}}});
    let text = json!({"type": "string"});
    match status {
        401 => add(&mut problem, "headers", json!({"WWW-Authenticate": {"required": true, "schema": text}})),
        429 | 503 => {
            let secs = json!({"type": "integer", "minimum": 1});
            let header = json!({"required": true, "description": "How many seconds to wait.", "schema": secs});
            add(&mut problem, "headers", json!({"Retry-After": header}));
        }
        _ => {}
    }
    problem
}

/// Adds a member to an object.
fn add(object: &mut Value, name: &str, member: Value) {
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn operations() -> impl Iterator<Item = Operation> {
        subjects().into_iter().flat_map(|subject| subject.operations)
    }

    #[test]
    fn a_schema_has_one_name_and_a_name_one_schema() {
        let mut schemas: BTreeMap<String, Value> = BTreeMap::new();
        for (name, schema) in operations().flat_map(|operation| operation.contract.schemas) {
            let known = schemas.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*known, schema, "two schemas have the name {name}");
        }
    }

    #[test]
    fn an_operation_has_one_name() {
        let mut names = BTreeSet::new();
        for Operation { id, method, path, .. } in operations() {
            assert!(names.insert(id), "{method} {path} has the name of another operation");
        }
    }

    #[test]
    fn references_lead_somewhere() {
        let document = document(subjects());
        let text = document.to_string();
        for reference in text.split("\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some_and(Value::is_object), "{reference}");
        }
    }

    #[test]
    fn every_body_has_an_example() {
        let document = document(subjects());
        for Operation { method, path, contract, .. } in operations() {
            let Some((media_type, schema)) = contract.body else { continue };
            let name = schema["$ref"].as_str().unwrap().rsplit_once('/').unwrap().1;
            let schema = &document["components"]["schemas"][name];
            if media_type == "application/json" {
                assert_eq!(schema["additionalProperties"], false, "{method} {path} takes unknown fields");
            }
            let example = schema["examples"][0].as_object();
            let example = example.unwrap_or_else(|| panic!("{method} {path} has no example"));
            for required in schema["required"].as_array().unwrap() {
                assert!(example.contains_key(required.as_str().unwrap()), "{method} {path}: {required}");
            }
        }
    }
}
