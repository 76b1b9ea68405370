//! Account events: of the caller, and of an application for its administrators.

use axum::body::Body;
use axum::http::Request;
use gatepost::http::listener::Peer;
use serde_json::{Value, json};

use super::answer::Answer;
use super::fixture::{Api, Person};

fn actions(answer: &Answer) -> Vec<&str> {
    answer.items().iter().map(|event| event["action"].as_str().unwrap()).collect()
}

/// Adds `login` to the application, from an address.
async fn add_from(api: &Api, person: &Person, application: &str, login: &str, address: &str) {
    let mut request = Request::post(format!("/v1/applications/{application}/members"))
        .header("host", "api.example.com")
        .header("authorization", format!("Bearer {}", person.key))
        .header("content-type", "application/json")
        .body(Body::from(json!({"login": login, "role": "developer"}).to_string()))
        .unwrap();
    request.extensions_mut().insert(Peer::Tcp(address.parse().unwrap()));
    api.send(request).await.expect(201);
}

#[tokio::test]
async fn the_caller_sees_what_it_did_and_what_was_done_to_it() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let application = api.application(&ada, "thermostat", "starter").await;
    add_from(&api, &ada, &application, "bob", "192.0.2.1:1").await;
    let adas = api.get(&ada.key, "/v1/audit").await.expect(200);
    assert_eq!(actions(&adas), ["member_added", "application_created", "api_key_created", "user_created"]);
    let bobs = api.get(&bob.key, "/v1/audit").await.expect(200);
    assert_eq!(actions(&bobs), ["member_added", "api_key_created", "user_created"]);
    let (done, suffered) = (&adas.items()[0], &bobs.items()[0]);
    assert_eq!(done["id"], suffered["id"]);
    for event in [done, suffered] {
        assert_eq!((&event["actor"], &event["user"]), (&json!(ada.id), &json!(bob.id)));
        assert_eq!((&event["application"], &event["detail"]), (&json!(application), &json!("developer")));
        assert_eq!(event["credential_kind"], "api_key");
    }
    // From where and with which key Ada did it is Ada's.
    assert_eq!(done["client"], "192.0.2.1");
    assert!(done["credential_id"].is_string());
    assert_eq!((&suffered["client"], &suffered["credential_id"]), (&Value::Null, &Value::Null));
    let export = api.get(&bob.key, "/v1/account/export").await.expect(200);
    assert_eq!(&export.body["events"][0], suffered);
}

#[tokio::test]
async fn the_events_of_an_application_are_for_its_administrators() {
    let api = Api::new();
    let (ada, bob, eve) = (api.person("ada"), api.person("bob"), api.person("eve"));
    let application = api.application(&ada, "thermostat", "starter").await;
    api.application(&ada, "other", "starter").await;
    add_from(&api, &ada, &application, "bob", "192.0.2.1:1").await;
    let path = format!("/v1/audit?application={application}");
    let events = api.get(&ada.key, &path).await.expect(200);
    assert_eq!(actions(&events), ["member_added", "application_created"]);
    assert_eq!(events.items()[0]["client"], "192.0.2.1");
    api.get(&bob.key, &path).await.expect_error(403, "forbidden");
    let foreign = api.get(&eve.key, &path).await.expect_error(404, "not_found");
    let absent = api.get(&eve.key, "/v1/audit?application=01890a5d-ac96-774b-bcce-b302099a8057").await;
    assert_eq!((&foreign.body, &foreign.headers), (&absent.body, &absent.headers));
}

#[tokio::test]
async fn events_come_in_pages_newest_first() {
    let api = Api::new();
    let ada = api.person("ada");
    let application = api.application(&ada, "thermostat", "starter").await;
    for name in ["a", "b", "c"] {
        let path = format!("/v1/applications/{application}/devices");
        api.post(&ada.key, &path, json!({"name": name})).await.expect(201);
    }
    for path in ["/v1/audit".to_owned(), format!("/v1/audit?application={application}")] {
        let all = api.get(&ada.key, &path).await.expect(200);
        assert!(all.body["next_cursor"].is_null());
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        let more = if path.contains('?') { '&' } else { '?' };
        loop {
            let page = api.get(&ada.key, &format!("{path}{more}limit=2{cursor}")).await.expect(200);
            assert!(page.items().len() <= 2);
            seen.extend_from_slice(page.items());
            match page.body["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all.items());
    }
}

#[tokio::test]
async fn nothing_else_is_asked_for() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    for (query, field) in [
        (format!("user={}", bob.id), "user"),
        ("application=x".to_owned(), "application"),
        ("application=".to_owned(), "application"),
        (format!("application={0}&application={0}", bob.id), "application"),
        ("limit=0".to_owned(), "limit"),
        ("cursor=x".to_owned(), "cursor"),
    ] {
        api.get(&ada.key, &format!("/v1/audit?{query}")).await.expect_invalid(field);
    }
}
