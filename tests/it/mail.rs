//! Mail on its way to a mail server: a real one, and some that are none.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use gatepost::mail::{Letters, MailError, Mailer, Message, SmtpMailer};
use gatepost::model::{Email, Name, SmtpCredentials, SmtpSecurity, SmtpSettings, Timestamp, Username};
use gatepost::secret::Secret;
use serde_json::json;

use crate::support::MailServer;
use crate::support::program::free_address;

const NOW: Timestamp = Timestamp::from_secs(1_770_127_500);
const LINK: &str = "https://id.example.com/password/new?token=s3cr3t-t0k3n_";

fn settings(port: u16, security: SmtpSecurity) -> SmtpSettings {
    SmtpSettings {
        host: "localhost".into(),
        port,
        security,
        credentials: None,
        ca_file: None,
        from_name: Some(Name::parse("Tür & Tor").unwrap()),
        from: Email::parse("gatepost@example.com").unwrap(),
        timeout: Duration::from_secs(10),
    }
}

fn credentials(password: &str) -> Option<SmtpCredentials> {
    Some(SmtpCredentials { username: "gatepost".into(), password: Secret::new(password.into()) })
}

fn letter(to: &str) -> Message {
    let (to, ada) = (Email::parse(to).unwrap(), Username::parse("Žofie_ada").unwrap());
    let token = Secret::new("s3cr3t-t0k3n_".into());
    Letters::new("https://id.example.com").password_reset(&to, &ada, &token, NOW, NOW.plus(Duration::from_secs(3_600)))
}

