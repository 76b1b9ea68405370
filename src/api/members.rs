//! `/v1/applications/{id}/members`

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{JsonBody, name};
use super::caller::Caller;
use super::code::Code;
use super::operation::{Created, NoContent, Operation};
use super::page::{Page, Paging};
use super::path::Ids;
use super::problem::ApiError;
use crate::accounts::Member;
use crate::model::{ApplicationId, Role, Timestamp, UserId, Username};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewMember, examples(json!({"login": "ada", "role": "developer"})))]
pub(super) struct New {
    /// A username or an address.
    login: String,
    #[serde(deserialize_with = "name")]
    role: Role,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRole, examples(json!({"role": "operator"})))]
pub(super) struct SetRole {
    #[serde(deserialize_with = "name")]
    role: Role,
}

/// Without the address: whoever adds somebody by username is not told it.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(super) struct Shown {
    id: UserId,
    username: Username,
    role: Role,
    created_at: Timestamp,
}

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/v1/applications/{id}/members";
    const ONE: &str = "/v1/applications/{id}/members/{user_id}";
    vec![
        Operation::get(ALL, "list_members", "List an application's members", list),
        Operation::post(ALL, "add_member", "Add a member to an application", add)
            .about("Who is to be added must have an account. Which roles there are depends on plan and type.")
            .refuses(&[Code::AlreadyExists, Code::RoleNotAvailable, Code::OwnerMustBringBack]),
        Operation::patch(ONE, "set_role", "Give a member another role", set_role)
            .refuses(&[Code::RoleNotAvailable, Code::OwnerCannotBeDemoted]),
        Operation::delete(ONE, "remove_member", "Remove a member from an application, or leave it", remove)
            .about("Whoever leaves cannot undo it: only the owner brings them back.")
            .refuses(&[Code::OwnerCannotLeave, Code::OwnerCannotBeRemoved]),
    ]
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
) -> Result<Created<Shown>, ApiError> {
    let member = state.call(move |accounts| accounts.add_member(&caller.actor, application, &login, role)).await?;
    Ok(Created(shown(member)))
}

/// `PATCH /v1/applications/{id}/members/{user_id}`
pub(super) async fn set_role(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((application, user)): Ids<(ApplicationId, UserId)>,
    JsonBody(SetRole { role }): JsonBody<SetRole>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.set_role(&caller.actor, application, user, role)).await?;
    Ok(NoContent)
}

/// `DELETE /v1/applications/{id}/members/{user_id}`: of somebody else, or of oneself.
pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((application, user)): Ids<(ApplicationId, UserId)>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.remove_member(&caller.actor, application, user)).await?;
    Ok(NoContent)
}
