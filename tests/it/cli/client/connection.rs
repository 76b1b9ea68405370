//! What lies between the program and a server: addresses, certificates, and servers that are none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::cli::program::Program;
use crate::support::program::free_address;

const ME: &str = r#"{"id": "01890a5d-ac96-774b-bcce-b302099a8057", "username": "ada\u001b[2K", "email": "ada@example.com",
    "totp_enabled": true, "has_password": true, "credential": {"kind": "session", "id": "x", "expires_at": null}}"#;

/// Something that answers every request alike, and tells what it was asked.
struct Fake {
    port: u16,
    asked: Receiver<String>,
}

impl Fake {
    fn start(answer: impl Into<String>, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = channel();
        let answer = answer.into();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                let asked = match &tls {
                    Some(config) => {
                        let connection = ServerConnection::new(Arc::clone(config)).unwrap();
                        converse(StreamOwned::new(connection, stream), &answer)
                    }
                    None => converse(stream, &answer),
                };
                // Whoever does not trust the certificate asks nothing.
                if let Some(asked) = asked {
                    tell.send(asked).unwrap();
                }
            }
        });
        Self { port, asked }
    }
}

fn converse(mut stream: impl Read + Write, answer: &str) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.extend_from_slice(&byte);
    }
    stream.write_all(answer.as_bytes()).ok()?;
    stream.flush().ok()?;
    Some(String::from_utf8(head).unwrap())
}

fn answer(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

fn program(server: &str) -> Program {
    let mut program = Program::new();
    program.set("GATEPOST_SERVER", server);
    program.set("GATEPOST_TOKEN", "gp_sesame");
    program
}

#[test]
fn a_server_that_does_not_answer_is_a_failure() {
    let unused = free_address();
    let error = program(&format!("http://{unused}")).failure(&["whoami"]);
    assert!(error.starts_with(&format!("error: cannot ask `http://{unused}`: ")), "{error}");
}

#[test]
fn what_is_no_gatepost_is_not_taken_for_one() {
    for (given, expected) in [
        (answer("404 Not Found\r\nContent-Type: text/html", "<h1>sesame</h1>"), "answers with status 404"),
        (answer("404 Not Found\r\nContent-Type: application/json", "{}"), "answers with status 404"),
        (answer("200 OK\r\nContent-Type: text/html", "<h1>sesame</h1>"), "does not understand"),
        (answer("502 Bad Gateway", ""), "answers with status 502"),
    ] {
        let fake = Fake::start(given, None);
        let program = program(&format!("http://127.0.0.1:{}", fake.port));
        let run = program.run(&["whoami"]);
        assert_eq!((run.code, run.out.as_str()), (1, ""), "{run:?}");
        assert!(run.err.contains(expected) && !run.err.contains("sesame"), "{run:?}");
    }
}

#[test]
fn a_token_is_not_carried_to_another_server() {
    let other = Fake::start(answer("200 OK\r\nContent-Type: application/json", ME), None);
    let elsewhere = format!("302 Found\r\nLocation: http://127.0.0.1:{}/v1/whoami", other.port);
    let fake = Fake::start(answer(&elsewhere, ""), None);
    let error = program(&format!("http://127.0.0.1:{}", fake.port)).failure(&["whoami"]);
    assert!(error.contains("answers with status 302"), "{error}");
    assert!(fake.asked.recv().unwrap().to_lowercase().contains("authorization: bearer gp_sesame"));
    assert!(other.asked.try_recv().is_err());
}

#[test]
fn what_is_not_encrypted_passes_no_proxy() {
    let proxy = Fake::start(answer("200 OK", ""), None);
    let fake = Fake::start(answer("200 OK\r\nContent-Type: application/json", ME), None);
    let mut program = program(&format!("http://127.0.0.1:{}", fake.port));
    for variable in ["http_proxy", "HTTP_PROXY", "ALL_PROXY"] {
        program.set(variable, &format!("http://127.0.0.1:{}", proxy.port));
    }
    assert_eq!(program.json(&["whoami"])["email"], "ada@example.com");
    assert!(proxy.asked.try_recv().is_err());
}

#[test]
fn what_a_server_says_cannot_reach_the_terminal_as_more_than_text() {
    let problem = r#"{"code": "forbid\u001b[2Kden", "detail": "no\u009b1m\u202e"}"#;
    let refused = answer("403 Forbidden\r\nContent-Type: application/problem+json", problem);
    for (given, code) in [(answer("200 OK\r\nContent-Type: application/json", ME), 0), (refused, 5)] {
        let fake = Fake::start(given, None);
        let run = program(&format!("http://127.0.0.1:{}", fake.port)).run(&["whoami"]);
        assert_eq!(run.code, code, "{run:?}");
        let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!run.out.contains(harmful) && !run.err.contains(harmful), "{run:?}");
    }
}

#[test]
fn a_token_that_is_none_is_not_shown() {
    let mut program = program("http://127.0.0.1:1");
    program.set("GATEPOST_TOKEN", "gp_sesame\r\nHost: evil.example");
    let error = program.failure(&["whoami"]);
    assert!(!error.contains("sesame"), "{error}");
}

#[test]
fn certificates_are_verified() {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority = params.self_signed(&key).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let fake = Fake::start(answer("200 OK\r\nContent-Type: application/json", ME), Some(Arc::new(config)));

    let trusted = program(&format!("https://localhost:{}", fake.port));
    std::fs::write(trusted.folder().join("ca.pem"), authority.pem()).unwrap();
    std::fs::write(trusted.folder().join("none.pem"), "nothing").unwrap();
    assert_eq!(trusted.json(&["whoami", "--ca-file", "ca.pem"])["email"], "ada@example.com");
    assert!(fake.asked.recv().unwrap().contains("gp_sesame"));
    let error = trusted.failure(&["whoami"]);
    assert!(error.contains("certificate"), "{error}");
    let error = trusted.failure(&["whoami", "--ca-file", "none.pem"]);
    assert!(error.starts_with("error: cannot use `none.pem`: "), "{error}");
    // Its certificate is for another name.
    let error = program(&format!("https://127.0.0.1:{}", fake.port));
    std::fs::write(error.folder().join("ca.pem"), authority.pem()).unwrap();
    let error = error.failure(&["whoami", "--ca-file", "ca.pem"]);
    assert!(error.contains("certificate"), "{error}");
    assert!(fake.asked.try_recv().is_err());
}
