//! What was asked, once it is certain: which method on which host and path, for which client.

use std::fmt;
use std::net::IpAddr;

use hyper::header::{ACCEPT, AUTHORIZATION, HeaderName};

use super::lines::Fields;
use crate::http::host::{CanonicalHost, HostError};
use crate::http::path::{CanonicalPath, PathError};

/// The longest method, in bytes.
const MAX_METHOD_LEN: usize = 32;

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Why it cannot be said what was asked. Every one of these is answered with 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AskedError {
    /// A header of the dialect is not there: the proxy is configured for another dialect, or not as in `deploy/`.
    #[error("the header `{0}` is missing")]
    Missing(HeaderName),
    /// A header of the dialect is there twice: one of them is the client's.
    #[error("the header `{0}` is repeated")]
    Repeated(HeaderName),
    /// A header of the dialect is empty.
    #[error("the header `{0}` is empty")]
    Empty(HeaderName),
    /// A header that has one value holds several, joined by a comma.
    #[error("the header `{0}` holds several values")]
    Joined(HeaderName),
    /// A header of the dialect holds something other than printable ASCII.
    #[error("the header `{0}` holds characters other than printable ascii")]
    NotAscii(HeaderName),
    /// The authority of the question's target and its `Host` differ (RFC 9112, section 3.2.2).
    #[error("the target's authority and the header `host` disagree")]
    Authority,
    /// The method is not made of upper-case letters and `-`, or is over-long.
    #[error("the method is not 1 to 32 upper-case letters and `-`")]
    Method,
    /// The protocol is neither `http` nor `https`.
    #[error("the protocol is neither `http` nor `https`")]
    Proto,
    /// The host has no canonical form.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The path has no canonical form.
    #[error(transparent)]
    Path(#[from] PathError),
}

/// What was asked: may this be done?
#[derive(Clone, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The method. Case is significant (RFC 9110, section 9.1), and no other case is accepted.
    pub method: &'a str,
    /// The host.
    pub host: CanonicalHost<'a>,
    /// The path.
    pub path: CanonicalPath<'a>,
    /// The client's address, if the proxy told a usable one.
    pub client: Option<IpAddr>,
    /// Whether the client came over TLS, if this proxy tells.
    pub secure: Option<bool>,
    /// Path and query as the proxy sent them: for return addresses, never for a decision and never for a log.
    pub target: &'a str,
}

impl Asked<'_> {
    /// Whether a browser wants to show a page, so that the way to the log-in is a redirect: a GET that accepts HTML,
    /// without `Authorization`, and not made by a script (Fetch Metadata, `Sec-Fetch-Mode`).
    pub fn is_navigation(&self, fields: Fields<'_>) -> bool {
        self.method == "GET"
            && fields.all(&AUTHORIZATION).next().is_none()
            && fields.all(&SEC_FETCH_MODE).next().is_none_or(|mode| mode == b"navigate")
            && fields.all(&ACCEPT).any(accepts_html)
    }
}

impl fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Without the target: queries hold tokens.
        f.debug_struct("Asked")
            .field("method", &self.method)
            .field("host", &self.host)
            .field("path", &self.path)
            .field("client", &self.client)
            .field("secure", &self.secure)
            .finish_non_exhaustive()
    }
}

fn accepts_html(accept: &[u8]) -> bool {
    accept.split(|&byte| byte == b',').any(|range| {
        let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

/// Checks a method.
pub(super) fn method(method: &str) -> Result<&str, AskedError> {
    let is_method =
        (1..=MAX_METHOD_LEN).contains(&method.len()) && method.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'-'));
    if is_method { Ok(method) } else { Err(AskedError::Method) }
}

/// Whether the client came over TLS.
pub(super) fn secure(proto: &str) -> Result<bool, AskedError> {
    match proto {
        "https" => Ok(true),
        "http" => Ok(false),
        _ => Err(AskedError::Proto),
    }
}
