//! Who calls, and from where: read from a request's head before anything else of it is looked at.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, HOST};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::ApiState;
use super::code::Code;
use super::operation::{Contract, Takes};
use super::problem::ApiError;
use crate::accounts::{Actor, Origin};
use crate::authn::{Candidate, Refused, Verified, VerifyError, looks_like_api_key};
use crate::http::client::behind_proxies;
use crate::http::host::CanonicalHost;
use crate::http::listener::Peer;
use crate::http::path::CanonicalPath;
use crate::model::UserId;
use crate::secret::Secret;

/// What proxies tell of the client's address.
const FORWARDED_FOR: &str = "x-forwarded-for";

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

/// The same where programs that speak OAuth call: these may send an API key as the password of Basic, as a client does
/// its secret (RFC 6749, section 2.3.1).
pub(super) struct Client(pub(super) Caller);

/// Where a request comes from, whoever sent it.
pub(super) struct Sender(pub(super) Origin);

impl FromRequestParts<ApiState> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let (_, token) = credential(&parts.headers, &[Scheme::Bearer])?;
        Self::verified(verify(state, token).await?, parts, state).await
    }
}

impl FromRequestParts<ApiState> for Client {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let (scheme, token) = credential(&parts.headers, &[Scheme::Bearer, Scheme::Basic])?;
        // Basic is for programs, and those have keys.
        if scheme == Scheme::Basic && !looks_like_api_key(token.expose()) {
            return Err(VerifyError::from(Refused).into());
        }
        Caller::verified(verify(state, token).await?, parts, state).await.map(Self)
    }
}

impl Caller {
    async fn verified(verified: Arc<Verified>, parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        let Sender(origin) = Sender::from_request_parts(parts, state).await?;
        Ok(Self { actor: Actor::user(Arc::clone(&verified), origin), verified })
    }
}

impl FromRequestParts<ApiState> for Sender {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &ApiState) -> Result<Self, ApiError> {
        // No resource has a path that is not canonical.
        let path = CanonicalPath::parse(parts.uri.path().as_bytes()).map_err(|_| ApiError::NoSuchPath)?;
        let forwarded = parts.headers.get_all(FORWARDED_FOR).iter().map(HeaderValue::as_bytes);
        let client = match parts.extensions.get::<Peer>() {
            Some(Peer::Tcp(address) | Peer::Certified(address)) => {
                behind_proxies(Some(address.ip()), forwarded, &state.trusted_proxies)
            }
            Some(Peer::Unix) => behind_proxies(None, forwarded, &state.trusted_proxies),
            None => None,
        };
        Ok(Self(Origin {
            client,
            method: parts.method.as_str().to_owned(),
            host: host(&parts.uri, &parts.headers)?,
            path: path.as_str().to_owned(),
        }))
    }
}

impl Takes for Caller {
    fn describe(contract: &mut Contract) {
        Sender::describe(contract);
        contract.needs_credential = true;
        contract.codes.extend([
            Code::AmbiguousCredentials,
            Code::Unauthenticated,
            Code::InvalidToken,
            Code::Forbidden,
            Code::ScopeNotSufficient,
        ]);
    }
}

impl Takes for Client {
    fn describe(contract: &mut Contract) {
        Caller::describe(contract);
        contract.takes_basic = true;
    }
}

impl Takes for Sender {
    fn describe(contract: &mut Contract) {
        contract.codes.insert(Code::MalformedHost);
    }
}

/// How `Authorization` carries a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// As it is (RFC 6750, section 2.1).
    Bearer,
    /// As a password (RFC 7617). Any user name will do: the key says whose it is.
    Basic,
}

/// The text of the request's credential, by one of these schemes, whose case does not matter (RFC 9110, section 11.1).
fn credential(headers: &HeaderMap, schemes: &[Scheme]) -> Result<(Scheme, Secret), ApiError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(ApiError::Unauthenticated)?.as_bytes();
    // No credential holds a comma: somebody joined two headers, and the other reader may believe the other one.
    if values.next().is_some() || value.contains(&b',') {
        return Err(ApiError::AmbiguousCredentials);
    }
    let mut parts = value.splitn(2, |&byte| byte == b' ');
    let (scheme, token) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let name = |scheme: Scheme| if scheme == Scheme::Basic { b"basic".as_slice() } else { b"bearer" };
    let scheme = schemes.iter().copied().find(|known| scheme.eq_ignore_ascii_case(name(*known)));
    let scheme = scheme.ok_or(ApiError::Unauthenticated)?;
    let token = std::str::from_utf8(token.trim_ascii()).map_err(|_| VerifyError::from(Refused))?;
    let token = match scheme {
        Scheme::Bearer => Some(Secret::new(token.to_owned())),
        Scheme::Basic => password(token),
    };
    Ok((scheme, token.ok_or_else(|| VerifyError::from(Refused))?))
}

/// The password of Basic credentials.
fn password(encoded: &str) -> Option<Secret> {
    let pair = Zeroizing::new(STANDARD.decode(encoded).ok()?);
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    Some(Secret::new(password.to_owned()))
}

/// Whose credential it is.
pub(super) async fn verify(state: &ApiState, text: Secret) -> Result<Arc<Verified>, ApiError> {
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
