//! `/v1/applications/{id}/devices`

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
use crate::model::{ApplicationId, Device, DeviceId, Name, Timestamp};

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDevice, examples(json!({"name": "living room"})))]
pub(super) struct New {
    /// Its own identifier; it gets one if this is left out.
    id: Option<DeviceId>,
    #[schema(value_type = Name)]
    name: String,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Device)]
pub(super) struct Shown {
    id: DeviceId,
    name: Name,
    created_at: Timestamp,
}

pub(super) fn operations() -> Vec<Operation> {
    const ALL: &str = "/v1/applications/{id}/devices";
    const ONE: &str = "/v1/applications/{id}/devices/{device_id}";
    vec![
        Operation::get(ALL, "list_devices", "List an application's devices", list),
        Operation::post(ALL, "add_device", "Register a device with an application", add)
            .refuses(&[Code::AlreadyExists]),
        Operation::delete(ONE, "remove_device", "Remove a device from its application", remove),
    ]
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
) -> Result<Created<Shown>, ApiError> {
    let device = state.call(move |accounts| accounts.add_device(&caller.actor, application, id, &name)).await?;
    Ok(Created(shown(device)))
}

/// `DELETE /v1/applications/{id}/devices/{device_id}`
pub(super) async fn remove(
    State(state): State<ApiState>,
    caller: Caller,
    Ids((application, device)): Ids<(ApplicationId, DeviceId)>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.remove_device(&caller.actor, application, device)).await?;
    Ok(NoContent)
}
