//! `/.well-known/jwks.json`: the public keys that session tokens are verified with (RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::ApiState;
use super::operation::{Contract, Gives};

/// RFC 7517, section 8.5.2.
const JWK_SET: &str = "application/jwk-set+json";

/// Whoever meets a token of a newer key asks again before this time is over, as verifiers do.
const FIVE_MINUTES: &str = "public, max-age=300";

/// The keys, as an answer.
pub(super) struct Jwks(Value);

impl IntoResponse for Jwks {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, JWK_SET), (CACHE_CONTROL, FIVE_MINUTES)], Json(self.0)).into_response()
    }
}

impl Gives for Jwks {
    fn describe(contract: &mut Contract) {
        let keys = json!({"type": "array", "items": {"type": "object"}});
        let schema = json!({"type": "object", "required": ["keys"], "properties": {"keys": keys}});
        contract.answers.insert(200, Some((JWK_SET, schema)));
    }
}

/// `GET /.well-known/jwks.json`
pub(super) async fn show(State(state): State<ApiState>) -> Jwks {
    Jwks(state.keyring.jwks())
}
