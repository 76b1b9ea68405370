//! The keys that sign session tokens: the newest signs, all verify, and one that no valid token can still need is due
//! to be forgotten.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{SigningKey, VerifyingKey};
use zeroize::Zeroizing;

use super::assertion::{self, Assertion};
use super::token::{self, Claims, Issued, TokenSettings};
use super::vault::{Rotation, Vault, VaultError};
use crate::model::{self, SigningKeyId, Timestamp, UserId};
use crate::secret::Sealed;

/// How long a key signs before the next one is made.
const SIGNS_FOR: Duration = Duration::from_secs(30 * 86_400);

/// The signing keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// There is no key to sign with.
    #[error("there is no key to sign session tokens with")]
    Empty,
    /// A key in the store is none.
    #[error("the signing key `{0}` in the database is damaged")]
    Damaged(SigningKeyId),
    /// A key cannot be decrypted.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// The signing keys in use.
pub struct Keyring {
    keys: ArcSwap<Keys>,
    vault: Arc<Vault>,
    settings: TokenSettings,
}

#[derive(Default)]
struct Keys {
    newest: Option<(SigningKeyId, SigningKey)>,
    verifying: HashMap<SigningKeyId, VerifyingKey>,
}

impl Keyring {
    /// A keyring without keys.
    pub fn new(vault: Arc<Vault>, settings: TokenSettings) -> Self {
        Self { keys: ArcSwap::default(), vault, settings }
    }

    /// Uses exactly these keys from now on; they come oldest first. On failure those in use stay.
    pub fn load(&self, stored: &[model::SigningKey]) -> Result<(), KeyringError> {
        let mut keys = Keys::default();
        for key in stored {
            let damaged = || KeyringError::Damaged(key.id);
            let secret = self.vault.open_sealed(&context(key.id), &key.private)?;
            let secret: Zeroizing<[u8; 32]> = Zeroizing::new(secret.as_slice().try_into().map_err(|_| damaged())?);
            let signing = SigningKey::from_bytes(&secret);
            if signing.verifying_key().as_bytes() != &key.public {
                return Err(damaged());
            }
            keys.verifying.insert(key.id, signing.verifying_key());
            keys.newest = Some((key.id, signing));
        }
        self.keys.store(Arc::new(keys));
        Ok(())
    }

    /// A new key, to be stored and then loaded.
    pub fn generate(&self, now: Timestamp) -> model::SigningKey {
        let id = SigningKeyId::generate(now);
        let secret = Zeroizing::new(rand::random::<[u8; 32]>());
        let public = SigningKey::from_bytes(&secret).verifying_key().to_bytes();
        let private = self.vault.seal(&context(id), secret.as_slice());
        model::SigningKey { id, private, public, created_at: now }
    }

    /// The same private key under the vault's new key.
    pub fn reseal(rotation: &Rotation<'_>, key: &model::SigningKey) -> Result<Sealed, VaultError> {
        rotation.reseal(&context(key.id), &key.private)
    }

    /// Whether it is time for a new key to sign.
    pub fn is_due(stored: &[model::SigningKey], now: Timestamp) -> bool {
        stored.last().is_none_or(|newest| newest.created_at.plus(SIGNS_FOR) <= now)
    }

    /// The keys that no valid token can still need: replaced for longer than a token lasts.
    pub fn expired(&self, stored: &[model::SigningKey], now: Timestamp) -> Vec<SigningKeyId> {
        let replaced = stored.iter().zip(stored.iter().skip(1));
        let needed = self.settings.ttl.saturating_add(Duration::from_secs(3_600));
        replaced.filter(|(_, by)| by.created_at.plus(needed) < now).map(|(key, _)| key.id).collect()
    }

    /// A new session token for `user`, who has authenticated by `methods` (RFC 8176: `pwd`, `otp`).
    pub fn issue(&self, user: UserId, methods: &[&str], now: Timestamp) -> Result<Issued, KeyringError> {
        let keys = self.keys.load();
        let (id, key) = keys.newest.as_ref().ok_or(KeyringError::Empty)?;
        Ok(token::issue(&self.settings, (*id, key), user, methods, now))
    }

