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
#[ignore = "needs cvc5: tests/run.sh"]
async fn policies_that_an_invariant_is_against_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    copy_policies(folder.path());
    let invariants = folder.path().join("policies/invariants");
    fs::create_dir(&invariants).unwrap();
    let text =
        "// Never.\n@id(\"no-anonymous\")\nforbid (principal is Anonymous, action == Action::\"View\", resource);";
    fs::write(invariants.join("own.cedar"), text).unwrap();
    let path = |room: &str| folder.path().join(room).to_str().unwrap().to_owned();
    let (policies, schema) = (path("policies"), path("schema"));
    let settings = [("policy.policies", &*policies), ("policy.schema", &*schema), ("policy.prove", "required")];
    // The solver's runtime is within none of these.
    let api = Api::with(&settings);
    let root = api.installation_administrator("root");
    let own = folder.path().join("policies/own.cedar");
    fs::write(&own, "@id(\"own\") permit (principal is Anonymous, action == Action::\"View\", resource is Device);")
        .unwrap();
    let answer = api.call(&root.key, "POST", "/v1/policies/reload", Value::Null).await;
    assert_eq!((answer.status, &answer.body["code"]), (422, &json!("policies_invalid")));
    let problem = &answer.body["problems"][0];
    assert!(problem["file"].as_str().unwrap().ends_with("policies/invariants/own.cedar"), "{problem}");
    assert_eq!(problem["line"], 2);
    let message = problem["message"].as_str().unwrap();
    assert!(message.starts_with("the invariant `no-anonymous` does not hold: Anonymous::"), "{message}");
    assert!(message.contains("is permitted by `own` of ") && message.ends_with("policies/own.cedar"), "{message}");
    assert_eq!(api.app.engine.generation().number(), 1);

    fs::write(&own, "@id(\"own\") permit (principal is Console, action == Action::\"View\", resource is Device);")
        .unwrap();
    let answer = api.call(&root.key, "POST", "/v1/policies/reload", Value::Null).await;
    assert_eq!((answer.status, &answer.body), (200, &json!({"generation": 2, "changed": true})));
}

#[tokio::test]
async fn nobody_else_has_them_read() {
    let api = Api::new();
    let somebody = api.person("somebody");
    let answer = api.call(&somebody.key, "POST", "/v1/policies/reload", Value::Null).await;
    assert_eq!((answer.status, &answer.body["code"]), (403, &json!("forbidden")));
}
