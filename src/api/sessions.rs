//! `/v1/sessions`: log-in, refresh, sign out everywhere.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::body::{JsonBody, expose};
use super::caller::{Caller, Sender};
use super::problem::ApiError;
use crate::authn::Issued;
use crate::model::Timestamp;
use crate::secret::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIn {
    login: String,
    password: Secret,
    code: Option<Secret>,
}

#[derive(Serialize)]
pub(super) struct Session {
    #[serde(serialize_with = "expose")]
    token: Secret,
    expires_at: Timestamp,
}

type Created = (StatusCode, Json<Session>);

fn created(issued: Issued) -> Created {
    let Issued { token, expires_at, .. } = issued;
    (StatusCode::CREATED, Json(Session { token, expires_at }))
}

/// `POST /v1/sessions`
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(origin): Sender,
    JsonBody(body): JsonBody<LogIn>,
) -> Result<Created, ApiError> {
    // A code counts for accounts that have a second factor only, and none has one.
    let LogIn { login, password, code: _code } = body;
    state.call(move |accounts| accounts.log_in(&login, &password, &origin)).await.map(created)
}

/// `POST /v1/sessions/refresh`
pub(super) async fn refresh(State(state): State<ApiState>, caller: Caller) -> Result<Created, ApiError> {
    state.call(move |accounts| accounts.refresh_session(&caller.actor)).await.map(created)
}

/// `DELETE /v1/sessions`
pub(super) async fn end(State(state): State<ApiState>, caller: Caller) -> Result<StatusCode, ApiError> {
    state.call(move |accounts| accounts.end_sessions(&caller.actor, caller.user_id())).await?;
    Ok(StatusCode::NO_CONTENT)
}
