//! The management API: accounts, credentials, organizations, applications, members and devices, as JSON over HTTP.
//!
//! A handler reads the request, calls the account system once, and shows what came back. It decides nothing about who
//! may do what, and never touches the store.

mod administrators;
mod api_keys;
mod applications;
mod body;
mod caller;
mod devices;
mod jwks;
mod members;
mod organizations;
mod page;
mod path;
mod problem;
mod sessions;
mod whoami;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use axum::routing::{delete, get, patch, post, put};

use self::problem::ApiError;
use crate::accounts::{AccountError, Accounts};
use crate::authn::{Keyring, Verifier};
use crate::clock::Clock;

/// What the management API is made of.
#[derive(Clone)]
pub struct ApiState {
    /// The account system.
    pub accounts: Arc<Accounts>,
    /// Verifies the callers' credentials.
    pub verifier: Arc<Verifier>,
    /// The signing keys, whose public halves are published.
    pub keyring: Arc<Keyring>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// The management API. The peer of a request's connection is its extension of type [`Peer`](crate::http::listener::Peer).
pub fn router(state: ApiState) -> Router {
    Router::new()
        .route("/.well-known/jwks.json", get(jwks::show))
        .route("/v1/sessions", post(sessions::create).delete(sessions::end))
        .route("/v1/sessions/refresh", post(sessions::refresh))
        .route("/v1/whoami", get(whoami::show))
        .route("/v1/api-keys", get(api_keys::list).post(api_keys::create))
        .route("/v1/api-keys/revoke", post(api_keys::revoke))
        .route("/v1/api-keys/{id}", delete(api_keys::delete))
        .route("/v1/organizations", get(organizations::list).post(organizations::create))
        .route("/v1/organizations/{id}/plan", put(organizations::set_plan))
        .route("/v1/organizations/{id}/administrators", get(administrators::list).post(administrators::add))
        .route("/v1/organizations/{id}/administrators/{user_id}", delete(administrators::remove))
        .route("/v1/applications", get(applications::list).post(applications::create))
        .route("/v1/applications/{id}", get(applications::show).delete(applications::delete))
        .route("/v1/applications/{id}/members", get(members::list).post(members::add))
        .route("/v1/applications/{id}/members/{user_id}", patch(members::set_role).delete(members::remove))
        .route("/v1/applications/{id}/devices", get(devices::list).post(devices::add))
        .route("/v1/applications/{id}/devices/{device_id}", delete(devices::remove))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .fallback(async || ApiError::NoSuchPath)
        .layer(map_response(protect))
        .with_state(state)
}

/// Keeps answers out of caches, unless they say otherwise, and browsers from guessing what they are.
async fn protect(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl ApiState {
    /// Calls the account system, which blocks, on a thread meant for that. What has begun is finished even when the
    /// caller hangs up.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Accounts) -> Result<T, AccountError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let accounts = Arc::clone(&self.accounts);
        let result = tokio::task::spawn_blocking(move || work(&accounts)).await?;
        Ok(result?)
    }
}
