//! Requests that no honest caller makes, and policies that fail.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost::clock::SystemClock;
use serde_json::{Value, json};

use super::{
    EVALUATION, EVALUATIONS, Folders, SEARCH_ACTION, SEARCH_RESOURCE, SEARCH_SUBJECT, ask, decision, found, post, world,
};
use crate::support::http::request;
use crate::support::{Connection, Watched, World, until};

const JSON: [(&str, &str); 1] = [("Content-Type", "application/json")];

fn write(status: &str) -> Value {
    json!({
        "subject": {"type": "user", "id": "alice"}, "action": {"name": "write"},
        "resource": {"type": "record", "id": "record-1", "properties": {"status": status}},
    })
}

#[test]
fn a_body_is_bounded_in_length_and_depth() {
    let world = world();
    let mut long = write("active");
    long["more"] = "x".repeat(1024 * 1024).into();
    for path in [EVALUATION, EVALUATIONS, SEARCH_SUBJECT, SEARCH_RESOURCE, SEARCH_ACTION] {
        let mut connection = Connection::open(world.decision);
        let reply = connection.try_send(&request("POST", path, &JSON, &long.to_string()));
        assert!(reply.is_none_or(|reply| reply.status == 413), "{path}");
    }
    let text = write("active").to_string();
    for depth in [200, 100_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let body = format!("{},\"more\":{deep}}}", text.strip_suffix('}').unwrap());
            assert_eq!(post(world, EVALUATION, &JSON, &body).status, 400, "{depth}");
        }
    }
    let many = json!({"evaluations": vec![json!({}); 1_001]});
    assert_eq!(ask(world, EVALUATIONS, &many).status, 400);
    for (part, member) in [("subject", "id"), ("subject", "type"), ("action", "name"), ("resource", "id")] {
        let mut body = write("active");
        body[part][member] = "x".repeat(1_025).into();
        assert_eq!(ask(world, EVALUATION, &body).status, 400, "{part}.{member}");
    }
    assert!(decision(world, &write("active")), "and goes on");
}

