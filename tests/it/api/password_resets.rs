//! A new password by a mailed link.

use std::time::Duration;

use serde_json::json;

use super::fixture::{Api, PASSWORD};
use super::totp::{code, enable};

const ASK: &str = "/v1/password-resets";
const COMPLETE: &str = "/v1/password-resets/complete";
const NEW: &str = "another horse, another battery";

#[tokio::test]
async fn whoever_asks_does_not_learn_who_has_an_account() {
    let api = Api::with_mail();
    api.person_with_password("ada");
    let mut answers = Vec::new();
    for (email, letters) in [("nobody@example.com", 0), ("ada@example.com", 1), ("ADA@example.com", 1)] {
        answers.push(api.post("", ASK, json!({"email": email})).await.expect(202));
        assert_eq!(api.letters().len(), letters, "{email}");
    }
    for answer in &answers {
        assert!(answer.body.is_null());
        assert_eq!(answer.headers, answers[0].headers);
    }
    for email in ["", "ada", "a@b@example.com"] {
        api.post("", ASK, json!({"email": email})).await.expect_invalid("email");
    }
    api.post("", ASK, json!({"email": "ada@example.com", "url": "https://evil.example"})).await.expect_invalid("url");
}

#[tokio::test]
async fn without_mail_there_are_no_links() {
    let api = Api::new();
    api.person("ada");
    for email in ["ada@example.com", "nobody@example.com"] {
        api.post("", ASK, json!({"email": email})).await.expect_error(409, "mail_not_configured");
    }
}

#[tokio::test]
async fn a_link_sets_a_new_password_once_and_ends_all_sessions() {
    let api = Api::with_mail();
    let ada = api.person_with_password("ada");
    let session = api.log_in(&ada).await;
    api.post("", ASK, json!({"email": "ada@example.com"})).await.expect(202);
    let token = api.mailed_token();
    // One that is refused for its password is not used up.
    for password in ["short", "12345678", "ada@example.com"] {
        api.post("", COMPLETE, json!({"token": token, "password": password})).await.expect_invalid("password");
    }
    api.post("", COMPLETE, json!({"token": token, "password": NEW, "user_id": ada.id})).await.expect_invalid("user_id");
    api.get(&session, "/v1/whoami").await.expect(200);
    let answer = api.post("", COMPLETE, json!({"token": token, "password": NEW})).await.expect(204);
    assert!(answer.body.is_null());
    api.get(&session, "/v1/whoami").await.expect_error(401, "invalid_token");
    api.get(&ada.key, "/v1/whoami").await.expect(200);
    let old = json!({"login": "ada", "password": PASSWORD});
    api.post("", "/v1/sessions", old).await.expect_error(401, "invalid_credentials");
    api.post("", "/v1/sessions", json!({"login": "ada", "password": NEW})).await.expect(201);
    api.post("", COMPLETE, json!({"token": token, "password": PASSWORD})).await.expect_error(422, "invalid_link");
    let letters = api.letters();
    let [[to, ..]] = letters.as_slice() else { panic!("{letters:?}") };
    assert_eq!(to, "ada@example.com", "the owner is told");
}

#[tokio::test]
async fn a_link_ends_after_an_hour_or_with_another_password() {
    let api = Api::with_mail();
    let ada = api.person_with_password("ada");
    let mut tokens = Vec::new();
    for _ in 0..3 {
        api.post("", ASK, json!({"email": "ada@example.com"})).await.expect(202);
        tokens.push(api.mailed_token());
    }
    api.post("", COMPLETE, json!({"token": tokens[0], "password": NEW})).await.expect(204);
    api.post("", COMPLETE, json!({"token": tokens[1], "password": NEW})).await.expect_error(422, "invalid_link");
    api.letters();
    for _ in 0..2 {
        api.post("", ASK, json!({"email": "ada@example.com"})).await.expect(202);
        tokens.push(api.mailed_token());
    }
    api.clock.advance(Duration::from_secs(3_600));
    api.post("", COMPLETE, json!({"token": tokens[3], "password": NEW})).await.expect_error(422, "invalid_link");
    api.post("", ASK, json!({"email": "ada@example.com"})).await.expect(202);
    let token = api.mailed_token();
    let body = json!({"current_password": NEW, "password": PASSWORD});
    api.call(&ada.key, "PUT", "/v1/account/password", body).await.expect(204);
    api.post("", COMPLETE, json!({"token": token, "password": NEW})).await.expect_error(422, "invalid_link");
    for token in ["", "x", &"a".repeat(43)] {
        api.post("", COMPLETE, json!({"token": token, "password": NEW})).await.expect_error(422, "invalid_link");
    }
}

#[tokio::test]
async fn a_new_password_does_not_skip_the_second_factor() {
    let api = Api::with_mail();
    let ada = api.person_with_password("ada");
    let (secret, _) = enable(&api, &ada).await;
    api.post("", ASK, json!({"email": "ada@example.com"})).await.expect(202);
    let token = api.mailed_token();
    api.post("", COMPLETE, json!({"token": token, "password": NEW})).await.expect(204);
    let body = json!({"login": "ada", "password": NEW});
    api.post("", "/v1/sessions", body).await.expect_error(401, "totp_required");
    api.clock.advance(Duration::from_secs(60));
    let body = json!({"login": "ada", "password": NEW, "code": code(&api, &secret)});
    api.post("", "/v1/sessions", body).await.expect(201);
}

#[tokio::test]
async fn nobody_floods_an_address_with_links() {
    let api = Api::with_mail();
    api.person_with_password("ada");
    for email in ["ada@example.com", "nobody@example.com"] {
        for _ in 0..6 {
            api.post("", ASK, json!({"email": email})).await.expect(202);
        }
        let answer = api.post("", ASK, json!({"email": email})).await.expect_error(429, "too_many_attempts");
        assert_eq!(answer.header("retry-after"), "1");
    }
    // Which slows nobody's log-in.
    api.post("", "/v1/sessions", json!({"login": "ada", "password": PASSWORD})).await.expect(201);
}
