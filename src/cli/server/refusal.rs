//! What can go wrong between this program and a server.

use serde::Deserialize;

use crate::cli::{CONFLICT, FAILURE, FORBIDDEN, NOT_FOUND, UNAUTHENTICATED};

/// The server did not do it.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum ServerError {
    /// It said why.
    #[error("{detail} ({code})")]
    Refused { status: u16, code: String, detail: String },
    #[error("not logged in at `{0}`")]
    NotLoggedIn(String),
    #[error("`{address}` answers with status {status}, and not as Gatepost does")]
    NotGatepost { address: String, status: u16 },
    #[error("`{0}` answers with something that this version does not understand")]
    NotUnderstood(String),
    #[error("cannot ask `{address}`")]
    Unreachable {
        address: String,
        #[source]
        source: Box<ureq::Error>,
    },
}

/// The members of a problem (RFC 9457) that are told.
#[derive(Deserialize)]
pub(super) struct Problem {
    pub(super) code: String,
    pub(super) detail: String,
}

impl ServerError {
    /// The code to exit with.
    pub(in crate::cli) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused { status: 401, .. } | Self::NotLoggedIn(_) => UNAUTHENTICATED,
            Self::Refused { status: 403, .. } => FORBIDDEN,
            Self::Refused { status: 404, .. } => NOT_FOUND,
            Self::Refused { status: 409 | 422, .. } => CONFLICT,
            _ => FAILURE,
        }
    }

    /// What to do about it.
    pub(in crate::cli) fn help(&self) -> Option<&'static str> {
        match self {
            Self::NotLoggedIn(_) => Some("log in with `gatepost login`, or set GATEPOST_TOKEN"),
            Self::Refused { code, .. } => match code.as_str() {
                "invalid_token" | "unauthenticated" => {
                    Some("log in again with `gatepost login`, or set GATEPOST_TOKEN to a valid key")
                }
                "totp_required" => Some("give a code of your authenticator with --code"),
                "session_required" => Some("this needs a session: `gatepost login`, and no API key in GATEPOST_TOKEN"),
                _ => None,
            },
            Self::NotGatepost { .. } | Self::NotUnderstood(_) | Self::Unreachable { .. } => None,
        }
    }

    /// Whether the server refused it with this code.
    pub(in crate::cli) fn has_code(&self, expected: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == expected)
    }
}
