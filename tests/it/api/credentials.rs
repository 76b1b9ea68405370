//! What is, and what is not, a credential of the management API.

use axum::body::Body;
use axum::http::{HeaderValue, Request};
use serde_json::json;

use super::answer::Answer;
use super::fixture::Api;

const CHALLENGE: &str = "Bearer realm=\"gatepost\"";
const CHALLENGE_INVALID: &str = "Bearer realm=\"gatepost\", error=\"invalid_token\"";

async fn with_headers(api: &Api, headers: &[(&'static str, &[u8])]) -> Answer {
    let mut request = Request::get("/v1/whoami").header("host", "api.example.com");
    for (name, value) in headers {
        request = request.header(*name, HeaderValue::from_bytes(value).unwrap());
    }
    api.send(request.body(Body::empty()).unwrap()).await
}

async fn with_authorization(api: &Api, value: impl AsRef<[u8]>) -> Answer {
    with_headers(api, &[("authorization", value.as_ref())]).await
}

#[tokio::test]
async fn the_caller_is_told_who_it_is() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada"), api.person_with_password("bob"));
    let answer = api.get(&ada.key, "/v1/whoami").await.expect(200);
    let listed = api.get(&ada.key, "/v1/api-keys").await;
    assert_eq!(
        answer.body,
        json!({
            "id": ada.id, "username": "ada", "email": "ada@example.com", "totp_enabled": false, "has_password": false,
            "credential": {"kind": "api_key", "id": listed.items()[0]["id"], "expires_at": null},
        })
    );
    let token = api.log_in(&bob).await;
    let answer = api.get(&token, "/v1/whoami").await.expect(200);
    assert_eq!((&answer.body["id"], &answer.body["has_password"]), (&json!(bob.id), &json!(true)));
}

#[tokio::test]
async fn the_scheme_is_bearer_in_any_case() {
    let api = Api::new();
    let key = api.person("ada").key;
    for scheme in ["Bearer ", "bearer ", "BEARER ", "Bearer  "] {
        with_authorization(&api, format!("{scheme}{key}")).await.expect(200);
    }
}

#[tokio::test]
async fn whoever_sends_no_bearer_credential_is_not_authenticated() {
    let api = Api::new();
    let key = api.person("ada").key;
    let answer = with_headers(&api, &[]).await.expect_error(401, "unauthenticated");
    assert_eq!(answer.header("www-authenticate"), CHALLENGE);
    for value in [String::new(), "Basic eDp5".to_owned(), format!("Token {key}"), key.clone(), format!("Bearer{key}")] {
        let answer = with_authorization(&api, &value).await.expect_error(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), CHALLENGE, "{value}");
    }
    // Nothing else carries one.
    for header in ["x-api-key", "proxy-authorization", "x-authorization", "cookie", "remote-user"] {
        let value = format!("Bearer {key}");
        with_headers(&api, &[(header, value.as_bytes())]).await.expect_error(401, "unauthenticated");
    }
    api.get("", &format!("/v1/whoami?access_token={key}")).await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn a_credential_that_is_not_exactly_one_that_was_issued_is_invalid() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let (key, token) = (ada.key.as_str(), api.log_in(&ada).await);
    let (signed, _) = token.rsplit_once('.').unwrap();
    let huge = "a".repeat(100_000);
    for credential in [
        "",
        "gp_",
        "null",
        "ada@example.com",
        &key[..51],
        &format!("{key}0"),
        &key.to_uppercase(),
        &format!("gp_{}", "0".repeat(49)),
        &token[..token.len() - 1],
        &format!("{token}="),
        &format!("{token} x"),
        signed,
        &format!("{signed}."),
        "..",
        "eyJhbGciOiJub25lIn0.e30.",
        "\u{e9}\u{1F600}",
        &huge,
        &format!("gp_{huge}"),
    ] {
        let answer = with_authorization(&api, format!("Bearer {credential}")).await;
        let answer = answer.expect_error(401, "invalid_token");
        assert_eq!(answer.header("www-authenticate"), CHALLENGE_INVALID);
    }
    with_authorization(&api, b"Bearer gp_\xff\xfe").await.expect_error(401, "invalid_token");
    with_authorization(&api, b"\xff").await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn several_credentials_are_ambiguous_even_if_they_agree() {
    let api = Api::new();
    let (ada, bob) = (api.person("ada").key, api.person("bob").key);
    let bearer = |key: &str| format!("Bearer {key}");
    let (a, b) = (bearer(&ada), bearer(&bob));
    for second in [a.as_bytes(), b.as_bytes(), b"", b"Basic eDp5"] {
        let headers = [("authorization", a.as_bytes()), ("authorization", second)];
        with_headers(&api, &headers).await.expect_error(400, "ambiguous_credentials");
    }
    for value in [format!("{a}, {b}"), format!("{a},{b}"), format!("{a},"), format!(", {a}")] {
        with_authorization(&api, &value).await.expect_error(400, "ambiguous_credentials");
    }
}

#[tokio::test]
async fn the_credential_is_asked_for_before_the_body_is_looked_at() {
    let api = Api::new();
    for (content_type, body) in [("text/plain", "x"), ("application/json", "{"), ("application/json", "{\"a\": 1}")] {
        for path in ["/v1/api-keys", "/v1/organizations", "/v1/applications", "/v1/applications/x/devices"] {
            let request = Request::post(path).header("host", "a.test").header("content-type", content_type);
            api.send(request.body(Body::from(body)).unwrap()).await.expect_error(401, "unauthenticated");
        }
    }
}

#[tokio::test]
async fn every_resource_but_log_in_and_the_public_keys_needs_a_credential() {
    let api = Api::new();
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    for (method, path) in [
        ("POST", "/v1/sessions/refresh".to_owned()),
        ("DELETE", "/v1/sessions".to_owned()),
        ("GET", "/v1/whoami".to_owned()),
        ("HEAD", "/v1/whoami".to_owned()),
        ("GET", "/v1/api-keys".to_owned()),
        ("POST", "/v1/api-keys".to_owned()),
        ("POST", "/v1/api-keys/revoke".to_owned()),
        ("DELETE", format!("/v1/api-keys/{id}")),
        ("GET", "/v1/organizations".to_owned()),
        ("POST", "/v1/organizations".to_owned()),
        ("PUT", format!("/v1/organizations/{id}/plan")),
        ("GET", format!("/v1/organizations/{id}/administrators")),
        ("POST", format!("/v1/organizations/{id}/administrators")),
        ("DELETE", format!("/v1/organizations/{id}/administrators/{id}")),
        ("GET", "/v1/applications".to_owned()),
        ("POST", "/v1/applications".to_owned()),
        ("GET", format!("/v1/applications/{id}")),
        ("DELETE", format!("/v1/applications/{id}")),
        ("GET", format!("/v1/applications/{id}/members")),
        ("POST", format!("/v1/applications/{id}/members")),
        ("PATCH", format!("/v1/applications/{id}/members/{id}")),
        ("DELETE", format!("/v1/applications/{id}/members/{id}")),
        ("GET", format!("/v1/applications/{id}/devices")),
        ("POST", format!("/v1/applications/{id}/devices")),
        ("DELETE", format!("/v1/applications/{id}/devices/{id}")),
    ] {
        for (credential, challenge) in [("", CHALLENGE), ("x", CHALLENGE_INVALID)] {
            let answer = api.call(credential, method, &path, json!(null)).await.expect(401);
            assert_eq!(answer.header("www-authenticate"), challenge, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn the_credentials_of_a_deleted_account_are_refused_at_once() {
    let api = Api::new();
    let ada = api.person_with_password("ada");
    let token = api.log_in(&ada).await;
    for credential in [&token, &ada.key] {
        api.get(credential, "/v1/whoami").await.expect(200);
    }
    api.app.accounts.delete_user(&gatepost::accounts::Actor::console(), ada.id).unwrap();
    for credential in [&token, &ada.key] {
        api.get(credential, "/v1/whoami").await.expect_error(401, "invalid_token");
    }
}
