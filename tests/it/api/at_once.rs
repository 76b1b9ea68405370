//! Twenty at once: what may be used once has one winner, and what may be used again has twenty.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::fixture::{Api, PASSWORD};
use super::totp::{code, enable};

/// Makes the same call twenty times at once; gives the statuses, in order.
async fn twenty(api: &Arc<Api>, credential: &str, path: &'static str, body: Value) -> Vec<u16> {
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let (api, credential, body) = (Arc::clone(api), credential.to_owned(), body.clone());
        calls.spawn(async move { api.call(&credential, "POST", path, body).await.status });
    }
    let mut statuses = calls.join_all().await;
    statuses.sort_unstable();
    statuses
}

fn winners(statuses: &[u16], won: u16, lost: &[u16]) -> usize {
    assert!(statuses.iter().all(|status| *status == won || lost.contains(status)), "{statuses:?}");
    statuses.iter().filter(|status| **status == won).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_refreshes_of_one_session_give_twenty_sessions() {
    let api = Arc::new(Api::new());
    let ada = api.person_with_password("ada");
    let session = api.log_in(&ada).await;
    let statuses = twenty(&api, &session, "/v1/sessions/refresh", Value::Null).await;
    assert_eq!(winners(&statuses, 201, &[]), 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_uses_of_one_reset_link_one_wins() {
    let api = Arc::new(Api::with_mail());
    api.person_with_password("ada");
    api.post("", "/v1/password-resets", json!({"email": "ada@example.com"})).await.expect(202);
    let body = json!({"token": api.mailed_token(), "password": "another horse, another battery"});
    let statuses = twenty(&api, "", "/v1/password-resets/complete", body).await;
    assert_eq!(winners(&statuses, 204, &[422]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_uses_of_one_sign_up_link_one_wins() {
    let api = Arc::new(Api::with_mail());
    let new = json!({"username": "eve", "email": "eve@example.com", "password": PASSWORD});
    api.post("", "/v1/users", new).await.expect(202);
    let statuses = twenty(&api, "", "/v1/users/confirm", json!({"token": api.mailed_token()})).await;
    assert_eq!(winners(&statuses, 201, &[422]), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_uses_of_one_code_one_wins() {
    let api = Arc::new(Api::new());
    let ada = api.person_with_password("ada");
    let (secret, recovery_codes) = enable(&api, &ada).await;
    api.clock.advance(std::time::Duration::from_secs(30));
    for code in [code(&api, &secret), recovery_codes[0].clone()] {
        let body = json!({"login": "ada", "password": PASSWORD, "code": code});
        // Those that come after too many failures are not looked at.
        let statuses = twenty(&api, "", "/v1/sessions", body).await;
        assert_eq!(winners(&statuses, 201, &[401, 429]), 1);
        api.clock.advance(std::time::Duration::from_secs(24 * 3_600));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_twenty_confirmations_of_one_pairing_one_wins() {
    let api = Arc::new(Api::new());
    let ada = api.person_with_password("ada");
    let pairing = api.post(&ada.key, "/v1/account/totp", json!({"password": PASSWORD})).await.expect(201);
    let body = json!({"code": code(&api, &pairing.text("secret"))});
    let statuses = twenty(&api, &ada.key, "/v1/account/totp/confirm", body).await;
    assert_eq!(winners(&statuses, 200, &[409]), 1);
}
