//! API keys, signing keys and the installation's own secrets are written.

use rusqlite::params;

use super::SqliteTransaction;
use crate::model::{ApiKey, ApiKeyId, Change, SigningKey, SigningKeyId, Timestamp};
use crate::secret::Sealed;
use crate::store::sqlite::constraints::Parent;
use crate::store::sqlite::values::TextList;
use crate::store::{StoreError, WriteCredentials};

impl WriteCredentials for SqliteTransaction<'_> {
    fn insert_api_key(&mut self, key: &ApiKey) -> Result<(), StoreError> {
        self.insert(
            &[("api_keys.digest", "api key"), ("api_keys.id", "api key")],
            &[Parent::User(key.user)],
            "INSERT INTO api_keys (digest, id, user_id, name, description, prefix, scopes, created_at, expires_at,
                                   last_used_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                key.digest,
                key.id,
                key.user,
                key.name,
                key.description,
                key.prefix,
                TextList(key.scopes.clone()),
                key.created_at,
                key.expires_at,
                key.last_used_at,
            ],
        )?;
        self.changed(Change::ApiKey(key.digest))
    }

    fn delete_api_key(&mut self, id: ApiKeyId) -> Result<(), StoreError> {
        const SQL: &str = "DELETE FROM api_keys WHERE id = ?1 RETURNING digest";
        match self.returning(SQL, [id], |columns| columns.take())?.first() {
            Some(digest) => self.changed(Change::ApiKey(*digest)),
            None => self.fail(StoreError::Missing("api key")),
        }
    }

    fn touch_api_keys(&mut self, uses: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        const SQL: &str = "UPDATE api_keys SET last_used_at = ?2
                           WHERE id = ?1 AND (last_used_at IS NULL OR last_used_at < ?2)";
        uses.iter().try_for_each(|(id, at)| self.run(SQL, params![id, at]).map(drop))
    }

    fn insert_signing_key(&mut self, key: &SigningKey) -> Result<(), StoreError> {
        self.insert(
            &[("signing_keys.id", "signing key")],
            &[],
            "INSERT INTO signing_keys (id, private, public, created_at) VALUES (?1, ?2, ?3, ?4)",
            params![key.id, key.private, key.public, key.created_at],
        )?;
        self.changed(Change::SigningKeys)
    }

    fn delete_signing_key(&mut self, id: SigningKeyId) -> Result<(), StoreError> {
        self.touch("signing key", "DELETE FROM signing_keys WHERE id = ?1", [id])?;
        self.changed(Change::SigningKeys)
    }

    fn reseal_signing_key(&mut self, id: SigningKeyId, private: &Sealed) -> Result<(), StoreError> {
        self.touch("signing key", "UPDATE signing_keys SET private = ?2 WHERE id = ?1", params![id, private])?;
        self.changed(Change::SigningKeys)
    }

    fn put_secret(&mut self, name: &str, secret: &Sealed) -> Result<(), StoreError> {
        const SQL: &str = "INSERT INTO secrets (name, sealed) VALUES (?1, ?2)
                           ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed";
        self.run(SQL, params![name, secret]).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::store::Read;
    use crate::store::sqlite::samples::{NOW, Sample, api_key, signing_key};

    #[test]
    fn api_keys_are_written() {
        let sample = Sample::populated();
        let key = api_key(1, 1);
        let change = [Change::ApiKey(key.digest)];
        assert_eq!(sample.write(|transaction| transaction.insert_api_key(&key)), change);
        let same_digest = ApiKey { id: ApiKeyId::from_bytes([7; 16]), ..key.clone() };
        let same_id = ApiKey { id: key.id, ..api_key(2, 1) };
        for taken in [same_digest, same_id] {
            let refusal = sample.refusal(|transaction| transaction.insert_api_key(&taken));
            assert_eq!(refusal, "api key exists already");
        }
        let refusal = sample.refusal(|transaction| transaction.insert_api_key(&api_key(2, 99)));
        assert_eq!(refusal, "user does not exist");
        assert_eq!(sample.write(|transaction| transaction.delete_api_key(key.id)), change);
        assert_eq!(sample.refusal(|transaction| transaction.delete_api_key(key.id)), "api key does not exist");
    }

    #[test]
    fn signing_keys_are_written() {
        let sample = Sample::new();
        let key = signing_key(1, NOW);
        assert_eq!(sample.write(|transaction| transaction.insert_signing_key(&key)), [Change::SigningKeys]);
        let refusal = sample.refusal(|transaction| transaction.insert_signing_key(&key));
        assert_eq!(refusal, "signing key exists already");
        assert_eq!(sample.write(|transaction| transaction.delete_signing_key(key.id)), [Change::SigningKeys]);
        let refusal = sample.refusal(|transaction| transaction.delete_signing_key(key.id));
        assert_eq!(refusal, "signing key does not exist");
    }

    #[test]
    fn an_api_keys_last_use_never_moves_back() {
        let sample = Sample::populated();
        sample.write(|transaction| {
            transaction.insert_api_key(&api_key(1, 1))?;
            transaction.insert_api_key(&api_key(2, 1))
        });
        let (first, second, gone) = (api_key(1, 1).id, api_key(2, 1).id, ApiKeyId::from_bytes([99; 16]));
        let later = NOW.plus(Duration::from_secs(60));
        let touched = |uses: &[(ApiKeyId, Timestamp)]| {
            assert_eq!(sample.write(|transaction| transaction.touch_api_keys(uses)), [], "no decision changes");
            [first, second].map(|id| sample.store.api_key(id).unwrap().unwrap().last_used_at)
        };
        assert_eq!(touched(&[(gone, NOW), (first, later)]), [Some(later), None]);
        assert_eq!(touched(&[(first, NOW), (second, NOW)]), [Some(later), Some(NOW)]);
        assert_eq!(touched(&[(second, later)]), [Some(later), Some(later)]);
        assert_eq!(sample.store.api_key(first).unwrap(), Some(ApiKey { last_used_at: Some(later), ..api_key(1, 1) }));
    }

    #[test]
    fn a_signing_key_that_is_sealed_again_is_told_to_all() {
        let sample = Sample::new();
        let key = signing_key(1, NOW);
        let private = Sealed::from_bytes(vec![9; 60]);
        sample.write(|transaction| transaction.insert_signing_key(&key));
        let changes = sample.write(|transaction| transaction.reseal_signing_key(key.id, &private));
        assert_eq!(changes, [Change::SigningKeys]);
        let unknown = sample.refusal(|transaction| transaction.reseal_signing_key(signing_key(2, NOW).id, &private));
        assert_eq!(unknown, "signing key does not exist");
        assert_eq!(sample.store.signing_keys().unwrap(), [SigningKey { private, ..key }]);
    }

    #[test]
    fn secrets_are_put_in_the_place_of_older_ones() {
        let sample = Sample::new();
        for n in 1..=2 {
            let secret = Sealed::from_bytes(vec![n; 60]);
            assert_eq!(sample.write(|transaction| transaction.put_secret("pepper", &secret)), []);
            assert_eq!(sample.store.secret("pepper").unwrap(), Some(secret));
        }
    }
}
