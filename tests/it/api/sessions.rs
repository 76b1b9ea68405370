//! Log-in, refresh, sign out everywhere.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Api, PASSWORD};

#[tokio::test]
async fn username_or_address_and_password_give_a_token_for_seven_days() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    for login in ["ada", "Ada", "ada@example.com", "ADA@Example.com"] {
        let body = json!({"login": login, "password": PASSWORD});
        let answer = api.post("", "/v1/sessions", body).await.expect(201);
        assert_eq!(answer.body.as_object().unwrap().len(), 2);
        assert_eq!(answer.body["expires_at"], "2027-01-22T08:00:00.000000Z");
        let me = api.get(&answer.text("token"), "/v1/whoami").await.expect(200);
        assert_eq!(me.body["id"], json!(ada.id));
        assert_eq!(me.body["credential"]["kind"], "session");
        assert_eq!(me.body["credential"]["expires_at"], answer.body["expires_at"]);
    }
    let body = json!({"login": "ada", "password": PASSWORD, "code": "123456"});
    api.post("", "/v1/sessions", body).await.expect(201);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_account_are_answered_alike() {
    let api = Api::new();
    api.person_with_password("ada");
    api.person("keyed");
    let mut answers = Vec::new();
    for (login, password) in [
        ("ada", "wrong horse battery staple"),
        ("ada", ""),
        ("nobody", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("keyed", PASSWORD),
        ("", PASSWORD),
        ("no\u{0}body", PASSWORD),
        ("a@b@c", PASSWORD),
    ] {
        let answer = api.post("", "/v1/sessions", json!({"login": login, "password": password})).await;
        answers.push(answer.expect_error(401, "invalid_credentials"));
    }
    for answer in &answers {
        assert_eq!((&answer.body, &answer.headers), (&answers[0].body, &answers[0].headers));
    }
}

#[tokio::test]
async fn a_session_token_is_refreshed_and_ends_after_seven_days() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let first = api.log_in(&ada).await;
    api.clock.advance(Duration::from_secs(6 * 86_400));
    let answer = api.post(&first, "/v1/sessions/refresh", json!(null)).await.expect(201);
    assert_eq!(answer.body["expires_at"], "2027-01-28T08:00:00.000000Z");
    let second = answer.text("token");
    api.get(&first, "/v1/whoami").await.expect(200);
    api.clock.advance(Duration::from_secs(86_400));
    api.get(&first, "/v1/whoami").await.expect_error(401, "invalid_token");
    api.post(&first, "/v1/sessions/refresh", json!(null)).await.expect_error(401, "invalid_token");
    api.get(&second, "/v1/whoami").await.expect(200);
}

#[tokio::test]
async fn an_api_key_is_not_refreshed_to_a_session() {
    let api = Api::new();
    let ada = api.person("ada");
    api.post(&ada.key, "/v1/sessions/refresh", json!(null)).await.expect_error(403, "session_required");
    api.post("", "/v1/sessions/refresh", json!(null)).await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn signing_out_everywhere_ends_all_tokens_at_once_and_no_api_key() {
    let api = Api::new();
    let (ada, bob) = (api.person_with_password("ada"), api.person_with_password("bob"));
    let (laptop, phone, other) = (api.log_in(&ada).await, api.log_in(&ada).await, api.log_in(&bob).await);
    for token in [&laptop, &phone, &other] {
        api.get(token, "/v1/whoami").await.expect(200);
    }
    let answer = api.delete(&laptop, "/v1/sessions").await.expect(204);
    assert!(answer.body.is_null());
    for token in [&laptop, &phone] {
        api.get(token, "/v1/whoami").await.expect_error(401, "invalid_token");
        api.post(token, "/v1/sessions/refresh", json!(null)).await.expect_error(401, "invalid_token");
    }
    for credential in [&ada.key, &other] {
        api.get(credential, "/v1/whoami").await.expect(200);
    }
    api.clock.advance(Duration::from_millis(1));
    let again = api.log_in(&ada).await;
    api.get(&again, "/v1/whoami").await.expect(200);
    api.delete("", "/v1/sessions").await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn a_log_in_says_exactly_what_it_needs() {
    let api = Api::new();
    for (body, field) in [
        (json!({"password": "x"}), "login"),
        (json!({"login": "ada"}), "password"),
        (json!({"login": 1, "password": "x"}), "login"),
        (json!({"login": "ada", "password": ["hunter2"]}), "password"),
        (json!({"login": "ada", "password": "x", "code": 123_456}), "code"),
        (json!({"login": "ada", "password": "x", "user_id": "y"}), "user_id"),
    ] {
        let answer = api.post("", "/v1/sessions", body).await.expect_invalid(field);
        assert!(!answer.text("detail").contains("hunter2"));
    }
    api.post("", "/v1/sessions", json!(["ada", PASSWORD, null])).await.expect_error(422, "invalid");
}
