//! The certification scenario: every case of `tests/cases/authzen/certification.json`, whose numbers are those of the
//! scenario, and what concerns headers and metadata.

use serde_json::{Value, json};

use super::{EVALUATION, EVALUATIONS, SEARCH_ACTION, SEARCH_RESOURCE, SEARCH_SUBJECT, ask, plain, post, world};
use crate::support::{World, send};

fn read_alice() -> Value {
    json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": "read"},
        "resource": {"type": "record", "id": "record-1"},
    })
}

#[test]
fn every_case_of_the_certification_is_answered_as_it_must_be() {
    let cases: Vec<Value> = serde_json::from_str(include_str!("../../../cases/authzen/certification.json")).unwrap();
    assert_eq!(cases.len(), 49);
    for case in &cases {
        // The same again is answered the same (2.6).
        for _ in 0..3 {
            check(case);
        }
    }
}

fn check(case: &Value) {
    let world = world();
    let reply = ask(world, case["path"].as_str().unwrap(), &case["body"]);
    let status = case["status"].as_u64().unwrap_or(200);
    assert_eq!(u64::from(reply.status), status, "{case}: {}", reply.body);
    if status != 200 {
        assert!(!reply.body.is_empty(), "{case}");
        return;
    }
    assert_eq!(reply.header("content-type"), Some("application/json"), "{case}");
    let answer = reply.json();
    if let Some(response) = case.get("response") {
        assert_eq!(plain(answer.clone()), *response, "{case}");
    }
    if let Some(count) = case["count"].as_u64() {
        let evaluations = answer["evaluations"].as_array().unwrap();
        assert_eq!(evaluations.len() as u64, count, "{case}");
        assert!(evaluations.iter().all(|evaluation| evaluation["decision"].is_boolean()), "{case}");
    }
    if let Some(includes) = case["includes"].as_array() {
        let results = answer["results"].as_array().unwrap();
        for expected in includes {
            assert!(results.contains(expected), "{case}: {answer}");
        }
        let body = &case["body"];
        let of_type = |result: &Value| match case["path"].as_str().unwrap() {
            SEARCH_SUBJECT => result["type"] == body["subject"]["type"] && result["id"].is_string(),
            SEARCH_RESOURCE => result["type"] == body["resource"]["type"] && result["id"].is_string(),
            _ => result["name"].is_string(),
        };
        assert!(results.iter().all(of_type), "{case}: {answer}");
        assert!(answer.get("page").is_none_or(|page| page["next_token"].is_string()), "{case}: {answer}");
    }
}

#[test]
fn what_is_no_json_request_is_refused() {
    let (world, body) = (world(), read_alice().to_string());
    for (headers, body) in [
        // 2.4.3
        (vec![("Content-Type", "text/plain")], body.as_str()),
        (vec![("Content-Type", "application/x-www-form-urlencoded")], &body),
        (vec![("Content-Type", "application/json"), ("Content-Type", "application/json")], &body),
        (vec![], &body),
        // 2.4.4
        (vec![("Content-Type", "application/json")], "{\"subject\": "),
        (vec![("Content-Type", "application/json")], "not json"),
        (vec![("Content-Type", "application/json")], "[]"),
        (vec![("Content-Type", "application/json")], "null"),
        // 2.4.5
        (vec![("Content-Type", "application/json")], ""),
    ] {
        for path in [EVALUATION, EVALUATIONS, SEARCH_SUBJECT, SEARCH_RESOURCE, SEARCH_ACTION] {
            let reply = post(world, path, &headers, body);
            assert_eq!(reply.status, 400, "{headers:?} {body}");
        }
    }
    let charset = [("Content-Type", "Application/JSON; charset=utf-8")];
    assert_eq!(post(world, EVALUATION, &charset, &body).status, 200);
    for method in ["GET", "PUT", "DELETE"] {
        let reply = send(world.decision, method, EVALUATION, &[], "");
        assert_eq!((reply.status, reply.header("allow")), (405, Some("POST")), "{method}");
    }
    assert_eq!(post(world, "/access/v1/evaluation/", &charset, &body).status, 404);
}

#[test]
fn a_request_identifier_is_given_back() {
    let world = world();
    let id = ("X-Request-ID", "bfe9eb29-ab87-4ca3-be83-a1d5d8305716");
    let json = ("Content-Type", "application/json");
    for (path, body, status) in [
        (EVALUATION, read_alice().to_string(), 200),
        (EVALUATION, "{}".to_owned(), 400),
        (SEARCH_ACTION, "x".to_owned(), 400),
    ] {
        let reply = post(world, path, &[json, id], &body);
        assert_eq!((reply.status, reply.header("x-request-id")), (status, Some(id.1)));
        assert_eq!(post(world, path, &[json], &body).header("x-request-id"), None);
    }
}

