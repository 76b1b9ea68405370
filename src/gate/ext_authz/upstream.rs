//! What becomes of a permitted request on its way to the application: Gatepost's word on who it is replaces everybody
//! else's, and the credential stays here.

use bytes::Bytes;
use hyper::header::{COOKIE, HeaderMap, HeaderName};

use super::messages::{HeaderAppendAction, HeaderValue, HeaderValueOption, HttpRequest, OkHttpResponse};
use super::question::lines;
use crate::config::IdentityHeaders;
use crate::gate::presented::SESSION_COOKIE;

/// How names begin that are Gatepost's to say, or were another gateway's.
const OWN: [&str; 2] = ["remote-", "gatepost-"];

/// Headers that are always removed, seen or not: the credential, who it is in the words of other gateways, and by what
/// applications and frameworks take a request for another one than was decided about, or for one from elsewhere.
/// Envoy itself says `X-Forwarded-For` and `X-Forwarded-Proto` anew.
const REMOVED: [&str; 45] = [
    "authorization",
    "remote-user",
    "remote-email",
    "remote-role",
    "remote-credential",
    "remote-name",
    "remote-groups",
    "gatepost-decision",
    "gatepost-assertion",
    "x-forwarded-user",
    "x-forwarded-email",
    "x-forwarded-groups",
    "x-forwarded-preferred-username",
    "x-forwarded-access-token",
    "x-auth-request-user",
    "x-auth-request-email",
    "x-auth-request-groups",
    "x-auth-request-preferred-username",
    "x-auth-request-access-token",
    "x-remote-user",
    "x-webauth-user",
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-original-method",
    "x-original-host",
    "x-original-proto",
    "x-rewrite-url",
    "x-forwarded-uri",
    "x-forwarded-method",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-prefix",
    "x-forwarded-server",
    "x-forwarded-scheme",
    "x-forwarded-ssl",
    "forwarded",
    "x-real-ip",
    "client-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "proxy",
];

/// The changes that are made to permitted requests.
#[derive(Debug, Clone)]
pub(super) struct Upstream {
    decision: HeaderName,
    identity: [HeaderName; 6],
    removed: Vec<Bytes>,
}

impl Upstream {
    /// With identity headers of these names.
    pub(super) fn new(names: &IdentityHeaders) -> Self {
        let IdentityHeaders { user, email, role, credential, decision, assertion } = names.clone();
        let identity = [user, email, role, credential, decision.clone(), assertion];
        let removed = REMOVED.iter().filter(|name| identity.iter().all(|own| own != **name));
        Self { decision, removed: removed.map(|name| Bytes::from_static(name.as_bytes())).collect(), identity }
    }

    /// The changes to `http`, which is permitted by an answer with these headers.
    pub(super) fn changes(&self, answer: &HeaderMap, http: &HttpRequest) -> OkHttpResponse {
        let own = answer.iter().filter(|(name, _)| self.is_identity(name.as_str().as_bytes()));
        let mut headers: Vec<_> = own.map(|(name, value)| set(name, value.as_bytes())).collect();
        // Envoy removes after it has set: so nothing of what is set, and all of it that is not.
        let mut headers_to_remove = self.removed.clone();
        let unsaid = self.identity.iter().filter(|name| !answer.contains_key(*name));
        headers_to_remove.extend(unsaid.map(|name| Bytes::copy_from_slice(name.as_str().as_bytes())));
        let claims = lines(http).map(|(name, _)| name).filter(|name| self.is_claim(name) && !is_in(answer, name));
        headers_to_remove.extend(claims.cloned());
        match cookies(http) {
            Cookies::Pass => {}
            Cookies::Rest(rest) => headers.push(set(&COOKIE, &rest)),
            Cookies::Go => headers_to_remove.push(Bytes::from_static(b"cookie")),
        }
        OkHttpResponse { headers, headers_to_remove }
    }

