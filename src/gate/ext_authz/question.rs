//! From Envoy's message to a question.
//!
//! Method, path, host and scheme are what Envoy says itself; of the client's headers only those are taken which say who
//! it is, and whether it is a browser. What cannot be read becomes a question that the gate refuses, never one with
//! something left out.

use bytes::Bytes;
use hyper::HeaderMap;
use hyper::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderName, HeaderValue};

use super::messages::{CheckRequest, HttpRequest};
use crate::gate::question::{Question, Source, Told};
use crate::http::client;

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// A part of the message has more than one reading, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unreadable;

/// What is asked. If that cannot be told for sure, nothing is, which the gate refuses (400).
pub(super) fn read(check: &CheckRequest) -> Question {
    try_read(check).unwrap_or_else(|Unreadable| Question {
        source: Source::Told(Told {
            method: String::new(),
            target: String::new(),
            host: String::new(),
            proto: String::new(),
            client: None,
        }),
        headers: HeaderMap::new(),
    })
}

/// The request that is asked about, if the message has one.
pub(super) fn http(check: &CheckRequest) -> Option<&HttpRequest> {
    check.attributes.as_ref()?.request.as_ref()?.http.as_ref()
}

/// The lines of the client's head: names, which Envoy has in lower case, and values. With `encode_raw_headers` each line
/// is by itself; else those of one name are joined by commas.
pub(super) fn lines(http: &HttpRequest) -> impl Iterator<Item = (&Bytes, &Bytes)> {
    let raw = http.header_map.iter().flat_map(|map| &map.headers);
    let raw = raw.map(|line| (&line.key, if line.value.is_empty() { &line.raw_value } else { &line.value }));
    raw.chain(http.headers.iter().map(|entry| (&entry.key, &entry.value)))
}

fn try_read(check: &CheckRequest) -> Result<Question, Unreadable> {
    let http = http(check).ok_or(Unreadable)?;
    let mut raw = http.header_map.iter().flat_map(|map| &map.headers);
    let has_two_values = raw.any(|line| !line.value.is_empty() && !line.raw_value.is_empty());
    // A name that is no text could not be removed by an answer.
    if has_two_values || lines(http).any(|(name, _)| !name.is_ascii()) {
        return Err(Unreadable);
    }
    let mut headers = HeaderMap::new();
    for (name, value) in lines(http) {
        let Some(name) = counts(name) else { continue };
        // A credential that cannot be used is not left out: without it this would be somebody else's request.
        headers.append(name, HeaderValue::from_maybe_shared(value.clone()).map_err(|_| Unreadable)?);
    }
    let told = Told {
        method: text(&http.method)?,
        target: text(&http.path)?,
        host: text(&http.host)?,
        proto: text(&http.scheme)?,
        client: source(check),
    };
    Ok(Question { source: Source::Told(told), headers })
}

/// The header of this name, if it counts. Envoy's pseudo-headers (`:path`) are none.
fn counts(name: &[u8]) -> Option<HeaderName> {
    let names = [&AUTHORIZATION, &COOKIE, &ACCEPT, &SEC_FETCH_MODE];
    names.into_iter().find(|known| name.eq_ignore_ascii_case(known.as_str().as_bytes())).cloned()
}

fn text(bytes: &[u8]) -> Result<String, Unreadable> {
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| Unreadable)
}

/// The address at the other end of the connection to Envoy; unknown if there is no usable one.
fn source(check: &CheckRequest) -> Option<std::net::IpAddr> {
    let socket = check.attributes.as_ref()?.source.as_ref()?.address.as_ref()?.socket_address.as_ref()?;
    client::single(&socket.address)
}
