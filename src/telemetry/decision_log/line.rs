//! A record as a line of JSON, written by hand: it is done for each decision, and by the thread that decides.

use std::cell::RefCell;
use std::fmt::Display;
use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use super::{DecisionRecord, RequestRecord};
use crate::model::{CredentialKind, ID_LEN, Timestamp, UserId};
use crate::telemetry::Outcome;

/// As long as most lines are, at most.
const USUAL_LEN: usize = 1_024;

thread_local! {
    static LINE: RefCell<Line> = RefCell::new(Line { json: Json(Vec::new()), second: Second::default() });
}

/// Makes the record's line, and does something with it: gives what that gives, and false if there is no line.
pub(super) fn with(record: &DecisionRecord<'_>, then: impl FnOnce(&[u8]) -> bool) -> bool {
    LINE.try_with(|line| {
        let Ok(mut line) = line.try_borrow_mut() else { return false };
        line.write(record);
        then(&line.json.0)
    })
    .unwrap_or(false)
}

/// The fields that tell who asked.
pub(super) fn asker(user: UserId, kind: CredentialKind, id: &str) -> Vec<u8> {
    principal(user.encode(&mut [0; ID_LEN]), Some((kind, id)))
}

/// The fields that tell about whom it was asked, and with which credential.
pub(super) fn principal(name: &str, credential: Option<(CredentialKind, &str)>) -> Vec<u8> {
    let mut json = Json(Vec::new());
    json.raw(r#","principal":"#);
    json.text(name);
    match credential {
        Some((kind, id)) => {
            json.raw(r#","credential":"#);
            json.text(kind.as_str());
            json.raw(r#","credential_id":"#);
            json.text(id);
        }
        None => json.raw(r#","credential":null,"credential_id":null"#),
    }
    json.0
}

/// The fields that tell what was asked for, up to the resource's identifier.
pub(super) fn route(action: &str, resource_type: &str) -> Vec<u8> {
    let mut json = Json(Vec::new());
    json.raw(r#","action":"#);
    json.text(action);
    json.raw(r#","resource":{"type":"#);
    json.text(resource_type);
    json.raw(r#","id":"#);
    json.0
}

/// A line in the making, in memory that is used for the next one.
struct Line {
    json: Json,
    second: Second,
}

/// The beginning of a line, as far as it is the same for a second.
#[derive(Default)]
struct Second {
    secs: i64,
    /// Up to the dot; empty if there is none.
    begin: String,
}

impl Line {
    /// All fields are in every line.
    fn write(&mut self, record: &DecisionRecord<'_>) {
        let Self { json, second } = self;
        json.0.clear();
        json.0.reserve(USUAL_LEN);
        second.write(record.at, json);
        json.raw(r#"","id":""#);
        json.raw(record.id.encode(&mut [0; ID_LEN]));
        json.raw(r#"","generation":"#);
        json.number(record.generation);
        match record.asker {
            Some(asker) => json.bytes(asker.as_json()),
            None => json.raw(r#","principal":null,"credential":null,"credential_id":null"#),
        }
        match record.route {
            Some((route, id)) => {
                json.bytes(route.as_json());
                json.text(id);
                json.raw("}");
            }
            None => json.raw(r#","action":null,"resource":null"#),
        }
        json.raw(match record.decision {
            Outcome::Allow => r#","decision":"allow","policies":"#,
            Outcome::Deny => r#","decision":"deny","policies":"#,
            Outcome::Unauthenticated => r#","decision":"unauthenticated","policies":"#,
            Outcome::Malformed => r#","decision":"malformed","policies":"#,
            Outcome::Unavailable => r#","decision":"unavailable","policies":"#,
        });
        json.texts(record.policies);
        json.raw(r#","errors":"#);
        json.texts(record.errors);
        json.raw(r#","client":"#);
        match record.client {
            Some(address) => json.address(address),
            None => json.raw("null"),
        }
        match record.request {
            Some(RequestRecord { method, host, path }) => {
                json.raw(r#","method":"#);
                json.text(method);
                json.raw(r#","host":"#);
                json.text(host);
                json.raw(r#","path":"#);
                json.text(path);
            }
            None => json.raw(r#","method":null,"host":null,"path":null"#),
        }
        match record.cause {
            Some(cause) => {
                json.raw(r#","cause":"#);
                json.text(cause);
                json.raw(r#","latency_us":"#);
            }
            None => json.raw(r#","cause":null,"latency_us":"#),
        }
        json.number(u64::try_from(record.latency.as_micros()).unwrap_or(u64::MAX));
        json.raw("}\n");
    }
}

impl Second {
    /// Begins the line with a time as RFC 3339 in UTC, to the microsecond.
    fn write(&mut self, at: Timestamp, json: &mut Json) {
        if self.begin.is_empty() || self.secs != at.as_secs() {
            self.secs = at.as_secs();
            let text = at.to_string();
            self.begin = text.split_once('.').map(|(second, _)| format!(r#"{{"time":"{second}."#)).unwrap_or_default();
        }
        if self.begin.is_empty() {
            json.raw(r#"{"time":""#);
            return json.display(at);
        }
        json.raw(&self.begin);
        let mut rest = at.as_micros().rem_euclid(1_000_000);
        let mut digits = *b"000000Z";
        for digit in digits.iter_mut().rev().skip(1) {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        json.bytes(&digits);
    }
}

/// JSON in the making.
struct Json(Vec<u8>);

impl Json {
    #[inline]
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    #[inline]
    fn raw(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    fn text(&mut self, text: &str) {
        if is_escaped(text.as_bytes()) {
            // A text can be written, and so can memory.
            let _ = serde_json::to_writer(&mut self.0, text);
        } else {
            self.0.push(b'"');
            self.raw(text);
            self.0.push(b'"');
        }
    }

    fn texts(&mut self, texts: &[Arc<str>]) {
        self.0.push(b'[');
        for (at, text) in texts.iter().enumerate() {
            if at > 0 {
                self.0.push(b',');
            }
            self.text(text);
        }
        self.0.push(b']');
    }

    fn number(&mut self, mut number: u64) {
        let mut digits = [b'0'; 20];
        let mut len = 0;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + (number % 10) as u8;
            number /= 10;
            len += 1;
            if number == 0 {
                break;
            }
        }
        self.bytes(digits.get(digits.len() - len..).unwrap_or_default());
    }

    fn address(&mut self, address: IpAddr) {
        self.0.push(b'"');
        match address {
            IpAddr::V4(address) => {
                for (at, octet) in address.octets().into_iter().enumerate() {
                    if at > 0 {
                        self.0.push(b'.');
                    }
                    self.octet(octet);
                }
            }
            IpAddr::V6(address) => self.display(address),
        }
        self.0.push(b'"');
    }

    fn octet(&mut self, octet: u8) {
        if octet >= 100 {
            self.0.push(b'0' + octet / 100);
        }
        if octet >= 10 {
            self.0.push(b'0' + octet / 10 % 10);
        }
        self.0.push(b'0' + octet % 10);
    }

    fn display(&mut self, shown: impl Display) {
        // Memory can be written.
        let _ = write!(self.0, "{shown}");
    }
}

/// Whether JSON escapes anything in this text (RFC 8259, section 7).
fn is_escaped(text: &[u8]) -> bool {
    let (words, rest) = text.as_chunks();
    let mut last = [b' '; 8];
    for (last, byte) in last.iter_mut().zip(rest) {
        *last = *byte;
    }
    words.iter().chain([&last]).fold(0, |any, word| any | escaped(u64::from_ne_bytes(*word))) != 0
}

/// Not zero if any of eight bytes is a quotation mark, a backslash or a control character. (Each subtraction borrows
/// into a byte's highest bit only if that or a lower byte is one; where none is, nothing is borrowed.)
const fn escaped(word: u64) -> u64 {
    const EACH: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = EACH << 7;
    const fn below(word: u64, limit: u8) -> u64 {
        word.wrapping_sub(EACH * limit as u64) & !word & HIGHEST
    }
    below(word, 0x20) | below(word ^ (EACH * b'"' as u64), 1) | below(word ^ (EACH * b'\\' as u64), 1)
}
