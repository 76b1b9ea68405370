//! What a credential is worth (RFC 7662).

use axum::body::Body;
use axum::http::Request;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost::accounts::{Actor, NewApiKey};
use serde_json::json;

use super::fixture::Api;

#[tokio::test]
async fn a_valid_credential_is_described() {
    let api = Api::new();
    let (upstream, ada) = (api.person("upstream"), api.person_with_password("ada"));
    let session = api.log_in(&ada).await;
    let answer = api.submit(&upstream.key, "/v1/introspect", &format!("token={session}&unknown=x")).await.expect(200);
    let me = api.get(&session, "/v1/whoami").await.expect(200);
    let issued = answer.body["iat"].as_i64().unwrap();
    let expected = json!({
        "active": true, "sub": ada.id, "username": "ada", "token_type": "Bearer", "credential": "session",
        "jti": me.body["credential"]["id"], "iss": "gatepost", "aud": "gatepost", "iat": issued,
        "exp": issued + 7 * 86_400,
    });
    assert_eq!(answer.body, expected);

    let scopes = vec!["read-only".to_owned(), "action:Push".to_owned()];
    let new = NewApiKey { name: "narrow", scopes, ..NewApiKey::default() };
    let key = api.app.accounts.create_api_key(&Actor::console(), ada.id, new).unwrap();
    let form = format!("token_type_hint=access_token&token={}", key.key.expose());
    let answer = api.submit(&upstream.key, "/v1/introspect", &form).await.expect(200);
    assert_eq!(
        (&answer.body["scope"], &answer.body["credential"]),
        (&json!("read-only action:Push"), &json!("api_key"))
    );
    assert_eq!((answer.body.get("exp"), answer.body.get("aud")), (None, None));

    api.app.accounts.revoke_api_keys(&Actor::console(), &[key.api_key.id]).unwrap();
    let answer = api.submit(&upstream.key, "/v1/introspect", &form).await.expect(200);
    assert_eq!(answer.body, json!({"active": false}), "from the very next request on");
    api.delete(&session, "/v1/sessions").await.expect(204);
    let answer = api.submit(&upstream.key, "/v1/introspect", &format!("token={session}")).await.expect(200);
    assert_eq!(answer.body, json!({"active": false}));
}

#[tokio::test]
async fn of_anything_else_only_that_it_is_not_valid_is_told() {
    let api = Api::new();
    let upstream = api.person("upstream");
    let wrong = upstream.key.replace(char::is_lowercase, "x");
    for token in ["x", "", "a.b.c", "gp_", "%00", "%ff", &wrong, &"a".repeat(60_000)] {
        let answer = api.submit(&upstream.key, "/v1/introspect", &format!("token={token}")).await.expect(200);
        assert_eq!(answer.body, json!({"active": false}), "{token}");
    }
    for form in ["", "token_type_hint=access_token", "token=a&token=b", "Token=x"] {
        api.submit(&upstream.key, "/v1/introspect", form).await.expect_error(422, "invalid");
    }
    let body = json!({"token": "x"});
    api.post(&upstream.key, "/v1/introspect", body).await.expect_error(415, "unsupported_media_type");
}

#[tokio::test]
async fn a_caller_may_authenticate_as_oauth_clients_do() {
    let api = Api::new();
    let upstream = api.person_with_password("upstream");
    let session = api.log_in(&upstream).await;
    let ask = async |authorization: String| {
        let request = Request::post("/v1/introspect")
            .header("host", "api.example.com")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", authorization);
        api.send(request.body(Body::from("token=x")).unwrap()).await
    };
    let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
    assert_eq!(ask(basic(&format!("upstream:{}", upstream.key))).await.expect(200).body, json!({"active": false}));
    for pair in [&upstream.key, &format!("{}:", upstream.key), &format!("a:{session}"), "upstream:gp_x", ""] {
        ask(basic(pair)).await.expect_error(401, "invalid_token");
    }
    ask("Basic !".to_owned()).await.expect_error(401, "invalid_token");
    ask(format!("Token {}", upstream.key)).await.expect_error(401, "unauthenticated");
    // Nowhere else.
    let request =
        Request::get("/v1/whoami").header("host", "a").header("authorization", basic(&format!("a:{}", upstream.key)));
    api.send(request.body(Body::empty()).unwrap()).await.expect_error(401, "unauthenticated");
}

#[tokio::test]
async fn a_key_that_is_narrowed_to_actions_may_not_ask() {
    let api = Api::new();
    let ada = api.person("ada");
    for (scope, status) in [("read-only", 200), ("action:Push", 403)] {
        let new = NewApiKey { name: "narrow", scopes: vec![scope.to_owned()], ..NewApiKey::default() };
        let key = api.app.accounts.create_api_key(&Actor::console(), ada.id, new).unwrap().key;
        assert_eq!(api.submit(key.expose(), "/v1/introspect", "token=x").await.status, status, "{scope}");
    }
}
