//! From the text of a credential to the proof that it was verified, through the cache.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use hyper::header::HeaderValue;

use super::api_key::{ApiKeyText, looks_like_api_key};
use super::keyring::Keyring;
use super::token::has_begun;
use super::uses::Uses;
use crate::cache::{Cache, Quick, Stamp, Versions};
use crate::http::percent::header_value;
use crate::model::{ApiKeyId, Change, CredentialKind, SessionId, Timestamp, User, UserId};
use crate::secret::Digest;
use crate::store::{Store, StoreError, UsableKey};
use crate::telemetry::AskerRecord;

/// How long a key that does not exist is remembered as such.
const UNKNOWN_FOR: Duration = Duration::from_secs(10);
/// How often the use of a key is written down.
const USE_NOTED_EVERY: Duration = Duration::from_secs(60);

/// The credential is not valid. Callers do not learn why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", Self::MESSAGE)]
pub struct Refused;

impl Refused {
    /// What is said of it.
    pub const MESSAGE: &'static str = "the credential is not valid";
}

/// The credential is not valid, or that could not be found out.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It is not valid.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A verified credential and whose it is.
// INVARIANT: built by `Verifier` only, and handed out only after `is_usable` was asked with the time of the request.
#[derive(Debug)]
pub struct Verified {
    user: User,
    digest: Digest,
    credential: Credential,
    issued_at: Timestamp,
    expires_at: Option<Timestamp>,
    /// When the use of an API key was last written down, or is about to be; in microseconds.
    used_at: AtomicI64,
    prepared: Prepared,
}

/// What every request with this credential needs in another form, made once.
#[derive(Debug)]
struct Prepared {
    id: Box<str>,
    username: HeaderValue,
    email: HeaderValue,
    record: AskerRecord,
}

impl Prepared {
    fn of(user: &User, credential: &Credential) -> Self {
        let (kind, id) = match credential {
            Credential::Session { id, .. } => (CredentialKind::Session, id.to_string()),
            Credential::ApiKey { id, .. } => (CredentialKind::ApiKey, id.to_string()),
        };
        Self {
            record: AskerRecord::new(user.id, kind, &id),
            id: id.into(),
            username: header_value(user.username.as_str()),
            email: header_value(user.email.as_str()),
        }
    }
}

#[derive(Debug)]
enum Credential {
    Session { id: SessionId, mfa: bool },
    ApiKey { id: ApiKeyId, scopes: Vec<String> },
}

impl Verified {
    /// Whose credential it is.
    pub fn user(&self) -> &User {
        &self.user
    }

    /// The user's identifier.
    pub fn user_id(&self) -> UserId {
        self.user.id
    }

    /// What the credential is known by in caches.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// Its kind.
    pub fn kind(&self) -> CredentialKind {
        match self.credential {
            Credential::Session { .. } => CredentialKind::Session,
            Credential::ApiKey { .. } => CredentialKind::ApiKey,
        }
    }

    /// Its identifier, which may be shown and logged.
    pub fn id(&self) -> &str {
        &self.prepared.id
    }

    /// What the decision log says of it.
    pub fn record(&self) -> &AskerRecord {
        &self.prepared.record
    }

    /// The user's name, as it stands in a header.
    pub fn username_header(&self) -> &HeaderValue {
        &self.prepared.username
    }

    /// The user's address, as it stands in a header.
    pub fn email_header(&self) -> &HeaderValue {
        &self.prepared.email
    }

    /// Whether a second factor was given.
    pub fn mfa(&self) -> bool {
        matches!(self.credential, Credential::Session { mfa: true, .. })
    }

    /// What an API key is narrowed to.
    pub fn scopes(&self) -> &[String] {
        match &self.credential {
            Credential::Session { .. } => &[],
            Credential::ApiKey { scopes, .. } => scopes,
        }
    }

    /// When it was issued.
    pub fn issued_at(&self) -> Timestamp {
        self.issued_at
    }

    /// When it ends, if ever.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    fn is_usable(&self, now: Timestamp) -> bool {
        let begun = match self.credential {
            Credential::Session { .. } => has_begun(self.issued_at, now),
            Credential::ApiKey { .. } => true,
        };
        begun && self.expires_at.is_none_or(|end| now < end)
    }
}

/// A text that could be a credential: what is looked up.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    text: &'a str,
    digest: Digest,
    kind: CredentialKind,
}

impl<'a> Candidate<'a> {
    /// Reads a credential's text; an API key whose form or checksum is wrong goes no further.
    pub fn read(text: &'a str) -> Result<Self, Refused> {
        if looks_like_api_key(text) {
            let digest = ApiKeyText::digest_of(text).ok_or(Refused)?;
            Ok(Self { text, digest, kind: CredentialKind::ApiKey })
        } else {
            Ok(Self { text, digest: Digest::of(text.as_bytes()), kind: CredentialKind::Session })
        }
    }
}

impl Candidate<'_> {
    /// Whether it claims to be an API key.
    pub fn is_api_key(&self) -> bool {
        self.kind == CredentialKind::ApiKey
    }
}

