//! `/v1/organizations/{id}/administrators`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::JsonBody;
use super::caller::Caller;
use super::code::Code;
use super::operation::{Created, NoContent, Operation};
use super::page::{Page, Paging};
use super::path::Ids;
use super::problem::ApiError;
use crate::model::{OrganizationId, User, UserId, Username};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewAdministrator, examples(json!({"login": "ada"})))]
pub(super) struct New {
    /// A username or an address.
    login: String,
}

/// Without the address: whoever adds somebody by username is not told it.
#[derive(Serialize, ToSchema)]
#[schema(as = Administrator)]
pub(super) struct Shown {
    id: UserId,
    username: Username,
}

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/v1/organizations/{id}/administrators";
    const ONE: &str = "/v1/organizations/{id}/administrators/{user_id}";
    vec![
        Operation::get(ALL, "list_administrators", "List an organization's administrators", list),
        Operation::post(ALL, "add_administrator", "Make somebody an administrator of an organization", add)
            .about("Who is to be added must have an account.")
            .refuses(&[Code::AlreadyExists]),
        Operation::delete(ONE, "remove_administrator", "Take somebody's administration of an organization", remove)
            .refuses(&[Code::LastAdministrator]),
    ]
}

fn shown(user: User) -> Shown {
    Shown { id: user.id, username: user.username }
}

/// `GET /v1/organizations/{id}/administrators`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<OrganizationId>,
    paging: Paging<UserId>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let users = state.call(move |accounts| accounts.administrators(&caller.actor, id)).await?;
    Ok(Json(paging.page_of_all(users, |user| user.id, shown)))
}

/// `POST /v1/organizations/{id}/administrators`
pub(super) async fn add(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<OrganizationId>,
    JsonBody(New { login }): JsonBody<New>,
) -> Result<Created<Shown>, ApiError> {
    let user = state.call(move |accounts| accounts.add_administrator(&caller.actor, id, &login)).await?;
    Ok(Created(shown(user)))
}

/// `DELETE /v1/organizations/{id}/administrators/{user_id}`
pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((id, user)): Ids<(OrganizationId, UserId)>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.remove_administrator(&caller.actor, id, user)).await?;
    Ok(NoContent)
}
