//! Identifiers: UUIDs of version 7 (RFC 9562), one type for each thing that has one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::fmt::Hyphenated;
use uuid::{Builder, Uuid};

use super::Timestamp;

/// The text is not an identifier in its one canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID in lower case with hyphens, like 01890a5d-ac96-774b-bcce-b302099a8057")]
pub struct IdError;

/// The length of an identifier's text, in bytes.
pub const ID_LEN: usize = Hyphenated::LENGTH;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier, made at the time `now`: unique, and ordered by time.
            pub fn generate(now: Timestamp) -> Self {
                Self(uuid_v7(now))
            }

            /// The identifier with these sixteen bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The sixteen bytes of this identifier.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// This identifier as text, written into `buffer`.
            pub fn encode<'b>(&self, buffer: &'b mut [u8; ID_LEN]) -> &'b str {
                self.0.as_hyphenated().encode_lower(buffer)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.as_hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.as_hyphenated())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                canonical_uuid(text).map(Self).ok_or(IdError)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

id!(
    /// A user's identifier.
    UserId
);
id!(
    /// An organization's identifier.
    OrganizationId
);
id!(
    /// An application's identifier.
    ApplicationId
);
id!(
    /// A device's identifier.
    DeviceId
);
id!(
    /// An API key's identifier, not the key itself: it may be shown and logged.
    ApiKeyId
);
id!(
    /// A session token's identifier (`jti`).
    SessionId
);
id!(
    /// A signing key's identifier (`kid`).
    SigningKeyId
);
id!(
    /// An account event's identifier.
    EventId
);
id!(
    /// A queued mail's identifier.
    MailId
);
id!(
    /// A decision's identifier: what a denied caller can quote and an operator can look up.
    DecisionId
);

/// Random bits behind the time in milliseconds, RFC 9562 section 5.7.
fn uuid_v7(now: Timestamp) -> Uuid {
    let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
    // As one number: an array would be drawn byte by byte, of four random bytes each.
    let [random @ .., _, _, _, _, _, _] = rand::random::<u128>().to_ne_bytes();
    Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

/// Only one spelling of each identifier is accepted, so that comparing texts is comparing identifiers.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let canonical = text.len() == 36 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'));
    if canonical { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_spelling() {
        let id = UserId::generate(Timestamp::from_secs(1_764_000_000));
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(id.encode(&mut [0; ID_LEN]), id.to_string());
        for other in [
            id.to_string().to_uppercase(),
            format!("{{{id}}}"),
            format!("urn:uuid:{id}"),
            id.to_string().replace('-', ""),
            String::new(),
        ] {
            assert_eq!(other.parse::<UserId>(), Err(IdError), "{other}");
        }
    }

    #[test]
    fn is_ordered_by_time() {
        let earlier = UserId::generate(Timestamp::from_secs(1_764_000_000));
        let later = UserId::generate(Timestamp::from_secs(1_764_000_001));
        assert!(earlier < later);
    }
}
