//! `tests/cases/requests.json` through each proxy: whatever the application sees is what was decided about.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost::http::path::CanonicalPath;
use serde::Deserialize;

use super::stage::{Stage, Start};
use crate::gate::cases::Meanings;
use crate::support::{Received, World, caddy, envoy, haproxy, nginx, traefik};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    about: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "says what may be in the file")]
struct Case {
    class: String,
    name: String,
    send: String,
    outcome: Outcome,
    why: Option<String>,
    #[serde(default)]
    reference: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allowed,
    Anonymous,
    Refused,
    Same,
}

impl Suite {
    fn read() -> Self {
        let suite: Self = serde_json::from_str(include_str!("../../cases/requests.json")).unwrap();
        assert!(!suite.about.is_empty() && suite.cases.len() >= 200);
        suite
    }
}

/// What is claimed by clients, and what no application may see.
const FORGED: [&str; 2] = ["forged", "192.0.2.66"];
const DENIED: &str = "/gatepost-probe-denied";
/// How long a proxy may be silent, and how long it is listened to where it may have found a second request.
const PATIENCE: Duration = Duration::from_secs(3);
const QUIET: Duration = Duration::from_millis(100);

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn nothing_gets_through_nginx_as_something_else() {
    every_case(&stage(nginx::start), &[]);
}

#[test]
#[ignore = "needs caddy: tests/run.sh"]
fn nothing_gets_through_caddy_as_something_else() {
    // Raw bytes are percent-encoded.
    every_case(&stage(caddy::start), &["path/raw-utf-8"]);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn nothing_gets_through_traefik_as_something_else() {
    // The entry point cleans paths, decodes what needs no encoding, and encodes raw bytes.
    every_case(
        &stage(traefik::start),
        &[
            "path/dot-and-encoded-dot-inside",
            "path/dot-at-the-end",
            "path/dot-dot-and-slash-at-the-end",
            "path/dot-dot-at-the-end",
            "path/dot-dot-inside",
            "path/dot-segment",
            "path/double-slash-at-the-end",
            "path/double-slash-first",
            "path/double-slash-inside",
            "path/encoded-dot-and-dot-inside",
            "path/encoded-dot-at-the-end",
            "path/encoded-dot-dot-inside",
            "path/encoded-dot-segment",
            "path/path-of-2000-slashes",
            "path/path-of-5000-encoded-letters",
            "path/raw-utf-8",
            "path/upper-case-encoded-dot-dot-inside",
        ],
    );
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn nothing_gets_through_haproxy_as_something_else() {
    every_case(&stage(haproxy::start), &[]);
}

#[test]
#[ignore = "needs apache2: tests/run.sh"]
fn nothing_gets_through_apache_as_something_else() {
    every_case(&super::apache::stage(), &[]);
}

/// Envoy cleans paths, before anything else looks at them, and takes a backslash for a slash.
const CLEANED_BY_ENVOY: &[&str] = &[
    "path/backslash-in-a-segment",
    "path/dot-and-encoded-dot-inside",
    "path/dot-at-the-end",
    "path/dot-dot-and-slash-at-the-end",
    "path/dot-dot-at-the-end",
    "path/dot-dot-backslash-inside",
    "path/dot-dot-inside",
    "path/dot-dot-parameter-inside",
    "path/dot-segment",
    "path/double-slash-at-the-end",
    "path/double-slash-first",
    "path/double-slash-inside",
    "path/encoded-dot-and-dot-inside",
    "path/encoded-dot-at-the-end",
    "path/encoded-dot-dot-inside",
    "path/encoded-dot-segment",
    "path/path-of-2000-slashes",
    "path/path-of-5000-encoded-letters",
    "path/upper-case-encoded-dot-dot-inside",
];

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn nothing_gets_through_envoy_as_something_else() {
    every_case(&stage(envoy::start), CLEANED_BY_ENVOY);
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn nothing_gets_through_envoy_over_http_as_something_else() {
    every_case(&stage(envoy::start_http), CLEANED_BY_ENVOY);
}

fn stage(start: Start) -> Stage {
    Stage::new(start, World::without_passwords(&[]))
}

/// The bytes of the cases of a class, in their order, by their names.
pub fn of_class(stage: &Stage, class: &str) -> Vec<(String, Vec<u8>)> {
    let (suite, meanings) = (Suite::read(), meanings(stage));
    let cases = suite.cases.into_iter().filter(|case| case.class == class);
    let cases: Vec<_> = cases.map(|case| (case.name, meanings.bytes(&case.send))).collect();
    assert!(!cases.is_empty(), "there is no class `{class}`");
    cases
}

/// Whether the path can be read in two ways as it is sent.
pub fn is_ambiguous(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b' ').nth(1).is_some_and(|target| CanonicalPath::parse(target).is_err())
}

/// Sends every case. `cleaned` are those whose path can be read in two ways as it is sent, and which come through all the
/// same, because this proxy makes one of it, before Gatepost and the application see it: exactly these.
fn every_case(stage: &Stage, cleaned: &[&str]) {
    let suite = Suite::read();
    let meanings = meanings(stage);
    let (mut found_cleaned, mut passed) = (BTreeSet::new(), 0);
    let mut problems = Vec::new();
    for case in &suite.cases {
        let id = format!("{}/{}", case.class, case.name);
        let bytes = meanings.bytes(&case.send);
        let holds_more =
            case.send.find("\r\n\r\n").is_none_or(|end| end + 4 < case.send.len()) || case.send.contains("\n\n");
        exchange(stage.address, &bytes, holds_more);
        let seen = stage.upstream.take();
        passed += seen.len();
        let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| hold(stage, case.outcome, &seen)));
        if came.is_err() {
            problems.push(format!("{id}: {seen:?}"));
        }
        if case.class == "path" && is_ambiguous(&bytes) && !seen.is_empty() {
            found_cleaned.insert(id);
        }
    }
    assert!(problems.is_empty(), "{} cases:\n{}", problems.len(), problems.join("\n"));
    assert!(passed >= 100, "only {passed} requests were looked at");
    assert_eq!(found_cleaned, cleaned.iter().map(|id| (*id).to_owned()).collect());
}

