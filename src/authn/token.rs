//! The form of session tokens: JWT (RFC 7519) signed with EdDSA over Ed25519 (RFC 8037), in one spelling only.
//!
//! A token is accepted only if Gatepost itself would have written it so: exactly the header members `alg`, `typ` and
//! `kid` and exactly the claims below. Whatever else a JWT library could be talked into (other algorithms, embedded
//! keys, key addresses, critical extensions, fractional times) is not ignored, it is refused.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::model::{SessionId, SigningKeyId, Timestamp, UserId};
use crate::secret::Secret;

/// Longer texts are no session tokens.
const MAX_LEN: usize = 1_024;
/// How far clocks of nodes may disagree.
const LEEWAY: Duration = Duration::from_secs(60);

/// What tokens say of where they come from and whom they are for, and how long they last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenSettings {
    /// `iss`.
    pub issuer: String,
    /// `aud`.
    pub audience: String,
    /// From `iat` to `exp`.
    pub ttl: Duration,
}

/// A session token, to be given to its user.
#[derive(Debug)]
pub struct Issued {
    /// The token.
    pub token: Secret,
    /// Its identifier.
    pub id: SessionId,
    /// When it ends.
    pub expires_at: Timestamp,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    typ: Type,
    kid: SigningKeyId,
}

#[derive(Serialize, Deserialize)]
enum Algorithm {
    #[serde(rename = "EdDSA")]
    EdDsa,
}

#[derive(Serialize, Deserialize)]
enum Type {
    #[serde(rename = "JWT")]
    Jwt,
}

/// The claims of a token whose signature was verified.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Claims {
    iss: String,
    pub(super) sub: UserId,
    aud: String,
    iat: i64,
    exp: i64,
    pub(super) jti: SessionId,
    /// Authentication methods (RFC 8176): `pwd`, and `otp` where a second factor was given.
    amr: Vec<String>,
}

impl Claims {
    pub(super) fn issued_at(&self) -> Timestamp {
        Timestamp::from_secs(self.iat)
    }

    pub(super) fn expires_at(&self) -> Timestamp {
        Timestamp::from_secs(self.exp)
    }

    pub(super) fn mfa(&self) -> bool {
        self.amr.iter().any(|method| method == "otp")
    }

    /// When the token was issued, to the millisecond: `iat` has whole seconds only, the identifier is finer.
    pub(super) fn issued_at_millis(&self) -> Timestamp {
        let [a, b, c, d, e, f, ..] = *self.jti.as_bytes();
        let millis = i64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        Timestamp::from_micros(millis.saturating_mul(1_000))
    }
}

/// Whether `issued_at` is in the past, but for the leeway; asked again at every use, since clocks are set back too.
pub(super) fn has_begun(issued_at: Timestamp, now: Timestamp) -> bool {
    issued_at <= now.plus(LEEWAY)
}

/// A new token for `user`, who has authenticated by `methods` (RFC 8176).
pub(super) fn issue(
    settings: &TokenSettings,
    key: (SigningKeyId, &SigningKey),
    user: UserId,
    methods: &[&str],
    now: Timestamp,
) -> Issued {
    let id = SessionId::generate(now);
    let expires_at = Timestamp::from_secs(now.plus(settings.ttl).as_secs());
    let claims = Claims {
        iss: settings.issuer.clone(),
        sub: user,
        aud: settings.audience.clone(),
        iat: now.as_secs(),
        exp: expires_at.as_secs(),
        jti: id,
        amr: methods.iter().map(|method| (*method).to_owned()).collect(),
    };
    let header = Header { alg: Algorithm::EdDsa, typ: Type::Jwt, kid: key.0 };
    Issued { token: Secret::new(sign(&header, &claims, key.1)), id, expires_at }
}

