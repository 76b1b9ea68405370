//! `/v1/sessions`: log-in, refresh, sign out everywhere.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{JsonBody, expose};
use super::caller::{Caller, Sender};
use super::code::Code;
use super::operation::{Created, NoContent, Operation};
use super::problem::ApiError;
use crate::authn::Issued;
use crate::model::Timestamp;
use crate::secret::Secret;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LogIn, examples(json!({"login": "ada", "password": "correct horse battery staple"})))]
pub(super) struct LogIn {
    /// A username or an address.
    login: String,
    password: Secret,
    /// A code of the authenticator, or a recovery code.
    code: Option<Secret>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    #[serde(serialize_with = "expose")]
    token: Secret,
    expires_at: Timestamp,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/sessions", "log_in", "Sign in", create)
            .about("Gives a session token for seven days. `totp_required` is told only after a right password.")
            .refuses(&[
                Code::InvalidCredentials,
                Code::TotpRequired,
                Code::InvalidCode,
                Code::TooManyAttempts,
                Code::Busy,
            ]),
        Operation::post("/v1/sessions/refresh", "refresh_session", "Get a new session token for a valid one", refresh)
            .about("For seven days from now. The old one goes on until it ends.")
            .refuses(&[Code::SessionRequired, Code::InvalidCredentials]),
        Operation::delete("/v1/sessions", "end_sessions", "Sign out everywhere", end)
            .about("Ends all of the caller's session tokens. API keys stay."),
    ]
}

fn created(issued: Issued) -> Created<Session> {
    let Issued { token, expires_at, .. } = issued;
    Created(Session { token, expires_at })
}

/// `POST /v1/sessions`
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(origin): Sender,
    JsonBody(body): JsonBody<LogIn>,
) -> Result<Created<Session>, ApiError> {
    let LogIn { login, password, code } = body;
    state.call(move |accounts| accounts.log_in(&login, &password, code.as_ref(), &origin)).await.map(created)
}

/// `POST /v1/sessions/refresh`
pub(super) async fn refresh(State(state): State<ApiState>, caller: Caller) -> Result<Created<Session>, ApiError> {
    state.call(move |accounts| accounts.refresh_session(&caller.actor)).await.map(created)
}

/// `DELETE /v1/sessions`
pub(super) async fn end(State(state): State<ApiState>, caller: Caller) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.end_sessions(&caller.actor, caller.user_id())).await?;
    Ok(NoContent)
}
