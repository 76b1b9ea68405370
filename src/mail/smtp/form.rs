//! The form of a mail: addresses, headers and parts (RFC 5322, RFC 2045).

use std::time::{Duration, SystemTime};

use lettre::Address;
use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::super::Message;
use crate::model::{Email, Name, Timestamp};
use crate::secret::Digest;

/// A mail as it is sent.
pub(super) struct Mail {
    /// From whom and to whom, for the server.
    pub(super) envelope: Envelope,
    /// Whether the addresses are ASCII, so that any server takes them.
    pub(super) is_ascii: bool,
    /// Headers and parts.
    pub(super) bytes: Vec<u8>,
}

/// The mail that the message becomes; `None` if an address has no form that a mail server knows.
pub(super) fn mail(from: &Address, from_name: Option<&Name>, message: &Message) -> Option<Mail> {
    let sender = Mailbox::new(from_name.map(|name| name.as_str().to_owned()), from.clone());
    let mail = lettre::Message::builder()
        .from(sender)
        .to(Mailbox::new(None, address(message.to())?))
        .subject(message.subject())
        .date(system_time(message.written_at()))
        .message_id(Some(message_id(message, from.domain())))
        // Nobody's out-of-office note is to answer this (RFC 3834, section 5).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(
            message.expose_text().to_owned(),
            message.expose_html().to_owned(),
        ))
        .ok()?;
    let envelope = mail.envelope().clone();
    let is_ascii = envelope.from().into_iter().chain(envelope.to()).all(|address| address.to_string().is_ascii());
    Some(Mail { envelope, is_ascii, bytes: mail.formatted() })
}

/// The address, with its domain in ASCII (RFC 5891, section 4.4), which servers know that know ASCII only.
pub(super) fn address(email: &Email) -> Option<Address> {
    let (local, domain) = email.as_str().rsplit_once('@')?;
    Address::new(local, idna::domain_to_ascii_strict(domain).ok()?).ok()
}

/// The same for each attempt at a message, so that whoever gets it twice can know it, and different for each message.
fn message_id(message: &Message, domain: &str) -> String {
    let digest = Digest::of(&message.to_bytes());
    let id: String = digest.as_bytes().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("<{id}@{domain}>")
}

/// Mail has whole seconds.
fn system_time(time: Timestamp) -> SystemTime {
    let secs = u64::try_from(time.as_secs()).unwrap_or(0);
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(secs)).unwrap_or(SystemTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::*;

    fn message(to: &str, subject: &'static str) -> Message {
        Message {
            to: Email::parse(to).unwrap(),
            subject: subject.into(),
            text: Zeroizing::new("Žofie\n.\nhttps://id.example.com\n".to_owned()),
            html: Zeroizing::new("<p>Žofie</p>".to_owned()),
            written_at: Timestamp::from_secs(1_770_127_500),
            expires_at: None,
        }
    }

    fn sent(to: &str, subject: &'static str, from_name: Option<&str>) -> Mail {
        let from = address(&Email::parse("gatepost@example.com").unwrap()).unwrap();
        let name = from_name.map(|name| Name::parse(name).unwrap());
        mail(&from, name.as_ref(), &message(to, subject)).unwrap()
    }

    /// The lines above the first part, those that continue joined.
    fn headers(mail: &Mail) -> Vec<String> {
        let text = String::from_utf8(mail.bytes.clone()).unwrap();
        let (head, _) = text.split_once("\r\n\r\n").unwrap();
        head.replace("\r\n ", " ").split("\r\n").map(str::to_owned).collect()
    }

    #[test]
    fn the_headers_are_these_and_no_others() {
        let headers = headers(&sent("ada@example.com", "Hello", Some("Gatepost")));
        let names: Vec<_> = headers.iter().map(|line| line.split_once(": ").unwrap().0).collect();
        assert_eq!(
            names,
            ["From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "MIME-Version", "Content-Type"]
        );
        assert!(headers.contains(&"From: Gatepost <gatepost@example.com>".to_owned()), "{headers:?}");
        assert!(headers.contains(&"Date: Tue, 03 Feb 2026 14:05:00 +0000".to_owned()), "{headers:?}");
    }

    #[test]
    fn no_text_becomes_a_header() {
        let plain = headers(&sent("ada@example.com", "Hello", Some("Gatepost"))).len();
        for hostile in
            ["a\r\nBcc: b@example.com", "a\nBcc: b@example.com\n\nbody", "a\rBcc: b@example.com", "a\0\u{7F}"]
        {
            assert_eq!(headers(&sent("ada@example.com", hostile, None)).len(), plain, "{hostile:?}");
        }
        for name in ["Tür & Tor, GmbH", "a\" <b@example.com>, \"", "a\\", "\u{202E}x", "=?utf-8?q?a?="] {
            let mail = sent("ada@example.com", "Hello", Some(name));
            assert_eq!(headers(&mail).len(), plain, "{name:?}");
            assert!(mail.bytes.is_ascii(), "{name:?}");
        }
    }

    #[test]
    fn an_address_goes_to_the_domain_in_ascii() {
        let mail = sent("ada@bücher.example", "Hello", None);
        assert_eq!(mail.envelope.to()[0].to_string(), "ada@xn--bcher-kva.example");
        assert!(mail.is_ascii && mail.bytes.is_ascii());
        assert!(!sent("žofie@example.com", "Hello", None).is_ascii);
    }

    #[test]
    fn what_gatepost_takes_for_an_address_can_be_sent_to() {
        for text in
            ["a!#$%&'*+-/=?^_`{|}~@example.com", "a.b+c@localhost", "o'brien@example.co.uk", "žofie@example.com"]
        {
            assert!(address(&Email::parse(text).unwrap()).is_some(), "{text}");
        }
    }

    #[test]
    fn a_message_keeps_its_id_and_shares_it_with_none() {
        let id = |mail: &Mail| headers(mail).into_iter().find(|line| line.starts_with("Message-ID: ")).unwrap();
        let one = id(&sent("ada@example.com", "Hello", None));
        assert_eq!(id(&sent("ada@example.com", "Hello", None)), one);
        assert_ne!(id(&sent("ada@example.com", "Hullo", None)), one);
        assert_ne!(id(&sent("eda@example.com", "Hello", None)), one);
        assert!(one.ends_with("@example.com>"), "{one}");
    }
}
