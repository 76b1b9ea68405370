//! The caller's own account: its password, its export, its end. And what narrowed keys may do with it.

use std::time::Duration;

use serde_json::{Value, json};

use super::fixture::{Api, PASSWORD, Person};
use super::totp::{code, enable};

const NEW: &str = "another horse, another battery";

async fn set(api: &Api, credential: &str, body: Value) -> super::answer::Answer {
    api.call(credential, "PUT", "/v1/account/password", body).await
}

async fn delete(api: &Api, credential: &str, body: Value) -> super::answer::Answer {
    api.call(credential, "DELETE", "/v1/account", body).await
}

async fn narrowed(api: &Api, person: &Person, scopes: Value) -> String {
    let body = json!({"name": "narrow", "scopes": scopes});
    api.post(&person.key, "/v1/api-keys", body).await.expect(201).text("key")
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_the_old_one() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let session = api.log_in(&ada).await;
    for current in [json!("wrong horse battery staple"), json!(""), json!(null)] {
        let body = json!({"current_password": current, "password": NEW});
        set(&api, &session, body).await.expect_error(401, "invalid_credentials");
    }
    set(&api, &session, json!({"password": NEW})).await.expect_error(401, "invalid_credentials");
    for password in ["short", "12345678", "ada@example.com"] {
        let body = json!({"current_password": PASSWORD, "password": password});
        set(&api, &session, body).await.expect_invalid("password");
    }
    let body = json!({"current_password": PASSWORD, "password": NEW, "user_id": ada.id});
    set(&api, &session, body).await.expect_invalid("user_id");
    set(&api, &session, json!({"current_password": PASSWORD})).await.expect_invalid("password");
    api.get(&session, "/v1/whoami").await.expect(200);
    set(&api, &session, json!({"current_password": PASSWORD, "password": NEW})).await.expect(204);
    api.get(&session, "/v1/whoami").await.expect_error(401, "invalid_token");
    api.get(&ada.key, "/v1/whoami").await.expect(200);
    let old = json!({"login": "ada", "password": PASSWORD});
    api.post("", "/v1/sessions", old).await.expect_error(401, "invalid_credentials");
    api.post("", "/v1/sessions", json!({"login": "ada", "password": NEW})).await.expect(201);
}

#[tokio::test]
async fn an_account_without_a_password_gets_its_first() {
    let api = Api::new();
    let ada = api.person("ada");
    let body = json!({"current_password": "", "password": PASSWORD});
    set(&api, &ada.key, body).await.expect_error(409, "password_required");
    delete(&api, &ada.key, json!({"password": ""})).await.expect_error(409, "password_required");
    set(&api, &ada.key, json!({"password": PASSWORD})).await.expect(204);
    api.log_in(&ada).await;
    set(&api, &ada.key, json!({"password": NEW})).await.expect_error(401, "invalid_credentials");
}

#[tokio::test]
async fn guessing_a_password_with_a_credential_is_slowed_like_a_log_in() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    for _ in 0..6 {
        let body = json!({"current_password": "wrong", "password": NEW});
        set(&api, &ada.key, body).await.expect_error(401, "invalid_credentials");
    }
    let answers = [
        set(&api, &ada.key, json!({"current_password": PASSWORD, "password": NEW})).await,
        delete(&api, &ada.key, json!({"password": PASSWORD})).await,
        api.post(&ada.key, "/v1/account/totp", json!({"password": PASSWORD})).await,
        api.post("", "/v1/sessions", json!({"login": "ada", "password": PASSWORD})).await,
    ];
    for answer in answers {
        assert_eq!(answer.expect_error(429, "too_many_attempts").header("retry-after"), "1");
    }
    api.clock.advance(Duration::from_secs(1));
    set(&api, &ada.key, json!({"current_password": PASSWORD, "password": NEW})).await.expect(204);
}

