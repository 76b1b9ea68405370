//! Two-factor authentication.

use std::time::Duration;

use gatepost::clock::Clock;
use serde_json::{Value, json};

use super::answer::Answer;
use super::fixture::{Api, PASSWORD, Person};

const TOTP: &str = "/v1/account/totp";
const CONFIRM: &str = "/v1/account/totp/confirm";
const RECOVERY_CODES: &str = "/v1/account/recovery-codes";

/// What an authenticator with this secret shows now.
pub fn code(api: &Api, secret: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(secret).unwrap();
    let authenticator = totp_rs::Builder::new().with_secret(secret).build_noncompliant();
    authenticator.generate(api.clock.now().as_secs().try_into().unwrap()).to_string()
}

/// Enables two-factor authentication: gives the secret and the recovery codes.
pub async fn enable(api: &Api, person: &Person) -> (String, Vec<String>) {
    let secret = api.post(&person.key, TOTP, json!({"password": PASSWORD})).await.expect(201).text("secret");
    let answer = api.post(&person.key, CONFIRM, json!({"code": code(api, &secret)})).await.expect(200);
    (secret, recovery_codes(&answer))
}

fn recovery_codes(answer: &Answer) -> Vec<String> {
    let codes = answer.body["recovery_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

async fn log_in(api: &Api, code: Value) -> Answer {
    api.post("", "/v1/sessions", json!({"login": "ada", "password": PASSWORD, "code": code})).await
}

async fn totp_enabled(api: &Api, person: &Person) -> bool {
    api.get(&person.key, "/v1/whoami").await.expect(200).body["totp_enabled"].as_bool().unwrap()
}

#[tokio::test]
async fn nothing_is_enabled_before_a_code_was_confirmed() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    api.post(&ada.key, CONFIRM, json!({"code": "123456"})).await.expect_error(404, "not_found");
    let first = api.post(&ada.key, TOTP, json!({"password": PASSWORD})).await.expect(201);
    let pairing = api.post(&ada.key, TOTP, json!({"password": PASSWORD})).await.expect(201);
    assert_eq!(pairing.body.as_object().unwrap().len(), 3);
    let secret = pairing.text("secret");
    assert!(pairing.text("uri").starts_with("otpauth://totp/gatepost:ada?secret="), "{pairing:?}");
    assert!(pairing.text("uri").contains(&secret));
    assert!(pairing.text("qr_svg").starts_with("<svg "));
    assert!(!totp_enabled(&api, &ada).await);
    log_in(&api, json!(null)).await.expect(201);
    // The pairing that was begun before has ended.
    let wrong = code(&api, &first.text("secret"));
    api.post(&ada.key, CONFIRM, json!({"code": wrong})).await.expect_error(401, "invalid_code");
    assert!(!totp_enabled(&api, &ada).await);
    let answer = api.post(&ada.key, CONFIRM, json!({"code": code(&api, &secret)})).await.expect(200);
    let mut codes = recovery_codes(&answer);
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 10);
    assert!(totp_enabled(&api, &ada).await);
    api.post(&ada.key, CONFIRM, json!({"code": code(&api, &secret)})).await.expect_error(409, "already_exists");
    api.post(&ada.key, TOTP, json!({"password": PASSWORD})).await.expect_error(409, "already_exists");
}

#[tokio::test]
async fn each_change_needs_the_password() {
    let api = Api::new();
    let (ada, bob) = (api.person_with_password("ada"), api.person("bob"));
    let calls = [("POST", TOTP), ("POST", RECOVERY_CODES), ("DELETE", TOTP)];
    for (method, path) in calls {
        let wrong = json!({"password": "wrong"});
        api.call(&bob.key, method, path, wrong.clone()).await.expect_error(409, "password_required");
        api.call(&ada.key, method, path, wrong).await.expect_error(401, "invalid_credentials");
        api.call(&ada.key, method, path, json!({})).await.expect_invalid("password");
        let other = json!({"password": PASSWORD, "user_id": bob.id});
        api.call(&ada.key, method, path, other).await.expect_invalid("user_id");
    }
    let right = json!({"password": PASSWORD});
    api.call(&ada.key, "POST", RECOVERY_CODES, right.clone()).await.expect_error(404, "not_found");
    api.call(&ada.key, "DELETE", TOTP, right).await.expect_error(404, "not_found");
}

