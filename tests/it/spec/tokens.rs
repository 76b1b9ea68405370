//! "Access tokens".

use std::time::Duration;

use serde_json::{Value, json};

use super::{call, text, world};
use crate::support::until;

#[test]
fn both_kinds_give_the_users_whole_permissions() {
    let (world, _) = world();
    let ada = world.person("ada");
    for credential in [&ada.api_key, &ada.session] {
        let applications = call(&world, 200, "GET", "/v1/applications", Some(credential), Value::Null).json();
        assert_eq!(applications["items"].as_array().unwrap().len(), 1);
        let device = json!({"name": "attic"});
        let devices = format!("/v1/applications/{}/devices", world.application);
        call(&world, 201, "POST", &devices, Some(credential), device);
        call(&world, 201, "POST", "/v1/api-keys", Some(credential), json!({"name": "another"}));
    }
}

#[test]
fn a_session_lasts_seven_days_and_can_be_refreshed() {
    let (world, clock) = world();
    let ada = world.person("ada");
    let log_in = json!({"login": "ada", "password": ada.password});
    let session = call(&world, 201, "POST", "/v1/sessions", None, log_in).json();
    assert_eq!(session["expires_at"], "2025-12-01T16:00:00.000000Z");
    let first = text(&session["token"]);
    clock.advance(Duration::from_secs(6 * 86_400));
    let second = text(&call(&world, 201, "POST", "/v1/sessions/refresh", Some(&first), Value::Null).json()["token"]);
    clock.advance(Duration::from_secs(86_400 - 1));
    call(&world, 200, "GET", "/v1/whoami", Some(&first), Value::Null);
    clock.advance(Duration::from_secs(1));
    call(&world, 401, "GET", "/v1/whoami", Some(&first), Value::Null);
    call(&world, 401, "POST", "/v1/sessions/refresh", Some(&first), Value::Null);
    call(&world, 200, "GET", "/v1/whoami", Some(&second), Value::Null);
    // Only a session is refreshed.
    call(&world, 403, "POST", "/v1/sessions/refresh", Some(&ada.api_key), Value::Null);
}

#[test]
fn one_session_cannot_be_revoked_alone() {
    let (world, clock) = world();
    let ada = world.person("ada");
    let log_in = json!({"login": "ada@example.com", "password": ada.password});
    let one = text(&call(&world, 201, "POST", "/v1/sessions", None, log_in.clone()).json()["token"]);
    let other = text(&call(&world, 201, "POST", "/v1/sessions", None, log_in.clone()).json()["token"]);
    // There is nothing to revoke one with; "sign out everywhere" ends all of them, and no API key.
    call(&world, 405, "DELETE", "/v1/sessions/refresh", Some(&one), Value::Null);
    call(&world, 204, "DELETE", "/v1/sessions", Some(&one), Value::Null);
    for ended in [&one, &other, &ada.session] {
        call(&world, 401, "GET", "/v1/whoami", Some(ended), Value::Null);
    }
    call(&world, 200, "GET", "/v1/whoami", Some(&ada.api_key), Value::Null);
    clock.advance(Duration::from_millis(1));
    call(&world, 201, "POST", "/v1/sessions", None, log_in);
}

#[test]
fn a_key_is_named_shown_once_listed_and_revoked() {
    let (world, clock) = world();
    let ada = Some(world.person("ada").session.as_str());
    call(&world, 422, "POST", "/v1/api-keys", ada, json!({"description": "a key needs a name"}));
    let create = |name: &str| {
        let body = json!({"name": name, "description": "for the build server"});
        call(&world, 201, "POST", "/v1/api-keys", ada, body).json()
    };
    let keys = [create("one"), create("two"), create("three")];
    let secret = |n: usize| text(&keys[n]["key"]);
    let listed = call(&world, 200, "GET", "/v1/api-keys", ada, Value::Null);
    for (n, key) in keys.iter().enumerate() {
        assert!(!listed.body.contains(&secret(n)), "the key is shown again");
        let items = listed.json();
        let item = items["items"].as_array().unwrap().iter().find(|item| item["id"] == key["id"]).unwrap().clone();
        assert_eq!(item["name"], key["name"]);
        assert_eq!(item["description"], "for the build server");
        assert_eq!(item["created_at"], "2025-11-24T16:00:00.000000Z");
        assert_eq!(item["expires_at"], Value::Null);
    }
    // Keys do not expire; sessions do.
    let key_of_ada = secret(0);
    clock.advance(Duration::from_secs(10 * 365 * 86_400));
    call(&world, 200, "GET", "/v1/whoami", Some(&key_of_ada), Value::Null);
    // One, and several: all of them or none.
    let with = Some(key_of_ada.as_str());
    let path = format!("/v1/api-keys/{}", text(&keys[1]["id"]));
    call(&world, 204, "DELETE", &path, with, Value::Null);
    call(&world, 401, "GET", "/v1/whoami", Some(&secret(1)), Value::Null);
    call(&world, 404, "POST", "/v1/api-keys/revoke", with, json!({"ids": [keys[2]["id"], keys[1]["id"]]}));
    call(&world, 200, "GET", "/v1/whoami", Some(&secret(2)), Value::Null);
    let revoked =
        call(&world, 200, "POST", "/v1/api-keys/revoke", with, json!({"ids": [keys[2]["id"], keys[0]["id"]]}));
    assert_eq!(revoked.json()["revoked"], 2);
    for n in 0..3 {
        call(&world, 401, "GET", "/v1/whoami", Some(&secret(n)), Value::Null);
    }
}

#[test]
fn the_list_tells_when_a_key_was_last_used_to_the_minute() {
    let (world, clock) = world();
    let ada = world.person("ada");
    let created = call(&world, 201, "POST", "/v1/api-keys", Some(&ada.session), json!({"name": "ci"})).json();
    let (id, key) = (created["id"].clone(), text(&created["key"]));
    let last_used = || {
        let listed = call(&world, 200, "GET", "/v1/api-keys", Some(&ada.session), Value::Null).json();
        listed["items"].as_array().unwrap().iter().find(|item| item["id"] == id).unwrap()["last_used_at"].clone()
    };
    assert_eq!(last_used(), Value::Null);
    let seen = |time: &str| {
        // It is written down off the request's path, here or by the server itself.
        world.app.keep_house().unwrap();
        until(Duration::from_secs(20), "the use is written down", || (last_used() == time).then_some(()));
    };
    world.check("GET", &format!("/applications/{}", world.application), Some(&key));
    seen("2025-11-24T16:00:00.000000Z");
    clock.advance(Duration::from_secs(59));
    call(&world, 200, "GET", "/v1/whoami", Some(&key), Value::Null);
    seen("2025-11-24T16:00:00.000000Z");
    clock.advance(Duration::from_secs(1));
    call(&world, 200, "GET", "/v1/whoami", Some(&key), Value::Null);
    seen("2025-11-24T16:01:00.000000Z");
}