/// Header and claims with their signature, in compact form (RFC 7515, section 7.1).
pub(super) fn sign(header: &impl Serialize, claims: &impl Serialize, key: &SigningKey) -> String {
    let mut token = format!("{}.{}", encode(header), encode(claims));
    let signature = key.sign(token.as_bytes());
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.to_bytes(), &mut token);
    token
}

/// The claims of the token, if it was signed by a key that `key_of` knows, names this issuer and audience, has begun
/// and has not ended; nothing otherwise, whatever the reason.
pub(super) fn verify(
    settings: &TokenSettings,
    key_of: impl FnOnce(SigningKeyId) -> Option<VerifyingKey>,
    token: &str,
    now: Timestamp,
) -> Option<Claims> {
    if token.len() > MAX_LEN {
        return None;
    }
    let (signed, signature) = token.rsplit_once('.')?;
    let (header, claims) = signed.split_once('.')?;
    let header: Header = decode(header)?;
    let key = key_of(header.kid)?;
    let signature = Signature::from_slice(&URL_SAFE_NO_PAD.decode(signature).ok()?).ok()?;
    key.verify_strict(signed.as_bytes(), &signature).ok()?;
    let claims: Claims = decode(claims)?;
    let lasts = u64::try_from(claims.exp.checked_sub(claims.iat)?).ok()?;
    let good = claims.iss == settings.issuer
        && claims.aud == settings.audience
        && lasts <= settings.ttl.as_secs()
        && has_begun(claims.issued_at(), now)
        && now < claims.expires_at();
    good.then_some(claims)
}

