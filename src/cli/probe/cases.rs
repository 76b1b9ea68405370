//! The published cases (`tests/cases/requests.json`), and the bytes that they are on the wire.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

const PUBLISHED: &str = include_str!("../../../tests/cases/requests.json");

/// What must come of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    /// The application sees it.
    Allowed,
    /// If the application sees it, then as it was decided, and as nobody's.
    Anonymous,
    /// The application never sees it.
    Refused,
    /// If the application sees it, then as it was decided.
    Same,
}

/// One message, and what must come of it.
#[derive(Debug, Deserialize)]
pub(super) struct Case {
    class: String,
    name: String,
    /// With names in braces.
    send: String,
    pub(super) outcome: Outcome,
    pub(super) why: Option<String>,
    #[serde(default)]
    pub(super) reference: Vec<String>,
}

#[derive(Deserialize)]
struct Published {
    cases: Vec<Case>,
}

/// What the names in braces stand for.
pub(super) struct Meanings {
    values: Vec<(&'static str, Option<Zeroizing<String>>)>,
}

/// What there is to send.
pub(super) struct Given<'a> {
    pub(super) authority: &'a str,
    pub(super) path: &'a str,
    pub(super) denied: &'a str,
    pub(super) cookie_name: &'a str,
    pub(super) key: &'a str,
    pub(super) other: Option<&'a str>,
    pub(super) session: Option<&'a str>,
    pub(super) other_session: Option<&'a str>,
    /// Whether the key may be sent where it ends in logs.
    pub(super) key_in_query: bool,
}

/// All cases, in their order.
pub(super) fn published() -> Result<Vec<Case>> {
    let published: Published = serde_json::from_str(PUBLISHED).context("cannot read the published cases")?;
    Ok(published.cases)
}

impl Case {
    /// Class and name.
    pub(super) fn id(&self) -> String {
        format!("{}/{}", self.class, self.name)
    }

    /// Whether `chosen` names it, or its class.
    pub(super) fn is_called(&self, chosen: &str) -> bool {
        chosen == self.class || chosen == self.id()
    }

    /// Its first line, with names in braces, so that nothing in it is secret.
    pub(super) fn first_line(&self) -> &str {
        self.send.trim_start().split(['\r', '\n']).next().unwrap_or_default()
    }

    /// Whether it can be taken for more than one request.
    pub(super) fn holds_more(&self) -> bool {
        let end = self.send.find("\r\n\r\n").map(|at| at + 4);
        end.is_none_or(|end| end < self.send.len()) || self.send.contains("\n\n")
    }

    /// Whether the answer has no body.
    pub(super) fn is_head(&self) -> bool {
        self.send.starts_with("HEAD ")
    }
}

impl Meanings {
    pub(super) fn new(given: &Given<'_>) -> Self {
        let Given { authority, path, denied, cookie_name, key, .. } = *given;
        let host = authority.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
        let host = host.map_or(authority, |(host, _)| host);
        let bearer = |key: &str| format!("Bearer {key}");
        let cookie = |session: &str| format!("{cookie_name}={session}");
        let mut short = key.to_owned();
        short.pop();
        let values = [
            ("authority", Some(authority.to_owned())),
            ("host", Some(host.to_owned())),
            ("upper_host", Some(host.to_ascii_uppercase())),
            ("path", Some(path.to_owned())),
            ("upper", Some(path.to_ascii_uppercase())),
            ("encoded", Some(encoded(path))),
            ("denied", Some(denied.to_owned())),
            ("upper_denied", Some(denied.to_ascii_uppercase())),
            ("encoded_denied", Some(encoded(denied))),
            ("authorization", Some(bearer(key))),
            ("key", Some(key.to_owned())),
            ("short_key", Some(short)),
            ("basic", Some(basic(key))),
            ("query_key", given.key_in_query.then(|| key.to_owned())),
            ("other", given.other.map(bearer)),
            ("cookie", given.session.map(cookie)),
            ("other_cookie", given.other_session.map(cookie)),
            ("cookie_name", Some(cookie_name.to_owned())),
        ];
        Self { values: values.map(|(name, value)| (name, value.map(Zeroizing::new))).into() }
    }

    /// The case's bytes, with `agent` as its mark; nothing if it needs what is not given.
    pub(super) fn bytes(&self, case: &Case, agent: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut bytes = Zeroizing::new(Vec::new());
        let mut rest = case.send.as_str();
        while let Some((before, after)) = rest.split_once('{') {
            push(&mut bytes, before);
            let braced = after.split_once('}').and_then(|(inside, behind)| {
                let value = if inside == "agent" { Some(Piece::Text(agent)) } else { self.piece(inside) };
                value.map(|value| (value, behind))
            });
            match braced {
                Some((Piece::Missing, _)) => return None,
                Some((Piece::Text(text), behind)) => {
                    push(&mut bytes, text);
                    rest = behind;
                }
                Some((Piece::Repeated(text, times), behind)) => {
                    for number in 0..times {
                        if text == "lines" {
                            push(&mut bytes, &format!("X-Line-{number}: x\r\n"));
                        } else {
                            push(&mut bytes, text);
                        }
                    }
                    rest = behind;
                }
                None => {
                    push(&mut bytes, "{");
                    rest = after;
                }
            }
        }
        push(&mut bytes, rest);
        Some(bytes)
    }

    /// What stands for `inside` in braces, if it is a name or a repetition.
    fn piece<'a>(&'a self, inside: &'a str) -> Option<Piece<'a>> {
        if let Some((_, value)) = self.values.iter().find(|(name, _)| *name == inside) {
            return Some(value.as_ref().map_or(Piece::Missing, |value| Piece::Text(value)));
        }
        let (text, times) = inside.rsplit_once('*')?;
        Some(Piece::Repeated(text, times.parse().ok()?))
    }
}

enum Piece<'a> {
    Text(&'a str),
    Repeated(&'a str, usize),
    /// It is a name, and there is nothing that it stands for.
    Missing,
}

/// Each character is one byte. Those of what is configured are ASCII, and those of the cases at most Latin-1.
fn push(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend(text.chars().filter_map(|c| u8::try_from(c).ok()));
}

/// Each letter percent-encoded.
fn encoded(path: &str) -> String {
    let code = |c: char| if c.is_ascii_alphabetic() { format!("%{:02x}", u32::from(c)) } else { c.to_string() };
    path.chars().map(code).collect()
}

fn basic(key: &str) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(Zeroizing::new(format!("probe:{key}")).as_bytes())
}

#[cfg(test)]
mod tests;
