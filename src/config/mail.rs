//! How mail is sent.

use std::net::Ipv6Addr;
use std::time::Duration;

use super::Portal;
use super::key::{Key, Section, Shape};
use super::portal::is_host_or_ipv6;
use super::reader::Reader;
use crate::model::{Email, Name, SmtpCredentials, SmtpSecurity, SmtpSettings};
use crate::secret::Secret;

pub(super) static SECTION: Section = Section {
    name: "mail",
    doc: "How mail is sent: links that confirm an address or set a new password, and notices.",
    keys: &[&SMTP, &SECURITY, &USERNAME, &PASSWORD, &CA_FILE, &FROM, &TIMEOUT_SECS],
};

static SMTP: Key = Key {
    name: "mail.smtp",
    shape: Shape::Text("a host in lower case and a port, like mail.example.com:587"),
    default: None,
    doc: "The mail server. Without it no mail is sent, and addresses are taken unconfirmed. Links need `portal.url`.",
};

static SECURITY: Key = Key {
    name: "mail.security",
    shape: Shape::Text("`starttls`, `tls` or `none`"),
    default: Some("starttls"),
    doc: "How the connection is protected: `starttls` (port 587), `tls` from the start (port 465, better where it is offered), \
          or not at all.",
};

static USERNAME: Key = Key {
    name: "mail.username",
    shape: Shape::Text("a text without control characters"),
    default: None,
    doc: "The name to log in to the mail server with.",
};

static PASSWORD: Key = Key {
    name: "mail.password",
    shape: Shape::Secret("a text without control characters"),
    default: None,
    doc: "The password to log in to the mail server with; best given in the environment.",
};

static CA_FILE: Key = Key {
    name: "mail.ca_file",
    shape: Shape::Text("the path of a file"),
    default: None,
    doc: "Certificates (PEM) of the authorities that are trusted in place of the public ones.",
};

static FROM: Key = Key {
    name: "mail.from",
    shape: Shape::Text("an address like gatepost@example.com, or one with a name like Gatepost <gatepost@example.com>"),
    default: None,
    doc: "Whom mail comes from.",
};

static TIMEOUT_SECS: Key = Key {
    name: "mail.timeout_secs",
    shape: Shape::Number(1..=300),
    default: Some("20"),
    doc: "How many seconds the mail server may take to accept the connection, and to answer each command.",
};

/// The mail server, if there is one. What cannot work is a problem: mail without a portal that links could lead to, half
/// a log-in, a password for everyone to read, and settings without the server that they are for.
pub(super) fn resolve(reader: &mut Reader<'_>, portal: Option<&Portal>) -> Option<Option<SmtpSettings>> {
    let server = reader.optional(&SMTP, server);
    let security = reader.one(&SECURITY, security);
    let username = reader.optional(&USERNAME, |text| Some(text.to_owned()));
    let password = reader.optional(&PASSWORD, |text| Some(Secret::new(text.to_owned())));
    let ca_file = reader.optional(&CA_FILE, |text| Some(text.into()));
    let from = reader.optional(&FROM, mailbox);
    let timeout = reader.number(&TIMEOUT_SECS).map(Duration::from_secs);

    if !reader.is_set(&SMTP) {
        for key in [&USERNAME, &PASSWORD, &CA_FILE, &FROM] {
            if reader.is_set(key) {
                reader.blame(key, format!("expected `{}` beside it, found nothing", SMTP.name));
            }
        }
        return (security.is_some() && timeout.is_some()).then_some(None);
    }
    if portal.is_some_and(|portal| portal.url.is_none()) {
        reader.blame(&SMTP, "expected `portal.url` beside it, for the links in the mail, found nothing");
    }
    if !reader.is_set(&FROM) {
        reader.blame(&FROM, format!("expected {}, found nothing", FROM.expected()));
    }
    for (one, other) in [(&USERNAME, &PASSWORD), (&PASSWORD, &USERNAME)] {
        if reader.is_set(one) && !reader.is_set(other) {
            reader.blame(one, format!("expected `{}` beside it, found nothing", other.name));
        }
    }
    if security == Some(SmtpSecurity::None) && reader.is_set(&PASSWORD) {
        reader.blame(&SECURITY, "expected `starttls` or `tls`, because a password is sent, found `none`");
    }

    let (host, port) = server??;
    let (from_name, from) = from??;
    let credentials = username?.zip(password?).map(|(username, password)| SmtpCredentials { username, password });
    Some(Some(SmtpSettings {
        host,
        port,
        security: security?,
        credentials,
        ca_file: ca_file?,
        from_name,
        from,
        timeout: timeout?,
    }))
}

/// Host and port; the host without the brackets of an IPv6 address.
fn server(text: &str) -> Option<(String, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let number = port.parse::<u16>().ok().filter(|number| *number != 0 && number.to_string() == port)?;
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let plain = address.filter(|address| address.parse::<Ipv6Addr>().is_ok()).unwrap_or(host);
    is_host_or_ipv6(host).then(|| (plain.to_owned(), number))
}

fn security(text: &str) -> Option<SmtpSecurity> {
    match text {
        "starttls" => Some(SmtpSecurity::StartTls),
        "tls" => Some(SmtpSecurity::Tls),
        "none" => Some(SmtpSecurity::None),
        _ => None,
    }
}

/// An address, or a name and an address in angle brackets (RFC 5322, section 3.4; the name without quotes).
fn mailbox(text: &str) -> Option<(Option<Name>, Email)> {
    let Some((name, address)) = text.strip_suffix('>').and_then(|text| text.split_once('<')) else {
        return Some((None, Email::parse(text).ok()?));
    };
    let name = Name::parse(name.trim()).ok().filter(|name| !name.as_str().contains(['"', '<', '>', '@']))?;
    Some((Some(name), Email::parse(address).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("mail.example.com:587", "mail.example.com", 587),
            ("localhost:25", "localhost", 25),
            ("127.0.0.1:2525", "127.0.0.1", 2525),
            ("[::1]:465", "::1", 465),
        ] {
            assert_eq!(server(text), Some((host.to_owned(), port)), "{text}");
        }
        for text in [
            "mail.example.com",
            "mail.example.com:",
            "mail.example.com:0",
            "mail.example.com:025",
            "mail.example.com:99999",
            "Mail.example.com:25",
            "::1:25",
            "[::1]",
            "[localhost]:25",
            "smtp://mail.example.com:25",
            "user@mail.example.com:25",
            ":25",
            "a b:25",
        ] {
            assert_eq!(server(text), None, "{text}");
        }
    }

    #[test]
    fn a_sender_is_an_address_with_or_without_a_name() {
        let read = |text| mailbox(text).map(|(name, address)| (name.map(|name| name.to_string()), address.to_string()));
        let address = "gatepost@example.com".to_owned();
        assert_eq!(read("gatepost@example.com"), Some((None, address.clone())));
        assert_eq!(read("Gatepost <gatepost@example.com>"), Some((Some("Gatepost".to_owned()), address.clone())));
        assert_eq!(read("Tür & Tor, GmbH<gatepost@example.com>"), Some((Some("Tür & Tor, GmbH".to_owned()), address)));
        for text in [
            "gatepost",
            "<gatepost@example.com>",
            "\"Gatepost\" <gatepost@example.com>",
            "Gatepost <gatepost@example.com",
            "Gatepost gatepost@example.com>",
            "Gatepost <a@example.com> <b@example.com>",
            "a@example.com, b@example.com",
            "a@example.com <b@example.com>",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
