//! `/v1/api-keys`: the caller's API keys.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{JsonBody, expose};
use super::caller::Caller;
use super::code::Code;
use super::operation::{Created, NoContent, Operation};
use super::page::{Page, Paging};
use super::path::Ids;
use super::problem::ApiError;
use crate::accounts::{Accounts, CreatedApiKey, NewApiKey};
use crate::model::{ApiKey, ApiKeyId, Name, Timestamp};
use crate::secret::Secret;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewApiKey, examples(json!({"name": "ci", "description": "builds", "scopes": ["action:Push"]})))]
pub(super) struct New {
    #[schema(value_type = Name)]
    name: String,
    #[schema(max_length = 1000)]
    description: Option<String>,
    /// When it ends, in the future; it does not if this is left out.
    expires_at: Option<Timestamp>,
    /// What it is narrowed to: `read-only`, `action:<column of the matrix>` such as `action:Push`, `application:<id>`. It
    /// is not narrowed if this is empty or left out.
    #[serde(default)]
    #[schema(max_items = 50)]
    scopes: Vec<String>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = CreatedApiKey)]
pub(super) struct CreatedKey {
    id: ApiKeyId,
    name: Name,
    description: Option<String>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    scopes: Vec<String>,
    /// The key itself, this one time.
    #[serde(serialize_with = "expose")]
    key: Secret,
}

#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub(super) struct Listed {
    id: ApiKeyId,
    name: Name,
    description: Option<String>,
    created_at: Timestamp,
    /// When it was last used, to the minute.
    last_used_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    scopes: Vec<String>,
    /// How the key begins.
    prefix: String,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ApiKeysToRevoke, examples(json!({"ids": ["01890a5d-ac96-774b-bcce-b302099a8057"]})))]
pub(super) struct Revoke {
    ids: Vec<ApiKeyId>,
}

#[derive(Serialize, ToSchema)]
#[schema(as = RevokedApiKeys)]
pub(super) struct Revoked {
    revoked: usize,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![
        Operation::get("/v1/api-keys", "list_api_keys", "List the caller's API keys", list),
        Operation::post("/v1/api-keys", "create_api_key", "Create an API key", create)
            .about("The answer is the only time that `key` is shown."),
        Operation::delete("/v1/api-keys/{id}", "revoke_api_key", "Revoke an API key", delete),
        Operation::post(
            "/v1/api-keys/revoke",
            "revoke_api_keys",
            "Revoke several API keys, all of them or none",
            revoke,
        )
        .refuses(&[Code::NotFound]),
    ]
}

pub(super) fn listed(key: ApiKey) -> Listed {
    let ApiKey { id, name, description, created_at, last_used_at, expires_at, scopes, prefix, .. } = key;
    Listed { id, name, description, created_at, last_used_at, expires_at, scopes, prefix }
}

/// `POST /v1/api-keys`
pub(super) async fn create(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(new): JsonBody<New>,
) -> Result<Created<CreatedKey>, ApiError> {
    let New { name, description, expires_at, scopes } = new;
    let create = move |accounts: &Accounts| {
        let new = NewApiKey { name: &name, description: description.as_deref(), expires_at, scopes };
        accounts.create_api_key(&caller.actor, caller.user_id(), new)
    };
    let CreatedApiKey { api_key, key } = state.call(create).await?;
    let ApiKey { id, name, description, created_at, expires_at, scopes, .. } = api_key;
    let created = CreatedKey { id, name, description, created_at, expires_at, scopes, key };
    Ok(Created(created))
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
) -> Result<NoContent, ApiError> {
    revoke_all(&state, caller, vec![id]).await?;
    Ok(NoContent)
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
