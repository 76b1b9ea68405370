//! API keys: created, listed, revoked singly and in bulk.

use std::time::Duration;

use gatepost::clock::Clock;
use gatepost::model::ApiKeyId;
use serde_json::{Value, json};

use super::fixture::{Api, Person};

async fn create(api: &Api, person: &Person, name: &str) -> (String, String) {
    let answer = api.post(&person.key, "/v1/api-keys", json!({"name": name})).await.expect(201);
    (answer.text("id"), answer.text("key"))
}

async fn names(api: &Api, person: &Person) -> Vec<Value> {
    let answer = api.get(&person.key, "/v1/api-keys").await.expect(200);
    answer.items().iter().map(|key| key["name"].clone()).collect()
}

fn unknown(api: &Api) -> ApiKeyId {
    ApiKeyId::generate(api.clock.now())
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_its_secret() {
    let api = Api::new();
    let ada = api.person("ada");
    let now = api.now();
    let body = json!({
        "name": "ci", "description": "builds", "expires_at": "2027-02-01T00:00:00+01:00", "scopes": [],
    });
    let created = api.post(&ada.key, "/v1/api-keys", body).await.expect(201);
    let (id, key) = (created.text("id"), created.text("key"));
    assert_eq!(
        created.body,
        json!({
            "id": id, "name": "ci", "description": "builds", "created_at": now,
            "expires_at": "2027-01-31T23:00:00.000000Z", "scopes": [], "key": key,
        })
    );
    api.get(&key, "/v1/whoami").await.expect(200);
    let listed = api.get(&ada.key, "/v1/api-keys").await.expect(200);
    assert_eq!(
        listed.items()[1],
        json!({
            "id": id, "name": "ci", "description": "builds", "created_at": now,
            "last_used_at": null, "expires_at": "2027-01-31T23:00:00.000000Z", "scopes": [],
            "prefix": key[..9],
        })
    );
    let text = listed.body.to_string();
    assert!(!text.contains(&key) && !text.contains(&ada.key) && !text.contains("digest"), "{text}");
}

#[tokio::test]
async fn a_key_ends_when_it_expires() {
    let api = Api::new();
    let ada = api.person("ada");
    let body = json!({"name": "short", "expires_at": "2027-01-15T08:00:10Z"});
    let key = api.post(&ada.key, "/v1/api-keys", body).await.expect(201).text("key");
    api.get(&key, "/v1/whoami").await.expect(200);
    api.clock.advance(Duration::from_secs(10));
    api.get(&key, "/v1/whoami").await.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_the_very_next_request() {
    let api = Api::new();
    let ada = api.person("ada");
    let (id, key) = create(&api, &ada, "ci").await;
    api.get(&key, "/v1/whoami").await.expect(200);
    // It may even revoke itself.
    api.delete(&key, &format!("/v1/api-keys/{id}")).await.expect(204);
    api.get(&key, "/v1/whoami").await.expect_error(401, "invalid_token");
    api.delete(&ada.key, &format!("/v1/api-keys/{id}")).await.expect_error(404, "not_found");
    assert_eq!(names(&api, &ada).await, ["first"]);
}

#[tokio::test]
async fn many_keys_are_revoked_at_once_or_none() {
    let api = Api::new();
    let ada = api.person("ada");
    let ((one, one_key), (two, two_key)) = (create(&api, &ada, "one").await, create(&api, &ada, "two").await);
    let revoke = async |ids: Value| api.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": ids})).await;
    assert_eq!(revoke(json!([])).await.expect(200).body, json!({"revoked": 0}));
    revoke(json!([one, two, unknown(&api)])).await.expect_error(404, "not_found");
    assert_eq!(names(&api, &ada).await, ["first", "one", "two"]);
    api.get(&one_key, "/v1/whoami").await.expect(200);
    assert_eq!(revoke(json!([one, two, one])).await.expect(200).body, json!({"revoked": 2}));
    for key in [&one_key, &two_key] {
        api.get(key, "/v1/whoami").await.expect_error(401, "invalid_token");
    }
    assert_eq!(names(&api, &ada).await, ["first"]);
}

#[tokio::test]
async fn keys_of_others_look_as_if_they_did_not_exist() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let (id, key) = create(&api, &bob, "bobs").await;
    let own = create(&api, &ada, "adas").await.0;
    let foreign = api.delete(&ada.key, &format!("/v1/api-keys/{id}")).await.expect_error(404, "not_found");
    let absent = api.delete(&ada.key, &format!("/v1/api-keys/{}", unknown(&api))).await;
    assert_eq!((&foreign.body, &foreign.headers), (&absent.body, &absent.headers));
    let foreign = api.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": [own, id]})).await;
    let absent = api.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": [own, unknown(&api)]})).await;
    assert_eq!((foreign.status, &foreign.body), (404, &absent.body));
    api.get(&key, "/v1/whoami").await.expect(200);
    assert_eq!(names(&api, &ada).await, ["first", "adas"]);
    assert_eq!(names(&api, &bob).await, ["first", "bobs"]);
}

#[tokio::test]
async fn what_is_no_identifier_names_no_key() {
    let api = Api::new();
    let ada = api.person("ada");
    let id = create(&api, &ada, "ci").await.0;
    for other in
        [id.to_uppercase(), format!("{{{id}}}"), id.replace('-', ""), "x".into(), "%2e%2e".into(), "%00".into()]
    {
        api.delete(&ada.key, &format!("/v1/api-keys/{other}")).await.expect_error(404, "not_found");
    }
    api.delete(&ada.key, "/v1/api-keys/revoke").await.expect_error(405, "method_not_allowed");
    assert_eq!(names(&api, &ada).await.len(), 2);
}

#[tokio::test]
async fn a_key_is_created_from_what_was_asked_for_and_nothing_else() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let long = "a".repeat(101);
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (json!({"name": long}), "name"),
        (json!({"name": "a\nb"}), "name"),
        (json!({"name": "ci", "description": "a".repeat(1_001)}), "description"),
        (json!({"name": "ci", "expires_at": "tomorrow"}), "expires_at"),
        (json!({"name": "ci", "expires_at": "2027-01-15T08:00:00Z"}), "expires_at"),
        (json!({"name": "ci", "expires_at": 1_900_000_000}), "expires_at"),
        (json!({"name": "ci", "scopes": "read"}), "scopes"),
        // A key that its owner takes for narrowed must not be a key that is not.
        (json!({"name": "ci", "scopes": ["read"]}), "scopes"),
        (json!({"name": "ci", "user_id": bob.id}), "user_id"),
        (json!({"name": "ci", "user": bob.id}), "user"),
        (json!({"name": "ci", "key": "gp_x"}), "key"),
        (json!({"name": "ci", "id": unknown(&api)}), "id"),
    ] {
        api.post(&ada.key, "/v1/api-keys", body).await.expect_invalid(field);
    }
    api.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": ["x"]})).await.expect_invalid("ids[0]");
    api.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": [], "all": true})).await.expect_invalid("all");
    for person in [&ada, &bob] {
        assert_eq!(names(&api, person).await, ["first"]);
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let api = Api::new();
    let ada = api.person("ada");
    let mut expected = vec![json!("first")];
    for n in 0..54 {
        let name = format!("key {n}");
        create(&api, &ada, &name).await;
        expected.push(json!(name));
    }
    for (query, pages) in [("", 2), ("limit=50", 2), ("limit=100", 1), ("limit=55", 1), ("limit=54", 2), ("limit=7", 8)]
    {
        let (mut seen, mut count, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let answer = api.get(&ada.key, &format!("/v1/api-keys?{query}{cursor}")).await.expect(200);
            assert_eq!(answer.body.as_object().unwrap().len(), 2);
            seen.extend(answer.items().iter().map(|key| key["name"].clone()));
            count += 1;
            match &answer.body["next_cursor"] {
                Value::Null => break,
                next => cursor = format!("&cursor={}", next.as_str().unwrap()),
            }
        }
        assert_eq!((seen, count), (expected.clone(), pages), "{query}");
    }
    for (query, field) in
        [("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("cursor=x", "cursor"), ("user=x", "user")]
    {
        api.get(&ada.key, &format!("/v1/api-keys?{query}")).await.expect_invalid(field);
    }
}
