//! Answers of the management API. What holds of every one of them is checked here, for every request of every test.

use axum::body::Body;
use axum::http::{HeaderMap, Response};
use http_body_util::BodyExt;
use serde_json::Value;

/// The headers that an answer may have.
const ALLOWED_HEADERS: [&str; 7] = [
    "allow",
    "cache-control",
    "content-length",
    "content-type",
    "retry-after",
    "www-authenticate",
    "x-content-type-options",
];

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null if there is none.
    pub body: Value,
}

impl Answer {
    /// Reads an answer and checks what holds of all.
    pub async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = if bytes.is_empty() { Value::Null } else { serde_json::from_slice(&bytes).unwrap() };
        let answer = Self { status: parts.status.as_u16(), headers: parts.headers, body };
        answer.check();
        answer
    }

    fn check(&self) {
        for name in self.headers.keys() {
            assert!(ALLOWED_HEADERS.contains(&name.as_str()), "{name} in {self:?}");
        }
        assert_eq!(self.header("x-content-type-options"), "nosniff", "{self:?}");
        if self.header("content-type") != "application/jwk-set+json" {
            assert_eq!(self.header("cache-control"), "no-store", "{self:?}");
        }
        if self.status < 400 {
            return;
        }
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!(self.status == 401, self.headers.contains_key("www-authenticate"), "{self:?}");
        assert_eq!(self.status == 405, self.headers.contains_key("allow"), "{self:?}");
        assert_eq!(self.status == 503, self.headers.contains_key("retry-after"), "{self:?}");
        // An answer to HEAD has no body.
        if let Some(problem) = self.body.as_object() {
            assert_eq!(problem["type"], "about:blank", "{self:?}");
            assert_eq!(problem["status"], self.status, "{self:?}");
            assert!(!problem.contains_key("field") || self.status == 422, "{self:?}");
            for member in ["title", "code", "detail"] {
                assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
            }
        }
    }

    /// The header's value; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The text at this member of the body.
    pub fn text(&self, member: &str) -> String {
        self.body[member].as_str().unwrap_or_else(|| panic!("no text `{member}` in {self:?}")).to_owned()
    }

    /// The items of a list.
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no list: {self:?}"))
    }

    /// Checks the status, and gives the answer on.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// Checks the status and the code of an error.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.body["code"].as_str()), (status, Some(code)), "{self:?}");
        self
    }

    /// Checks that a body was refused because of this field.
    #[track_caller]
    pub fn expect_invalid(self, field: &str) -> Self {
        let answer = self.expect_error(422, "invalid");
        assert_eq!(answer.body["field"], field, "{answer:?}");
        answer
    }
}
