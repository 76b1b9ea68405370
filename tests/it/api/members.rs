//! Members of applications.

use serde_json::{Value, json};

use super::fixture::{Api, Person};

/// Ada's application on a paid plan, and its path.
async fn shared(api: &Api) -> (Person, String, String) {
    let (ada, root) = (api.person("ada"), api.installation_administrator("root"));
    let path = format!("/v1/organizations/{}/plan", ada.organization);
    api.call(&root.key, "PUT", &path, json!({"plan": "paid"})).await.expect(200);
    let id = api.application(&ada, "thermostat", "standard").await;
    let members = format!("/v1/applications/{id}/members");
    (ada, id, members)
}

async fn roles(api: &Api, credential: &str, members: &str) -> Vec<(String, String)> {
    let text = |member: &Value, name: &str| member[name].as_str().unwrap().to_owned();
    let answer = api.get(credential, members).await.expect(200);
    answer.items().iter().map(|member| (text(member, "username"), text(member, "role"))).collect()
}

#[tokio::test]
async fn members_are_added_by_username_or_address_changed_and_removed() {
    let api = Api::new();
    let (ada, id, members) = shared(&api).await;
    let (devi, oleg) = (api.person("devi"), api.person("oleg"));
    let now = api.now();
    let added = api.post(&ada.key, &members, json!({"login": "Devi", "role": "developer"})).await.expect(201);
    // Devi's address is not told.
    assert_eq!(
        added.body,
        json!({
            "id": devi.id, "username": "devi", "role": "developer", "created_at": now,
        })
    );
    api.post(&ada.key, &members, json!({"login": "oleg@EXAMPLE.com", "role": "operator"})).await.expect(201);
    let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
        pairs.iter().map(|(name, role)| ((*name).to_owned(), (*role).to_owned())).collect()
    };
    let all = pairs(&[("ada", "administrator"), ("devi", "developer"), ("oleg", "operator")]);
    assert_eq!(roles(&api, &oleg.key, &members).await, all);
    let seen = api.get(&devi.key, &format!("/v1/applications/{id}")).await.expect(200);
    assert_eq!((&seen.body["role"], &seen.body["shared"]), (&json!("developer"), &json!(true)));
    assert_eq!(api.get(&devi.key, "/v1/applications").await.items(), [seen.body]);

    let devis = format!("{members}/{}", devi.id);
    api.call(&ada.key, "PATCH", &devis, json!({"role": "observer"})).await.expect(204);
    assert_eq!(api.get(&devi.key, &format!("/v1/applications/{id}")).await.body["role"], "observer");
    api.delete(&ada.key, &devis).await.expect(204);
    api.get(&devi.key, &format!("/v1/applications/{id}")).await.expect_error(404, "not_found");
    api.delete(&ada.key, &devis).await.expect_error(404, "not_found");
    api.call(&ada.key, "PATCH", &devis, json!({"role": "observer"})).await.expect_error(404, "not_found");

    // A member may leave.
    api.delete(&oleg.key, &format!("{members}/{}", oleg.id)).await.expect(204);
    assert_eq!(roles(&api, &ada.key, &members).await, pairs(&[("ada", "administrator")]));
}

#[tokio::test]
async fn who_is_to_be_added_must_exist_and_not_be_a_member() {
    let api = Api::new();
    let (ada, _, members) = shared(&api).await;
    api.person("devi");
    let add = async |login: &str| api.post(&ada.key, &members, json!({"login": login, "role": "developer"})).await;
    add("devi").await.expect(201);
    add("devi@example.com").await.expect_error(409, "already_exists");
    for login in ["nobody", "nobody@example.com", "", "a@b@c"] {
        add(login).await.expect_error(404, "not_found");
    }
}

#[tokio::test]
async fn roles_depend_on_plan_and_type() {
    let api = Api::new();
    let (ada, _, members) = shared(&api).await;
    let devi = api.person("devi");
    let starter = api.application(&ada, "starter", "starter").await;
    let starter = format!("/v1/applications/{starter}/members");
    for role in ["administrator", "operator", "observer"] {
        let body = json!({"login": "devi", "role": role});
        api.post(&ada.key, &starter, body).await.expect_error(403, "role_not_available");
    }
    api.post(&ada.key, &starter, json!({"login": "devi", "role": "developer"})).await.expect(201);
    let devis = format!("{starter}/{}", devi.id);
    api.call(&ada.key, "PATCH", &devis, json!({"role": "observer"})).await.expect_error(403, "role_not_available");
    api.post(&ada.key, &members, json!({"login": "devi", "role": "administrator"})).await.expect(201);
}

#[tokio::test]
async fn the_owner_stays_its_administrator() {
    let api = Api::new();
    let (ada, id, members) = shared(&api).await;
    let devi = api.person("devi");
    api.post(&ada.key, &members, json!({"login": "devi", "role": "administrator"})).await.expect(201);
    let adas = format!("{members}/{}", ada.id);
    api.delete(&ada.key, &adas).await.expect_error(403, "owner_cannot_leave");
    api.delete(&devi.key, &adas).await.expect_error(403, "owner_cannot_be_removed");
    for person in [&ada, &devi] {
        let answer = api.call(&person.key, "PATCH", &adas, json!({"role": "developer"})).await;
        answer.expect_error(403, "owner_cannot_be_demoted");
    }
    assert_eq!(api.get(&ada.key, &format!("/v1/applications/{id}")).await.body["role"], "administrator");
}

#[tokio::test]
async fn nobody_makes_more_of_itself() {
    let api = Api::new();
    let (ada, _, members) = shared(&api).await;
    let (devi, eve) = (api.person("devi"), api.person("eve"));
    api.post(&ada.key, &members, json!({"login": "devi", "role": "developer"})).await.expect(201);
    let devis = format!("{members}/{}", devi.id);
    api.call(&devi.key, "PATCH", &devis, json!({"role": "administrator"})).await.expect_error(403, "forbidden");
    api.post(&devi.key, &members, json!({"login": "eve", "role": "observer"})).await.expect_error(403, "forbidden");
    api.post(&eve.key, &members, json!({"login": "eve", "role": "observer"})).await.expect_error(404, "not_found");
    for (body, field) in [
        (json!({"login": "eve", "role": "owner"}), "role"),
        (json!({"login": "eve"}), "role"),
        (json!({"role": "observer"}), "login"),
        (json!({"login": "eve", "role": "observer", "user_id": eve.id}), "user_id"),
        (json!({"login": "eve", "role": "observer", "owner": true}), "owner"),
    ] {
        api.post(&ada.key, &members, body).await.expect_invalid(field);
    }
    let body = json!({"role": "developer", "owner": devi.id});
    api.call(&ada.key, "PATCH", &devis, body).await.expect_invalid("owner");
}

#[tokio::test]
async fn members_come_in_pages() {
    let api = Api::new();
    let (ada, _, members) = shared(&api).await;
    for name in ["bob", "cyd", "devi"] {
        api.person(name);
        api.post(&ada.key, &members, json!({"login": name, "role": "developer"})).await.expect(201);
    }
    let first = api.get(&ada.key, &format!("{members}?limit=3")).await.expect(200);
    assert_eq!(first.items().len(), 3);
    let rest = api.get(&ada.key, &format!("{members}?limit=3&cursor={}", first.text("next_cursor"))).await;
    assert_eq!((rest.items().len(), &rest.body["next_cursor"]), (1, &Value::Null));
}
