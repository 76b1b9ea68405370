//! What is kept: a trait in the domain's words, its SQL in the rooms below.
//!
//! Reads come from the last committed state. Writes are made in a [`Transaction`], which reads its own writes, excludes
//! other writers, and is undone unless it is committed: whoever checks and then writes does both in one, so nothing can
//! change in between. Every write records, in the same transaction, the [`Change`]s that it makes.
//!
//! The store decides nothing about who may do what, and may be used by `authn`, `authz` and `accounts` only.

mod migrations;
mod read;
pub mod sqlite;
mod transaction;

pub use read::{ApplicationStanding, EventFilter, OrganizationStanding, Read, StoredEvent, UsableKey};
pub use transaction::{
    Transaction, WriteAccounts, WriteApplications, WriteCredentials, WriteMail, WriteOrganizations, WritePolicies,
    WriteSecondFactors, WriteSignIn,
};

use crate::model::{Change, ChangeSeq};

/// The store has failed, or refuses.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Something with this unique value exists already, or something exists still that must be gone before what was to
    /// be deleted.
    #[error("{0} exists already")]
    Exists(&'static str),
    /// What was to be changed, or is referred to, does not exist.
    #[error("{0} does not exist")]
    Missing(&'static str),
    /// The database was written by a newer version of this program.
    #[error(
        "the database has schema version {found}, and this program knows versions up to {known}: \
         use the version of Gatepost that wrote it, or a newer one"
    )]
    TooNew {
        /// The database's version.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// The database could not be opened.
    #[error("cannot open the database `{path}`: {cause}")]
    Open {
        /// The file.
        path: String,
        /// Why not.
        cause: String,
    },
    /// The database holds something that this program never writes.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// The database failed.
    #[error("the database failed: {0}")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What has changed since a position in the change sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changes {
    /// The changes, oldest first.
    pub changes: Vec<Change>,
    /// The position to ask from the next time.
    pub position: ChangeSeq,
}

/// A store that many threads use. Calls block; asynchronous callers make them on threads meant for that.
pub trait Store: Read + Send + Sync + 'static {
    /// Begins a transaction, once other writers are done.
    fn begin(&self) -> Result<Box<dyn Transaction + '_>, StoreError>;

    /// The end of the change sequence.
    fn position(&self) -> Result<ChangeSeq, StoreError>;

    /// What any process has changed since `position`: [`Change::Everything`] where the sequence no longer reaches back
    /// that far. Cheap when nothing has changed, so that it can be asked many times a second.
    fn changes_since(&self, position: ChangeSeq) -> Result<Changes, StoreError>;
}