fn meanings(stage: &Stage) -> Meanings {
    let (olga, devi) = (stage.world.person("olga"), stage.world.person("devi"));
    let path = stage.application();
    let encoded = |path: &str| -> String {
        path.bytes()
            .map(|b| if b.is_ascii_alphabetic() { format!("%{b:02x}") } else { char::from(b).to_string() })
            .collect()
    };
    let cookie = |session: &str| format!("__Host-gatepost={session}");
    let meanings = [
        ("authority", "app.example.com".to_owned()),
        ("host", "app.example.com".to_owned()),
        ("upper_host", "APP.EXAMPLE.COM".to_owned()),
        ("upper", path.to_uppercase()),
        ("encoded", encoded(&path)),
        ("path", path),
        ("denied", DENIED.to_owned()),
        ("upper_denied", DENIED.to_uppercase()),
        ("encoded_denied", encoded(DENIED)),
        ("agent", "gatepost-tests".to_owned()),
        ("authorization", format!("Bearer {}", olga.api_key)),
        ("key", olga.api_key.clone()),
        ("short_key", olga.api_key[..olga.api_key.len() - 1].to_owned()),
        ("query_key", olga.api_key.clone()),
        ("basic", STANDARD.encode(format!("olga:{}", olga.api_key))),
        ("other", format!("Bearer {}", devi.api_key)),
        ("cookie", cookie(&olga.session)),
        ("other_cookie", cookie(&devi.session)),
        ("cookie_name", "__Host-gatepost".to_owned()),
    ];
    Meanings(meanings.into_iter().map(|(name, text)| (format!("{{{name}}}"), text)).collect())
}

/// Holds what the application has seen against what must come of it.
fn hold(stage: &Stage, outcome: Outcome, seen: &[Received]) {
    match outcome {
        // Nothing is public here.
        Outcome::Refused | Outcome::Anonymous => assert_eq!(seen, []),
        Outcome::Allowed => assert_ne!(seen, []),
        Outcome::Same => {}
    }
    for seen in seen {
        stage.assert_decided(seen, "olga");
        assert!(!seen.target.starts_with(DENIED));
        for (name, value) in &seen.headers {
            let lower = value.to_lowercase();
            assert!(!FORGED.iter().any(|claim| lower.contains(claim)), "{name}: {value}");
        }
        let framing = seen.all("content-length").len() + seen.all("transfer-encoding").len();
        assert!(framing <= 1, "it has two lengths");
        assert!(seen.all("upgrade").iter().all(|to| to.is_empty() || to.eq_ignore_ascii_case("websocket")));
        for named in seen.all("connection").iter().flat_map(|value| value.split(',')) {
            let named = named.trim().to_lowercase();
            assert!(
                !named.starts_with("remote") && !named.starts_with("x-") && !named.starts_with("gatepost"),
                "{named}"
            );
        }
    }
}

/// Sends the bytes on a connection of their own, and reads until the answer is whole; where there may be more than one,
/// until nothing more comes.
fn exchange(address: SocketAddr, bytes: &[u8], holds_more: bool) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    // A proxy may refuse a message before it is sent in full.
    let _ = stream.write_all(bytes);
    let (mut got, mut buffer) = (Vec::new(), [0; 65_536]);
    loop {
        let is_whole = is_whole(&got, bytes.starts_with(b"HEAD "));
        if is_whole && !holds_more {
            return;
        }
        if is_whole {
            stream.set_read_timeout(Some(QUIET)).unwrap();
        }
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(read) => got.extend_from_slice(&buffer[..read]),
        }
    }
}

fn is_whole(got: &[u8], is_head: bool) -> bool {
    let text = String::from_utf8_lossy(got).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    if is_head {
        return true;
    }
    if head.contains("\r\ntransfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head.split("\r\ncontent-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
    length.is_some_and(|length: usize| body.len() >= length)
}
