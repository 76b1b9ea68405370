//! From an answer to a response, in the form that each proxy can pass on. The one place where a 200 is made.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{StatusCode, http};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Allowed, Answer};
use super::dialect::{Asked, Dialect};
use crate::config::{IdentityHeaders, PortalUrl};
use crate::http::percent::header_text;
use crate::model::DecisionId;

/// A response to a proxy.
pub type Response = http::Response<Full<Bytes>>;

/// The longest return address, in bytes: nginx takes no more than 4 kB for the whole head of a response.
const MAX_RETURN_LEN: usize = 1_500;

/// Where browsers are sent to log in.
#[derive(Debug, Clone)]
pub struct LogIn {
    /// Where browsers reach the portal.
    pub portal: PortalUrl,
    /// The hosts that a log-in may return to.
    pub return_hosts: Vec<String>,
}

impl LogIn {
    /// The log-in's address, with the way back to what was asked for if its host is one to return to.
    pub(super) fn address(&self, asked: &Asked<'_>) -> String {
        let portal = self.portal.as_str();
        let host = asked.host.as_str();
        // A page that came over TLS is not left for one that did not.
        let scheme = match (asked.secure, portal.starts_with("https:")) {
            (Some(true), _) => "https",
            (_, false) => "http",
            (_, true) => return format!("{portal}/login"),
        };
        let allowed = self.return_hosts.iter().any(|allowed| allowed == host) && asked.target.len() <= MAX_RETURN_LEN;
        if !allowed {
            return format!("{portal}/login");
        }
        let back = format!("{scheme}://{host}{}", asked.target);
        format!("{portal}/login?return_to={}", utf8_percent_encode(&back, NON_ALPHANUMERIC))
    }
}

/// Makes responses.
#[derive(Debug, Clone)]
pub struct Respond {
    headers: IdentityHeaders,
}

impl Respond {
    /// Responses with identity headers of these names.
    pub fn new(headers: IdentityHeaders) -> Self {
        Self { headers }
    }

    pub(super) fn respond(&self, dialect: Dialect, answer: &Answer, id: DecisionId) -> Response {
        let mut response = match answer {
            Answer::Allowed(allowed) => self.allow(allowed),
            Answer::Unauthenticated { log_in: Some(address), .. } => redirect(dialect, address),
            Answer::Unauthenticated { invalid: None, .. } => {
                challenge(dialect, id, HeaderValue::from_static("Bearer realm=\"gatepost\""))
            }
            Answer::Unauthenticated { invalid: Some(_), .. } => {
                let value = HeaderValue::from_static("Bearer realm=\"gatepost\", error=\"invalid_token\"");
                challenge(dialect, id, value)
            }
            Answer::Denied { .. } => {
                problem(dialect, StatusCode::FORBIDDEN, "forbidden", "the policies do not permit this request", id)
            }
            Answer::Malformed { cause } => explained(StatusCode::BAD_REQUEST, "malformed_request", cause, id),
            Answer::Unavailable { .. } => {
                let detail = "it cannot be decided at the moment whether this is permitted";
                let mut response = explained(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail, id);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
                response
            }
        };
        let headers = response.headers_mut();
        insert(headers, &self.headers.decision, &id.to_string());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// 200 with every identity header, an empty one too, so that the proxy overwrites what the client sent.
    fn allow(&self, allowed: &Allowed) -> Response {
        // INVARIANT: no response is 200 without a permit.
        let Some(permit) = allowed.permit() else { return empty(StatusCode::FORBIDDEN) };
        let mut response = empty(StatusCode::OK);
        let headers = response.headers_mut();
        let user = allowed.verified().map(|verified| verified.user());
        insert(headers, &self.headers.user, user.map_or("", |user| user.username.as_str()));
        insert(headers, &self.headers.email, user.map_or("", |user| user.email.as_str()));
        insert(headers, &self.headers.role, permit.role().map_or("", |role| role.as_str()));
        insert(headers, &self.headers.credential, allowed.verified().map_or("", |verified| verified.kind().as_str()));
        response
    }
}

fn redirect(dialect: Dialect, address: &str) -> Response {
    let mut response = match dialect {
        // nginx passes on no 302; the shipped configuration makes one of this.
        Dialect::Nginx => {
            let mut response = empty(StatusCode::UNAUTHORIZED);
            let challenge = HeaderValue::from_static("Bearer realm=\"gatepost\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
            response
        }
        Dialect::Caddy | Dialect::Traefik => empty(StatusCode::FOUND),
    };
    if let Ok(location) = HeaderValue::from_str(address) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// 401, as RFC 6750, section 3, wants it.
fn challenge(dialect: Dialect, id: DecisionId, value: HeaderValue) -> Response {
    let mut response = problem(
        dialect,
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "a valid credential is needed for this request",
        id,
    );
    response.headers_mut().insert(WWW_AUTHENTICATE, value);
    response
}

/// A refusal that reaches the caller as it is, except through nginx: that keeps the body to itself and closes the
/// connection because of it.
fn problem(dialect: Dialect, status: StatusCode, code: &str, detail: &str, id: DecisionId) -> Response {
    match dialect {
        Dialect::Nginx => empty(status),
        Dialect::Caddy | Dialect::Traefik => explained(status, code, detail, id),
    }
}

/// A problem document (RFC 9457).
fn explained(status: StatusCode, code: &str, detail: &str, id: DecisionId) -> Response {
    let title = status.canonical_reason().unwrap_or_default();
    let body = serde_json::json!({
        "type": "about:blank", "title": title, "status": status.as_u16(), "code": code, "detail": detail, "decision": id,
    });
    let mut response = http::Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

fn empty(status: StatusCode) -> Response {
    let mut response = http::Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// Sets a header to a text; what cannot stand in a header is percent-encoded.
fn insert(headers: &mut HeaderMap, name: &http::HeaderName, text: &str) {
    // Percent-encoded text is ASCII without control characters; if it were not, the header would be empty.
    let value = HeaderValue::from_str(&header_text(text)).unwrap_or(HeaderValue::from_static(""));
    headers.insert(name, value);
}
