//! `/v1/whoami`: the caller's account and credential.

use axum::Json;
use axum::extract::State;
use serde::Serialize;

use super::ApiState;
use super::caller::Caller;
use super::problem::ApiError;
use crate::model::{CredentialKind, Email, Timestamp, User, UserId, Username};

#[derive(Serialize)]
pub(super) struct WhoAmI {
    id: UserId,
    username: Username,
    email: Email,
    totp_enabled: bool,
    has_password: bool,
    credential: Credential,
}

#[derive(Serialize)]
struct Credential {
    kind: CredentialKind,
    id: String,
    expires_at: Option<Timestamp>,
}

/// `GET /v1/whoami`
pub(super) async fn show(State(state): State<ApiState>, caller: Caller) -> Result<Json<WhoAmI>, ApiError> {
    let Caller { actor, verified } = caller;
    let user = verified.user_id();
    let has_password = state.call(move |accounts| accounts.has_password(&actor, user)).await?;
    let credential = Credential { kind: verified.kind(), id: verified.id(), expires_at: verified.expires_at() };
    let User { id, username, email, .. } = verified.user().clone();
    Ok(Json(WhoAmI { id, username, email, totp_enabled: false, has_password, credential }))
}
