//! How a request for a decision can end.

use serde::Serialize;

/// How a request for a decision ended, as the decision log and the metrics name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Allowed.
    Allow,
    /// Denied by the policies, or for want of a route.
    Deny,
    /// No credential, or an invalid one, where anonymous may not.
    Unauthenticated,
    /// The request was ambiguous or malformed.
    Malformed,
    /// No decision could be made.
    Unavailable,
}

impl Outcome {
    /// All outcomes, in the order of their definition.
    pub const ALL: [Self; 5] = [Self::Allow, Self::Deny, Self::Unauthenticated, Self::Malformed, Self::Unavailable];

    /// The outcome's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Unauthenticated => "unauthenticated",
            Self::Malformed => "malformed",
            Self::Unavailable => "unavailable",
        }
    }
}
