//! Roles that a user can hold on an application.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A member's role on an application: a row of the matrix.
///
/// What each may do is written in `policies/matrix.cedar` and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// May do everything on the application.
    Administrator,
    /// Manages the application, but not its members nor its end.
    Developer,
    /// Manages the application's devices.
    Operator,
    /// Looks, and changes nothing.
    Observer,
}

/// The text names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of `administrator`, `developer`, `operator`, `observer`")]
pub struct RoleError;

impl Role {
    /// All roles, in the order of the matrix.
    pub const ALL: [Self; 4] = [Self::Administrator, Self::Developer, Self::Operator, Self::Observer];

    /// The role's name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Operator => "operator",
            Self::Observer => "observer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Self::ALL.into_iter().find(|role| role.as_str() == text).ok_or(RoleError)
    }
}
