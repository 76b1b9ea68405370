//! `/.well-known/jwks.json`: the public keys that session tokens are verified with (RFC 7517).

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse;

use super::ApiState;

/// Whoever meets a token of a newer key asks again before this time is over, as verifiers do.
const FIVE_MINUTES: &str = "public, max-age=300";

/// `GET /.well-known/jwks.json`
pub(super) async fn show(State(state): State<ApiState>) -> impl IntoResponse {
    let headers = [(CONTENT_TYPE, "application/jwk-set+json"), (CACHE_CONTROL, FIVE_MINUTES)];
    (headers, Json(state.keyring.jwks()))
}
