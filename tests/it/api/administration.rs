//! What the console does with accounts, as the accounts' owners and whoever guesses see it.

use std::time::Duration;

use gatepost::accounts::Actor;
use serde_json::json;

use super::fixture::{Api, PASSWORD, Person};
use super::totp::{code, enable};

const NEW: &str = "another horse, another battery";

/// So many log-ins, or other proofs, have ended so.
fn counted(api: &Api, metric: &str, outcome: &str) -> u32 {
    let start = format!("gatepost_{metric}_total{{outcome=\"{outcome}\"}} ");
    let metrics = api.app.metrics.render();
    metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

fn disable(api: &Api, person: &Person) {
    api.accounts().disable_user(&Actor::console(), person.id).unwrap();
}

#[tokio::test]
async fn a_log_in_to_a_disabled_account_is_answered_as_one_to_none_also_with_the_right_password() {
    let api = Api::new();
    let (ada, devi) = (api.person_with_password("ada"), api.person_with_password("devi"));
    let session = api.log_in(&ada).await;
    enable(&api, &devi).await;
    disable(&api, &ada);
    disable(&api, &devi);
    let mut answers = Vec::new();
    for (login, password) in [("nobody", PASSWORD), ("ada", PASSWORD), ("ada", "wrong"), ("devi", PASSWORD)] {
        let answer = api.post("", "/v1/sessions", json!({"login": login, "password": password})).await;
        answers.push(answer.expect_error(401, "invalid_credentials"));
    }
    for answer in &answers {
        assert_eq!((&answer.body, &answer.headers), (&answers[0].body, &answers[0].headers));
    }
    for credential in [&ada.key, &session, &devi.key] {
        api.get(credential, "/v1/whoami").await.expect_error(401, "invalid_token");
    }
    api.post(&session, "/v1/sessions/refresh", json!(null)).await.expect_error(401, "invalid_token");
    let other = api.person("other");
    let answer = api.submit(&other.key, "/v1/introspect", &format!("token={}", ada.key)).await.expect(200);
    assert_eq!(answer.body, json!({"active": false}));

    assert!(api.accounts().enable_user(&Actor::console(), ada.id).unwrap());
    api.get(&ada.key, "/v1/whoami").await.expect(200);
    api.get(&session, "/v1/whoami").await.expect_error(401, "invalid_token");
    api.clock.advance(Duration::from_millis(1));
    let again = api.log_in(&ada).await;
    api.get(&again, "/v1/whoami").await.expect(200);
}

#[tokio::test]
async fn a_disabled_account_is_mailed_no_link_and_one_from_before_is_worth_nothing() {
    let api = Api::with_mail();
    let ada = api.person_with_password("ada");
    api.post("", "/v1/password-resets", json!({"email": "ada@example.com"})).await.expect(202);
    let token = api.mailed_token();
    disable(&api, &ada);
    api.post("", "/v1/password-resets", json!({"email": "ada@example.com"})).await.expect(202);
    assert_eq!(api.letters().len(), 0);
    let complete = json!({"token": token, "password": NEW});
    for _ in 0..2 {
        let answer = api.post("", "/v1/password-resets/complete", complete.clone()).await;
        answer.expect_error(422, "invalid_link");
        api.accounts().enable_user(&Actor::console(), ada.id).unwrap();
    }
}

#[tokio::test]
async fn a_password_that_was_taken_is_replaced_by_a_mailed_link_only() {
    let api = Api::with_mail();
    let ada = api.person_with_password("ada");
    let session = api.log_in(&ada).await;
    api.accounts().mail_password_reset(&Actor::console(), ada.id).unwrap();
    api.get(&session, "/v1/whoami").await.expect_error(401, "invalid_token");
    let old = json!({"login": "ada", "password": PASSWORD});
    api.post("", "/v1/sessions", old).await.expect_error(401, "invalid_credentials");
    // Whoever has a key of the account cannot make the password theirs.
    for body in [json!({"password": NEW}), json!({"current_password": PASSWORD, "password": NEW})] {
        let answer = api.call(&ada.key, "PUT", "/v1/account/password", body).await;
        answer.expect_error(401, "invalid_credentials");
    }
    let token = api.mailed_token();
    let complete = json!({"token": token, "password": NEW});
    api.post("", "/v1/password-resets/complete", complete).await.expect(204);
    api.post("", "/v1/sessions", json!({"login": "ada", "password": NEW})).await.expect(201);
}

#[tokio::test]
async fn a_new_password_from_the_console_ends_sessions_and_keeps_the_second_factor_until_that_is_taken() {
    let api = Api::with_mail();
    let ada = api.person_with_password("ada");
    let (secret, recovery_codes) = enable(&api, &ada).await;
    let console = Actor::console();
    api.accounts().reset_password(&console, ada.id, &gatepost::secret::Secret::new(NEW.to_owned())).unwrap();
    let letters = api.letters();
    assert!(letters.len() == 1 && letters[0][1] == "Your password was changed", "{letters:?}");
    let log_in = |code| json!({"login": "ada", "password": NEW, "code": code});
    api.post("", "/v1/sessions", log_in(json!(null))).await.expect_error(401, "totp_required");
    api.clock.advance(Duration::from_secs(60));
    let session = api.post("", "/v1/sessions", log_in(json!(code(&api, &secret)))).await.expect(201).text("token");

    api.clock.advance(Duration::from_secs(60));
    api.accounts().reset_totp(&console, ada.id).unwrap();
    api.get(&session, "/v1/whoami").await.expect_error(401, "invalid_token");
    api.clock.advance(Duration::from_secs(60));
    api.post("", "/v1/sessions", log_in(json!(null))).await.expect(201);
    // The old codes are gone, and come back with no other factor.
    let (_, codes) = enable_with(&api, &ada, NEW).await;
    assert!(recovery_codes.iter().all(|old| !codes.contains(old)));
    api.post("", "/v1/sessions", log_in(json!(recovery_codes[0]))).await.expect_error(401, "invalid_code");
}

async fn enable_with(api: &Api, person: &Person, password: &str) -> (String, Vec<String>) {
    let secret =
        api.post(&person.key, "/v1/account/totp", json!({"password": password})).await.expect(201).text("secret");
    let body = json!({"code": code(api, &secret)});
    let answer = api.post(&person.key, "/v1/account/totp/confirm", body).await.expect(200);
    let codes = answer.body["recovery_codes"].as_array().unwrap();
    (secret, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

#[tokio::test]
async fn log_ins_are_counted_by_how_they_ended() {
    let api = Api::new();
    let (ada, devi) = (api.person_with_password("ada"), api.person_with_password("devi"));
    enable(&api, &devi).await;
    disable(&api, &ada);
    let log_in = async |body| drop(api.post("", "/v1/sessions", body).await);
    log_in(json!({"login": "ada", "password": PASSWORD})).await;
    log_in(json!({"login": "devi", "password": PASSWORD})).await;
    log_in(json!({"login": "devi", "password": PASSWORD, "code": "000000"})).await;
    for _ in 0..8 {
        log_in(json!({"login": "nobody", "password": "hunter2"})).await;
    }
    for (outcome, expected) in [
        ("accepted", 0),
        ("disabled", 1),
        ("code_needed", 1),
        ("wrong_code", 1),
        ("wrong_credentials", 6),
        ("throttled", 2),
        ("unavailable", 0),
    ] {
        assert_eq!(counted(&api, "log_ins", outcome), expected, "{outcome}");
    }
    // No event: whoever guesses would decide how much is kept for good.
    let events = api.accounts().history(&Actor::console(), gatepost::accounts::History::Of(devi.id), None, 9).unwrap();
    assert!(events.iter().all(|event| ["user_created", "api_key_created", "totp_enabled"].contains(&&*event.action)));

    let body = json!({"current_password": "hunter2", "password": NEW});
    api.call(&devi.key, "PUT", "/v1/account/password", body).await.expect_error(401, "invalid_credentials");
    assert_eq!(counted(&api, "reauthentications", "wrong_credentials"), 1);
    assert_eq!(counted(&api, "reauthentications", "accepted"), 1, "to enable two-factor authentication");
}
