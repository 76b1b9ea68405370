//! A message to one person.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::model::{Email, Timestamp};

/// A message to one person, in plain text and in HTML. It may hold a link that is as good as a password, so it is not
/// printed, and not serialized but by [`Message::to_bytes`], for what is sealed before it is stored.
// INVARIANT: subject, text and HTML come from the letters, in which whatever others chose is escaped.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Whom it is for.
    pub(super) to: Email,
    /// A line of ASCII.
    pub(super) subject: Cow<'static, str>,
    /// The message as plain text.
    pub(super) text: Zeroizing<String>,
    /// The message as HTML.
    pub(super) html: Zeroizing<String>,
    /// When it was written.
    pub(super) written_at: Timestamp,
    /// When its link ends, if it has one that does.
    pub(super) expires_at: Option<Timestamp>,
}

/// The bytes are not those of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queued message cannot be read: another version of gatepost may have written it")]
pub struct MessageError;

/// A message as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    to: Cow<'a, str>,
    subject: Cow<'a, str>,
    text: Cow<'a, str>,
    html: Cow<'a, str>,
    written_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl Message {
    /// Whom it is for.
    pub const fn to(&self) -> &Email {
        &self.to
    }

    /// What it is about.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The message as plain text.
    pub fn expose_text(&self) -> &str {
        &self.text
    }

    /// The message as HTML.
    pub fn expose_html(&self) -> &str {
        &self.html
    }

    /// When it was written.
    pub const fn written_at(&self) -> Timestamp {
        self.written_at
    }

    /// When it is of no more use.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The whole message, to be sealed and kept.
    #[expect(clippy::expect_used, reason = "texts and times always have a JSON form")]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let kept = Kept {
            to: self.to.as_str().into(),
            subject: self.subject.as_ref().into(),
            text: self.text.as_str().into(),
            html: self.html.as_str().into(),
            written_at: self.written_at,
            expires_at: self.expires_at,
        };
        Zeroizing::new(serde_json::to_vec(&kept).expect("texts and times have a JSON form"))
    }

    /// The message that was kept as these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MessageError> {
        let kept: Kept<'_> = serde_json::from_slice(bytes).map_err(|_| MessageError)?;
        Ok(Self {
            to: Email::parse(&kept.to).map_err(|_| MessageError)?,
            subject: kept.subject.into_owned().into(),
            text: Zeroizing::new(kept.text.into_owned()),
            html: Zeroizing::new(kept.html.into_owned()),
            written_at: kept.written_at,
            expires_at: kept.expires_at,
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message").field("subject", &self.subject).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            to: Email::parse("Ada+x@Example.com").unwrap(),
            subject: "Hello".into(),
            text: Zeroizing::new("token hunter2 \u{2028}\"\n".to_owned()),
            html: Zeroizing::new("<p>hunter2</p>".to_owned()),
            written_at: Timestamp::from_micros(1_234_567_890_123_456),
            expires_at: Some(Timestamp::from_secs(1_234_569_000)),
        }
    }

    #[test]
    fn a_message_survives_being_kept() {
        let mut message = message();
        assert_eq!(Message::from_bytes(&message.to_bytes()).as_ref(), Ok(&message));
        message.expires_at = None;
        assert_eq!(Message::from_bytes(&message.to_bytes()).as_ref(), Ok(&message));
    }

    #[test]
    fn what_is_no_message_is_refused() {
        let good = String::from_utf8(message().to_bytes().to_vec()).unwrap();
        for bad in ["", "{}", "null", &good.replace("Ada+x@", ""), &good.replace("2009", "2o09")] {
            assert_eq!(Message::from_bytes(bad.as_bytes()), Err(MessageError), "{bad}");
        }
    }

    #[test]
    fn a_message_is_not_printed() {
        assert_eq!(format!("{:?}", message()), r#"Message { subject: "Hello", .. }"#);
    }
}
