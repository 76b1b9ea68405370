//! `/v1/policies/reload`

use std::fs;

use serde_json::{Value, json};

use super::fixture::Api;
use crate::gate::policies::copy_policies;

#[tokio::test]
async fn an_installation_administrator_has_the_policies_read_again() {
    let folder = tempfile::tempdir().unwrap();
    copy_policies(folder.path());
    let path = |room: &str| folder.path().join(room).to_str().unwrap().to_owned();
    let api = Api::with(&[("policy.policies", &path("policies")), ("policy.schema", &path("schema"))]);
    let root = api.installation_administrator("root");
    let reload = async || api.call(&root.key, "POST", "/v1/policies/reload", Value::Null).await;

    let answer = reload().await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"generation": 1, "changed": false})));

    let own = folder.path().join("policies/own.cedar");
    fs::write(&own, "@id(\"own\") forbid (principal, action == Action::\"View\", resource);").unwrap();
    let answer = reload().await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"generation": 2, "changed": true})));
    let events = api.call(&root.key, "GET", "/v1/audit", Value::Null).await.body;
    let event = &events["items"][0];
    assert_eq!((&event["action"], &event["detail"]), (&json!("policies_reloaded"), &json!("2")));
    assert_eq!(event["actor"], root.id.to_string());

    fs::write(&own, "permit (principal, action, resource)\nwhen { resource.colour };\nforbid (").unwrap();
    let answer = reload().await;
    assert_eq!((answer.status, &answer.body["code"]), (422, &json!("policies_invalid")));
    let problem = &answer.body["problems"][0];
    assert_eq!((&problem["line"], &problem["column"]), (&json!(3), &json!(9)), "{}", answer.body);
    assert!(problem["file"].as_str().unwrap().ends_with("policies/own.cedar"), "{problem}");
    assert!(!problem["message"].as_str().unwrap().is_empty());
    assert_eq!(api.app.engine.generation().number(), 2);
}

#[tokio::test]
async fn nobody_else_has_them_read() {
    let api = Api::new();
    let somebody = api.person("somebody");
    let answer = api.call(&somebody.key, "POST", "/v1/policies/reload", Value::Null).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("forbidden")));
}
