//! `/openapi.json`, held against the answers of every test: a status, a code or a member of a body that it does not tell
//! of fails the test that met it.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use super::answer::Answer;
use super::fixture::Api;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::from_str(&gatepost::api::openapi()).unwrap());

/// The documented paths.
pub fn paths() -> impl Iterator<Item = (&'static str, &'static Value)> {
    DOCUMENT["paths"].as_object().unwrap().iter().map(|(path, item)| (path.as_str(), item))
}

/// The documented path that a request's path is one of.
pub fn template(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap();
    let matches = |template: &str| {
        let (mut wanted, mut given) = (template.split('/'), path.split('/'));
        let same = |(wanted, given): (&str, &str)| wanted == given || (wanted.starts_with('{') && !given.is_empty());
        wanted.clone().count() == given.clone().count() && wanted.by_ref().zip(given.by_ref()).all(same)
    };
    // One that is spelled out comes before one with identifiers.
    paths().map(|(path, _)| path).filter(|template| matches(template)).min_by_key(|template| template.contains('{'))
}

/// Checks that the answer is one that is documented.
pub fn check(method: &str, path: &str, answer: &Answer) {
    let Some(template) = template(path) else { return assert_eq!(answer.status, 404, "{answer:?}") };
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let operation = &DOCUMENT["paths"][template][&method];
    if operation.is_null() {
        return assert!(matches!(answer.status, 404 | 405), "{answer:?}");
    }
    let mut response = &operation["responses"][answer.status.to_string()];
    if let Some(reference) = response["$ref"].as_str() {
        response = DOCUMENT.pointer(&reference[1..]).unwrap();
    }
    assert!(response.is_object(), "{method} {template} does not document {answer:?}");
    let content = answer.header("content-type");
    let schema = &response["content"][content]["schema"];
    if answer.body.is_null() {
        return;
    }
    assert!(schema.is_object(), "{method} {template} does not document {content}: {answer:?}");
    if answer.status < 400 {
        return conforms(schema, &answer.body, &format!("{method} {template}"));
    }
    conforms(&schema["allOf"][0], &answer.body, &format!("{method} {template}"));
    let code = &schema["properties"]["code"];
    let codes = if answer.status == 403 { &code["examples"] } else { &code["enum"] };
    assert!(codes.as_array().unwrap().contains(&answer.body["code"]), "{method} {template} {answer:?}");
}

/// Checks that the value has the members that the schema tells of, and no others.
fn conforms(schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return conforms(DOCUMENT.pointer(&reference[1..]).unwrap(), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let null = json!({"type": "null"});
        let wanted = choices.iter().find(|choice| (**choice == null) == value.is_null()).unwrap();
        return conforms(wanted, value, at);
    }
    let types = match &schema["type"] {
        Value::Array(types) => types.clone(),
        one => vec![one.clone()],
    };
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.contains(&json!(found)), "{at}: {value} is not {types:?}");
    if let Some(items) = value.as_array() {
        items.iter().for_each(|item| conforms(&schema["items"], item, &format!("{at}[]")));
    }
    if let (Some(properties), Some(members)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, value) in members {
            let property = properties.get(name).unwrap_or_else(|| panic!("{at} does not document `{name}`"));
            conforms(property, value, &format!("{at} {name}"));
        }
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(members.contains_key(required.as_str().unwrap()), "{at}: {required} is missing");
        }
    }
}

#[tokio::test]
async fn the_description_is_served_and_may_be_cached() {
    let api = Api::new();
    let answer = api.get("", "/openapi.json").await.expect(200);
    assert_eq!(answer.body, *DOCUMENT);
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    assert_eq!(answer.header("content-type"), "application/json");
    assert!(answer.body["openapi"].as_str().unwrap().starts_with("3.1."));
}

#[tokio::test]
async fn what_is_documented_is_served_and_what_is_served_is_documented() {
    let api = Api::new();
    for (path, item) in paths() {
        let documented: Vec<_> = item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        let concrete = path.replace(['{', '}'], "");
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "LINK"] {
            let request = Request::builder().method(method).uri(&concrete).header("host", "api.example.com");
            let answer = api.send(request.body(Body::empty()).unwrap()).await;
            if documented.iter().any(|known| known == method) {
                assert_ne!(answer.status, 405, "{method} {path}");
                continue;
            }
            let answer = answer.expect_error(405, "method_not_allowed");
            let mut allowed: Vec<_> = answer.header("allow").split(',').filter(|method| *method != "HEAD").collect();
            let mut expected: Vec<_> = documented.iter().map(String::as_str).collect();
            allowed.sort_unstable();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{path}");
        }
    }
}
