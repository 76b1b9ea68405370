//! `/v1/organizations`: those that the caller administers, and what they pay for.

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
use crate::model::{Name, Organization, OrganizationId, Plan, Timestamp};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewOrganization, examples(json!({"name": "Acme"})))]
pub(super) struct New {
    #[schema(value_type = Name)]
    name: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlan, examples(json!({"plan": "paid"})))]
pub(super) struct SetPlan {
    #[serde(deserialize_with = "name")]
    plan: Plan,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(super) struct Shown {
    id: OrganizationId,
    name: Name,
    plan: Plan,
    /// Whether it is the personal organization of its one user.
    personal: bool,
    created_at: Timestamp,
}

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/v1/organizations";
    const ONE: &str = "/v1/organizations/{id}";
    vec![
        Operation::get(ALL, "list_organizations", "List the organizations that the caller administers", list),
        Operation::post(ALL, "create_organization", "Create an organization", create)
            .about("The caller becomes its administrator."),
        Operation::get(ONE, "show_organization", "Show an organization that the caller administers", show),
        Operation::delete(ONE, "delete_organization", "Delete an organization with its applications", delete)
            .refuses(&[Code::PersonalOrganization]),
        Operation::put("/v1/organizations/{id}/plan", "set_plan", "Set what an organization pays for", set_plan)
            .about("For administrators of this installation."),
    ]
}

pub(super) fn shown(organization: Organization) -> Shown {
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
) -> Result<Created<Shown>, ApiError> {
    let administrator = caller.user_id();
    let organization =
        state.call(move |accounts| accounts.create_organization(&caller.actor, &name, administrator)).await?;
    Ok(Created(shown(organization)))
}

/// `GET /v1/organizations/{id}`
pub(super) async fn show(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<OrganizationId>,
) -> Result<Json<Shown>, ApiError> {
    let organization = state.call(move |accounts| accounts.organization(&caller.actor, id)).await?;
    Ok(Json(shown(organization)))
}

/// `DELETE /v1/organizations/{id}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<OrganizationId>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.delete_organization(&caller.actor, id)).await?;
    Ok(NoContent)
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
