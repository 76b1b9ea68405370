//! The rotation of the key file: everything that is sealed under it is sealed anew.

use super::outbox::mail_context;
use super::{Accounts, Actor, Result};
use crate::audit;
use crate::authn::{Keyring, Pepper, TotpSecret};
use crate::authz::Resource;
use crate::model::EventAction;

impl Accounts {
    /// Replaces the key in the key file. If it is interrupted, everything goes on with both keys, and calling it again
    /// ends what was begun.
    pub fn rotate_key_file(&self, actor: &Actor) -> Result<()> {
        self.authorize(&*self.store, actor, "ManageInstallation", &Resource::Installation)?;
        let rotation = self.vault.begin_rotation()?;
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageInstallation", &Resource::Installation)?;
        for key in tx.signing_keys()? {
            tx.reseal_signing_key(key.id, &Keyring::reseal(&rotation, &key)?)?;
        }
        for totp in tx.totps()? {
            tx.reseal_totp(totp.user, &TotpSecret::reseal(&rotation, totp.user, &totp.secret)?)?;
        }
        for mail in tx.mails()? {
            tx.reseal_mail(mail.id, &rotation.reseal(&mail_context(mail.id), &mail.sealed)?)?;
        }
        if let Some(sealed) = tx.secret(Pepper::NAME)? {
            tx.put_secret(Pepper::NAME, &Pepper::reseal(&rotation, &sealed)?)?;
        }
        self.finish(tx, [audit::event(&actor.author(), EventAction::KeyFileRotated, self.now())])?;
        rotation.finish()?;
        Ok(())
    }
}
