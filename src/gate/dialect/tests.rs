use hyper::HeaderMap;
use hyper::header::HeaderValue;
use proptest::prelude::*;

use super::super::lines::Fields;
use super::*;
use crate::http::host::HostError;
use crate::http::path::PathError;

type Lines = [(&'static str, &'static str); 5];

const ORIGINAL: Lines = [
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
    if dialect.header_names()[0] == "x-original-method" { ORIGINAL } else { FORWARD }
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
    for name in ["", "NGINX", "envoy", "nginx/", "nginx,caddy"] {
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
        let others = if own == ORIGINAL { FORWARD } else { ORIGINAL };
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
        assert_eq!(asked.is_navigation(Fields::Mapped(&headers(sent.clone()))), navigates, "{method} {sent:?}");
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
                let _ = asked.is_navigation(Fields::Mapped(&headers));
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
