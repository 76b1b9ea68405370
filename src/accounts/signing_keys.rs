//! The rotation of the keys that sign session tokens.

use super::{Accounts, Actor, Result};
use crate::audit;
use crate::authn::Keyring;
use crate::authz::Resource;
use crate::model::{EventAction, SigningKeyId};
use crate::store::Transaction;

impl Accounts {
    /// Makes a signing key if there is none or the newest has served its time, and forgets those that no valid token
    /// can need any more. Of several processes that do this at once, one does.
    pub fn rotate_signing_keys_if_due(&self, actor: &Actor) -> Result<()> {
        if !Keyring::is_due(&self.store.signing_keys()?, self.now()) {
            return Ok(());
        }
        let tx = self.begin()?;
        // Another process may have been first.
        if Keyring::is_due(&tx.signing_keys()?, self.now()) {
            self.rotate(tx, actor, false)?;
        }
        Ok(())
    }

    /// Makes a new signing key. With `forget_others` all tokens that were signed before are refused from now on.
    pub fn rotate_signing_keys(&self, actor: &Actor, forget_others: bool) -> Result<SigningKeyId> {
        self.rotate(self.begin()?, actor, forget_others)
    }

    fn rotate<'a>(
        &'a self,
        mut tx: Box<dyn Transaction + 'a>,
        actor: &Actor,
        forget_others: bool,
    ) -> Result<SigningKeyId> {
        let now = self.now();
        self.authorize(&*tx, actor, "ManageInstallation", &Resource::Installation)?;
        let mut keys = tx.signing_keys()?;
        let new = self.keyring.generate(now);
        tx.insert_signing_key(&new)?;
        let forgotten = if forget_others {
            keys.iter().map(|key| key.id).collect()
        } else {
            keys.push(new.clone());
            self.keyring.expired(&keys, now)
        };
        for id in forgotten {
            tx.delete_signing_key(id)?;
        }
        self.finish(tx, [audit::event(&actor.author(), EventAction::SigningKeyRotated, now).detail(new.id)])?;
        Ok(new.id)
    }
}
