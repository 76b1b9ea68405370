//! Applications: created, seen, deleted.

use serde_json::json;

use super::fixture::Api;

#[tokio::test]
async fn an_application_belongs_to_its_creator() {
    let api = Api::new();
    let ada = api.person("ada");
    let body = json!({"organization": ada.organization, "name": "thermostat", "type": "standard"});
    let created = api.post(&ada.key, "/v1/applications", body).await.expect(201);
    let id = created.text("id");
    let thermostat = json!({
        "id": id, "name": "thermostat", "type": "standard", "organization": ada.organization, "owner": ada.id,
        "role": "administrator", "shared": false,
    });
    assert_eq!(created.body, thermostat);
    assert_eq!(api.get(&ada.key, &format!("/v1/applications/{id}")).await.expect(200).body, thermostat);
    let listed = api.get(&ada.key, "/v1/applications").await.expect(200);
    assert_eq!(listed.body, json!({"items": [thermostat], "next_cursor": null}));
    api.delete(&ada.key, &format!("/v1/applications/{id}")).await.expect(204);
    api.get(&ada.key, &format!("/v1/applications/{id}")).await.expect_error(404, "not_found");
    api.delete(&ada.key, &format!("/v1/applications/{id}")).await.expect_error(404, "not_found");
    assert!(api.get(&ada.key, "/v1/applications").await.items().is_empty());
}

#[tokio::test]
async fn names_are_unique_within_an_organization() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    api.application(&ada, "thermostat", "starter").await;
    api.application(&bob, "thermostat", "starter").await;
    let body = json!({"organization": ada.organization, "name": "thermostat", "type": "standard"});
    api.post(&ada.key, "/v1/applications", body).await.expect_error(409, "already_exists");
}

#[tokio::test]
async fn only_administrators_create_applications_in_an_organization() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let body = json!({"organization": bob.organization, "name": "mine", "type": "starter"});
    let foreign = api.post(&ada.key, "/v1/applications", body).await.expect_error(404, "not_found");
    let body = json!({"organization": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "mine", "type": "starter"});
    let absent = api.post(&ada.key, "/v1/applications", body).await;
    assert_eq!((&foreign.body, &foreign.headers), (&absent.body, &absent.headers));
}

#[tokio::test]
async fn an_application_is_created_from_what_was_asked_for_and_nothing_else() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let good = json!({"organization": ada.organization, "name": "thermostat", "type": "starter"});
    for (member, value) in [
        ("organization", json!("x")),
        ("organization", json!(null)),
        ("name", json!("")),
        ("name", json!("a\u{0}")),
        ("type", json!("premium")),
        ("type", json!(null)),
        ("owner", json!(bob.id)),
        ("user_id", json!(bob.id)),
        ("role", json!("observer")),
        ("plan", json!("paid")),
        ("shared", json!(true)),
        ("id", json!("01890a5d-ac96-774b-bcce-b302099a8057")),
    ] {
        let mut body = good.clone();
        body[member] = value;
        api.post(&ada.key, "/v1/applications", body).await.expect_invalid(member);
    }
    assert!(api.get(&ada.key, "/v1/applications").await.items().is_empty());
}

#[tokio::test]
async fn applications_come_in_pages() {
    let api = Api::new();
    let ada = api.person("ada");
    let mut expected = Vec::new();
    for n in 0..5 {
        expected.push(api.application(&ada, &format!("app {n}"), "starter").await);
    }
    let first = api.get(&ada.key, "/v1/applications?limit=2").await.expect(200);
    let mut seen: Vec<_> = first.items().iter().map(|app| app["id"].as_str().unwrap().to_owned()).collect();
    let cursor = first.text("next_cursor");
    let rest = api.get(&ada.key, &format!("/v1/applications?cursor={cursor}")).await.expect(200);
    seen.extend(rest.items().iter().map(|app| app["id"].as_str().unwrap().to_owned()));
    assert_eq!(seen, expected);
    assert!(rest.body["next_cursor"].is_null());
}
