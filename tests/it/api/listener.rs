//! The management API on its listener.

use gatepost::store::EventFilter;
use serde_json::json;

use crate::support::World;

#[test]
fn a_served_request_is_answered_and_its_client_is_recorded() {
    let world = World::start();
    let ada = world.person("ada");
    let body = json!({"login": "ada", "password": ada.password}).to_string();
    let reply = world.api("POST", "/v1/sessions", None, &body);
    assert_eq!(reply.status, 201);
    let event = world.app.store.events(EventFilter::All, None, 1).unwrap().remove(0);
    assert_eq!((event.action.as_str(), event.actor), ("session_created", Some(ada.id)));
    assert_eq!(event.client.as_deref(), Some("127.0.0.1"));
    let token = reply.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(world.api("GET", "/v1/whoami", Some(&token), "").json()["username"], "ada");
    assert_eq!(world.api("GET", "/v1/whoami", Some(&"a".repeat(60_000)), "").status, 401);
    assert_eq!(world.api("POST", "/v1/sessions", None, &"a".repeat(70_000)).status, 413);
}

#[test]
fn what_a_client_says_of_its_address_is_not_believed() {
    let world = World::start();
    let headers = [("X-Forwarded-For", "192.0.2.1"), ("X-Real-IP", "192.0.2.1"), ("Content-Type", "application/json")];
    let body = json!({"login": "ada", "password": world.person("ada").password}).to_string();
    assert_eq!(crate::support::send(world.portal, "POST", "/v1/sessions", &headers, &body).status, 201);
    assert_eq!(world.app.store.events(EventFilter::All, None, 1).unwrap()[0].client.as_deref(), Some("127.0.0.1"));
}
