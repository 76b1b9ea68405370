//! `/v1/password-resets`: a new password by a mailed link.

use axum::extract::State;
use serde::Deserialize;
use utoipa::ToSchema;

use super::ApiState;
use super::body::JsonBody;
use super::caller::Sender;
use super::code::Code;
use super::operation::{Accepted, NoContent, Operation};
use super::problem::ApiError;
use crate::model::Email;
use crate::secret::Secret;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPasswordReset, examples(json!({"email": "ada@example.com"})))]
pub(super) struct New {
    #[schema(value_type = Email)]
    email: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PasswordReset, examples(json!({
    "token": "kbNiA63rZxOk6FDQEQeoLlIeQvjyK0CGIRlN1CyXwjI", "password": "correct horse battery staple",
})))]
pub(super) struct Complete {
    /// What the mailed link ends with.
    token: Secret,
    /// 8 to 1024 characters that are hard to guess.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 1024)]
    password: Secret,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post(
            "/v1/password-resets",
            "request_password_reset",
            "Ask for a link to set a new password",
            create,
        )
        .about("The answer is the same whether or not somebody has the address. The link works once, for an hour.")
        .refuses(&[Code::MailNotConfigured, Code::TooManyAttempts]),
        Operation::post(
            "/v1/password-resets/complete",
            "complete_password_reset",
            "Set a new password by a mailed link",
            complete,
        )
        .about("All of the account's session tokens end. The next log-in still needs the second factor.")
        .refuses(&[Code::InvalidLink, Code::Busy]),
    ]
}

/// `POST /v1/password-resets`
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(origin): Sender,
    JsonBody(New { email }): JsonBody<New>,
) -> Result<Accepted, ApiError> {
    state.call(move |accounts| accounts.request_password_reset(&email, &origin)).await?;
    Ok(Accepted)
}

/// `POST /v1/password-resets/complete`
pub(super) async fn complete(
    State(state): State<ApiState>,
    Sender(origin): Sender,
    JsonBody(Complete { token, password }): JsonBody<Complete>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.complete_password_reset(&token, &password, &origin)).await?;
    Ok(NoContent)
}