/// What becomes of a letter; an error tells neither what was sent nor what the server said.
fn send(settings: SmtpSettings, to: &str) -> Result<(), MailError> {
    let result = SmtpMailer::new(settings).unwrap().send(&letter(to));
    if let Err(error) = &result {
        let told = format!("{error} {error:?}");
        for secret in ["hunter2", "s3cr3t", to] {
            assert!(!told.contains(secret), "{told}");
        }
    }
    result
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn a_letter_arrives_as_it_was_written() {
    let mut server = MailServer::start(json!({"security": "none"}));
    send(settings(server.port, SmtpSecurity::None), "ada@example.com").unwrap();
    let mail = server.next();
    assert_eq!(mail["sender"], "gatepost@example.com");
    assert_eq!(mail["recipient"], "ada@example.com");
    assert_eq!(mail["hello"], "example.com");
    assert_eq!((&mail["tls"], &mail["user"]), (&json!(false), &json!(null)));
    assert_eq!(mail["headers"]["From"], "Tür & Tor <gatepost@example.com>");
    assert_eq!(mail["headers"]["To"], "ada@example.com");
    assert_eq!(mail["headers"]["Subject"], "Set a new password");
    assert_eq!(mail["headers"]["Date"], "Tue, 03 Feb 2026 14:05:00 +0000");
    assert_eq!(mail["headers"]["Auto-Submitted"], "auto-generated");
    assert_eq!(mail["type"], "multipart/alternative");
    assert_eq!(mail["defects"], json!([]));
    let letter = letter("ada@example.com");
    for (part, (kind, content)) in
        [("text/plain", letter.expose_text()), ("text/html", letter.expose_html())].into_iter().enumerate()
    {
        assert_eq!(mail["parts"][part]["type"], kind);
        assert_eq!(mail["parts"][part]["content"].as_str().unwrap().trim_end(), content.trim_end());
    }
    let text = mail["parts"][0]["content"].as_str().unwrap();
    assert!(text.lines().any(|line| line == LINK), "{text}");
    assert!(text.contains("“Žofie_ada”"), "{text}");
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn each_attempt_at_a_letter_has_the_same_id() {
    let mut server = MailServer::start(json!({"security": "none"}));
    let mut id = |to| {
        send(settings(server.port, SmtpSecurity::None), to).unwrap();
        server.next()["headers"]["Message-ID"].as_str().unwrap().to_owned()
    };
    assert_eq!(id("ada@example.com"), id("ada@example.com"));
    assert_ne!(id("ada@example.com"), id("devi@example.com"));
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn the_connection_is_protected_as_configured() {
    for (name, security) in [("starttls", SmtpSecurity::StartTls), ("tls", SmtpSecurity::Tls)] {
        let mut server = MailServer::start(json!({"security": name}));
        let trusting = SmtpSettings { ca_file: Some(server.ca_file()), ..settings(server.port, security) };
        send(trusting.clone(), "ada@example.com").unwrap();
        assert_eq!(server.next()["tls"], true, "{name}");

        let other_name = SmtpSettings { host: "127.0.0.1".into(), ..trusting };
        let error = send(other_name, "ada@example.com").unwrap_err();
        assert!(matches!(&error, MailError::Tls(cause) if cause.contains("certificate")), "{name}: {error:?}");

        let error = send(settings(server.port, security), "ada@example.com").unwrap_err();
        assert!(matches!(&error, MailError::Tls(cause) if cause.contains("UnknownIssuer")), "{name}: {error:?}");
        assert!(!error.is_final());
    }
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn nothing_is_sent_in_the_open_where_tls_is_wanted() {
    let server = MailServer::start(json!({"security": "none"}));
    let ca_file = Some(server.ca_file());
    let wanted = SmtpSettings { ca_file: ca_file.clone(), ..settings(server.port, SmtpSecurity::StartTls) };
    assert_eq!(send(wanted, "ada@example.com"), Err(MailError::NoStartTls));
    let wanted = SmtpSettings { ca_file, ..settings(server.port, SmtpSecurity::Tls) };
    let error = send(wanted, "ada@example.com").unwrap_err();
    assert!(matches!(error, MailError::Tls(_)), "{error:?}");

    let server = MailServer::start(json!({"security": "starttls"}));
    assert_eq!(send(settings(server.port, SmtpSecurity::None), "ada@example.com"), Err(MailError::Session(530)));
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn the_server_is_logged_in_to() {
    for (name, security) in [("starttls", SmtpSecurity::StartTls), ("tls", SmtpSecurity::Tls)] {
        let log_in = json!({"security": name, "username": "gatepost", "password": "hunter2"});
        let mut server = MailServer::start(log_in);
        let trusting = SmtpSettings { ca_file: Some(server.ca_file()), ..settings(server.port, security) };
        let with = |credentials| SmtpSettings { credentials, ..trusting.clone() };
        send(with(credentials("hunter2")), "ada@example.com").unwrap();
        assert_eq!(server.next()["user"], "gatepost", "{name}");

        let wrong = send(with(credentials("hunter3")), "ada@example.com").unwrap_err();
        assert_eq!(wrong, MailError::Session(535), "{name}");
        assert!(!wrong.is_final(), "the operator can repair it");
        let none = send(with(None), "ada@example.com").unwrap_err();
        assert_eq!(none, MailError::Session(530), "{name}");
        assert!(!none.is_final(), "the operator can repair it");
    }
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn what_is_said_to_the_server_is_not_logged() {
    let mut server = MailServer::start(json!({"security": "tls", "username": "gatepost", "password": "hunter2"}));
    let with = SmtpSettings {
        ca_file: Some(server.ca_file()),
        credentials: credentials("hunter2"),
        ..settings(server.port, SmtpSecurity::Tls)
    };
    let log = tempfile::NamedTempFile::new().unwrap();
    let file = log.reopen().unwrap();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(file).finish();
    tracing::subscriber::with_default(subscriber, || {
        tracing::trace!("a line");
        send(with, "ada@example.com").unwrap();
    });
    server.next();
    let told = std::fs::read_to_string(log.path()).unwrap();
    assert!(told.contains("a line"), "something is logged at all");
    for secret in ["hunter2", "AUTH", "s3cr3t", "ada@example.com"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn a_password_is_not_sent_to_a_server_that_does_not_ask_for_it() {
    let server = MailServer::start(json!({"security": "none"}));
    let with = SmtpSettings { credentials: credentials("hunter2"), ..settings(server.port, SmtpSecurity::None) };
    assert_eq!(send(with, "ada@example.com"), Err(MailError::NoLogIn));
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn a_refusal_for_good_ends_the_message_and_one_for_now_does_not() {
    let mut server = MailServer::start(json!({"security": "none"}));
    for (to, error) in [
        ("gone@example.com", MailError::Refused(550)),
        ("spam@example.com", MailError::Refused(554)),
        ("full@example.com", MailError::Deferred(452)),
        ("busy@example.com", MailError::Deferred(421)),
        ("grey@example.com", MailError::Deferred(451)),
    ] {
        assert_eq!(error.is_final(), matches!(error, MailError::Refused(_)));
        assert_eq!(send(settings(server.port, SmtpSecurity::None), to), Err(error), "{to}");
    }
    send(settings(server.port, SmtpSecurity::None), "ada@example.com").unwrap();
    assert_eq!(server.next()["recipient"], "ada@example.com", "no other message was taken");
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn letters_beyond_ascii_in_an_address_need_a_server_that_knows_them() {
    let mut server = MailServer::start(json!({"security": "none"}));
    send(settings(server.port, SmtpSecurity::None), "ada@bücher.example").unwrap();
    assert_eq!(server.next()["recipient"], "ada@xn--bcher-kva.example");
    let error = send(settings(server.port, SmtpSecurity::None), "žofie@example.com").unwrap_err();
    assert_eq!((&error, error.is_final()), (&MailError::NotAscii, true));

    let mut server = MailServer::start(json!({"security": "none", "smtputf8": true}));
    send(settings(server.port, SmtpSecurity::None), "žofie@example.com").unwrap();
    assert_eq!(server.next()["recipient"], "žofie@example.com");
}

#[test]
#[ignore = "needs aiosmtpd: tests/run.sh"]
fn a_server_that_hangs_is_not_waited_for_long() {
    let server = MailServer::start(json!({"security": "none"}));
    let impatient = SmtpSettings { timeout: Duration::from_millis(300), ..settings(server.port, SmtpSecurity::None) };
    let started = Instant::now();
    assert_eq!(send(impatient, "hang@example.com"), Err(MailError::Timeout));
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A server that says `lines`, one for the connection and one for each command, and then holds the connection open.
fn scripted(lines: &'static [&str]) -> (u16, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut heard = Vec::new();
        let mut lines = lines.iter();
        say(&stream, lines.next());
        for line in BufReader::new(&stream).split(b'\n').map_while(Result::ok) {
            heard.push(String::from_utf8_lossy(&line).into_owned());
            say(&stream, lines.next());
        }
        heard
    });
    (port, server)
}

fn say(mut stream: &TcpStream, line: Option<&&str>) {
    if let Some(line) = line {
        stream.write_all(line.as_bytes()).unwrap();
    }
}

#[test]
fn a_server_that_says_nothing_is_not_waited_for_long() {
    for security in [SmtpSecurity::None, SmtpSecurity::StartTls, SmtpSecurity::Tls] {
        let (port, server) = scripted(&[]);
        let impatient = SmtpSettings { timeout: Duration::from_millis(200), ..settings(port, security) };
        let started = Instant::now();
        assert_eq!(send(impatient, "ada@example.com"), Err(MailError::Timeout), "{security:?}");
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
        drop(server.join());
    }
}

#[test]
fn what_a_server_says_before_a_message_is_not_about_the_message() {
    for (lines, error) in [
        (&["554 hunter2 no service\r\n", "221 bye\r\n"][..], MailError::Session(554)),
        (&["421 hunter2 busy\r\n", "221 bye\r\n"], MailError::Session(421)),
        (&["220 hi\r\n", "550 hunter2 who are you\r\n", "221 bye\r\n"], MailError::Session(550)),
        (&["HTTP/1.1 400 hunter2\r\n\r\n"], MailError::Protocol),
        (&["\u{1}\u{2}\r\n"], MailError::Protocol),
        (&["220 hi\r\n", "250 mail.example.com\r\n", "530 hunter2 log in\r\n", "221 bye\r\n"], MailError::Session(530)),
    ] {
        let (port, server) = scripted(lines);
        assert_eq!(send(settings(port, SmtpSecurity::None), "ada@example.com"), Err(error.clone()), "{lines:?}");
        assert!(!error.is_final());
        let heard = server.join().unwrap();
        assert!(heard.iter().all(|line| !line.starts_with("RCPT")), "{heard:?}");
    }
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let port = free_address().port();
    let error = send(settings(port, SmtpSecurity::None), "ada@example.com").unwrap_err();
    assert!(matches!(&error, MailError::Connection(cause) if cause.contains("refused")), "{error:?}");
    assert!(!error.is_final());
}

#[test]
fn settings_that_cannot_work_are_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let with = |ca_file| {
        let settings = SmtpSettings { ca_file: Some(ca_file), ..settings(25, SmtpSecurity::Tls) };
        SmtpMailer::new(settings).unwrap_err().to_string()
    };
    assert!(with(folder.path().join("none.pem")).starts_with("cannot read the certificates in `"));
    for text in [
        "",
        "no certificates",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        let path = folder.path().join("bad.pem");
        std::fs::write(&path, text).unwrap();
        assert!(with(path).starts_with("expected certificates in PEM form in `"), "{text}");
    }
}

#[test]
fn neither_a_mailer_nor_a_letter_prints_a_secret() {
    let with = SmtpSettings { credentials: credentials("hunter2"), ..settings(25, SmtpSecurity::Tls) };
    let mailer = SmtpMailer::new(with).unwrap();
    let told = format!("{mailer:?} {:?}", letter("ada@example.com"));
    for secret in ["hunter2", "s3cr3t", "ada@example.com"] {
        assert!(!told.contains(secret), "{told}");
    }
}
