//! Scopes: what an API key is narrowed to.

use std::fmt;
use std::str::FromStr;

use super::{ApplicationId, IdError};

/// The columns of the matrix, by which a key can be narrowed to actions.
pub const COLUMNS: [&str; 11] = [
    "View",
    "AddMembers",
    "DeleteApplication",
    "ManageDevices",
    "DeviceActions",
    "Tags",
    "Variables",
    "SshAccess",
    "Push",
    "Configuration",
    "FleetActions",
];

/// One thing that a key is narrowed to. Several of a kind widen each other, several kinds narrow each other. What each
/// keeps a key from is `policies/scopes.cedar`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `read-only`: only what changes nothing.
    ReadOnly,
    /// `action:Push`: only this column of the matrix.
    Action(&'static str),
    /// `application:<id>`: only this application and its devices.
    Application(ApplicationId),
}

/// The text is no scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `read-only`, `action:` with a column of the matrix like `action:Push`, or `application:` with an id")]
pub struct ScopeError;

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        if text == "read-only" {
            return Ok(Self::ReadOnly);
        }
        match text.split_once(':') {
            Some(("action", column)) => {
                COLUMNS.into_iter().find(|known| *known == column).map(Self::Action).ok_or(ScopeError)
            }
            Some(("application", id)) => id.parse().map(Self::Application).map_err(|IdError| ScopeError),
            _ => Err(ScopeError),
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReadOnly => f.write_str("read-only"),
            Self::Action(column) => write!(f, "action:{column}"),
            Self::Application(id) => write!(f, "application:{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_written_as_it_is_read() {
        for text in ["read-only", "action:Push", "application:01890a5d-ac96-774b-bcce-b302099a8057"] {
            assert_eq!(text.parse::<Scope>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_no_policy_knows_is_no_scope() {
        for text in ["", "readonly", "action:", "action:push", "action:AddDevice", "application:x", "push", "action"] {
            assert_eq!(text.parse::<Scope>(), Err(ScopeError), "{text}");
        }
    }
}
