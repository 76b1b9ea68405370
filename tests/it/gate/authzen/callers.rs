//! Who may ask, and what the log and the metrics say of it.

use std::time::Duration;

use base64::Engine as _;
use gatepost::accounts::{Actor, NewApiKey};
use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, SEARCH_ACTION, ask, post, world};
use crate::support::{Reply, World, send, until};

fn body() -> Value {
    json!({"subject": {"type": "User", "id": "x"}, "action": {"name": "View"}, "resource": {"type": "Device", "id": "y"}})
}

fn with(world: &World, authorization: Option<&str>) -> Reply {
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(authorization.map(|value| ("Authorization", value)));
    post(world, EVALUATION, &headers, &body().to_string())
}

#[test]
fn only_the_callers_who_are_named_may_ask() {
    let world = World::without_passwords(&[("authzen.callers", "ADA,devi")]);
    let bearer = |key: &str| format!("Bearer {key}");
    let basic = |key: &str| {
        let pair = base64::engine::general_purpose::STANDARD.encode(format!("any:{key}"));
        format!("Basic {pair}")
    };
    let key = |username: &str| world.person(username).api_key.clone();
    for (authorization, status) in [
        (Some(bearer(&key("ada"))), 200),
        (Some(basic(&key("devi"))), 200),
        (Some(bearer(&key("otto"))), 403),
        (Some(bearer(&world.person("ada").session)), 401),
        (Some(bearer("gp_nothing")), 401),
        (Some(bearer(&key("ada").replace("gp_", "gp_A"))), 401),
        (Some("Digest x".to_owned()), 401),
        (None, 401),
    ] {
        let reply = with(&world, authorization.as_deref());
        assert_eq!(reply.status, status, "{authorization:?}");
        let challenge = reply.header("www-authenticate").map(str::to_owned);
        assert_eq!(challenge.is_some(), status == 401);
        assert_eq!(
            challenge.is_some_and(|text| text.contains("invalid_token")),
            status == 401 && authorization.is_some()
        );
    }
    let twice = [("Content-Type", "application/json"), ("Authorization", "Bearer a"), ("Authorization", "Bearer b")];
    assert_eq!(post(&world, EVALUATION, &twice, &body().to_string()).status, 400);
    // A key that is made for something else.
    let new = NewApiKey { name: "narrow", scopes: vec!["read-only".to_owned()], ..NewApiKey::default() };
    let ada = world.person("ada").id;
    let created = world.app.accounts.create_api_key(&Actor::console(), ada, new).unwrap();
    assert_eq!(with(&world, Some(&bearer(created.key.expose()))).status, 403);
    // A key that is revoked is refused at once.
    let keys: Vec<_> =
        world.app.accounts.api_keys(&Actor::console(), ada).unwrap().into_iter().map(|key| key.id).collect();
    world.app.accounts.revoke_api_keys(&Actor::console(), &keys).unwrap();
    assert_eq!(with(&world, Some(&bearer(&key("ada")))).status, 401);
    // Anybody may read the metadata.
    assert_eq!(send(world.decision, "GET", "/.well-known/authzen-configuration", &[], "").status, 200);
}

#[test]
fn peers_that_are_not_trusted_may_not_ask() {
    let world = World::without_passwords(&[("decision.trusted_peers", "192.0.2.1")]);
    for path in [EVALUATION, EVALUATIONS, SEARCH_ACTION] {
        assert_eq!(ask(&world, path, &body()).status, 403, "{path}");
    }
}

#[test]
fn each_evaluation_is_told_in_the_log_and_counted() {
    let world = world();
    let record = |body: &Value| {
        let answer = ask(world, EVALUATION, body).json();
        world.decision_record(answer["context"]["decision_id"].as_str().unwrap())
    };
    let read = |subject: &str, action: &str| {
        json!({
            "subject": {"type": "user", "id": subject}, "action": {"name": action},
            "resource": {"type": "record", "id": "record-1"}
        })
    };
    let told = record(&read("alice", "read"));
    assert_eq!(told["decision"], "allow");
    assert_eq!(told["principal"], "user::\"alice\"");
    assert_eq!(told["policies"], json!(["records-read"]));
    assert_eq!((&told["action"], &told["resource"]), (&json!("read"), &json!({"type": "record", "id": "record-1"})));
    assert_eq!((&told["credential"], &told["method"]), (&json!(null), &json!(null)));
    let told = record(&read("bob", "write"));
    assert_eq!((&told["decision"], &told["cause"]), (&json!("deny"), &json!(null)));
    let told = record(&read("bob", "fly"));
    assert_eq!((&told["decision"], &told["cause"]), (&json!("deny"), &json!("the schema has no action `fly`")));
    let told = record(&json!({
        "subject": {"type": "User", "id": "x\"\n"}, "action": {"name": "View"},
        "resource": {"type": "Application", "id": "y"}, "context": {"method": "", "host": "", "path": ""},
    }));
    assert_eq!((&told["principal"], &told["decision"]), (&json!("x\"\n"), &json!("deny")));

    let counted = || {
        let metrics = send(world.decision, "GET", "/metrics", &[], "").body;
        let line = metrics.lines().find_map(|line| line.strip_prefix("gatepost_decisions_total{outcome=\"allow\"} "));
        line.unwrap().parse::<u64>().unwrap()
    };
    let before = counted();
    let many = json!({"evaluations": [read("alice", "read"), read("bob", "read"), read("bob", "write")]});
    ask(world, EVALUATIONS, &many);
    until(Duration::from_secs(5), "the decisions to be counted", || (counted() >= before + 2).then_some(()));
}
