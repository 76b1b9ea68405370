//! What a proxy asks about: which method on which host and path, for which client.
//!
//! Each proxy says it in headers of its own. A dialect reads only those which its proxy, configured as in `deploy/`,
//! sets or overwrites itself: any other header is the client's word. There is no way from one dialect to another, and
//! nothing of the question that carried the headers (its own method, query, body) is looked at.

use std::fmt;
use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::{ACCEPT, AUTHORIZATION, HeaderName, HeaderValue};

use super::lines::{Line, Lines};
use crate::http::client;
use crate::http::host::{CanonicalHost, HostError};
use crate::http::path::{CanonicalPath, PathError};

/// The longest method, in bytes.
const MAX_METHOD_LEN: usize = 32;

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// The way in which a proxy asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// nginx, `auth_request`: the headers that `deploy/nginx` sets.
    Nginx,
    /// Caddy, `forward_auth`.
    Caddy,
    /// Traefik, `forwardAuth` without `trustForwardHeader`.
    Traefik,
}

/// The headers of a dialect.
struct Names {
    method: HeaderName,
    target: HeaderName,
    host: HeaderName,
    proto: HeaderName,
    client: HeaderName,
    /// Whether the client's address is the right-most of a list, rather than the only one.
    client_is_listed: bool,
}

static ORIGINAL: Names = Names {
    method: HeaderName::from_static("x-original-method"),
    target: HeaderName::from_static("x-original-uri"),
    host: HeaderName::from_static("x-original-host"),
    proto: HeaderName::from_static("x-original-proto"),
    client: HeaderName::from_static("x-real-ip"),
    client_is_listed: false,
};

static FORWARDED: Names = Names {
    method: HeaderName::from_static("x-forwarded-method"),
    target: HeaderName::from_static("x-forwarded-uri"),
    host: HeaderName::from_static("x-forwarded-host"),
    proto: HeaderName::from_static("x-forwarded-proto"),
    client: HeaderName::from_static("x-forwarded-for"),
    client_is_listed: true,
};

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Caddy, Self::Traefik];

    /// The dialect of this name, as in `/check/{dialect}`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The dialect's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
        }
    }

    fn names(self) -> &'static Names {
        match self {
            Self::Nginx => &ORIGINAL,
            Self::Caddy | Self::Traefik => &FORWARDED,
        }
    }

    /// Reads what was asked. Nothing is copied, unless the path has an encoding or the host an upper-case letter.
    pub fn read<'a>(self, lines: impl Into<Lines<'a>>) -> Result<Asked<'a>, AskedError> {
        let (lines, names) = (lines.into(), self.names());
        let asking = match self {
            Self::Nginx => lines.original,
            Self::Caddy | Self::Traefik => lines.forwarded,
        };
        let target = text(asking.target, &names.target)?;
        Ok(Asked {
            method: method(text(asking.method, &names.method)?)?,
            host: CanonicalHost::parse_text(text(asking.host, &names.host)?)?,
            path: CanonicalPath::parse_text(target)?,
            client: client(only(asking.client, &names.client)?, names)?,
            secure: Some(secure(text(asking.proto, &names.proto)?)?),
            target,
        })
    }
}

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
    pub fn is_navigation(&self, headers: &HeaderMap) -> bool {
        self.method == "GET"
            && !headers.contains_key(AUTHORIZATION)
            && headers.get(&SEC_FETCH_MODE).is_none_or(|mode| mode == "navigate")
            && headers.get_all(ACCEPT).iter().any(accepts_html)
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

fn accepts_html(accept: &HeaderValue) -> bool {
    accept.as_bytes().split(|&byte| byte == b',').any(|range| {
        let media_type = range.split(|&byte| byte == b';').next().unwrap_or_default();
        media_type.trim_ascii().eq_ignore_ascii_case(b"text/html")
    })
}

fn method(method: &str) -> Result<&str, AskedError> {
    let is_method = method.len() <= MAX_METHOD_LEN && method.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'-'));
    if is_method { Ok(method) } else { Err(AskedError::Method) }
}

fn secure(proto: &str) -> Result<bool, AskedError> {
    match proto {
        "https" => Ok(true),
        "http" => Ok(false),
        _ => Err(AskedError::Proto),
    }
}