#[tokio::test]
async fn an_account_is_deleted_with_all_that_it_owns() {
    let api = Api::new();
    let (ada, bob) = (api.person_with_password("ada"), api.person("bob"));
    let session = api.log_in(&ada).await;
    let application = api.application(&ada, "thermostat", "starter").await;
    let path = format!("/v1/applications/{application}");
    let body = json!({"login": "bob", "role": "developer"});
    api.post(&ada.key, &format!("{path}/members"), body).await.expect(201);
    delete(&api, &session, json!({"password": "wrong"})).await.expect_error(401, "invalid_credentials");
    delete(&api, &session, json!({})).await.expect_invalid("password");
    delete(&api, &session, json!({"password": PASSWORD, "user_id": bob.id})).await.expect_invalid("user_id");
    api.get(&bob.key, &path).await.expect(200);
    let answer = delete(&api, &session, json!({"password": PASSWORD})).await.expect(204);
    assert!(answer.body.is_null());
    for credential in [&session, &ada.key] {
        api.get(credential, "/v1/whoami").await.expect_error(401, "invalid_token");
    }
    api.get(&bob.key, &path).await.expect_error(404, "not_found");
    let log_in = json!({"login": "ada", "password": PASSWORD});
    api.post("", "/v1/sessions", log_in).await.expect_error(401, "invalid_credentials");
    // The name and the address are free again.
    let body = json!({"username": "ada", "email": "ada@example.com", "password": PASSWORD});
    api.post("", "/v1/users", body).await.expect(201);
}

#[tokio::test]
async fn deleting_an_account_needs_its_second_factor() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (secret, _) = enable(&api, &ada).await;
    delete(&api, &ada.key, json!({"password": PASSWORD})).await.expect_error(401, "totp_required");
    let body = json!({"password": PASSWORD, "code": "000000"});
    delete(&api, &ada.key, body).await.expect_error(401, "invalid_code");
    api.clock.advance(Duration::from_secs(60));
    let code = code(&api, &secret);
    delete(&api, &ada.key, json!({"password": "wrong", "code": code})).await.expect_error(401, "invalid_credentials");
    delete(&api, &ada.key, json!({"password": PASSWORD, "code": code})).await.expect(204);
    api.get(&ada.key, "/v1/whoami").await.expect_error(401, "invalid_token");
}

#[tokio::test]
async fn an_export_tells_everything_but_secrets() {
    let api = Api::new();
    let (ada, bob) = (api.person_with_password("ada"), api.person("bob"));
    let session = api.log_in(&ada).await;
    let (secret, recovery_codes) = enable(&api, &ada).await;
    let own = api.application(&ada, "thermostat", "starter").await;
    let mut shared = Vec::new();
    for name in ["shared", "left"] {
        let id = api.application(&bob, name, "starter").await;
        let body = json!({"login": "ada", "role": "developer"});
        api.post(&bob.key, &format!("/v1/applications/{id}/members"), body).await.expect(201);
        shared.push(id);
    }
    let leave = format!("/v1/applications/{}/members/{}", shared[1], ada.id);
    api.delete(&ada.key, &leave).await.expect(204);
    let export = api.get(&ada.key, "/v1/account/export").await.expect(200).body;
    let account = &export["account"];
    assert_eq!((&account["username"], &account["email"]), (&json!("ada"), &json!("ada@example.com")));
    assert_eq!((&account["has_password"], &account["recovery_codes_left"]), (&json!(true), &json!(10)));
    assert!(account["totp_enabled_at"].is_string());
    let ids = |list: &str| -> Vec<&str> {
        export[list].as_array().unwrap().iter().map(|thing| thing["id"].as_str().unwrap()).collect()
    };
    assert_eq!(ids("applications"), [own.as_str(), &shared[0]]);
    assert_eq!(export["left_applications"], json!([shared[1]]));
    assert_eq!((ids("api_keys").len(), ids("organizations").len()), (1, 1));
    assert!(ids("events").len() >= 8);
    let text = export.to_string();
    assert!(!text.contains("bob"), "another person's name is theirs");
    let recovery_codes = recovery_codes.iter().map(String::as_str);
    for told in [PASSWORD, &secret, &ada.key, &session, "argon2", "digest"].into_iter().chain(recovery_codes) {
        assert!(!text.contains(told), "{told} is in {text}");
    }
    // What was told is told the next time.
    let again = api.get(&ada.key, "/v1/account/export").await.expect(200);
    assert_eq!(again.body["events"][0]["action"], "account_exported");
}

