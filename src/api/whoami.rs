//! `/v1/whoami`: the caller's account and credential.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::caller::Caller;
use super::operation::Operation;
use super::problem::ApiError;
use crate::accounts::Accounts;
use crate::model::{CredentialKind, Email, Timestamp, User, UserId, Username};

#[derive(Serialize, ToSchema)]
pub(super) struct WhoAmI {
    id: UserId,
    username: Username,
    email: Email,
    totp_enabled: bool,
    has_password: bool,
    credential: Credential,
}

#[derive(Serialize, ToSchema)]
struct Credential {
    kind: CredentialKind,
    id: String,
    expires_at: Option<Timestamp>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation::get("/v1/whoami", "whoami", "Show the caller's account and credential", show)]
}

/// `GET /v1/whoami`
pub(super) async fn show(State(state): State<ApiState>, caller: Caller) -> Result<Json<WhoAmI>, ApiError> {
    let Caller { actor, verified } = caller;
    let user = verified.user_id();
    let look =
        move |accounts: &Accounts| Ok((accounts.has_password(&actor, user)?, accounts.totp_enabled(&actor, user)?));
    let (has_password, totp_enabled) = state.call(look).await?;
    let credential =
        Credential { kind: verified.kind(), id: verified.id().to_owned(), expires_at: verified.expires_at() };
    let User { id, username, email, .. } = verified.user().clone();
    Ok(Json(WhoAmI { id, username, email, totp_enabled, has_password, credential }))
}
