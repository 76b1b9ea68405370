//! The management API: accounts, credentials, organizations, applications, members and devices, as JSON over HTTP.
//!
//! A handler reads the request, calls the account system once, and shows what came back. It decides nothing about who
//! may do what, and never touches the store.

mod account;
mod administrators;
mod api_keys;
mod applications;
mod audit;
mod body;
mod caller;
mod code;
mod devices;
mod introspection;
mod jwks;
mod members;
mod openapi;
mod operation;
mod organizations;
mod page;
mod password_resets;
mod path;
mod policies;
mod problem;
mod schema;
mod sessions;
mod totp;
mod users;
mod whoami;

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderValue, header};
use axum::middleware::map_response;
use axum::response::Response;
use ipnet::IpNet;

pub use openapi::openapi;

use self::operation::Operation;
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
    /// The proxies whose word on the client's address is believed.
    pub trusted_proxies: Arc<[IpNet]>,
}

/// What belongs together.
struct Subject {
    name: &'static str,
    about: &'static str,
    operations: Vec<Operation>,
}

/// All that the API does: served by [`router`] and described by [`openapi()`].
fn subjects() -> Vec<Subject> {
    let subject = |name, about, operations| Subject { name, about, operations };
    let documents = vec![
        Operation::get("/openapi.json", "openapi", "Show this description", openapi::show),
        Operation::get(
            "/.well-known/jwks.json",
            "jwks",
            "Show the keys that session tokens are verified with",
            jwks::show,
        ),
    ];
    vec![
        subject("Sign-up", "Becoming a user.", users::operations()),
        subject("Sessions", "Session tokens, for seven days.", sessions::operations()),
        subject("Password reset", "A new password by a mailed link.", password_resets::operations()),
        subject("API keys", "Named tokens that programs use.", api_keys::operations()),
        subject(
            "Account",
            "The caller's own account.",
            [whoami::operations(), account::operations()].into_iter().flatten().collect(),
        ),
        subject("Two-factor authentication", "Authenticators and recovery codes.", totp::operations()),
        subject("Introspection", "What a credential is worth.", introspection::operations()),
        subject("Organizations", "What applications belong to.", organizations::operations()),
        subject("Administrators", "Who administers an organization.", administrators::operations()),
        subject("Applications", "What roles are held on.", applications::operations()),
        subject("Members", "Who holds which role on an application.", members::operations()),
        subject("Devices", "What belongs to an application.", devices::operations()),
        subject("Policies", "What decides who may do what.", policies::operations()),
        subject("Audit", "Who did what to whom.", audit::operations()),
        subject("Documents", "For programs.", documents),
    ]
}

/// The management API. The peer of a request's connection is its extension of type [`Peer`](crate::http::listener::Peer).
pub fn router(state: ApiState) -> Router {
    let operations = subjects().into_iter().flat_map(|subject| subject.operations);
    operations
        .fold(Router::new(), |router, operation| router.route(operation.path, operation.route))
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