#[tokio::test]
async fn a_key_for_reading_changes_nothing() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let application = api.application(&ada, "thermostat", "starter").await;
    let application = format!("/v1/applications/{application}");
    let key = narrowed(&api, &ada, json!(["read-only"])).await;
    let devices = format!("{application}/devices");
    for path in ["/v1/whoami", "/v1/account/export", "/v1/audit", "/v1/applications", &application, &devices] {
        api.get(&key, path).await.expect(200);
    }
    for (method, path, body) in [
        ("GET", "/v1/api-keys", json!(null)),
        ("POST", "/v1/api-keys", json!({"name": "wide"})),
        ("DELETE", "/v1/sessions", json!(null)),
        ("POST", "/v1/organizations", json!({"name": "Acme"})),
        ("POST", &devices, json!({"name": "Hall"})),
        ("DELETE", &application, json!(null)),
        ("PUT", "/v1/account/password", json!({"current_password": PASSWORD, "password": NEW})),
        // Nor does it tell whether a password is right.
        ("PUT", "/v1/account/password", json!({"current_password": "wrong", "password": NEW})),
        ("POST", "/v1/account/totp", json!({"password": "wrong"})),
        ("POST", "/v1/account/totp/confirm", json!({"code": "123456"})),
        ("POST", "/v1/account/recovery-codes", json!({"password": "wrong"})),
        ("DELETE", "/v1/account/totp", json!({"password": "wrong"})),
        ("DELETE", "/v1/account", json!({"password": "wrong"})),
        ("DELETE", "/v1/account", json!({"password": PASSWORD})),
    ] {
        api.call(&key, method, path, body).await.expect_error(403, "scope_not_sufficient");
    }
    // What an administrator of an organization alone may see looks as if it did not exist.
    api.get(&key, &format!("/v1/organizations/{}", ada.organization)).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn a_key_for_one_application_knows_no_other() {
    let api = Api::new();
    let ada = api.person("ada");
    let (one, two) = (api.application(&ada, "one", "starter").await, api.application(&ada, "two", "starter").await);
    let key = narrowed(&api, &ada, json!([format!("application:{one}")])).await;
    api.get(&key, &format!("/v1/applications/{one}")).await.expect(200);
    api.post(&key, &format!("/v1/applications/{one}/devices"), json!({"name": "Hall"})).await.expect(201);
    api.get(&key, &format!("/v1/applications/{two}")).await.expect_error(404, "not_found");
    api.post(&key, "/v1/api-keys", json!({"name": "wide"})).await.expect_error(403, "scope_not_sufficient");
}

#[tokio::test]
async fn a_key_for_one_action_does_no_other() {
    let api = Api::new();
    let ada = api.person("ada");
    let application = api.application(&ada, "thermostat", "starter").await;
    let application = format!("/v1/applications/{application}");
    let devices = format!("{application}/devices");
    let key = narrowed(&api, &ada, json!(["action:View", "action:ManageDevices"])).await;
    api.get(&key, &application).await.expect(200);
    api.post(&key, &devices, json!({"name": "Hall"})).await.expect(201);
    api.delete(&key, &application).await.expect_error(403, "scope_not_sufficient");
    let push = narrowed(&api, &ada, json!(["action:Push"])).await;
    api.get(&push, &application).await.expect_error(404, "not_found");
    api.post(&push, "/v1/api-keys", json!({"name": "wide"})).await.expect_error(403, "scope_not_sufficient");
}
