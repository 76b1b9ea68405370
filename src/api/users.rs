//! `/v1/users`: sign-up, at once where this installation sends no mail, by a mailed link where it does.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::JsonBody;
use super::caller::Sender;
use super::code::Code;
use super::operation::{Accepted, Contract, Created, Gives, Operation};
use super::problem::ApiError;
use crate::accounts::{Actor, SignedUp};
use crate::model::{Email, User, UserId, Username};
use crate::secret::Secret;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewUser, examples(json!({
    "username": "ada", "email": "ada@example.com", "password": "correct horse battery staple",
})))]
pub(super) struct New {
    #[schema(value_type = Username)]
    username: String,
    #[schema(value_type = Email)]
    email: String,
    /// 8 to 1024 characters that are hard to guess.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 1024)]
    password: Secret,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MailedLink, examples(json!({"token": "kbNiA63rZxOk6FDQEQeoLlIeQvjyK0CGIRlN1CyXwjI"})))]
pub(super) struct Confirm {
    /// What the mailed link ends with.
    token: Secret,
}

#[derive(Serialize, ToSchema)]
#[schema(as = User)]
pub(super) struct Shown {
    id: UserId,
    username: Username,
    email: Email,
}

/// What has become of a sign-up.
pub(super) enum Answer {
    Created(Created<Shown>),
    Mailed(Accepted),
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self {
            Self::Created(created) => created.into_response(),
            Self::Mailed(accepted) => accepted.into_response(),
        }
    }
}

impl Gives for Answer {
    fn describe(contract: &mut Contract) {
        Created::<Shown>::describe(contract);
        Accepted::describe(contract);
    }
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/users", "sign_up", "Sign up", create)
            .about(
                "Where this installation sends mail, the answer is always 202: what becomes of it is in the mail. Where it \
                 does not, the account can be used at once.",
            )
            .refuses(&[Code::Forbidden, Code::SignUpClosed, Code::AlreadyExists, Code::TooManyAttempts, Code::Busy]),
        Operation::post("/v1/users/confirm", "confirm_sign_up", "Complete a sign-up by its mailed link", confirm)
            .refuses(&[Code::Forbidden, Code::SignUpClosed, Code::AlreadyExists, Code::InvalidLink]),
    ]
}

fn shown(user: User) -> Created<Shown> {
    let User { id, username, email, .. } = user;
    Created(Shown { id, username, email })
}

/// `POST /v1/users`
pub(super) async fn create(
    State(state): State<ApiState>,
    Sender(origin): Sender,
    JsonBody(New { username, email, password }): JsonBody<New>,
) -> Result<Answer, ApiError> {
    let actor = Actor::anonymous(origin);
    let signed_up = state.call(move |accounts| accounts.sign_up(&actor, &username, &email, &password)).await?;
    Ok(match signed_up {
        SignedUp::Created(user) => Answer::Created(shown(user)),
        SignedUp::Mailed => Answer::Mailed(Accepted),
    })
}

/// `POST /v1/users/confirm`
pub(super) async fn confirm(
    State(state): State<ApiState>,
    Sender(origin): Sender,
    JsonBody(Confirm { token }): JsonBody<Confirm>,
) -> Result<Created<Shown>, ApiError> {
    let actor = Actor::anonymous(origin);
    state.call(move |accounts| accounts.complete_sign_up(&actor, &token)).await.map(shown)
}
