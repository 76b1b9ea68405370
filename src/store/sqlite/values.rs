//! The domain's values as columns. What is read is parsed again: a text that could never have been written is an error.

use rusqlite::ToSql;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSqlOutput, ValueRef};

use crate::model::{
    ApiKeyId, ApplicationId, ApplicationType, DeviceId, Email, EventId, MailId, Name, OrganizationId, Plan,
    PolicyDigest, PolicyFolder, ReloadCause, Role, SigningKeyId, Timestamp, UserId, Username,
};
use crate::secret::{Digest, PasswordHash, Sealed};

/// A text names none of the values that its column may hold. It does not repeat the text.
#[derive(Debug, thiserror::Error)]
#[error("expected the name of {0}")]
struct Unnamed(&'static str);

/// Types of a fixed number of bytes.
macro_rules! bytes {
    ($($type:ident),*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.as_bytes())))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                FromSql::column_result(value).map(Self::from_bytes)
            }
        }
    )*};
}

bytes!(
    UserId,
    OrganizationId,
    ApplicationId,
    DeviceId,
    ApiKeyId,
    SigningKeyId,
    EventId,
    MailId,
    Digest,
    PolicyDigest,
    Sealed
);

/// Types that are texts, with how each is read.
macro_rules! texts {
    ($($type:ident: $write:ident, $read:expr;)*) => {$(
        impl ToSql for $type {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                Ok(ToSqlOutput::Borrowed(ValueRef::Text(self.$write().as_bytes())))
            }
        }

        impl FromSql for $type {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                $read(value.as_str()?).map_err(FromSqlError::other)
            }
        }
    )*};
}

texts! {
    Username: as_str, Username::parse;
    Email: as_str, Email::parse;
    Name: as_str, Name::parse;
    Role: as_str, str::parse::<Role>;
    Plan: as_str, |text| Plan::from_name(text).ok_or(Unnamed("a plan"));
    ApplicationType: as_str, |text| ApplicationType::from_name(text).ok_or(Unnamed("an application type"));
    PolicyFolder: as_str, |text| PolicyFolder::from_name(text).ok_or(Unnamed("a folder of policies"));
    ReloadCause: as_str, |text| ReloadCause::from_name(text).ok_or(Unnamed("what brings policies in"));
    PasswordHash: expose, |text: &str| Ok::<_, Unnamed>(PasswordHash::new(text.to_owned()));
}

impl ToSql for Timestamp {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(self.as_micros().into())
    }
}

impl FromSql for Timestamp {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        value.as_i64().map(Self::from_micros)
    }
}

/// A list of texts, as a JSON array in a text column.
pub(super) struct TextList(pub(super) Vec<String>);

impl ToSql for TextList {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let json =
            serde_json::to_string(&self.0).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?;
        Ok(json.into())
    }
}

impl FromSql for TextList {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A flag, as 0 or 1.
pub(super) struct Flag(pub(super) bool);

impl FromSql for Flag {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_i64()? {
            0 => Ok(Self(false)),
            1 => Ok(Self(true)),
            other => Err(FromSqlError::OutOfRange(other)),
        }
    }
}