    /// The decision's identifier, as an answer with these headers says it.
    pub(super) fn decision(&self, answer: &HeaderMap) -> Bytes {
        answer.get(&self.decision).map_or_else(Bytes::new, |id| Bytes::copy_from_slice(id.as_bytes()))
    }

    /// Whether this is a name under which Gatepost says who it is.
    fn is_identity(&self, name: &[u8]) -> bool {
        self.identity.iter().any(|own| alike(name, own.as_str())) || OWN.iter().any(|own| begins_alike(name, own))
    }

    /// Whether an application may take this for something that is not the client's to say: in any spelling that
    /// applications made for CGI do not tell apart (RFC 3875, section 4.1.18).
    fn is_claim(&self, name: &[u8]) -> bool {
        let is_odd = name.iter().any(|&byte| byte != fold(byte));
        is_odd && (REMOVED.iter().any(|removed| alike(name, removed)) || begins_alike(name, "x-forwarded-"))
            || self.is_identity(name)
    }
}

/// Whether a header of this name, in any case, is among these: then it is overwritten.
fn is_in(headers: &HeaderMap, name: &[u8]) -> bool {
    HeaderName::from_bytes(name).is_ok_and(|name| headers.contains_key(name))
}

/// What the application gets of the client's cookies.
enum Cookies {
    /// All of them.
    Pass,
    /// These.
    Rest(Vec<u8>),
    /// None.
    Go,
}

/// Gatepost's session cookie is for Gatepost alone: an application that saw it could act as its user. Whatever else looks
/// like it, in any case or place, takes all cookies with it.
fn cookies(http: &HttpRequest) -> Cookies {
    let is_cookie = |name: &[u8]| name.eq_ignore_ascii_case(COOKIE.as_str().as_bytes());
    let sent = || lines(http).filter(|(name, _)| is_cookie(name)).map(|(_, value)| value);
    if !sent().any(|line| looks_like_session(line)) {
        return Cookies::Pass;
    }
    let mut rest = Vec::new();
    for pair in sent().flat_map(|line| line.split(|&byte| byte == b';')) {
        let name = pair.split(|&byte| byte == b'=').next().unwrap_or_default();
        if pair.trim_ascii().is_empty() || name.trim_ascii() == SESSION_COOKIE.as_bytes() {
            continue;
        }
        if !rest.is_empty() {
            rest.extend_from_slice(b"; ");
        }
        rest.extend_from_slice(pair.trim_ascii());
    }
    // What is no text cannot be said in an answer.
    if rest.is_empty() || looks_like_session(&rest) || std::str::from_utf8(&rest).is_err() {
        Cookies::Go
    } else {
        Cookies::Rest(rest)
    }
}

fn looks_like_session(cookies: &[u8]) -> bool {
    cookies.windows(SESSION_COOKIE.len()).any(|window| window.eq_ignore_ascii_case(SESSION_COOKIE.as_bytes()))
}

/// In place of all headers of this name.
pub(super) fn set(name: &HeaderName, value: &[u8]) -> HeaderValueOption {
    let key = Bytes::copy_from_slice(name.as_str().as_bytes());
    let header = HeaderValue { key, value: Bytes::copy_from_slice(value), raw_value: Bytes::new() };
    let append_action = HeaderAppendAction::OverwriteIfExistsOrAdd.into();
    HeaderValueOption { header: Some(header), append_action, keep_empty_value: true }
}

/// One form of the characters that are not told apart.
const fn fold(byte: u8) -> u8 {
    if byte.is_ascii_alphanumeric() { byte.to_ascii_lowercase() } else { b'-' }
}

fn alike(name: &[u8], known: &str) -> bool {
    name.len() == known.len() && begins_alike(name, known)
}

fn begins_alike(name: &[u8], known: &str) -> bool {
    let known = known.as_bytes();
    name.len() >= known.len() && name.iter().zip(known).all(|(&byte, &known)| fold(byte) == fold(known))
}
