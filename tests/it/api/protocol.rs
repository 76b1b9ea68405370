//! What holds for all resources: paths, methods, bodies, hosts, failures.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::http::Request;
use hyper::body::{Bytes, Frame};
use serde_json::json;

use super::answer::Answer;
use super::fixture::Api;

async fn post(api: &Api, content_type: Option<&str>, body: impl Into<Body>) -> Answer {
    let mut request = Request::post("/v1/sessions").header("host", "api.example.com");
    if let Some(content_type) = content_type {
        request = request.header("content-type", content_type);
    }
    api.send(request.body(body.into()).unwrap()).await
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let api = Api::new();
    let key = api.person("ada").key;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/whoami/",
        "//v1/whoami",
        "/v1/Whoami",
        "/v1/who%61mi",
        "/v2/whoami",
        "/*",
        "/.well-known/",
    ] {
        for credential in ["", &key] {
            api.get(credential, path).await.expect_error(404, "not_found");
        }
    }
}

#[tokio::test]
async fn a_method_that_a_resource_does_not_have_is_told_with_those_that_it_has() {
    let api = Api::new();
    for (method, path, allowed) in [
        ("GET", "/v1/sessions", "POST,DELETE"),
        ("POST", "/v1/whoami", "GET,HEAD"),
        ("PUT", "/v1/api-keys", "GET,HEAD,POST"),
        ("OPTIONS", "/v1/api-keys", "GET,HEAD,POST"),
        ("TRACE", "/v1/whoami", "GET,HEAD"),
        ("BREW", "/v1/whoami", "GET,HEAD"),
        ("GET", "/v1/organizations/x/plan", "PUT"),
        ("PUT", "/v1/applications/x/members/y", "PATCH,DELETE"),
        ("POST", "/.well-known/jwks.json", "GET,HEAD"),
    ] {
        let answer = api.call("", method, path, json!(null)).await.expect_error(405, "method_not_allowed");
        let mut names: Vec<_> = answer.header("allow").split(',').collect();
        let mut expected: Vec<_> = allowed.split(',').collect();
        names.sort_unstable();
        expected.sort_unstable();
        assert_eq!(names, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let api = Api::new();
    let key = api.person("ada").key;
    let answer = api.call(&key, "HEAD", "/v1/whoami", json!(null)).await.expect(200);
    assert!(answer.body.is_null());
}

#[tokio::test]
async fn bodies_are_json_and_say_so() {
    let api = Api::new();
    let body = r#"{"login": "ada", "password": "x"}"#;
    for content_type in
        [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("multipart/form-data")]
    {
        post(&api, content_type, body).await.expect_error(415, "unsupported_media_type");
    }
    post(&api, Some("application/json; charset=utf-8"), body).await.expect_error(401, "invalid_credentials");
    let deep = format!("{{\"login\": {}", "[".repeat(60_000));
    for malformed in [
        "",
        "{",
        r#"{"login": "", "password": ""}x"#,
        "login=ada",
        r#"{"login": "ada",}"#,
        "{\"login\": \"\u{1}\"}",
        &deep,
    ] {
        post(&api, Some("application/json"), malformed.to_owned()).await.expect_error(400, "malformed_json");
    }
    post(&api, Some("application/json"), b"{\"login\": \"\xff\"}".to_vec()).await.expect_error(400, "malformed_json");
}

#[tokio::test]
async fn bodies_are_read_up_to_64_kib() {
    let api = Api::new();
    let body = |len: usize| {
        let empty = r#"{"login":"","password":"x"}"#;
        empty.replacen("\"\"", &format!("\"{}\"", "a".repeat(len - empty.len())), 1)
    };
    let json = Some("application/json");
    post(&api, json, body(65_536)).await.expect_error(401, "invalid_credentials");
    post(&api, json, body(65_537)).await.expect_error(413, "body_too_long");
    // Without a length in advance, and without an end.
    let endless = Endless(|| Ok(Frame::data(Bytes::from_static(&[b' '; 4_096]))));
    post(&api, json, Body::new(endless)).await.expect_error(413, "body_too_long");
}

#[tokio::test]
async fn a_body_that_breaks_off_is_refused() {
    let api = Api::new();
    let broken = Endless(|| Err(io::Error::other("gone")));
    post(&api, Some("application/json"), Body::new(broken)).await.expect_error(400, "incomplete_body");
}

/// A body that never ends.
struct Endless(fn() -> io::Result<Frame<Bytes>>);

impl hyper::body::Body for Endless {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        Poll::Ready(Some((self.0)()))
    }
}

#[tokio::test]
async fn a_request_names_one_host() {
    let api = Api::new();
    let key = api.person("ada").key;
    let send = async |uri: &str, hosts: &[&str]| {
        let mut request = Request::get(uri).header("authorization", format!("Bearer {key}"));
        for host in hosts {
            request = request.header("host", *host);
        }
        api.send(request.body(Body::empty()).unwrap()).await
    };
    for hosts in [["a.test"], ["A.test:7181"], ["[::1]:7181"]] {
        send("/v1/whoami", &hosts).await.expect(200);
    }
    send("http://a.test/v1/whoami", &[]).await.expect(200);
    send("http://a.test:80/v1/whoami", &["A.test"]).await.expect(200);
    for hosts in [&[][..], &["a.test", "a.test"], &["a.test", "b.test"], &["a.test,b.test"], &["u@a.test"], &[""]] {
        send("/v1/whoami", hosts).await.expect_error(400, "malformed_host");
    }
    send("http://a.test/v1/whoami", &["b.test"]).await.expect_error(400, "malformed_host");
    send("http://u:p@a.test/v1/whoami", &[]).await.expect_error(400, "malformed_host");
}

#[tokio::test]
async fn the_public_keys_are_published_and_may_be_cached() {
    let api = Api::new();
    let answer = api.get("", "/.well-known/jwks.json").await.expect(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=300");
    let keys = answer.body["keys"].as_array().unwrap();
    let mut members: Vec<_> = keys[0].as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!((keys.len(), members), (1, vec!["alg", "crv", "kid", "kty", "use", "x"]));
}

#[tokio::test]
async fn when_the_store_fails_nobody_is_let_in_and_nothing_is_told() {
    let api = Api::new();
    let ada = api.person("ada");
    api.get(&ada.key, "/v1/whoami").await.expect(200);
    std::fs::remove_file(&api.config.store.path).unwrap();
    let answer = api.post(&ada.key, "/v1/api-keys", json!({"name": "ci"})).await;
    let answer = answer.expect_error(503, "unavailable");
    let told = answer.body.to_string();
    for inside in ["gatepost.db", "tmp", "sqlite", "database"] {
        assert!(!told.to_lowercase().contains(inside), "{told}");
    }
}
