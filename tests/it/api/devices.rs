//! Devices of applications.

use serde_json::json;

use super::fixture::Api;

const DEVICE: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

#[tokio::test]
async fn devices_are_registered_listed_and_removed() {
    let api = Api::new();
    let ada = api.person("ada");
    let id = api.application(&ada, "thermostat", "starter").await;
    let devices = format!("/v1/applications/{id}/devices");
    let now = api.now();
    let own = api.post(&ada.key, &devices, json!({"id": DEVICE, "name": "Hall"})).await.expect(201);
    assert_eq!(own.body, json!({"id": DEVICE, "name": "Hall", "created_at": now}));
    let new = api.post(&ada.key, &devices, json!({"name": "Attic"})).await.expect(201);
    let listed = api.get(&ada.key, &devices).await.expect(200);
    assert_eq!(listed.body, json!({"items": [own.body, new.body], "next_cursor": null}));
    let page = api.get(&ada.key, &format!("{devices}?limit=1")).await.expect(200);
    let next = api.get(&ada.key, &format!("{devices}?limit=1&cursor={}", page.text("next_cursor"))).await;
    assert_eq!((page.items(), next.items()), (&listed.items()[..1], &listed.items()[1..]));
    api.delete(&ada.key, &format!("{devices}/{DEVICE}")).await.expect(204);
    api.delete(&ada.key, &format!("{devices}/{DEVICE}")).await.expect_error(404, "not_found");
    assert_eq!(api.get(&ada.key, &devices).await.items(), [new.body]);
}

#[tokio::test]
async fn an_identifier_is_taken_once() {
    let api = Api::new();
    let ada = api.person("ada");
    let (one, two) = (api.application(&ada, "one", "starter").await, api.application(&ada, "two", "starter").await);
    for (application, status) in [(&one, 201), (&one, 409), (&two, 409)] {
        let path = format!("/v1/applications/{application}/devices");
        api.post(&ada.key, &path, json!({"id": DEVICE, "name": "Hall"})).await.expect(status);
    }
}

#[tokio::test]
async fn a_device_is_removed_through_its_own_application_only() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let (adas, bobs) = (api.application(&ada, "adas", "starter").await, api.application(&bob, "bobs", "starter").await);
    api.post(&bob.key, &format!("/v1/applications/{bobs}/devices"), json!({"id": DEVICE, "name": "Hall"}))
        .await
        .expect(201);
    for application in [&adas, &bobs] {
        let path = format!("/v1/applications/{application}/devices/{DEVICE}");
        api.delete(&ada.key, &path).await.expect_error(404, "not_found");
    }
    api.get(&ada.key, &format!("/v1/applications/{bobs}/devices")).await.expect_error(404, "not_found");
    assert_eq!(api.get(&bob.key, &format!("/v1/applications/{bobs}/devices")).await.items().len(), 1);
}

#[tokio::test]
async fn a_device_is_registered_from_what_was_asked_for_and_nothing_else() {
    let api = Api::new();
    let ada = api.person("ada");
    let id = api.application(&ada, "thermostat", "starter").await;
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": "a\u{7f}"}), "name"),
        (json!({"name": "Hall", "id": "1"}), "id"),
        (json!({"name": "Hall", "id": DEVICE.to_uppercase()}), "id"),
        (json!({"name": "Hall", "application": DEVICE}), "application"),
    ] {
        api.post(&ada.key, &format!("/v1/applications/{id}/devices"), body).await.expect_invalid(field);
    }
}
