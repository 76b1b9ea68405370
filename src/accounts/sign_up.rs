//! Signing up: at once where there is no mail, by a mailed link where there is.

use std::time::Duration;

use super::outbox::Job;
use super::users::{insert_account, new_user};
use super::{AccountError, Accounts, Actor, Result};
use crate::audit;
use crate::authn::Attempt;
use crate::authz::Resource;
use crate::model::{Email, EventAction, NewUser, SignUp, User, Username};
use crate::secret::{Digest, Secret};

/// How long the link in a mail can be followed.
pub(super) const LINK_TTL: Duration = Duration::from_secs(24 * 3_600);

/// What has become of a sign-up.
#[derive(Debug)]
pub enum SignedUp {
    /// The account can be used.
    Created(User),
    /// If the address is new, a link was mailed to it, which makes the account.
    Mailed,
}

impl Accounts {
    /// Signs somebody up. With mail, whoever asks learns nothing about who has an account: that is in the mail.
    pub fn sign_up(&self, actor: &Actor, username: &str, email: &str, password: &Secret) -> Result<SignedUp> {
        self.signing_up_is_open()?;
        let username = Username::parse(username).map_err(AccountError::name("username"))?;
        let email = Email::parse(email).map_err(AccountError::name("email"))?;
        self.passwords.check_strength(password, &username, &email)?;
        self.authorize(&*self.store, actor, "SignUp", &Resource::Installation)?;
        self.charge(&mut Attempt::new(&format!("sign-up: {}", email.canonical()), actor.origin().client))?;
        let password_hash = self.passwords.hash(password)?;
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "SignUp", &Resource::Installation)?;
        if self.outbox.is_some() {
            let (username, email) = (username.as_str().to_owned(), email.as_str().to_owned());
            let password_hash = password_hash.expose().to_owned();
            self.enqueue(&mut *tx, &Job::SignUp { username, email, password_hash })?;
            self.finish(tx, [])?;
            return Ok(SignedUp::Mailed);
        }
        let user = new_user(username, email, self.now());
        let new = NewUser { user: user.clone(), password_hash: Some(password_hash) };
        let organization = insert_account(&mut *tx, &new)?;
        let event = audit::event(&actor.author(), EventAction::SignedUp, user.created_at);
        self.finish(tx, [event.user(user.id).organization(organization)])?;
        Ok(SignedUp::Created(user))
    }

    fn signing_up_is_open(&self) -> Result<()> {
        if self.sign_up { Ok(()) } else { Err(AccountError::SignUpClosed) }
    }

    /// Makes the account whose link was followed. A link works once.
    pub fn complete_sign_up(&self, actor: &Actor, token: &Secret) -> Result<User> {
        self.signing_up_is_open()?;
        let now = self.now();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "SignUp", &Resource::Installation)?;
        let sign_up = tx.take_sign_up(&Digest::of(token.expose().as_bytes()))?;
        let sign_up = sign_up.filter(|sign_up| now < sign_up.expires_at).ok_or(AccountError::InvalidLink)?;
        let SignUp { username, email, password_hash, .. } = sign_up;
        let user = new_user(username, email, now);
        let new = NewUser { user: user.clone(), password_hash: Some(password_hash) };
        let organization = insert_account(&mut *tx, &new)?;
        let event = audit::event(&actor.author(), EventAction::EmailVerified, now);
        self.finish(tx, [event.user(user.id).organization(organization)])?;
        Ok(user)
    }
}
