//! API keys: created, listed, revoked singly and in bulk.

use std::time::Duration;

use gatepost::clock::Clock;
use gatepost::model::ApiKeyId;
use serde_json::{Value, json};

use crate::support::{Person, World};

async fn create(world: &World, person: &Person, name: &str) -> (String, String) {
    let answer = world.post(&person.key, "/v1/api-keys", json!({"name": name})).await.expect(201);
    (answer.text("id"), answer.text("key"))
}

async fn names(world: &World, person: &Person) -> Vec<Value> {
    let answer = world.get(&person.key, "/v1/api-keys").await.expect(200);
    answer.items().iter().map(|key| key["name"].clone()).collect()
}

fn unknown(world: &World) -> ApiKeyId {
    ApiKeyId::generate(world.clock.now())
}

#[tokio::test]
async fn a_key_is_shown_once_and_listed_without_its_secret() {
    let world = World::new();
    let ada = world.person("ada");
    let now = world.now();
    let body = json!({
        "name": "ci", "description": "builds", "expires_at": "2027-02-01T00:00:00+01:00", "scopes": [],
    });
    let created = world.post(&ada.key, "/v1/api-keys", body).await.expect(201);
    let (id, key) = (created.text("id"), created.text("key"));
    assert_eq!(
        created.body,
        json!({
            "id": id, "name": "ci", "description": "builds", "created_at": now,
            "expires_at": "2027-01-31T23:00:00.000000Z", "scopes": [], "key": key,
        })
    );
    world.get(&key, "/v1/whoami").await.expect(200);
    let listed = world.get(&ada.key, "/v1/api-keys").await.expect(200);
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
    let world = World::new();
    let ada = world.person("ada");
    let body = json!({"name": "short", "expires_at": "2027-01-15T08:00:10Z"});
    let key = world.post(&ada.key, "/v1/api-keys", body).await.expect(201).text("key");
    world.get(&key, "/v1/whoami").await.expect(200);
    world.clock.advance(Duration::from_secs(10));
    world.get(&key, "/v1/whoami").await.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn a_revoked_key_is_refused_by_the_very_next_request() {
    let world = World::new();
    let ada = world.person("ada");
    let (id, key) = create(&world, &ada, "ci").await;
    world.get(&key, "/v1/whoami").await.expect(200);
    // It may even revoke itself.
    world.delete(&key, &format!("/v1/api-keys/{id}")).await.expect(204);
    world.get(&key, "/v1/whoami").await.expect_error(401, "invalid_token");
    world.delete(&ada.key, &format!("/v1/api-keys/{id}")).await.expect_error(404, "not_found");
    assert_eq!(names(&world, &ada).await, ["first"]);
}

#[tokio::test]
async fn many_keys_are_revoked_at_once_or_none() {
    let world = World::new();
    let ada = world.person("ada");
    let ((one, one_key), (two, two_key)) = (create(&world, &ada, "one").await, create(&world, &ada, "two").await);
    let revoke = async |ids: Value| world.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": ids})).await;
    assert_eq!(revoke(json!([])).await.expect(200).body, json!({"revoked": 0}));
    revoke(json!([one, two, unknown(&world)])).await.expect_error(404, "not_found");
    assert_eq!(names(&world, &ada).await, ["first", "one", "two"]);
    world.get(&one_key, "/v1/whoami").await.expect(200);
    assert_eq!(revoke(json!([one, two, one])).await.expect(200).body, json!({"revoked": 2}));
    for key in [&one_key, &two_key] {
        world.get(key, "/v1/whoami").await.expect_error(401, "invalid_token");
    }
    assert_eq!(names(&world, &ada).await, ["first"]);
}

#[tokio::test]
async fn keys_of_others_look_as_if_they_did_not_exist() {
    let world = World::new();
    let (ada, bob) = (world.person("ada"), world.person("bob"));
    let (id, key) = create(&world, &bob, "bobs").await;
    let own = create(&world, &ada, "adas").await.0;
    let foreign = world.delete(&ada.key, &format!("/v1/api-keys/{id}")).await.expect_error(404, "not_found");
    let absent = world.delete(&ada.key, &format!("/v1/api-keys/{}", unknown(&world))).await;
    assert_eq!((&foreign.body, &foreign.headers), (&absent.body, &absent.headers));
    let foreign = world.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": [own, id]})).await;
    let absent = world.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": [own, unknown(&world)]})).await;
    assert_eq!((foreign.status, &foreign.body), (404, &absent.body));
    world.get(&key, "/v1/whoami").await.expect(200);
    assert_eq!(names(&world, &ada).await, ["first", "adas"]);
    assert_eq!(names(&world, &bob).await, ["first", "bobs"]);
}

#[tokio::test]
async fn what_is_no_identifier_names_no_key() {
    let world = World::new();
    let ada = world.person("ada");
    let id = create(&world, &ada, "ci").await.0;
    for other in
        [id.to_uppercase(), format!("{{{id}}}"), id.replace('-', ""), "x".into(), "%2e%2e".into(), "%00".into()]
    {
        world.delete(&ada.key, &format!("/v1/api-keys/{other}")).await.expect_error(404, "not_found");
    }
    world.delete(&ada.key, "/v1/api-keys/revoke").await.expect_error(405, "method_not_allowed");
    assert_eq!(names(&world, &ada).await.len(), 2);
}

#[tokio::test]
async fn a_key_is_created_from_what_was_asked_for_and_nothing_else() {
    let world = World::new();
    let (ada, bob) = (world.person("ada"), world.person("bob"));
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
        (json!({"name": "ci", "id": unknown(&world)}), "id"),
    ] {
        world.post(&ada.key, "/v1/api-keys", body).await.expect_invalid(field);
    }
    world.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": ["x"]})).await.expect_invalid("ids[0]");
    world.post(&ada.key, "/v1/api-keys/revoke", json!({"ids": [], "all": true})).await.expect_invalid("all");
    for person in [&ada, &bob] {
        assert_eq!(names(&world, person).await, ["first"]);
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new();
    let ada = world.person("ada");
    let mut expected = vec![json!("first")];
    for n in 0..54 {
        let name = format!("key {n}");
        create(&world, &ada, &name).await;
        expected.push(json!(name));
    }
    for (query, pages) in [("", 2), ("limit=50", 2), ("limit=100", 1), ("limit=55", 1), ("limit=54", 2), ("limit=7", 8)]
    {
        let (mut seen, mut count, mut cursor) = (Vec::new(), 0, String::new());
        loop {
            let answer = world.get(&ada.key, &format!("/v1/api-keys?{query}{cursor}")).await.expect(200);
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
        world.get(&ada.key, &format!("/v1/api-keys?{query}")).await.expect_invalid(field);
    }
}