#[test]
fn a_key_that_stands_twice_is_refused() {
    let world = world();
    assert!(!decision(world, &write("archived")));
    let text = write("archived").to_string();
    for (once, twice) in [
        (r#""status":"archived""#, r#""status":"archived","status":"active""#),
        (r#""id":"record-1""#, r#""id":"record-1","id":"record-9""#),
        (r#""subject":{"#, r#""subject":{"type":"user","id":"bob"},"subject":{"#),
        (r#""id":"alice""#, r#""id":"bob","\u0069d":"alice""#),
    ] {
        assert!(text.contains(once), "{text}");
        let reply = post(world, EVALUATION, &JSON, &text.replace(once, twice));
        assert_eq!(reply.status, 400, "{twice}");
        assert!(reply.body.contains("twice") && !reply.body.contains("archived"), "{}", reply.body);
    }
}

#[test]
fn what_is_of_another_type_is_never_permitted() {
    let world = world();
    let odd = [
        json!(null),
        json!(true),
        json!(1),
        json!(1.5),
        json!(["x"]),
        json!({"__entity": {"type": "user", "id": "alice"}}),
    ];
    for value in &odd {
        for (part, member) in
            [("subject", "id"), ("subject", "type"), ("action", "name"), ("resource", "id"), ("subject", "properties")]
        {
            let mut body = write("active");
            body[part][member] = value.clone();
            let reply = ask(world, EVALUATION, &body);
            assert!(reply.status == 400 || value.is_object() && member == "properties", "{part}.{member} {value}");
        }
        let mut body = write("active");
        body["resource"]["properties"]["status"] = value.clone();
        assert!(!decision(world, &body), "{value}");
        body = write("active");
        body["action"] = json!({"name": "delete", "properties": {"soft": value}});
        body["resource"]["properties"] = json!({});
        assert_eq!(decision(world, &body), *value == json!(true), "{value}");
    }
    // Types that are none, and those of the others.
    for (subject, resource) in [
        ("record", "user"),
        ("user", "user"),
        ("group", "record"),
        ("User", "record"),
        ("Action", "record"),
        ("user::x", "record"),
        ("", ""),
        ("user\0", "record"),
    ] {
        let mut body = write("active");
        body["subject"]["type"] = subject.into();
        body["resource"]["type"] = resource.into();
        assert!(!decision(world, &body), "{subject} {resource}");
        for path in [SEARCH_SUBJECT, SEARCH_RESOURCE, SEARCH_ACTION] {
            assert!(found(world, path, &body).is_empty(), "{subject} {resource}");
        }
    }
    for action in ["", "Read", "Action::\"read\"", "View", "ManageInstallation", "read\0"] {
        let mut body = write("active");
        body["action"]["name"] = action.into();
        assert!(!decision(world, &body), "{action}");
    }
}

#[test]
fn nobody_gets_into_a_group_by_saying_so() {
    let world = world();
    let groups = json!([{"type": "group", "id": "writers"}]);
    for subject in [
        json!({"type": "user", "id": "mallory", "parents": groups}),
        json!({"type": "user", "id": "mallory", "properties": {"parents": groups, "group": "writers", "role": "admin"}}),
        json!({"type": "user", "id": "mallory", "properties": {"uid": {"type": "user", "id": "alice"}}}),
        json!({"type": "user", "id": "alice\u{0}"}),
        json!({"type": "user", "id": "ALICE"}),
        json!({"type": "user", "id": "alice\" || true || \""}),
    ] {
        let mut body = write("active");
        body["subject"] = subject.clone();
        assert!(!decision(world, &body), "{subject}");
    }
}

#[test]
fn a_policy_that_fails_denies_and_is_found_by_no_search() {
    // Cedar by itself would skip what fails, and alice could delete.
    let policy = r#"
        @id("fails") forbid (principal is user, action == Action::"delete", resource is record)
        when { context has action && context.action has count && context.action.count * 4611686018427387904 > 0 };
        @id("fails-on-two") forbid (principal is user, action == Action::"read", resource is record)
        when { resource has weight && resource.weight + 9223372036854775807 > 0 };
    "#;
    let folders = Folders::new().write("policies/more.cedar", policy);
    let schema = std::fs::read_to_string(folders.path("schema/records.cedarschema")).unwrap();
    let schema = schema
        .replace("soft?: Bool", "soft?: Bool, count?: Long")
        .replace("status?: String,", "status?: String, weight?: Long,");
    let world = folders.write("schema/records.cedarschema", &schema).world(&[]);
    let delete = |properties: Value| {
        let mut body = write("active");
        body["action"] = json!({"name": "delete", "properties": properties});
        body
    };
    assert!(decision(&world, &delete(json!({"soft": true}))));
    assert!(decision(&world, &delete(json!({"soft": true, "count": 0}))));
    let answer = ask(&world, EVALUATION, &delete(json!({"soft": true, "count": 4}))).json();
    assert_eq!(answer["decision"], false);
    let told = world.decision_record(answer["context"]["decision_id"].as_str().unwrap());
    assert!(told["errors"][0].as_str().unwrap().contains("fails"), "{told}");
    assert!(!answer.to_string().contains("fails"), "{answer}");

    let mut read = write("active");
    read["action"]["name"] = "read".into();
    assert_eq!(found(&world, SEARCH_SUBJECT, &read), ["alice", "bob"]);
    read["resource"]["properties"]["weight"] = 1.into();
    assert!(found(&world, SEARCH_SUBJECT, &read).is_empty());
    assert!(!found(&world, SEARCH_ACTION, &read).contains(&"read".to_owned()));
}

#[test]
fn a_store_that_hangs_is_answered_in_time_and_never_with_a_permit() {
    let settings = [("decision.deadline_ms", "300"), ("cache.standings", "0")];
    let (world, store) =
        World::with_store(Arc::new(SystemClock), &settings, false, |path| Arc::new(Watched::open(path)));
    let body = json!({
        "subject": {"type": "User", "id": world.person("ada").id.to_string()}, "action": {"name": "View"},
        "resource": {"type": "Application", "id": world.application.to_string()},
        "context": {"method": "GET", "host": "a", "path": "/"},
    });
    assert!(decision(&world, &body));
    store.hang(true);
    std::thread::scope(|scope| {
        for (path, number) in [EVALUATION, EVALUATIONS, SEARCH_SUBJECT, SEARCH_ACTION].iter().cycle().zip(0..160) {
            let (world, body) = (&world, &body);
            scope.spawn(move || {
                let began = Instant::now();
                let reply = ask(world, path, body);
                assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")), "{number}");
                assert!(!reply.body.contains("decision\""), "{}", reply.body);
                assert!(began.elapsed() < Duration::from_secs(10));
            });
        }
    });
    store.hang(false);
    until(Duration::from_secs(10), "decisions to be made again", || {
        let reply = ask(&world, EVALUATION, &body);
        (reply.status == 200 && reply.json()["decision"] == true).then_some(())
    });
}

#[test]
fn a_request_that_trickles_in_is_given_up() {
    let world = world();
    let began = Instant::now();
    let mut connection = Connection::open(world.decision);
    let head = "POST /access/v1/evaluation HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{";
    let reply = connection.try_send(head.as_bytes());
    assert!(reply.is_none_or(|reply| reply.status == 503));
    assert!(began.elapsed() < Duration::from_secs(10));
}