fn encode(value: &impl Serialize) -> String {
    // Plain structs of texts and numbers always serialize; if one did not, the empty part would never verify.
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(value).unwrap_or_default())
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

    fn settings() -> TokenSettings {
        TokenSettings { issuer: "gatepost".into(), audience: "gatepost".into(), ttl: Duration::from_secs(604_800) }
    }

    struct World {
        kid: SigningKeyId,
        key: SigningKey,
    }

    impl World {
        fn new() -> Self {
            Self { kid: SigningKeyId::generate(NOW), key: SigningKey::from_bytes(&[7; 32]) }
        }

        fn verify(&self, token: &str, now: Timestamp) -> Option<Claims> {
            let known = |kid| (kid == self.kid).then(|| self.key.verifying_key());
            verify(&settings(), known, token, now)
        }

        fn issue(&self) -> Issued {
            issue(&settings(), (self.kid, &self.key), UserId::generate(NOW), &["pwd"], NOW)
        }

        /// A token with a right signature over whatever header and claims.
        fn sign(&self, header: &Value, claims: &Value) -> String {
            sign(header, claims, &self.key)
        }

        fn header(&self) -> Value {
            json!({"alg": "EdDSA", "typ": "JWT", "kid": self.kid})
        }

        fn claims(&self) -> Value {
            json!({
                "iss": "gatepost", "sub": UserId::generate(NOW), "aud": "gatepost", "iat": NOW.as_secs(),
                "exp": NOW.as_secs() + 60, "jti": SessionId::generate(NOW), "amr": ["pwd"],
            })
        }
    }

    #[test]
    fn a_token_is_good_for_its_lifetime() {
        let world = World::new();
        let issued = world.issue();
        let token = issued.token.expose();
        assert_eq!(issued.expires_at, NOW.plus(Duration::from_secs(604_800)));
        assert_eq!(world.verify(token, NOW).unwrap().jti, issued.id);
        assert!(world.verify(token, issued.expires_at.minus(Duration::from_micros(1))).is_some());
        assert!(world.verify(token, issued.expires_at).is_none());
        assert!(world.verify(token, NOW.minus(Duration::from_secs(60))).is_some());
        assert!(world.verify(token, NOW.minus(Duration::from_secs(61))).is_none());
    }

    #[test]
    fn the_second_factor_is_in_the_token() {
        let world = World::new();
        let issued = issue(&settings(), (world.kid, &world.key), UserId::generate(NOW), &["pwd", "otp"], NOW);
        assert!(world.verify(issued.token.expose(), NOW).unwrap().mfa());
        assert!(!world.verify(world.issue().token.expose(), NOW).unwrap().mfa());
    }

    #[test]
    fn headers_that_libraries_fall_for_are_refused() {
        let world = World::new();
        assert!(world.verify(&world.sign(&world.header(), &world.claims()), NOW).is_some());
        for change in [
            json!({"alg": "none"}),
            json!({"alg": "HS256"}),
            json!({"alg": "eddsa"}),
            json!({"alg": "Ed25519"}),
            json!({"typ": "at+jwt"}),
            json!({"typ": "jwt"}),
            json!({"typ": null}),
            json!({"kid": "../../dev/null"}),
            json!({"kid": ""}),
            json!({"kid": null}),
            json!({"kid": SigningKeyId::generate(NOW)}),
            json!({"jwk": {"kty": "OKP"}}),
            json!({"jku": "https://evil.example/"}),
            json!({"x5u": "https://evil.example/"}),
            json!({"crit": ["b64"]}),
            json!({"crit": []}),
            json!({"b64": false}),
            json!({"zip": "DEF"}),
        ] {
            let mut header = world.header();
            header.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert!(world.verify(&world.sign(&header, &world.claims()), NOW).is_none(), "{change}");
        }
    }

    #[test]
    fn claims_that_are_not_exactly_right_are_refused() {
        let world = World::new();
        let now = NOW.as_secs();
        for change in [
            json!({"iss": "other"}),
            json!({"iss": null}),
            json!({"aud": "other"}),
            json!({"aud": ["gatepost"]}),
            json!({"exp": now}),
            json!({"exp": (now + 60).to_string()}),
            json!({"exp": now as f64 + 60.5}),
            json!({"exp": now + 604_801}),
            json!({"exp": i64::MAX}),
            json!({"exp": -1}),
            json!({"iat": now + 61}),
            json!({"iat": now.to_string()}),
            json!({"iat": i64::MIN}),
            json!({"nbf": 0}),
            json!({"admin": true}),
            json!({"sub": "ada"}),
            json!({"jti": ""}),
            json!({"amr": "pwd"}),
        ] {
            let mut claims = world.claims();
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            assert!(world.verify(&world.sign(&world.header(), &claims), NOW).is_none(), "{change}");
        }
        for missing in ["iss", "sub", "aud", "iat", "exp", "jti", "amr"] {
            let mut claims = world.claims();
            claims.as_object_mut().unwrap().remove(missing);
            assert!(world.verify(&world.sign(&world.header(), &claims), NOW).is_none(), "{missing}");
        }
    }

    #[test]
    fn a_token_has_one_spelling() {
        let world = World::new();
        let token = world.issue().token.expose().to_owned();
        let last = token.chars().next_back().unwrap();
        for other in [
            format!("{token}="),
            format!(" {token}"),
            format!("{token}."),
            format!("{token}.x"),
            token.replace('.', ""),
            token.get(..token.len() - 1).unwrap().to_owned(),
            token.replacen("eyJ", "eyj", 1),
            // The last character of 64 bytes in base64 carries four bits that must be zero.
            format!("{}{}", token.get(..token.len() - 1).unwrap(), if last == 'B' { 'C' } else { 'B' }),
            String::new(),
            "..".to_owned(),
            "a".repeat(100_000),
        ] {
            assert!(world.verify(&other, NOW).is_none(), "{other}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_what_was_signed_verifies(at in 0_usize..300, bit in 0_u8..7) {
            let world = World::new();
            let mut token = world.issue().token.expose().as_bytes().to_vec();
            let at = at % token.len();
            token[at] ^= 1 << bit;
            if let Ok(token) = std::str::from_utf8(&token) {
                prop_assert!(world.verify(token, NOW).is_none());
            }
        }

        #[test]
        fn nothing_panics(token in "\\PC{0,80}") {
            let _ = World::new().verify(&token, NOW);
        }
    }
}
