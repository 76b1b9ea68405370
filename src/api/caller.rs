//! Who calls, and from where: read from a request's head before anything else of it is looked at.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};

use super::ApiState;
use super::problem::ApiError;
use crate::accounts::{Actor, Origin};
use crate::authn::{Candidate, Refused, Verified, VerifyError};
use crate::http::host::CanonicalHost;
use crate::http::listener::Peer;
use crate::http::path::CanonicalPath;
use crate::model::UserId;
use crate::secret::Secret;

/// The caller of a request that needs a valid credential.
pub(super) struct Caller {
    pub(super) actor: Actor,
    pub(super) verified: Arc<Verified>,
}

impl Caller {
    pub(super) fn user_id(&self) -> UserId {
        self.verified.user_id()
    }
}

/// Where a request comes from, whoever sent it.
pub(super) struct Sender(pub(super) Origin);

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let verified = verify(state, credential(&parts.headers)?).await?;
        let Sender(origin) = Sender::from_request_parts(parts, state).await?;
        Ok(Self { actor: Actor::user(Arc::clone(&verified), origin), verified })
    }
}

impl FromRequestParts<ApiState> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &ApiState) -> Result<Self, ApiError> {
        // No resource has a path that is not canonical.
        let path = CanonicalPath::parse(parts.uri.path().as_bytes()).map_err(|_| ApiError::NoSuchPath)?;
        let client = match parts.extensions.get::<Peer>() {
            Some(Peer::Tcp(address)) => Some(address.ip().to_canonical()),
            Some(Peer::Unix) | None => None,
        };
        Ok(Self(Origin {
            client,
            method: parts.method.as_str().to_owned(),
            host: host(&parts.uri, &parts.headers)?,
            path: path.as_str().to_owned(),
        }))
    }
}

/// The text of the request's credential. Only `Authorization: Bearer` (RFC 6750, section 2.1) carries one; the scheme's
/// case does not matter (RFC 9110, section 11.1).
fn credential(headers: &HeaderMap) -> Result<Secret, ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(ApiError::Unauthenticated)?.as_bytes();
    // No credential holds a comma: somebody joined two headers, and the other reader may believe the other one.
    if values.next().is_some() || value.contains(&b',') {
        return Err(ApiError::AmbiguousCredentials);
    }
    let mut parts = value.splitn(2, |&byte| byte == b' ');
    let (scheme, token) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    if !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(ApiError::Unauthenticated);
    }
    let token = std::str::from_utf8(token.trim_ascii()).map_err(|_| VerifyError::from(Refused))?;
    Ok(Secret::new(token.to_owned()))
}

async fn verify(state: &ApiState, text: Secret) -> Result<Arc<Verified>, ApiError> {
    let now = state.clock.now();
    let candidate = Candidate::read(text.expose()).map_err(VerifyError::from)?;
    let (verified, _) = match state.verifier.cached(candidate, now) {
        Some(known) => known.map_err(VerifyError::from)?,
        None => {
            let verifier = Arc::clone(&state.verifier);
            let ask = move || verifier.verify(Candidate::read(text.expose())?, now);
            tokio::task::spawn_blocking(ask).await??
        }
    };
    Ok(verified)
}

/// The one host that the request names: in its target (RFC 9112, section 3.2.2; RFC 9113, section 8.3.1), in `Host`, or
/// in both, and then the same.
fn host(uri: &Uri, headers: &HeaderMap) -> Result<String, ApiError> {
    let canonical = |host| CanonicalHost::parse(host).map(|host| host.as_str().to_owned()).map_err(|_| ApiError::Host);
    let target = uri.authority().map(|authority| canonical(authority.as_str().as_bytes())).transpose()?;
    let mut headers = headers.get_all(HOST).iter();
    let header = headers.next().map(|header| canonical(header.as_bytes())).transpose()?;
    match (target, header, headers.next()) {
        (Some(target), Some(header), None) if target == header => Ok(target),
        (Some(host), None, None) | (None, Some(host), None) => Ok(host),
        _ => Err(ApiError::Host),
    }
}