/// How many entries the caches hold at most.
#[derive(Debug, Clone, Copy)]
pub struct Capacity {
    /// Verified credentials.
    pub verified: u64,
    /// Keys that are known not to exist.
    pub unknown: u64,
}

/// Verifies credentials.
pub struct Verifier {
    store: Arc<dyn Store>,
    keyring: Arc<Keyring>,
    versions: Arc<Versions>,
    verified: Cache<Digest, Arc<Verified>, Quick>,
    unknown: Cache<Digest, (), Quick>,
    uses: Uses,
}

impl Verifier {
    /// A verifier with empty caches.
    pub fn new(store: Arc<dyn Store>, keyring: Arc<Keyring>, versions: Arc<Versions>, capacity: Capacity) -> Self {
        let (verified, unknown) = (Cache::new(capacity.verified), Cache::new(capacity.unknown));
        Self { store, keyring, versions, verified, unknown, uses: Uses::default() }
    }

    /// The uses of API keys since the last call, each key once. To be written down off the request's path.
    pub fn take_uses(&self) -> Vec<(ApiKeyId, Timestamp)> {
        self.uses.take()
    }

    fn note_use(&self, verified: &Verified, now: Timestamp) {
        let Credential::ApiKey { id, .. } = verified.credential else { return };
        let last = verified.used_at.load(Ordering::Relaxed);
        if now < Timestamp::from_micros(last).plus(USE_NOTED_EVERY) {
            return;
        }
        // Of several requests at the same time one notes it.
        let swapped = verified.used_at.compare_exchange(last, now.as_micros(), Ordering::Relaxed, Ordering::Relaxed);
        if swapped.is_ok() {
            self.uses.note(id, now);
        }
    }

    /// What is known of the candidate without asking the store, with the versions that it depends on.
    pub fn cached(&self, candidate: Candidate<'_>, now: Timestamp) -> Option<Result<(Arc<Verified>, Stamp), Refused>> {
        if let Some((verified, stamp)) = self.verified.get_stamped(&self.versions, &candidate.digest) {
            if !verified.is_usable(now) {
                return Some(Err(Refused));
            }
            self.note_use(&verified, now);
            return Some(Ok((verified, stamp)));
        }
        self.unknown.get(&self.versions, &candidate.digest, now).map(|()| Err(Refused))
    }

    /// Verifies the candidate, asking the store if need be. Blocks.
    pub fn verify(&self, candidate: Candidate<'_>, now: Timestamp) -> Result<(Arc<Verified>, Stamp), VerifyError> {
        if let Some(known) = self.cached(candidate, now) {
            return known.map_err(VerifyError::from);
        }
        let (verified, stamp) = match candidate.kind {
            CredentialKind::ApiKey => self.load_api_key(candidate.digest, now)?,
            CredentialKind::Session => self.load_session(candidate, now)?,
        };
        if !verified.is_usable(now) {
            return Err(Refused.into());
        }
        self.note_use(&verified, now);
        let verified = Arc::new(verified);
        self.verified.insert(candidate.digest, Arc::clone(&verified), stamp, None);
        Ok((verified, stamp))
    }

    fn load_api_key(&self, digest: Digest, now: Timestamp) -> Result<(Verified, Stamp), VerifyError> {
        let before = self.versions.moment();
        let Some((key, user)) = self.store.credential_by_digest(&digest)? else {
            let stamp = self.versions.stamp(before, [Change::ApiKey(digest)]);
            self.unknown.insert(digest, (), stamp, Some(now.plus(UNKNOWN_FOR)));
            return Err(Refused.into());
        };
        let stamp = self.versions.stamp(before, [Change::ApiKey(digest), Change::User(user.id)]);
        let UsableKey { id, scopes, created_at, expires_at, last_used_at } = key;
        let credential = Credential::ApiKey { id, scopes };
        let used_at = AtomicI64::new(last_used_at.map_or(i64::MIN, Timestamp::as_micros));
        let prepared = Prepared::of(&user, &credential);
        Ok((Verified { user, digest, credential, issued_at: created_at, expires_at, used_at, prepared }, stamp))
    }

    fn load_session(&self, candidate: Candidate<'_>, now: Timestamp) -> Result<(Verified, Stamp), VerifyError> {
        let before = self.versions.moment();
        let claims = self.keyring.verify(candidate.text, now).ok_or(Refused)?;
        let user = self.store.active_user(claims.sub)?.ok_or(Refused)?;
        let stamp = self.versions.stamp(before, [Change::SigningKeys, Change::User(user.id)]);
        if claims.issued_at_millis() < user.tokens_not_before {
            return Err(Refused.into());
        }
        let credential = Credential::Session { id: claims.jti, mfa: claims.mfa() };
        let (issued_at, expires_at) = (claims.issued_at(), Some(claims.expires_at()));
        let (digest, used_at) = (candidate.digest, AtomicI64::new(i64::MIN));
        let prepared = Prepared::of(&user, &credential);
        Ok((Verified { user, digest, credential, issued_at, expires_at, used_at, prepared }, stamp))
    }
}
