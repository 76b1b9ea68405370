//! `/v1/introspect`: what a credential is worth, for upstreams that check for themselves (RFC 7662).

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::FormBody;
use super::caller::{self, Client};
use super::operation::Operation;
use super::problem::ApiError;
use crate::authn::{Verified, VerifyError};
use crate::model::{CredentialKind, UserId, Username};
use crate::secret::Secret;

/// Section 2.1. Other parameters are ignored, `token_type_hint` too: the token tells what it is.
#[derive(Deserialize, ToSchema)]
#[schema(as = IntrospectionRequest, examples(json!({"token": "gp_…"})))]
pub(super) struct IntrospectionRequest {
    /// A session token or an API key.
    token: Secret,
}

/// Section 2.2. Of a credential that is not valid only that is told.
#[derive(Default, Serialize, ToSchema)]
pub(super) struct Introspection {
    active: bool,
    /// The user's identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    sub: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    username: Option<Username>,
    /// Always `Bearer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    /// The identifier of the session or the API key.
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    /// `session` or `api_key`.
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<CredentialKind>,
    /// When it was issued, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    /// When it ends, if ever.
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    iss: Option<String>,
    /// Of session tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<String>,
    /// What an API key is narrowed to, separated by spaces; absent if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<String>,
}

pub(super) fn operations() -> Vec<Operation> {
    vec![Operation::post("/v1/introspect", "introspect", "Show what a credential is worth", introspect).about(
        "OAuth 2.0 Token Introspection (RFC 7662), for upstreams. The caller authenticates by a credential of its own, \
             as Bearer, or an API key as the password of Basic.",
    )]
}

/// `POST /v1/introspect`
pub(super) async fn introspect(
    State(state): State<ApiState>,
    Client(caller): Client,
    FormBody(request): FormBody<IntrospectionRequest>,
) -> Result<Json<Introspection>, ApiError> {
    let actor = caller.actor;
    state.call(move |accounts| accounts.authorize_introspection(&actor)).await?;
    match caller::verify(&state, request.token).await {
        Ok(verified) => Ok(Json(Introspection::of(&state, &verified))),
        Err(ApiError::Verify(VerifyError::Refused(_))) => Ok(Json(Introspection::default())),
        Err(error) => Err(error),
    }
}

impl Introspection {
    fn of(state: &ApiState, verified: &Verified) -> Self {
        let settings = state.keyring.settings();
        let is_session = verified.kind() == CredentialKind::Session;
        let scopes = verified.scopes();
        Self {
            active: true,
            sub: Some(verified.user_id()),
            username: Some(verified.user().username.clone()),
            token_type: Some("Bearer"),
            jti: Some(verified.id().to_owned()),
            credential: Some(verified.kind()),
            iat: Some(verified.issued_at().as_secs()),
            exp: verified.expires_at().map(|end| end.as_secs()),
            iss: Some(settings.issuer.clone()),
            aud: is_session.then(|| settings.audience.clone()),
            scope: (!scopes.is_empty()).then(|| scopes.join(" ")),
        }
    }
}
