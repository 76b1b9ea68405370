//! The management API.

use std::sync::Arc;

use axum::Router;

use crate::accounts::Accounts;
use crate::authn::{Keyring, Verifier};
use crate::clock::Clock;

/// What handlers use.
#[derive(Clone)]
pub struct ApiState {
    /// The account system.
    pub accounts: Arc<Accounts>,
    /// Verifies credentials.
    pub verifier: Arc<Verifier>,
    /// The public keys.
    pub keyring: Arc<Keyring>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The API's routes.
pub fn router(_state: ApiState) -> Router {
    Router::new()
}