fn client(value: &HeaderValue, names: &Names) -> Result<Option<IpAddr>, AskedError> {
    let value = value.as_bytes();
    if names.client_is_listed {
        Ok(client::right_most(value))
    } else if value.contains(&b',') {
        Err(AskedError::Joined(names.client.clone()))
    } else {
        Ok(client::single(value))
    }
}

/// The value of a header that is there exactly once and is text.
fn text<'a>(line: Line<'a>, name: &HeaderName) -> Result<&'a str, AskedError> {
    let text = only(line, name)?.to_str().map_err(|_| AskedError::NotAscii(name.clone()))?;
    if text.is_empty() { Err(AskedError::Empty(name.clone())) } else { Ok(text) }
}

/// The value of a header that is there exactly once.
fn only<'a>(line: Line<'a>, name: &HeaderName) -> Result<&'a HeaderValue, AskedError> {
    match line {
        Line::Once(value) => Ok(value),
        Line::Missing => Err(AskedError::Missing(name.clone())),
        Line::Repeated => Err(AskedError::Repeated(name.clone())),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Lines = [(&'static str, &'static str); 5];

    const NGINX: Lines = [
        ("x-original-method", "GET"),
        ("x-original-uri", "/devices/7?q=1"),
        ("x-original-host", "app.example.com"),
        ("x-original-proto", "https"),
        ("x-real-ip", "192.0.2.1"),
    ];
    const FORWARD: Lines = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-uri", "/devices/7?q=1"),
        ("x-forwarded-host", "app.example.com:8443"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "10.0.0.1, 192.0.2.1"),
    ];

    fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        headers
    }

    /// What each dialect's own proxy sends: method, target, host, proto and client.
    fn sent_by(dialect: Dialect) -> Lines {
        if dialect == Dialect::Nginx { NGINX } else { FORWARD }
    }

    /// A good question with one header changed.
    fn changed(dialect: Dialect, name: &str, value: &str) -> HeaderMap {
        headers(sent_by(dialect).map(|(header, good)| (header, if header == name { value } else { good })))
    }

    #[test]
    fn each_dialect_reads_what_its_proxy_sends() {
        for dialect in Dialect::ALL {
            let headers = headers(sent_by(dialect));
            let asked = dialect.read(&headers).unwrap();
            assert_eq!(asked.method, "GET");
            assert_eq!(asked.host.as_str(), "app.example.com");
            assert_eq!(asked.path.as_str(), "/devices/7");
            assert_eq!(asked.client, Some("192.0.2.1".parse().unwrap()));
            assert_eq!(asked.secure, Some(true));
            assert_eq!(asked.target, "/devices/7?q=1");
            assert_eq!(Dialect::from_name(dialect.name()), Some(dialect));
        }
        for name in ["", "NGINX", "haproxy", "nginx/", "nginx,caddy"] {
            assert_eq!(Dialect::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_dialect_believes_no_header_but_its_own() {
        let strangers = [
            ("forwarded", "for=127.0.0.1;host=evil.test;proto=https"),
            ("x-rewrite-url", "/public"),
            ("x-original-url", "/public"),
            ("x-http-method-override", "HEAD"),
            ("x-http-method", "HEAD"),
            ("x-method-override", "HEAD"),
            ("x_original_uri", "/public"),
            ("x_forwarded_uri", "/public"),
            ("x-forwarded-server", "evil.test"),
            ("x-forwarded-port", "80"),
            ("x-forwarded-prefix", "/public"),
            ("true-client-ip", "127.0.0.1"),
            ("client-ip", "127.0.0.1"),
            ("host", "evil.test"),
            ("user-agent", "kube-probe/1.0"),
        ];
        for dialect in Dialect::ALL {
            let own = sent_by(dialect);
            let others = if dialect == Dialect::Nginx { FORWARD } else { NGINX };
            let (plain, alone) = (headers(own), headers(others));
            let spoofed = headers(own.into_iter().chain(others.map(|(name, _)| (name, "/public"))).chain(strangers));
            assert_eq!(dialect.read(&spoofed), dialect.read(&plain), "{dialect:?}");
            assert!(matches!(dialect.read(&alone), Err(AskedError::Missing(_))), "{dialect:?}");
        }
    }

    #[test]
    fn a_missing_repeated_or_empty_header_is_refused() {
        for dialect in Dialect::ALL {
            let own = sent_by(dialect);
            for (name, value) in own {
                let header = HeaderName::from_static(name);
                let without = headers(own.into_iter().filter(|(other, _)| *other != name));
                assert_eq!(dialect.read(&without), Err(AskedError::Missing(header.clone())));
                for again in [value, "", "other"] {
                    let after = headers(own.into_iter().chain([(name, again)]));
                    assert_eq!(dialect.read(&after), Err(AskedError::Repeated(header.clone())));
                    let before = headers([(name, again)].into_iter().chain(own));
                    assert_eq!(dialect.read(&before), Err(AskedError::Repeated(header.clone())));
                }
                let question = changed(dialect, name, "");
                let empty = dialect.read(&question).map(|asked| asked.client);
                let is_address = ["x-real-ip", "x-forwarded-for"].contains(&name);
                assert_eq!(empty, if is_address { Ok(None) } else { Err(AskedError::Empty(header)) });
            }
        }
    }

    fn refusal(dialect: Dialect, name: &str, value: &str) -> AskedError {
        dialect.read(&changed(dialect, name, value)).expect_err(value)
    }

    #[test]
    fn an_odd_method_is_refused() {
        let (long, longest) = ("A".repeat(33), "A".repeat(32));
        for dialect in Dialect::ALL {
            for value in [
                "get", "Get", "GET,POST", "GET, GET", "GET POST", "GET ", " GET", "G\tT", "M+SEARCH", "GET1", "*", "/",
                "GET_", &long,
            ] {
                assert_eq!(refusal(dialect, sent_by(dialect)[0].0, value), AskedError::Method, "{value}");
            }
            for value in ["GET", "PURGE", "M-SEARCH", "VERSION-CONTROL", &longest] {
                let question = changed(dialect, sent_by(dialect)[0].0, value);
                assert_eq!(dialect.read(&question).unwrap().method, value);
            }
        }
    }

    #[test]
    fn an_ambiguous_path_is_refused_with_its_cause() {
        let long = format!("/{}", "a".repeat(65_536));
        for dialect in Dialect::ALL {
            for (value, cause) in [
                ("*", PathError::NotOriginForm),
                ("admin", PathError::NotOriginForm),
                ("?x=/admin", PathError::NotOriginForm),
                ("http://app.example.com/admin", PathError::NotOriginForm),
                ("app.example.com:443", PathError::NotOriginForm),
                ("/public/../admin", PathError::DotSegment),
                ("/public/%2e%2e/admin", PathError::DotSegment),
                ("/public/.%2e/admin", PathError::DotSegment),
                ("/admin/.", PathError::DotSegment),
                ("/public/..%2fadmin", PathError::EncodedDelimiter),
                ("/public/..%5cadmin", PathError::EncodedDelimiter),
                ("/%2fadmin", PathError::EncodedDelimiter),
                ("/admin%23", PathError::EncodedDelimiter),
                ("/admin%3F", PathError::EncodedDelimiter),
                ("/admin%00", PathError::EncodedDelimiter),
                ("/admin%0a", PathError::EncodedDelimiter),
                ("//admin", PathError::EmptySegment),
                ("/a//admin", PathError::EmptySegment),
                ("/admin;x=1", PathError::Parameter),
                ("/public/..;/admin", PathError::Parameter),
                ("/%252e%252e/admin", PathError::DoubleEncoding),
                ("/%c0%af", PathError::NotUtf8),
                ("/%zz", PathError::BrokenEncoding),
                ("/%", PathError::BrokenEncoding),
                ("/a b", PathError::RawCharacter),
                ("/a\\b", PathError::RawCharacter),
                (long.as_str(), PathError::TooLong),
            ] {
                assert_eq!(refusal(dialect, sent_by(dialect)[1].0, value), AskedError::Path(cause), "{value}");
            }
            let question = changed(dialect, sent_by(dialect)[1].0, "/tags/%61,b?x=a,b");
            assert_eq!(dialect.read(&question).unwrap().path.as_str(), "/tags/a,b", "commas are the path's own");
        }
    }

    #[test]
    fn an_ambiguous_host_is_refused_with_its_cause() {
        for dialect in Dialect::ALL {
            for (value, cause) in [
                ("a.test,b.test", HostError::Character),
                ("a.test, b.test", HostError::Character),
                ("ada@a.test", HostError::Character),
                ("a.test/admin", HostError::Character),
                ("a%2etest", HostError::Character),
                ("a test", HostError::Character),
                ("a..test", HostError::EmptyLabel),
                (".", HostError::EmptyLabel),
                (":80", HostError::Empty),
                ("a.test:x", HostError::Port),
                ("[::1", HostError::Ipv6),
            ] {
                assert_eq!(refusal(dialect, sent_by(dialect)[2].0, value), AskedError::Host(cause), "{value}");
            }
        }
    }

    #[test]
    fn what_is_no_protocol_or_no_text_is_refused() {
        for dialect in Dialect::ALL {
            let [method, target, host, proto, _] = sent_by(dialect).map(|line| line.0);
            for value in ["https,http", "HTTPS", "ws", "h2", "https ", "on"] {
                assert_eq!(refusal(dialect, proto, value), AskedError::Proto, "{value}");
            }
            for name in [method, target, host, proto] {
                let cause = AskedError::NotAscii(HeaderName::from_static(name));
                assert_eq!(refusal(dialect, name, "/caf\u{e9}"), cause);
            }
        }
    }

    #[test]
    fn a_nonsensical_address_is_an_unknown_one() {
        for dialect in Dialect::ALL {
            let name = sent_by(dialect)[4].0;
            for value in ["a", "unix:", "fe80::1%eth0", "192.0.2.1:80", "\u{e9}", "999.0.0.1", "[::1]"] {
                let question = changed(dialect, name, value);
                assert_eq!(dialect.read(&question).unwrap().client, None, "{value}");
            }
        }
        let joined = AskedError::Joined(HeaderName::from_static("x-real-ip"));
        assert_eq!(refusal(Dialect::Nginx, "x-real-ip", "127.0.0.1, 192.0.2.1"), joined);
    }

    #[test]
    fn debug_shows_no_query() {
        let headers = changed(Dialect::Nginx, "x-original-uri", "/reset?token=hunter2");
        let shown = format!("{:?}", Dialect::Nginx.read(&headers).unwrap());
        assert!(shown.contains("/reset") && !shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn only_a_browser_that_wants_a_page_navigates() {
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        for (method, sent, navigates) in [
            ("GET", vec![html], true),
            ("GET", vec![html, ("sec-fetch-mode", "navigate")], true),
            ("GET", vec![("accept", "application/json, Text/HTML;q=0.5")], true),
            ("GET", vec![("accept", "application/json"), ("accept", "text/html")], true),
            ("HEAD", vec![html], false),
            ("POST", vec![html], false),
            ("GET", vec![], false),
            ("GET", vec![("accept", "*/*")], false),
            ("GET", vec![("accept", "application/json")], false),
            ("GET", vec![("accept", "text/htmlx, x/text/html")], false),
            ("GET", vec![html, ("authorization", "Bearer x")], false),
            ("GET", vec![html, ("authorization", "")], false),
            ("GET", vec![html, ("sec-fetch-mode", "cors")], false),
        ] {
            let question = changed(Dialect::Nginx, "x-original-method", method);
            let asked = Dialect::Nginx.read(&question).unwrap();
            assert_eq!(asked.is_navigation(&headers(sent.clone())), navigates, "{method} {sent:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(values in proptest::collection::vec(("[^\u{0}-\u{1f}\u{7f}]{0,40}", 0_usize..7), 0..8)) {
            for dialect in Dialect::ALL {
                let own = sent_by(dialect);
                let name = |at: usize| own.get(at).map_or("accept", |line| line.0);
                let headers = headers(values.iter().map(|(value, at)| (name(*at), value.as_str())));
                if let Ok(asked) = dialect.read(&headers) {
                    let _ = asked.is_navigation(&headers);
                }
            }
        }

        #[test]
        fn a_target_is_read_if_it_has_a_canonical_path(target in "[/a%2e5c;\\\\.]{1,12}") {
            let question = changed(Dialect::Caddy, "x-forwarded-uri", &target);
            let read = Dialect::Caddy.read(&question).map(|asked| asked.path);
            prop_assert_eq!(read, CanonicalPath::parse(target.as_bytes()).map_err(AskedError::Path));
        }
    }
}
