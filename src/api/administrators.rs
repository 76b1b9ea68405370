//! `/v1/organizations/{id}/administrators`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::body::JsonBody;
use super::caller::Caller;
use super::page::{Page, Paging};
use super::path::Ids;
use super::problem::ApiError;
use crate::model::{OrganizationId, User, UserId, Username};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    login: String,
}

/// Without the address: whoever adds somebody by username is not told it.
#[derive(Serialize)]
pub(super) struct Shown {
    id: UserId,
    username: Username,
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
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let user = state.call(move |accounts| accounts.add_administrator(&caller.actor, id, &login)).await?;
    Ok((StatusCode::CREATED, Json(shown(user))))
}

/// `DELETE /v1/organizations/{id}/administrators/{user_id}`
pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((id, user)): Ids<(OrganizationId, UserId)>,
) -> Result<StatusCode, ApiError> {
    state.call(move |accounts| accounts.remove_administrator(&caller.actor, id, user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
