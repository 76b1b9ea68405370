//! From an answer to a response, in the form that each proxy can pass on. The one place where a 200 is made.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{StatusCode, http};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Allowed, Answer, Answered, Invalid};
use super::asked::Asked;
use crate::config::{IdentityHeaders, PortalUrl};
use crate::http::direct::{Name, Written};
use crate::model::{ID_LEN, Role, Timestamp};

/// A response to a proxy.
pub type Response = http::Response<Full<Bytes>>;

/// What of an answer whoever asked can pass on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// nginx takes no redirect, and closes the connection because of a body that it keeps to itself.
    Nginx,
    /// All of it.
    Whole,
}

/// The longest return address, in bytes: nginx takes no more than 4 kB for the whole head of a response.
const MAX_RETURN_LEN: usize = 1_500;

/// How many headers a response has, at most.
const MOST_HEADERS: usize = 8;

/// A response in the making: begun with its status, then its headers, then ended with its body.
pub(super) trait Reply {
    /// Begins a response that nobody keeps.
    fn begin(&mut self, status: StatusCode);
    /// Adds a header. What cannot stand in one is left out.
    fn text(&mut self, name: &Name, value: &str);
    /// Adds a header whose value is known to be one.
    fn value(&mut self, name: &Name, value: &HeaderValue);
    fn end(&mut self, at: Timestamp, body: Vec<u8>);

    /// Adds a header that few responses have. What cannot stand in one is left out.
    fn rare(&mut self, name: HeaderName, value: &str) {
        self.text(&name.into(), value);
    }
}

impl Reply for Response {
    fn begin(&mut self, status: StatusCode) {
        *self.status_mut() = status;
        self.headers_mut().reserve(MOST_HEADERS);
        self.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }

    fn text(&mut self, name: &Name, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers_mut().insert(name.as_header_name().clone(), value);
        }
    }

    fn value(&mut self, name: &Name, value: &HeaderValue) {
        self.headers_mut().insert(name.as_header_name().clone(), value.clone());
    }

    fn end(&mut self, _: Timestamp, body: Vec<u8>) {
        *self.body_mut() = Full::new(Bytes::from(body));
    }
}

impl Reply for Written {
    fn begin(&mut self, status: StatusCode) {
        Self::begin(self, status);
        self.more(b"\r\ncache-control: no-store");
    }

    fn text(&mut self, name: &Name, value: &str) {
        Self::text(self, name, value);
    }

    fn value(&mut self, name: &Name, value: &HeaderValue) {
        Self::header(self, name, value);
    }

    fn end(&mut self, at: Timestamp, body: Vec<u8>) {
        Self::end(self, at, &body);
    }
}

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
    user: Name,
    email: Name,
    role: Name,
    credential: Name,
    decision: Name,
    assertion: Name,
}

impl Respond {
    /// Responses with identity headers of these names.
    pub fn new(names: IdentityHeaders) -> Self {
        let IdentityHeaders { user, email, role, credential, decision, assertion } = names;
        let [user, email, role, credential, decision, assertion] =
            [user, email, role, credential, decision, assertion].map(Name::from);
        Self { user, email, role, credential, decision, assertion }
    }

    /// Makes the response for an answer.
    pub(super) fn respond(&self, form: Form, answered: &Answered, to: &mut impl Reply) {
        let Answered { answer, id, at, assertion } = answered;
        let mut id_text = [0; ID_LEN];
        let id = id.encode(&mut id_text);
        let body = match answer {
            Answer::Allowed(allowed) => self.allow(allowed, assertion.as_ref(), to),
            Answer::Unauthenticated { log_in: Some(address), .. } => redirect(form, address, to),
            Answer::Unauthenticated { invalid, log_in: None } => challenge(form, *invalid, id, to),
            Answer::Denied { .. } => {
                let detail = "the policies do not permit this request";
                problem(form, StatusCode::FORBIDDEN, "forbidden", detail, id, to)
            }
            Answer::Malformed { cause } => explained(StatusCode::BAD_REQUEST, "malformed_request", cause, id, to),
            Answer::Unavailable { .. } => {
                let detail = "it cannot be decided at the moment whether this is permitted";
                let body = explained(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail, id, to);
                to.rare(RETRY_AFTER, "1");
                body
            }
        };
        to.text(&self.decision, id);
        to.end(*at, body);
    }

