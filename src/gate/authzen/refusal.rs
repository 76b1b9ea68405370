//! Requests that are not answered: a status, and a text that says why (section "Error Responses" of the specification).

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

use super::MAX_LEN;
use crate::telemetry::Outcome;

/// Why a request is not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// It is not what the specification says.
    #[error("{0}")]
    Malformed(String),
    /// Its body is too long.
    #[error("the body is longer than {MAX_LEN} bytes")]
    TooLong,
    /// The caller did not say who they are, or not so that it can be believed.
    #[error("{}", if *invalid { "the credential is not valid" } else { "an API key is needed" })]
    Unauthenticated {
        /// Whether a credential was sent.
        invalid: bool,
    },
    /// The caller may not ask.
    #[error("this key may not ask: its user is not among `authzen.callers`, or it is narrowed to something else")]
    Forbidden,
    /// It cannot be answered at the moment; the text is for the log.
    #[error("{0}")]
    Unavailable(String),
}

impl Refusal {
    /// How the log and the metrics call it.
    pub(super) fn outcome(&self) -> Outcome {
        match self {
            Self::Malformed(_) | Self::TooLong => Outcome::Malformed,
            Self::Unauthenticated { .. } => Outcome::Unauthenticated,
            Self::Forbidden => Outcome::Deny,
            Self::Unavailable(_) => Outcome::Unavailable,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, header) = match &self {
            Self::Malformed(_) => (StatusCode::BAD_REQUEST, None),
            Self::TooLong => (StatusCode::PAYLOAD_TOO_LARGE, None),
            Self::Unauthenticated { invalid: false } => {
                (StatusCode::UNAUTHORIZED, Some((WWW_AUTHENTICATE, "Bearer realm=\"gatepost\"")))
            }
            Self::Unauthenticated { invalid: true } => {
                let challenge = "Bearer realm=\"gatepost\", error=\"invalid_token\"";
                (StatusCode::UNAUTHORIZED, Some((WWW_AUTHENTICATE, challenge)))
            }
            Self::Forbidden => (StatusCode::FORBIDDEN, None),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, Some((RETRY_AFTER, "1"))),
        };
        let text = match &self {
            Self::Unavailable(_) => "it cannot be decided at the moment whether this is permitted".to_owned(),
            other => other.to_string(),
        };
        let mut response = (status, [(CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response();
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}
