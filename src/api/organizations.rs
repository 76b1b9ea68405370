//! `/v1/organizations`: those that the caller administers, and what they pay for.

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
use crate::model::{Name, Organization, OrganizationId, Plan, Timestamp};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SetPlan {
    #[serde(deserialize_with = "name")]
    plan: Plan,
}

#[derive(Serialize)]
pub(super) struct Shown {
    id: OrganizationId,
    name: Name,
    plan: Plan,
    /// Whether it is the personal organization of its one user.
    personal: bool,
    created_at: Timestamp,
}

fn shown(organization: Organization) -> Shown {
    let Organization { id, name, plan, personal_to, created_at } = organization;
    Shown { id, name, plan, personal: personal_to.is_some(), created_at }
}

/// `GET /v1/organizations`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    paging: Paging<OrganizationId>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let organizations = state.call(move |accounts| accounts.organizations_of(&caller.actor, caller.user_id())).await?;
    Ok(Json(paging.page_of_all(organizations, |organization| organization.id, shown)))
}

/// `POST /v1/organizations`
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(New { name }): JsonBody<New>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let administrator = caller.user_id();
    let organization =
        state.call(move |accounts| accounts.create_organization(&caller.actor, &name, administrator)).await?;
    Ok((StatusCode::CREATED, Json(shown(organization))))
}

/// `PUT /v1/organizations/{id}/plan`
pub(super) async fn set_plan(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<OrganizationId>,
    JsonBody(SetPlan { plan }): JsonBody<SetPlan>,
) -> Result<Json<Shown>, ApiError> {
    let organization = state.call(move |accounts| accounts.set_plan(&caller.actor, id, plan)).await?;
    Ok(Json(shown(organization)))
}
