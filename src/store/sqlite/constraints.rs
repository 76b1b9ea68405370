//! Violated constraints, in the domain's words.

use rusqlite::ffi::{
    SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_TRIGGER, SQLITE_CONSTRAINT_UNIQUE,
};

use crate::model::{ApplicationId, OrganizationId, UserId};
use crate::store::{Read, StoreError};

/// What an inserted row refers to.
#[derive(Clone, Copy)]
pub(super) enum Parent {
    User(UserId),
    Organization(OrganizationId),
    Application(ApplicationId),
}

impl Parent {
    pub(super) fn exists(self, read: &impl Read) -> Result<bool, StoreError> {
        match self {
            Self::User(id) => Ok(read.user(id)?.is_some()),
            Self::Organization(id) => Ok(read.organization(id)?.is_some()),
            Self::Application(id) => Ok(read.application(id)?.is_some()),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::User(_) => "user",
            Self::Organization(_) => "organization",
            Self::Application(_) => "application",
        }
    }
}

/// Which constraint a statement violates, if that is why it failed.
pub(super) enum Violation<'e> {
    /// Unique columns, like `applications.organization_id, applications.name`.
    Unique(&'e str),
    /// A reference to a row that does not exist, or of a row that was to be deleted.
    Reference,
}

impl<'e> Violation<'e> {
    pub(super) fn of(error: &'e StoreError) -> Option<Self> {
        let StoreError::Failed(cause) = error else { return None };
        let Some(rusqlite::Error::SqliteFailure(failure, Some(message))) = cause.downcast_ref() else { return None };
        match failure.extended_code {
            SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY => {
                message.strip_prefix("UNIQUE constraint failed: ").map(Self::Unique)
            }
            // The second is how SQLite reports ON DELETE RESTRICT; there are no triggers of our own.
            SQLITE_CONSTRAINT_FOREIGNKEY | SQLITE_CONSTRAINT_TRIGGER => Some(Self::Reference),
            _ => None,
        }
    }
}
