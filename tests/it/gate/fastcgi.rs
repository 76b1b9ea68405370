//! The FastCGI listener, as any web server may speak to it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use crate::support::{Address, World};

const BEGIN_REQUEST: u8 = 1;
const PARAMS: u8 = 4;
const STDOUT: u8 = 6;
const END_REQUEST: u8 = 3;

/// What Apache sends for a request of the person with this credential.
fn params<'a>(method: &'a str, target: &'a str, authorization: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("HTTP_HOST", "app.example.com"),
        ("HTTP_AUTHORIZATION", authorization),
        ("HTTP_REMOTE_USER", "ada"),
        ("HTTP_X_ORIGINAL_URI", "/"),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("REQUEST_SCHEME", "https"),
        ("REQUEST_METHOD", method),
        ("REQUEST_URI", target),
        ("FCGI_ROLE", "AUTHORIZER"),
    ]
}

fn record(kind: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    [&[1, kind, 0, 1, len[0], len[1], 0, 0], content].concat()
}

fn question(params: &[(&str, &str)]) -> Vec<u8> {
    let mut stream = Vec::new();
    for (name, value) in params {
        for len in [name.len(), value.len()] {
            stream.extend((u32::try_from(len).unwrap() | 1 << 31).to_be_bytes());
        }
        stream.extend([name.as_bytes(), value.as_bytes()].concat());
    }
    let mut bytes = record(BEGIN_REQUEST, &[0, 2, 0, 0, 0, 0, 0, 0]);
    bytes.extend(stream.chunks(10_000).flat_map(|part| record(PARAMS, part)));
    bytes.extend(record(PARAMS, b""));
    bytes
}

/// All that comes back until the connection is closed.
fn exchange(address: Address, question: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    // Who is refused may be so before all was sent and read.
    match address {
        Address::Tcp(address) => {
            let mut stream = TcpStream::connect(address).unwrap();
            let _ = stream.write_all(question);
            let _ = stream.read_to_end(&mut answer);
        }
        Address::Unix(path) => {
            let mut stream = UnixStream::connect(path).unwrap();
            let _ = stream.write_all(question);
            let _ = stream.read_to_end(&mut answer);
        }
    }
    answer
}

/// The CGI response to a question.
fn ask(world: &World, params: &[(&str, &str)]) -> String {
    let answer = exchange(world.fastcgi.unwrap(), &question(params));
    let len = usize::from(u16::from_be_bytes([answer[4], answer[5]]));
    let text = String::from_utf8(answer[8..8 + len].to_vec()).unwrap();
    let end = [record(STDOUT, b""), record(END_REQUEST, &[0; 8])].concat();
    assert_eq!(answer, [record(STDOUT, text.as_bytes()), end].concat());
    text
}

fn world(settings: &[(&'static str, &str)]) -> World {
    World::without_passwords(&[&[("fastcgi.listen", "127.0.0.1:0")], settings].concat())
}

fn bearer(world: &World, username: &str) -> String {
    format!("Bearer {}", world.person(username).api_key)
}

#[test]
fn an_allow_is_made_of_variables() {
    let world = world(&[]);
    let target = format!("/applications/{}?q=1", world.application);
    let text = ask(&world, &params("GET", &target, &bearer(&world, "olga")));
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines: Vec<_> = head.lines().collect();
    lines.sort_unstable();
    let decision = lines[1].strip_prefix("Variable-Gatepost-Decision: ").unwrap();
    let expected = [
        "Status: 200 OK",
        lines[1],
        "Variable-Remote-Credential: api_key",
        "Variable-Remote-Email: olga@example.com",
        "Variable-Remote-Role: observer",
        "Variable-Remote-User: olga",
    ];
    assert_eq!((lines.as_slice(), body), (expected.as_slice(), ""));
    let record = world.decision_record(decision);
    assert_eq!((&record["client"], &record["method"]), (&"192.0.2.1".into(), &"GET".into()));
    assert_eq!((&record["host"], &record["decision"]), (&"app.example.com".into(), &"allow".into()));
}

#[test]
fn a_refusal_is_a_response() {
    let world = world(&[]);
    let target = format!("/applications/{}", world.application);
    let otto = bearer(&world, "otto");
    let text = ask(&world, &params("GET", &target, &otto));
    assert!(text.starts_with("Status: 403 Forbidden\r\n") && text.contains("\r\n\r\n{\"type\""), "{text}");
    let text = ask(&world, &params("HEAD", &target, &otto));
    assert!(text.starts_with("Status: 403 Forbidden\r\n") && text.ends_with("\r\n\r\n"), "{text}");
    let text = ask(&world, &params("GET", &target, "Bearer gp_invented"));
    assert!(text.starts_with("Status: 401 Unauthorized\r\n") && text.contains("Www-Authenticate: Bearer"), "{text}");
}

#[test]
fn an_ambiguous_or_over_long_question_is_refused() {
    let world = world(&[]);
    let (target, olga) = (format!("/applications/{}", world.application), bearer(&world, "olga"));
    let good = params("GET", &target, &olga);
    for name in ["HTTP_HOST", "REMOTE_ADDR", "REQUEST_SCHEME", "REQUEST_METHOD", "REQUEST_URI"] {
        let without: Vec<_> = good.iter().copied().filter(|(own, _)| *own != name).collect();
        let twice = [good.clone(), good.iter().copied().filter(|(own, _)| *own == name).collect()].concat();
        for params in [without, twice] {
            let text = ask(&world, &params);
            assert!(text.starts_with("Status: 400 Bad Request\r\n") && text.contains(name), "{name}: {text}");
        }
    }
    let long = "a".repeat(65_536);
    let text = ask(&world, &[good.clone(), vec![("HTTP_X_LONG", long.as_str())]].concat());
    assert!(text.starts_with("Status: 431 "), "{text}");
    assert!(ask(&world, &good).starts_with("Status: 200 OK\r\n"));
}

#[test]
fn a_peer_that_is_not_trusted_learns_nothing() {
    let world = world(&[("decision.trusted_peers", "192.0.2.1")]);
    let target = format!("/applications/{}", world.application);
    let question = question(&params("GET", &target, &bearer(&world, "olga")));
    assert_eq!(exchange(world.fastcgi.unwrap(), &question), b"");
}

#[test]
fn whoever_reaches_a_unix_socket_is_trusted() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/fastcgi.sock", folder.path().display());
    let world = world(&[("fastcgi.listen", &socket), ("decision.trusted_peers", "192.0.2.1")]);
    let target = format!("/applications/{}", world.application);
    let text = ask(&world, &params("GET", &target, &bearer(&world, "olga")));
    assert!(text.starts_with("Status: 200 OK\r\n"), "{text}");
}
