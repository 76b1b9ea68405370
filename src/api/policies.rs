//! `/v1/policies`

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::ApiState;
use super::caller::Caller;
use super::code::Code;
use super::operation::Operation;
use super::problem::ApiError;
use crate::accounts::Reloader;
use crate::authz::Reloaded;

/// The policies in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Reloaded)]
pub(super) struct Shown {
    /// The number of the generation in force.
    generation: u64,
    /// Whether it is a new one: `false` if the files are those that were in force before.
    changed: bool,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::post("/v1/policies/reload", "reload_policies", "Read the policies again", reload)
            .about(
                "When this is answered with 200, the policies, the schema and the routes are in force as the files have \
                 them. When anything is wrong with the files, nothing changes, and `problems` tells all of it. Only an \
                 administrator of the installation may do this.",
            )
            .refuses(&[Code::PoliciesInvalid]),
    ]
}

/// `POST /v1/policies/reload`
pub(super) async fn reload(State(state): State<ApiState>, caller: Caller) -> Result<Json<Shown>, ApiError> {
    let reloaded = state.call(move |accounts| accounts.reload_policies(Reloader::User(&caller.actor))).await?;
    let changed = matches!(reloaded, Reloaded::InForce(_));
    Ok(Json(Shown { generation: reloaded.number(), changed }))
}
