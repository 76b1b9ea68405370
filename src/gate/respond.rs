//! From an answer to a response, in the form that each proxy can pass on. The one place where a 200 is made.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::{StatusCode, http};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Allowed, Answer, Answered, Invalid};
use super::asked::Asked;
use crate::config::{IdentityHeaders, PortalUrl};
use crate::model::ID_LEN;

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

/// How many headers an allow has.
const HEADERS_OF_ALLOW: usize = 6;

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
    names: IdentityHeaders,
}

impl Respond {
    /// Responses with identity headers of these names.
    pub fn new(names: IdentityHeaders) -> Self {
        let IdentityHeaders { user, email, role, credential, decision, assertion } = names;
        let [user, email, role, credential, decision] = [user, email, role, credential, decision].map(cheaply_cloned);
        Self { names: IdentityHeaders { user, email, role, credential, decision, assertion } }
    }

    /// The response for an answer. Its head is made in the memory of `headers`, which are empty.
    pub(super) fn respond(&self, form: Form, answered: Answered, headers: HeaderMap) -> Response {
        let Answered { answer, id, assertion } = answered;
        let mut id_text = [0; ID_LEN];
        let id = id.encode(&mut id_text);
        let mut response = http::Response::new(Full::default());
        *response.headers_mut() = headers;
        match &answer {
            Answer::Allowed(allowed) => self.allow(allowed, assertion, &mut response),
            Answer::Unauthenticated { log_in: Some(address), .. } => redirect(form, address, &mut response),
            Answer::Unauthenticated { invalid, log_in: None } => challenge(form, *invalid, id, &mut response),
            Answer::Denied { .. } => {
                let detail = "the policies do not permit this request";
                problem(form, StatusCode::FORBIDDEN, "forbidden", detail, id, &mut response);
            }
            Answer::Malformed { cause } => {
                explained(StatusCode::BAD_REQUEST, "malformed_request", cause, id, &mut response);
            }
            Answer::Unavailable { .. } => {
                let detail = "it cannot be decided at the moment whether this is permitted";
                explained(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail, id, &mut response);
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
        }
        let headers = response.headers_mut();
        // The text of an identifier can stand in a header.
        let id = HeaderValue::from_str(id).unwrap_or_else(|_| nothing());
        headers.insert(self.names.decision.clone(), id);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }

    /// 200 with every identity header, an empty one too, so that the proxy overwrites what the client sent.
    fn allow(&self, allowed: &Allowed, assertion: Option<HeaderValue>, response: &mut Response) {
        // INVARIANT: no response is 200 without a permit.
        let Some(permit) = allowed.permit() else {
            *response.status_mut() = StatusCode::FORBIDDEN;
            return;
        };
        *response.status_mut() = StatusCode::OK;
        let (user, email, credential) = match allowed.verified() {
            Some(verified) => {
                let kind = HeaderValue::from_static(verified.kind().as_str());
                (verified.username_header().clone(), verified.email_header().clone(), kind)
            }
            None => (nothing(), nothing(), nothing()),
        };
        let role = permit.role().map_or_else(nothing, |role| HeaderValue::from_static(role.as_str()));
        let headers = response.headers_mut();
        headers.reserve(HEADERS_OF_ALLOW);
        headers.insert(self.names.user.clone(), user);
        headers.insert(self.names.email.clone(), email);
        headers.insert(self.names.role.clone(), role);
        headers.insert(self.names.credential.clone(), credential);
        if let Some(assertion) = assertion {
            headers.insert(self.names.assertion.clone(), assertion);
        }
    }
}

/// The same name; one that most installations use in a form whose copies share no memory that is written to.
fn cheaply_cloned(name: HeaderName) -> HeaderName {
    let usual = ["remote-user", "remote-email", "remote-role", "remote-credential", "gatepost-decision"];
    usual.into_iter().find(|usual| name == *usual).map_or(name, HeaderName::from_static)
}

/// What stands in a header that says nothing.
const fn nothing() -> HeaderValue {
    HeaderValue::from_static("")
}

fn redirect(form: Form, address: &str, response: &mut Response) {
    match form {
        // nginx passes on no 302; the shipped configuration makes one of this.
        Form::Nginx => {
            *response.status_mut() = StatusCode::UNAUTHORIZED;
            let challenge = HeaderValue::from_static("Bearer realm=\"gatepost\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        Form::Whole => *response.status_mut() = StatusCode::FOUND,
    }
    if let Ok(location) = HeaderValue::from_str(address) {
        response.headers_mut().insert(LOCATION, location);
    }
}

/// 401, as RFC 6750, section 3, wants it.
fn challenge(form: Form, invalid: Option<Invalid>, id: &str, response: &mut Response) {
    let detail = "a valid credential is needed for this request";
    problem(form, StatusCode::UNAUTHORIZED, "unauthenticated", detail, id, response);
    let challenge = match invalid {
        None => HeaderValue::from_static("Bearer realm=\"gatepost\""),
        Some(Invalid) => HeaderValue::from_static("Bearer realm=\"gatepost\", error=\"invalid_token\""),
    };
    response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
}

/// A refusal that reaches the caller as it is, except through nginx.
fn problem(form: Form, status: StatusCode, code: &str, detail: &str, id: &str, response: &mut Response) {
    match form {
        Form::Nginx => *response.status_mut() = status,
        Form::Whole => explained(status, code, detail, id, response),
    }
}

fn explained(status: StatusCode, code: &str, detail: &str, id: &str, response: &mut Response) {
    *response.body_mut() = Full::new(Bytes::from(document(status, code, detail, id)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
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