    /// Signs an assertion; gives it in compact form.
    pub fn assert(&self, assertion: &Assertion<'_>) -> Result<String, KeyringError> {
        let keys = self.keys.load();
        let (id, key) = keys.newest.as_ref().ok_or(KeyringError::Empty)?;
        Ok(assertion::sign(&self.settings, (*id, key), assertion))
    }

    /// What tokens say of where they come from and whom they are for.
    pub fn settings(&self) -> &TokenSettings {
        &self.settings
    }

    pub(super) fn verify(&self, text: &str, now: Timestamp) -> Option<Claims> {
        let keys = self.keys.load();
        token::verify(&self.settings, |kid| keys.verifying.get(&kid).copied(), text, now)
    }

    /// The public keys as a JWK set (RFC 7517, RFC 8037).
    pub fn jwks(&self) -> serde_json::Value {
        let keys = self.keys.load();
        let mut keys: Vec<_> = keys.verifying.iter().collect();
        keys.sort_unstable_by_key(|(id, _)| **id);
        let keys = keys.into_iter().map(|(id, key)| {
            let x = URL_SAFE_NO_PAD.encode(key.as_bytes());
            serde_json::json!({"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": id, "x": x})
        });
        serde_json::json!({"keys": keys.collect::<Vec<_>>()})
    }
}

fn context(id: SigningKeyId) -> String {
    format!("signing key {id}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);
    const DAY: Duration = Duration::from_secs(86_400);

    fn keyring(key: u8) -> Keyring {
        let vault = Vault::from_key(&[key; 32]);
        let settings = TokenSettings { issuer: "i".into(), audience: "a".into(), ttl: 7 * DAY };
        Keyring::new(Arc::new(vault), settings)
    }

    #[test]
    fn tokens_of_older_keys_verify_until_the_key_is_forgotten() {
        let keyring = keyring(0);
        let user = UserId::generate(NOW);
        assert!(matches!(keyring.issue(user, &["pwd"], NOW), Err(KeyringError::Empty)));
        let (old, new) = (keyring.generate(NOW), keyring.generate(NOW));
        keyring.load(std::slice::from_ref(&old)).unwrap();
        let token = keyring.issue(user, &["pwd"], NOW).unwrap().token;
        keyring.load(&[old, new.clone()]).unwrap();
        assert_eq!(keyring.verify(token.expose(), NOW).unwrap().sub, user);
        assert_eq!(keyring.jwks()["keys"].as_array().unwrap().len(), 2);
        keyring.load(&[new]).unwrap();
        assert!(keyring.verify(token.expose(), NOW).is_none());
    }

    #[test]
    fn a_key_is_replaced_after_thirty_days_and_forgotten_when_its_last_token_has_ended() {
        let keyring = keyring(0);
        assert!(Keyring::is_due(&[], NOW));
        let first = keyring.generate(NOW);
        assert!(!Keyring::is_due(std::slice::from_ref(&first), NOW.plus(29 * DAY)));
        assert!(Keyring::is_due(std::slice::from_ref(&first), NOW.plus(30 * DAY)));
        let both = [first.clone(), keyring.generate(NOW.plus(30 * DAY))];
        assert!(keyring.expired(&both, NOW.plus(37 * DAY)).is_empty());
        assert_eq!(keyring.expired(&both, NOW.plus(38 * DAY)), [first.id]);
    }

    #[test]
    fn keys_of_another_vault_or_changed_keys_are_refused_and_those_in_use_stay() {
        let keyring_one = keyring(0);
        let good = keyring_one.generate(NOW);
        keyring_one.load(std::slice::from_ref(&good)).unwrap();
        let foreign = keyring(1).generate(NOW);
        assert!(matches!(keyring_one.load(&[foreign]), Err(KeyringError::Vault(VaultError::WrongKey))));
        let swapped = model::SigningKey { public: keyring_one.generate(NOW).public, ..good };
        assert!(matches!(keyring_one.load(&[swapped]), Err(KeyringError::Damaged(_))));
        assert!(keyring_one.issue(UserId::generate(NOW), &["pwd"], NOW).is_ok());
    }
}
