//! `/v1/applications`: those that the caller holds a role on.

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
use crate::accounts::SeenApplication;
use crate::model::{Application, ApplicationId, ApplicationType, Name, OrganizationId, Role, UserId};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    organization: OrganizationId,
    name: String,
    #[serde(deserialize_with = "name")]
    r#type: ApplicationType,
}

#[derive(Serialize)]
pub(super) struct Shown {
    id: ApplicationId,
    name: Name,
    r#type: ApplicationType,
    organization: OrganizationId,
    owner: UserId,
    /// The caller's.
    role: Option<Role>,
    /// Whether somebody else shared it with the caller.
    shared: bool,
}

fn shown(seen: SeenApplication) -> Shown {
    let SeenApplication { application, role, shared } = seen;
    let Application { id, name, application_type, organization, owner, .. } = application;
    Shown { id, name, r#type: application_type, organization, owner, role, shared }
}

/// `POST /v1/applications`
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(new): JsonBody<New>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let New { organization, name, r#type } = new;
    let owner = caller.user_id();
    let application = state
        .call(move |accounts| accounts.create_application(&caller.actor, organization, owner, &name, r#type))
        .await?;
    let seen = SeenApplication { application, role: Some(Role::Administrator), shared: false };
    Ok((StatusCode::CREATED, Json(shown(seen))))
}

/// `GET /v1/applications`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    paging: Paging<ApplicationId>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let (after, ask) = (paging.after(), paging.ask());
    let found =
        state.call(move |accounts| accounts.applications_of(&caller.actor, caller.user_id(), after, ask)).await?;
    Ok(Json(paging.page(found, |seen| seen.application.id, shown)))
}

/// `GET /v1/applications/{id}`
pub(super) async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<ApplicationId>,
) -> Result<Json<Shown>, ApiError> {
    let seen = state.call(move |accounts| accounts.application(&caller.actor, id)).await?;
    Ok(Json(shown(seen)))
}

/// `DELETE /v1/applications/{id}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<ApplicationId>,
) -> Result<StatusCode, ApiError> {
    state.call(move |accounts| accounts.delete_application(&caller.actor, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
