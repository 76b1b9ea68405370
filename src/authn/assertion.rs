//! The assertion that a request came through: a JWT (RFC 7519) for the application, signed as session tokens are.
//!
//! An application that is reached past its proxy gets none, and one that was made for a request is of no use for another:
//! it names the method and the address that were decided about, as DPoP proofs do (RFC 9449, section 4.2). Its type
//! (RFC 8725, section 3.11) keeps it from being taken for a session token.

use std::time::Duration;

use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::token::{self, TokenSettings};
use crate::model::{CredentialKind, DecisionId, Role, SigningKeyId, Timestamp, User};

/// The header parameter `typ` of an assertion.
pub const ASSERTION_TYPE: &str = "gatepost-assertion+jwt";

/// How long an assertion holds.
const TTL: Duration = Duration::from_secs(60);

/// What is asserted: that this was permitted.
#[derive(Debug, Clone, Copy)]
pub struct Assertion<'a> {
    /// Whom it is for.
    pub audience: &'a str,
    /// The decision.
    pub decision: DecisionId,
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked, and by which kind of credential; nobody in particular if there is none.
    pub asker: Option<(&'a User, CredentialKind)>,
    /// The role that the user has on the resource's application.
    pub role: Option<Role>,
    /// The method.
    pub method: &'a str,
    /// The address without its query: scheme, host and the raw path.
    pub address: &'a str,
}

#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
    kid: SigningKeyId,
}

/// Registered claims where there are some: RFC 7519, OpenID Connect Core (section 5.1), RFC 9449.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    /// The user's identifier; `anonymous` for nobody in particular, as policies call it.
    sub: String,
    iat: i64,
    exp: i64,
    jti: String,
    htm: &'a str,
    htu: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<&'static str>,
}

/// The assertion in compact form (RFC 7515, section 7.1).
pub(super) fn sign(settings: &TokenSettings, key: (SigningKeyId, &SigningKey), assertion: &Assertion<'_>) -> String {
    let user = assertion.asker.map(|(user, _)| user);
    let claims = Claims {
        iss: &settings.issuer,
        aud: assertion.audience,
        sub: user.map_or_else(|| "anonymous".to_owned(), |user| user.id.to_string()),
        iat: assertion.at.as_secs(),
        exp: assertion.at.plus(TTL).as_secs(),
        jti: assertion.decision.to_string(),
        htm: assertion.method,
        htu: assertion.address,
        preferred_username: user.map(|user| user.username.as_str()),
        email: user.map(|user| user.email.as_str()),
        role: assertion.role.map(Role::as_str),
        credential: assertion.asker.map(|(_, kind)| kind.as_str()),
    };
    let header = Header { alg: "EdDSA", typ: ASSERTION_TYPE, kid: key.0 };
    token::sign(&header, &claims, key.1)
}
