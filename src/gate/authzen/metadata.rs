//! What the API can do, and where (section "Policy Decision Point Metadata" of the specification).

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::AuthZen;

/// The metadata; 404 if it is not known where this is reached, as on a Unix socket or on all addresses.
pub(super) async fn show(State(authzen): State<Arc<AuthZen>>) -> Response {
    let Some(url) = &authzen.url else {
        let text = "it is not known where this is reached: set `authzen.url`\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let metadata = json!({
        "policy_decision_point": url,
        "access_evaluation_endpoint": format!("{url}/access/v1/evaluation"),
        "access_evaluations_endpoint": format!("{url}/access/v1/evaluations"),
        "search_subject_endpoint": format!("{url}/access/v1/search/subject"),
        "search_resource_endpoint": format!("{url}/access/v1/search/resource"),
        "search_action_endpoint": format!("{url}/access/v1/search/action"),
    });
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "max-age=3600")], metadata.to_string()).into_response()
}
