//! Generations of policies as they are kept: which files, since when, and who brought them in.

use std::fmt;

use serde::{Serialize, Serializer};

use super::{Timestamp, UserId};

/// Which of the two folders a file is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PolicyFolder {
    /// The folder with the policies.
    Policies,
    /// The folder with the schema, the routes and the entities.
    Schema,
}

impl PolicyFolder {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Policies, Self::Schema];

    /// The folder's name, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policies => "policies",
            Self::Schema => "schema",
        }
    }

    /// The folder with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|folder| folder.as_str() == name)
    }
}

/// A file that a generation was made from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyFile {
    /// The folder.
    pub folder: PolicyFolder,
    /// Its path in that folder, with `/` between the parts.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// The SHA-256 of the names and texts of all files of a generation: two generations with the same one decide alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PolicyDigest([u8; 32]);

impl PolicyDigest {
    /// From its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for PolicyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for PolicyDigest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What brought a generation in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReloadCause {
    /// The server started, and found these files.
    Start,
    /// The files have changed.
    Watcher,
    /// The server got SIGHUP.
    Sighup,
    /// A user asked for it through the API.
    User,
    /// It was done on this machine's command line.
    Console,
}

impl ReloadCause {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Start, Self::Watcher, Self::Sighup, Self::User, Self::Console];

    /// Its name, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Watcher => "watcher",
            Self::Sighup => "sighup",
            Self::User => "user",
            Self::Console => "console",
        }
    }

    /// The cause with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.as_str() == name)
    }
}

/// A generation as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyGeneration {
    /// Its number.
    pub number: u64,
    /// Since when it was in force.
    pub at: Timestamp,
    /// What brought it in.
    pub cause: ReloadCause,
    /// The user who did, if one did.
    pub user: Option<UserId>,
    /// What its files come to.
    pub digest: PolicyDigest,
    /// How many tests it went by, if any were to be run and that is known.
    pub tests: Option<u32>,
    /// The files, sorted.
    pub files: Vec<PolicyFile>,
}