#[test]
fn several_evaluations_end_as_the_caller_says() {
    let world = world();
    let evaluations = |semantic: Option<&str>| {
        let resource =
            |status: &str| json!({"resource": {"type": "record", "id": "x", "properties": {"status": status}}});
        let mut body = json!({
            "subject": {"type": "user", "id": "alice"}, "action": {"name": "write"},
            "evaluations": [resource("active"), resource("archived"), resource("active"), {"resource": 1}],
        });
        if let Some(semantic) = semantic {
            body["options"] = json!({"evaluations_semantic": semantic, "more": 1});
        }
        body
    };
    let decisions = |semantic| {
        let answer = ask(world, EVALUATIONS, &evaluations(semantic)).json();
        answer["evaluations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["decision"].as_bool().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(decisions(None), [true, false, true, false]);
    assert_eq!(decisions(Some("execute_all")), [true, false, true, false]);
    assert_eq!(decisions(Some("deny_on_first_deny")), [true, false]);
    assert_eq!(decisions(Some("permit_on_first_permit")), [true]);
    let last = ask(world, EVALUATIONS, &evaluations(Some("deny_on_first_deny"))).json();
    assert_eq!(last["evaluations"][1]["context"]["reason"], "deny_on_first_deny");
    assert_eq!(ask(world, EVALUATIONS, &evaluations(Some("any"))).status, 400);
    for (field, value) in [("options", json!([])), ("evaluations", json!({})), ("subject", json!("alice"))] {
        let mut body = evaluations(None);
        body[field] = value;
        assert_eq!(ask(world, EVALUATIONS, &body).status, 400, "{field}");
    }
}

#[test]
fn a_search_is_told_in_pages() {
    let world = world();
    let search = |page: Value| {
        json!({
            "subject": {"type": "user"}, "action": {"name": "read"},
            "resource": {"type": "record", "id": "record-1"}, "page": page,
        })
    };
    let first = ask(world, SEARCH_SUBJECT, &search(json!({"limit": 1}))).json();
    assert_eq!(first["results"], json!([{"type": "user", "id": "alice"}]));
    assert_eq!(first["page"]["count"], 1);
    let token = first["page"]["next_token"].as_str().unwrap();
    assert!(!token.is_empty());
    // 4.5.2: with or without the limit.
    for page in [json!({"token": token}), json!({"token": token, "limit": 1})] {
        let second = ask(world, SEARCH_SUBJECT, &search(page)).json();
        assert_eq!(second["results"], json!([{"type": "user", "id": "bob"}]));
        assert_eq!(second["page"]["next_token"], "");
    }
    let mut other = search(json!({"token": token}));
    other["action"]["name"] = "write".into();
    assert_eq!(ask(world, SEARCH_SUBJECT, &other).status, 400, "a token of another search");
    let context = json!({"time": "now"});
    let mut other = search(json!({"token": token}));
    other["context"] = context;
    assert_eq!(ask(world, SEARCH_SUBJECT, &other).status, 400, "a token of another context");
    for page in [
        json!({"token": token, "limit": 2}),
        json!({"token": "x"}),
        json!({"token": 1}),
        json!({"limit": -1}),
        json!({"limit": "1"}),
        json!({"limit": 1.5}),
        json!(1),
    ] {
        assert_eq!(ask(world, SEARCH_SUBJECT, &search(page.clone())).status, 400, "{page}");
    }
    for (page, results) in [(json!({}), 2), (json!({"limit": 0}), 0), (json!({"limit": 1_000_000, "token": ""}), 2)] {
        let answer = ask(world, SEARCH_SUBJECT, &search(page.clone())).json();
        assert_eq!(answer["results"].as_array().unwrap().len(), results, "{page}");
        assert_eq!(answer["page"]["next_token"] == "", results > 0, "{page}");
    }
}

#[test]
fn the_metadata_tells_where_everything_is() {
    let show = |world: &World| send(world.decision, "GET", "/.well-known/authzen-configuration", &[], "");
    let reply = show(world());
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")));
    let url = format!("http://{}", world().decision);
    assert_eq!(reply.json()["policy_decision_point"], url);
    assert_eq!(reply.json()["access_evaluation_endpoint"], format!("{url}{EVALUATION}"));

    let world = World::without_passwords(&[("authzen.url", "https://pdp.example.com")]);
    let expected = json!({
        "policy_decision_point": "https://pdp.example.com",
        "access_evaluation_endpoint": "https://pdp.example.com/access/v1/evaluation",
        "access_evaluations_endpoint": "https://pdp.example.com/access/v1/evaluations",
        "search_subject_endpoint": "https://pdp.example.com/access/v1/search/subject",
        "search_resource_endpoint": "https://pdp.example.com/access/v1/search/resource",
        "search_action_endpoint": "https://pdp.example.com/access/v1/search/action",
    });
    assert_eq!(show(&world).json(), expected);
}
