//! API keys: created, listed, revoked.

use super::{AccountError, Accounts, Actor, Result, hide};
use crate::audit;
use crate::authn::ApiKeyText;
use crate::authz::Resource;
use crate::model::{ApiKey, ApiKeyId, EventAction, Name, Scope, Timestamp, User, UserId};
use crate::secret::Secret;
use crate::store::Read;

/// The most characters of a description.
const MAX_DESCRIPTION: usize = 1_000;
/// The most scopes: every cached credential holds them.
const MAX_SCOPES: usize = 50;

/// What a new API key is made from.
#[derive(Debug, Default)]
pub struct NewApiKey<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is for.
    pub description: Option<&'a str>,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// What it is narrowed to; an empty list narrows nothing.
    pub scopes: Vec<String>,
}

/// A new API key: the only time that the key itself is known.
#[derive(Debug)]
pub struct CreatedApiKey {
    /// What is stored of it.
    pub api_key: ApiKey,
    /// The key.
    pub key: Secret,
}

impl Accounts {
    /// Creates an API key for an account.
    pub fn create_api_key(&self, actor: &Actor, user: UserId, new: NewApiKey<'_>) -> Result<CreatedApiKey> {
        let now = self.now();
        let name = Name::parse(new.name).map_err(AccountError::name("name"))?;
        let invalid = |field, message: &str| Err(AccountError::Invalid { field, message: message.to_owned() });
        if new.description.is_some_and(|text| text.chars().count() > MAX_DESCRIPTION || text.contains('\0')) {
            return invalid("description", "expected at most 1000 characters");
        }
        if new.expires_at.is_some_and(|end| end <= now) {
            return invalid("expires_at", "expected a time in the future");
        }
        if new.scopes.len() > MAX_SCOPES {
            return invalid("scopes", "expected at most 50 scopes");
        }
        if let Some(error) = new.scopes.iter().find_map(|scope| scope.parse::<Scope>().err()) {
            return invalid("scopes", &error.to_string());
        }
        let text = ApiKeyText::generate();
        let api_key = ApiKey {
            id: ApiKeyId::generate(now),
            user,
            name,
            description: new.description.map(str::to_owned),
            digest: text.digest(),
            prefix: text.shown_prefix(),
            scopes: new.scopes,
            created_at: now,
            expires_at: new.expires_at,
            last_used_at: None,
        };
        let mut tx = self.begin()?;
        self.authorize_api_keys(&*tx, actor, user)?;
        tx.insert_api_key(&api_key)?;
        let event = audit::event(&actor.author(), EventAction::ApiKeyCreated, now).user(user).detail(api_key.id);
        self.finish(tx, [event])?;
        Ok(CreatedApiKey { api_key, key: text.into_secret() })
    }

    /// The API keys of an account.
    pub fn api_keys(&self, actor: &Actor, user: UserId) -> Result<Vec<ApiKey>> {
        self.authorize_api_keys(&*self.store, actor, user)?;
        Ok(self.store.api_keys(user)?)
    }

    /// An API key that the actor may revoke, and whose it is.
    pub fn api_key(&self, actor: &Actor, id: ApiKeyId) -> Result<(ApiKey, User)> {
        let key = self.revocable(&*self.store, actor, id)?;
        let user = self.store.user(key.user)?.ok_or(AccountError::NotFound("api key"))?;
        Ok((key, user))
    }

    /// Revokes API keys, all of them or none: each must exist and be one that the actor may revoke.
    pub fn revoke_api_keys(&self, actor: &Actor, ids: &[ApiKeyId]) -> Result<usize> {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids.dedup();
        let now = self.now();
        let mut tx = self.begin()?;
        let mut events = Vec::with_capacity(ids.len());
        for &id in &ids {
            let key = self.revocable(&*tx, actor, id)?;
            tx.delete_api_key(id)?;
            events.push(audit::event(&actor.author(), EventAction::ApiKeyRevoked, now).user(key.user).detail(id));
        }
        self.finish(tx, events)?;
        Ok(ids.len())
    }

    /// Writes down when keys were last used.
    pub fn record_uses(&self, uses: &[(ApiKeyId, Timestamp)]) -> Result<()> {
        if uses.is_empty() {
            return Ok(());
        }
        let mut tx = self.begin()?;
        tx.touch_api_keys(uses)?;
        self.finish(tx, [])
    }

    fn revocable(&self, store: &dyn Read, actor: &Actor, id: ApiKeyId) -> Result<ApiKey> {
        let key = store.api_key(id)?.ok_or(AccountError::NotFound("api key"))?;
        // The key of an account that the actor may not see does not exist, to the letter.
        self.authorize_api_keys(store, actor, key.user).map_err(|error| match error {
            AccountError::NotFound(_) | AccountError::Denied { .. } => AccountError::NotFound("api key"),
            other => other,
        })?;
        Ok(key)
    }

    fn authorize_api_keys(&self, store: &dyn Read, actor: &Actor, user: UserId) -> Result<()> {
        self.authorize(store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        self.authorize(store, actor, "ManageApiKeys", &Resource::User(user))
    }
}
