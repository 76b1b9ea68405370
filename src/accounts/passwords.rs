//! Passwords: changed, added, and reset by a mailed link.

use std::time::Duration;

use super::outbox::Job;
use super::reauthentication::put;
use super::{AccountError, Accounts, Actor, Origin, Result};
use crate::audit;
use crate::authn::Attempt;
use crate::authz::Resource;
use crate::model::{Email, EventAction, PasswordReset, Timestamp, User, UserId};
use crate::secret::{Digest, Secret};
use crate::store::Transaction;

/// How long a link that sets a new password can be followed.
pub(super) const RESET_TTL: Duration = Duration::from_secs(3_600);

impl Accounts {
    /// Changes a password; `current` is left out only by an account that has none. All sessions end.
    pub fn change_password(
        &self,
        actor: &Actor,
        user: UserId,
        current: Option<&Secret>,
        password: &Secret,
    ) -> Result<()> {
        let account = self.store.user(user)?.ok_or(AccountError::NotFound("user"))?;
        self.authorize(&*self.store, actor, "ManageSignIn", &Resource::User(user))?;
        self.passwords.check_strength(password, &account.username, &account.email)?;
        let proof = match (self.store.password_hash(user)?, current) {
            (Some(_), Some(current)) => Some(self.reauthenticate(actor, user, "ManageSignIn", current)?),
            (Some(_), None) => return Err(AccountError::InvalidCredentials),
            (None, Some(_)) => return Err(AccountError::PasswordRequired),
            (None, None) => None,
        };
        let hash = self.passwords.hash(password)?;
        let now = self.now();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        match &proof {
            Some(proof) => proof.still_holds(&*tx)?,
            None if tx.password_hash(user)?.is_some() => return Err(AccountError::InvalidCredentials),
            None => {}
        }
        tx.set_password_hash(user, Some(&hash))?;
        self.end_everything(&mut *tx, &account, now)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::PasswordChanged, now).user(user)])
    }

    /// Asks for a link to set a new password. What is done is the same whether or not somebody has the address: who
    /// has it is looked up later, when the mail is written.
    pub fn request_password_reset(&self, email: &str, origin: &Origin) -> Result<()> {
        let email = Email::parse(email).map_err(AccountError::name("email"))?;
        if self.outbox.is_none() {
            return Err(AccountError::NoMail);
        }
        // Counted apart from log-ins, so that asking for links slows nobody's log-in.
        self.charge(&mut Attempt::new(&format!("password reset: {}", email.canonical()), origin.client))?;
        let mut tx = self.begin()?;
        self.enqueue(&mut *tx, &Job::PasswordReset { email: email.canonical().to_owned() })?;
        self.finish(tx, [])
    }

    /// Sets a new password by the token of a link, which works once. All sessions end, and a second factor is still asked
    /// for at the next log-in.
    pub fn complete_password_reset(&self, token: &Secret, password: &Secret, origin: &Origin) -> Result<()> {
        let digest = Digest::of(token.expose().as_bytes());
        let valid = |reset: &PasswordReset, now: Timestamp| now < reset.expires_at;
        // Looked at before anything costs time; it counts only within the transaction.
        let reset = self.store.password_reset(&digest)?.filter(|reset| valid(reset, self.now()));
        let user = reset.ok_or(AccountError::InvalidLink)?.user;
        let user = self.store.active_user(user)?.ok_or(AccountError::InvalidLink)?;
        self.passwords.check_strength(password, &user.username, &user.email)?;
        let hash = self.passwords.hash(password)?;
        let now = self.now();
        let mut tx = self.begin()?;
        tx.take_password_reset(&digest)?.filter(|reset| valid(reset, now)).ok_or(AccountError::InvalidLink)?;
        tx.set_password_hash(user.id, Some(&hash))?;
        self.end_everything(&mut *tx, &user, now)?;
        // Whoever reads the owner's mail is the owner, and is not to wait for what others have tried meanwhile.
        for login in [user.username.as_str(), user.email.as_str()] {
            put(&mut *tx, &[Attempt::new(login, origin.client).trust(now)], Some(user.id))?;
        }
        let author =
            audit::Author { user: Some(user.id), credential_kind: "link", credential_id: None, client: origin.client };
        self.finish(tx, [audit::event(&author, EventAction::PasswordReset, now).user(user.id)])
    }

    /// With a new password, whatever was begun with the old one ends; the owner is told.
    pub(super) fn end_everything(&self, tx: &mut dyn Transaction, user: &User, now: Timestamp) -> Result<()> {
        tx.end_sessions(user.id, super::sessions::next_millisecond(now))?;
        tx.delete_password_resets(user.id)?;
        if let Some(outbox) = &self.outbox {
            let message = outbox.letters.password_changed(&user.email, &user.username, now);
            self.enqueue(tx, &Job::message(&message))?;
        }
        Ok(())
    }
}
