//! `/v1/applications/{id}/devices`

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
use crate::model::{ApplicationId, Device, DeviceId, Name, Timestamp};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    id: Option<DeviceId>,
    name: String,
}

#[derive(Serialize)]
pub(super) struct Shown {
    id: DeviceId,
    name: Name,
    created_at: Timestamp,
}

fn shown(device: Device) -> Shown {
    Shown { id: device.id, name: device.name, created_at: device.created_at }
}

/// `GET /v1/applications/{id}/devices`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(application): Ids<ApplicationId>,
    paging: Paging<DeviceId>,
) -> Result<Json<Page<Shown>>, ApiError> {
    let (after, ask) = (paging.after(), paging.ask());
    let devices = state.call(move |accounts| accounts.devices(&caller.actor, application, after, ask)).await?;
    Ok(Json(paging.page(devices, |device| device.id, shown)))
}

/// `POST /v1/applications/{id}/devices`: under an identifier of the caller's choice, or a new one.
pub(super) async fn add(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(application): Ids<ApplicationId>,
    JsonBody(New { id, name }): JsonBody<New>,
) -> Result<(StatusCode, Json<Shown>), ApiError> {
    let device = state.call(move |accounts| accounts.add_device(&caller.actor, application, id, &name)).await?;
    Ok((StatusCode::CREATED, Json(shown(device))))
}

/// `DELETE /v1/applications/{id}/devices/{device_id}`
pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((application, device)): Ids<(ApplicationId, DeviceId)>,
) -> Result<StatusCode, ApiError> {
    state.call(move |accounts| accounts.remove_device(&caller.actor, application, device)).await?;
    Ok(StatusCode::NO_CONTENT)
}
