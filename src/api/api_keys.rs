//! `/v1/api-keys`: the caller's API keys.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};

use super::ApiState;
use super::body::{JsonBody, expose};
use super::caller::Caller;
use super::page::{Page, Paging};
use super::path::Ids;
use super::problem::ApiError;
use crate::accounts::{Accounts, CreatedApiKey, NewApiKey};
use crate::model::{ApiKey, ApiKeyId, Name, Timestamp};
use crate::secret::Secret;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct New {
    name: String,
    description: Option<String>,
    expires_at: Option<Timestamp>,
    #[serde(default)]
    scopes: Vec<String>,
}

#[derive(Serialize)]
pub(super) struct Created {
    id: ApiKeyId,
    name: Name,
    description: Option<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    scopes: Vec<String>,
    #[serde(serialize_with = "expose")]
    key: Secret,
}

#[derive(Serialize)]
pub(super) struct Listed {
    id: ApiKeyId,
    name: Name,
    description: Option<String>,
    created_at: Timestamp,
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    scopes: Vec<String>,
    prefix: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Revoke {
    ids: Vec<ApiKeyId>,
}

#[derive(Serialize)]
pub(super) struct Revoked {
    revoked: usize,
}

fn listed(key: ApiKey) -> Listed {
    let ApiKey { id, name, description, created_at, last_used_at, expires_at, scopes, prefix, .. } = key;
    Listed { id, name, description, created_at, last_used_at, expires_at, scopes, prefix }
}

/// `POST /v1/api-keys`
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(new): JsonBody<New>,
) -> Result<(StatusCode, Json<Created>), ApiError> {
    let New { name, description, expires_at, scopes } = new;
    let create = move |accounts: &Accounts| {
        let new = NewApiKey { name: &name, description: description.as_deref(), expires_at, scopes };
        accounts.create_api_key(&caller.actor, caller.user_id(), new)
    };
    let CreatedApiKey { api_key, key } = state.call(create).await?;
    let ApiKey { id, name, description, created_at, expires_at, scopes, .. } = api_key;
    let created = Created { id, name, description, created_at, expires_at, scopes, key };
    Ok((StatusCode::CREATED, Json(created)))
}

/// `GET /v1/api-keys`
pub(super) async fn list(
    State(state): State<ApiState>,
    caller: Caller,
    paging: Paging<ApiKeyId>,
) -> Result<Json<Page<Listed>>, ApiError> {
    let keys = state.call(move |accounts| accounts.api_keys(&caller.actor, caller.user_id())).await?;
    Ok(Json(paging.page_of_all(keys, |key| key.id, listed)))
}

/// `DELETE /v1/api-keys/{id}`
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    Ids(id): Ids<ApiKeyId>,
) -> Result<StatusCode, ApiError> {
    revoke_all(&state, caller, vec![id]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/api-keys/revoke`: all of them or none.
pub(super) async fn revoke(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(Revoke { ids }): JsonBody<Revoke>,
) -> Result<Json<Revoked>, ApiError> {
    revoke_all(&state, caller, ids).await.map(|revoked| Json(Revoked { revoked }))
}

async fn revoke_all(state: &ApiState, caller: Caller, ids: Vec<ApiKeyId>) -> Result<usize, ApiError> {
    let revoke = move |accounts: &Accounts| accounts.revoke_api_keys(&caller.actor, &ids);
    state.call(revoke).await
}
