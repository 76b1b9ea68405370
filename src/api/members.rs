//! `/v1/applications/{id}/members`

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::body::{JsonBody, name};
use super::caller::Caller;
use super::page::{Page, Paging};
use super::path::Ids;
use super::problem::ApiError;
use crate::accounts::Member;
use crate::model::{ApplicationId, Role, Timestamp, UserId, Username};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    login: String,
    #[serde(deserialize_with = "name")]
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetRole {
    #[serde(deserialize_with = "name")]
    role: Role,
}

/// Without the address: whoever adds somebody by username is not told it.
#[derive(Serialize)]
pub(super) struct Shown {
    id: UserId,
    username: Username,
    role: Role,
    created_at: Timestamp,
}

fn shown(member: Member) -> Shown {
    let Member { user, membership } = member;
    Shown { id: user.id, username: user.username, role: membership.role, created_at: membership.created_at }
}

/// `GET /v1/applications/{id}/members`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(application): Ids<ApplicationId>,
    paging: Paging<UserId>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let members = state.call(move |accounts| accounts.members(&caller.actor, application)).await?;
    Ok(Json(paging.page_of_all(members, |member| member.user.id, shown)))
}

/// `POST /v1/applications/{id}/members`
pub(super) async fn add(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(application): Ids<ApplicationId>,
    JsonBody(New { login, role }): JsonBody<New>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let member = state.call(move |accounts| accounts.add_member(&caller.actor, application, &login, role)).await?;
    Ok((StatusCode::CREATED, Json(shown(member))))
}

/// `PATCH /v1/applications/{id}/members/{user_id}`
pub(super) async fn set_role(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((application, user)): Ids<(ApplicationId, UserId)>,
    JsonBody(SetRole { role }): JsonBody<SetRole>,
) -> Result<StatusCode, ApiError> {
    state.call(move |accounts| accounts.set_role(&caller.actor, application, user, role)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/applications/{id}/members/{user_id}`: of somebody else, or of oneself.
pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((application, user)): Ids<(ApplicationId, UserId)>,
) -> Result<StatusCode, ApiError> {
    state.call(move |accounts| accounts.remove_member(&caller.actor, application, user)).await?;
    Ok(StatusCode::NO_CONTENT)
}