    /// 200 with every identity header, an empty one too, so that the proxy overwrites what the client sent.
    fn allow(&self, allowed: &Allowed, assertion: Option<&HeaderValue>, to: &mut impl Reply) -> Vec<u8> {
        // INVARIANT: no response is 200 without a permit.
        let Some(permit) = allowed.permit() else {
            to.begin(StatusCode::FORBIDDEN);
            return Vec::new();
        };
        to.begin(StatusCode::OK);
        match allowed.verified() {
            Some(verified) => {
                to.value(&self.user, verified.username_header());
                to.value(&self.email, verified.email_header());
                to.text(&self.credential, verified.kind().as_str());
            }
            None => {
                for name in [&self.user, &self.email, &self.credential] {
                    to.text(name, "");
                }
            }
        }
        to.text(&self.role, permit.role().map_or("", Role::as_str));
        if let Some(assertion) = assertion {
            to.value(&self.assertion, assertion);
        }
        Vec::new()
    }
}

fn redirect(form: Form, address: &str, to: &mut impl Reply) -> Vec<u8> {
    match form {
        // nginx passes on no 302; the shipped configuration makes one of this.
        Form::Nginx => {
            to.begin(StatusCode::UNAUTHORIZED);
            to.rare(WWW_AUTHENTICATE, "Bearer realm=\"gatepost\"");
        }
        Form::Whole => to.begin(StatusCode::FOUND),
    }
    to.rare(LOCATION, address);
    Vec::new()
}

/// 401, as RFC 6750, section 3, wants it.
fn challenge(form: Form, invalid: Option<Invalid>, id: &str, to: &mut impl Reply) -> Vec<u8> {
    let detail = "a valid credential is needed for this request";
    let body = problem(form, StatusCode::UNAUTHORIZED, "unauthenticated", detail, id, to);
    let challenge = match invalid {
        None => "Bearer realm=\"gatepost\"",
        Some(Invalid) => "Bearer realm=\"gatepost\", error=\"invalid_token\"",
    };
    to.rare(WWW_AUTHENTICATE, challenge);
    body
}

/// A refusal that reaches the caller as it is, except through nginx.
fn problem(form: Form, status: StatusCode, code: &str, detail: &str, id: &str, to: &mut impl Reply) -> Vec<u8> {
    match form {
        Form::Nginx => {
            to.begin(status);
            Vec::new()
        }
        Form::Whole => explained(status, code, detail, id, to),
    }
}

fn explained(status: StatusCode, code: &str, detail: &str, id: &str, to: &mut impl Reply) -> Vec<u8> {
    to.begin(status);
    to.rare(CONTENT_TYPE, "application/problem+json");
    document(status, code, detail, id)
}

/// A problem document (RFC 9457). JSON escapes nothing of its parts, but for the detail.
fn document(status: StatusCode, code: &str, detail: &str, id: &str) -> Vec<u8> {
    let title = status.canonical_reason().unwrap_or_default();
    let mut document = Vec::with_capacity(256);
    for part in [r#"{"type":"about:blank","title":""#, title, r#"","status":"#, status.as_str(), r#","code":""#, code] {
        document.extend_from_slice(part.as_bytes());
    }
    document.extend_from_slice(br#"","detail":"#);
    // A text can be written, and so can memory.
    let _ = serde_json::to_writer(&mut document, detail);
    for part in [r#","decision":""#, id, r#""}"#] {
        document.extend_from_slice(part.as_bytes());
    }
    document
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_problem_document_is_json_whatever_its_detail(detail in any::<String>()) {
            let document = document(StatusCode::BAD_REQUEST, "malformed_request", &detail, "0");
            let expected = serde_json::json!({
                "type": "about:blank", "title": "Bad Request", "status": 400, "code": "malformed_request",
                "detail": detail, "decision": "0",
            });
            prop_assert_eq!(String::from_utf8(document).unwrap(), expected.to_string());
        }
    }
}