#[tokio::test]
async fn a_log_in_needs_a_code_and_takes_each_once() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (secret, _) = enable(&api, &ada).await;
    // The code that confirmed the pairing is used up.
    log_in(&api, json!(code(&api, &secret))).await.expect_error(401, "invalid_code");
    log_in(&api, json!(null)).await.expect_error(401, "totp_required");
    log_in(&api, json!("")).await.expect_error(401, "totp_required");
    let wrong = json!({"login": "ada", "password": "wrong", "code": code(&api, &secret)});
    api.post("", "/v1/sessions", wrong).await.expect_error(401, "invalid_credentials");
    api.clock.advance(Duration::from_secs(60));
    let now = code(&api, &secret);
    let token = log_in(&api, json!(now)).await.expect(201).text("token");
    api.get(&token, "/v1/whoami").await.expect(200);
    log_in(&api, json!(now)).await.expect_error(401, "invalid_code");
}

#[tokio::test]
async fn what_is_no_code_is_wrong() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    enable(&api, &ada).await;
    for code in ["12345", "1234567", "\u{661}\u{662}\u{663}\u{664}\u{665}\u{666}", "abcd-efgh-jkmn"] {
        log_in(&api, json!(code)).await.expect_error(401, "invalid_code");
    }
    log_in(&api, json!(123_456)).await.expect_invalid("code");
}

#[tokio::test]
async fn a_recovery_code_works_once_and_until_there_are_new_ones() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (_, old) = enable(&api, &ada).await;
    log_in(&api, json!(old[0])).await.expect(201);
    log_in(&api, json!(old[0])).await.expect_error(401, "invalid_code");
    log_in(&api, json!(old[1].to_uppercase().replace('-', ""))).await.expect(201);
    let answer = api.post(&ada.key, RECOVERY_CODES, json!({"password": PASSWORD})).await.expect(200);
    let new = recovery_codes(&answer);
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(code)));
    log_in(&api, json!(old[2])).await.expect_error(401, "invalid_code");
    log_in(&api, json!(new[2])).await.expect(201);
}

#[tokio::test]
async fn once_disabled_no_code_is_needed() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (_, codes) = enable(&api, &ada).await;
    api.call(&ada.key, "DELETE", TOTP, json!({"password": PASSWORD})).await.expect(204);
    assert!(!totp_enabled(&api, &ada).await);
    log_in(&api, json!(null)).await.expect(201);
    // Nor do the recovery codes come back with another authenticator.
    api.clock.advance(Duration::from_secs(60));
    enable(&api, &ada).await;
    log_in(&api, json!(codes[0])).await.expect_error(401, "invalid_code");
}

#[tokio::test]
async fn guessing_codes_is_slowed() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (secret, _) = enable(&api, &ada).await;
    api.clock.advance(Duration::from_secs(60));
    for _ in 0..6 {
        log_in(&api, json!("abcdef")).await.expect_error(401, "invalid_code");
    }
    let answer = log_in(&api, json!(code(&api, &secret))).await.expect_error(429, "too_many_attempts");
    assert_eq!(answer.header("retry-after"), "1");
    api.clock.advance(Duration::from_secs(1));
    log_in(&api, json!(code(&api, &secret))).await.expect(201);
    // A pairing is guessed at no faster.
    let bob = api.person_with_password("bob");
    api.post(&bob.key, TOTP, json!({"password": PASSWORD})).await.expect(201);
    for _ in 0..6 {
        api.post(&bob.key, CONFIRM, json!({"code": "abcdef"})).await.expect_error(401, "invalid_code");
    }
    api.post(&bob.key, CONFIRM, json!({"code": "abcdef"})).await.expect_error(429, "too_many_attempts");
}

#[tokio::test]
async fn secrets_are_shown_once() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (secret, codes) = enable(&api, &ada).await;
    for path in ["/v1/whoami", "/v1/account/export", "/v1/audit"] {
        let told = api.get(&ada.key, path).await.expect(200).body.to_string();
        for secret in codes.iter().chain([&secret]) {
            assert!(!told.contains(secret), "{path}");
        }
    }
}
