//! Organizations, their administrators and their plans.

use serde_json::{Value, json};

use super::fixture::{Api, Person};

async fn create(api: &Api, person: &Person, name: &str) -> String {
    api.post(&person.key, "/v1/organizations", json!({"name": name})).await.expect(201).text("id")
}

async fn administrators(api: &Api, credential: &str, id: &str) -> Vec<Value> {
    api.get(credential, &format!("/v1/organizations/{id}/administrators")).await.expect(200).items().to_vec()
}

#[tokio::test]
async fn everybody_has_a_personal_organization_and_may_create_others() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let now = api.now();
    let created = api.post(&ada.key, "/v1/organizations", json!({"name": "Acme"})).await.expect(201);
    let acme = json!({
        "id": created.text("id"), "name": "Acme", "plan": "free", "personal": false,
        "created_at": now,
    });
    assert_eq!(created.body, acme);
    let listed = api.get(&ada.key, "/v1/organizations").await.expect(200);
    assert_eq!(listed.items().len(), 2);
    assert_eq!(listed.items()[1], acme);
    let personal = &listed.items()[0];
    assert_eq!((&personal["id"], &personal["personal"]), (&json!(ada.organization), &json!(true)));
    assert_eq!(api.get(&bob.key, "/v1/organizations").await.expect(200).items().len(), 1);
}

#[tokio::test]
async fn an_organization_is_created_from_its_name_only() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    for (body, field) in [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "Acme", "plan": "paid"}), "plan"),
        (json!({"name": "Acme", "administrator": bob.id}), "administrator"),
        (json!({"name": "Acme", "personal": true}), "personal"),
    ] {
        api.post(&ada.key, "/v1/organizations", body).await.expect_invalid(field);
    }
}

#[tokio::test]
async fn administrators_add_and_remove_each_other_but_one_stays() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let id = create(&api, &ada, "Acme").await;
    let path = format!("/v1/organizations/{id}/administrators");
    let added = api.post(&ada.key, &path, json!({"login": "BOB@example.com"})).await.expect(201);
    // Bob's address is not told.
    assert_eq!(added.body, json!({"id": bob.id, "username": "bob"}));
    let both = [json!({"id": ada.id, "username": "ada"}), added.body];
    assert_eq!(administrators(&api, &bob.key, &id).await, both);
    api.post(&ada.key, &path, json!({"login": "bob"})).await.expect_error(409, "already_exists");
    api.post(&ada.key, &path, json!({"login": "nobody"})).await.expect_error(404, "not_found");
    api.post(&ada.key, &path, json!({"login": "bob", "role": "x"})).await.expect_invalid("role");
    api.delete(&bob.key, &format!("{path}/{}", ada.id)).await.expect(204);
    api.delete(&bob.key, &format!("{path}/{}", ada.id)).await.expect_error(404, "not_found");
    api.delete(&bob.key, &format!("{path}/{}", bob.id)).await.expect_error(409, "last_administrator");
    // Ada is none any more, at once.
    api.get(&ada.key, &path).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn nobody_is_removed_from_the_own_personal_organization() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let path = format!("/v1/organizations/{}/administrators", ada.organization);
    api.post(&ada.key, &path, json!({"login": "bob"})).await.expect(201);
    api.delete(&bob.key, &format!("{path}/{}", ada.id)).await.expect_error(409, "last_administrator");
    api.delete(&bob.key, &format!("{path}/{}", bob.id)).await.expect(204);
}

#[tokio::test]
async fn organizations_of_others_look_as_if_they_did_not_exist() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person("bob"));
    let id = create(&api, &bob, "Bobs").await;
    let absent = "01890a5d-ac96-774b-bcce-b302099a8057";
    let calls = [
        ("GET", "", json!(null)),
        ("POST", "", json!({"login": "ada"})),
        ("DELETE", &format!("/{}", bob.id), json!(null)),
    ];
    for (method, end, body) in calls {
        let path = |id: &str| format!("/v1/organizations/{id}/administrators{end}");
        let foreign = api.call(&ada.key, method, &path(&id), body.clone()).await.expect_error(404, "not_found");
        let absent = api.call(&ada.key, method, &path(absent), body.clone()).await;
        assert_eq!((&foreign.body, &foreign.headers), (&absent.body, &absent.headers), "{method}");
        api.call(&ada.key, method, &path("x"), body).await.expect_error(404, "not_found");
    }
    assert_eq!(administrators(&api, &bob.key, &id).await.len(), 1);
}

#[tokio::test]
async fn only_an_administrator_of_the_installation_sets_plans() {
    let api = Api::new();
    let (ada, root) = (api.person("ada"), api.installation_administrator("root"));
    let path = format!("/v1/organizations/{}/plan", ada.organization);
    api.call(&ada.key, "PUT", &path, json!({"plan": "paid"})).await.expect_error(403, "forbidden");
    let set = api.call(&root.key, "PUT", &path, json!({"plan": "paid"})).await.expect(200);
    assert_eq!((&set.body["id"], &set.body["plan"]), (&json!(ada.organization), &json!("paid")));
    assert_eq!(api.get(&ada.key, "/v1/organizations").await.items()[0]["plan"], "paid");
    for plan in ["gold", "PAID", ""] {
        api.call(&root.key, "PUT", &path, json!({"plan": plan})).await.expect_invalid("plan");
    }
    let absent = "/v1/organizations/01890a5d-ac96-774b-bcce-b302099a8057/plan";
    api.call(&root.key, "PUT", absent, json!({"plan": "paid"})).await.expect_error(404, "not_found");
    api.call(&root.key, "PUT", "/v1/organizations/x/plan", json!({"plan": "paid"}))
        .await
        .expect_error(404, "not_found");
}
