//! What whoever runs the installation does with accounts: disables and enables them, takes passwords and second factors
//! that are lost or known to others, says who administers the installation.
//!
//! None of it needs the account's password. So each needs both to manage the installation and to manage how that very
//! account signs in: with the shipped policies the console alone may do both.

use super::outbox::Job;
use super::passwords::RESET_TTL;
use super::sessions::next_millisecond;
use super::two_factor::must_be_enabled;
use super::{AccountError, Accounts, Actor, Result, hide};
use crate::audit;
use crate::authn::link_token;
use crate::authz::Resource;
use crate::model::{EventAction, Organization, OrganizationId, PasswordReset, Timestamp, User, UserId};
use crate::secret::{Digest, Secret};
use crate::store::Read;

/// What a disabled account has left behind.
#[derive(Debug)]
pub struct Disabled {
    /// Since when it is disabled.
    pub at: Timestamp,
    /// The organizations, other than its personal one, that no enabled administrator is left of.
    pub unadministered: Vec<Organization>,
    /// Whether no enabled administrator of the installation is left.
    pub leaves_installation: bool,
}

impl Accounts {
    /// Disables an account: from the next request on none of its credentials counts, and it cannot sign in. Its session
    /// tokens and the links that were mailed to it end for good; its API keys, roles and rights stay for when it is
    /// enabled again. That is never refused: it is what is reached for when an account is in wrong hands. An account that is
    /// disabled already stays so since the first time.
    pub fn disable_user(&self, actor: &Actor, user: UserId) -> Result<Disabled> {
        let now = self.now();
        let mut tx = self.begin()?;
        let account = self.administered(&*tx, actor, user)?;
        let mut events = Vec::new();
        let at = match tx.disabled_at(user)? {
            Some(at) => at,
            None => {
                tx.set_disabled(user, Some(now))?;
                tx.end_sessions(user, next_millisecond(now))?;
                tx.delete_password_resets(user)?;
                events.push(audit::event(&actor.author(), EventAction::UserDisabled, now).user(user));
                now
            }
        };
        let mut unadministered = Vec::new();
        for organization in tx.organizations_of(user)? {
            if organization.personal_to != Some(user) && !has_administrator_besides(&*tx, organization.id, user)? {
                unadministered.push(organization);
            }
        }
        let leaves_installation = account.installation_administrator && !is_administered_besides(&*tx, user)?;
        self.finish(tx, events)?;
        Ok(Disabled { at, unadministered, leaves_installation })
    }

    /// Enables an account that is disabled. Its API keys count again at once; false if it was not disabled.
    pub fn enable_user(&self, actor: &Actor, user: UserId) -> Result<bool> {
        let mut tx = self.begin()?;
        self.administered(&*tx, actor, user)?;
        if tx.disabled_at(user)?.is_none() {
            return Ok(false);
        }
        tx.set_disabled(user, None)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::UserEnabled, self.now()).user(user)])?;
        Ok(true)
    }

    /// All accounts that are disabled, and since when.
    pub fn disabled_users(&self, actor: &Actor) -> Result<Vec<(UserId, Timestamp)>> {
        self.authorize(&*self.store, actor, "ManageInstallation", &Resource::Installation)?;
        Ok(self.store.disabled_users()?)
    }

    /// Since when an account is disabled, if it is.
    pub fn disabled_at(&self, actor: &Actor, user: UserId) -> Result<Option<Timestamp>> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        Ok(self.store.disabled_at(user)?)
    }

    /// Gives an account a new password. All sessions end, and a second factor is still asked for.
    pub fn reset_password(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<()> {
        let hash = self.passwords.hash(password)?;
        let now = self.now();
        let mut tx = self.begin()?;
        let account = self.administered(&*tx, actor, user)?;
        tx.set_password_hash(user, Some(&hash))?;
        self.end_everything(&mut *tx, &account, now)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::PasswordChanged, now).user(user)])
    }

    /// Takes an account's password, and mails a link to its owner that sets a new one. All sessions end. Gives until when
    /// the link can be followed.
    pub fn mail_password_reset(&self, actor: &Actor, user: UserId) -> Result<Timestamp> {
        let outbox = self.outbox.as_ref().ok_or(AccountError::NoMail)?;
        // A password that nobody knows, and not none: whoever holds an API key of an account without one may set it.
        let hash = self.passwords.hash(&link_token())?;
        let (token, now) = (link_token(), self.now());
        let expires_at = now.plus(RESET_TTL);
        let mut tx = self.begin()?;
        let account = self.administered(&*tx, actor, user)?;
        if tx.disabled_at(user)?.is_some() {
            return Err(AccountError::Disabled);
        }
        tx.set_password_hash(user, Some(&hash))?;
        tx.end_sessions(user, next_millisecond(now))?;
        tx.delete_password_resets(user)?;
        let digest = Digest::of(token.expose().as_bytes());
        tx.insert_password_reset(&PasswordReset { digest, user, created_at: now, expires_at })?;
        let (to, username) = (&account.email, &account.username);
        let letter = outbox.letters.password_taken(to, username, &token, now, expires_at);
        self.enqueue(&mut *tx, &Job::message(&letter))?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::PasswordResetRequested, now).user(user)])?;
        Ok(expires_at)
    }

    /// Takes the second factor of an account, with its recovery codes. All sessions end: some may have begun with it.
    pub fn reset_totp(&self, actor: &Actor, user: UserId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin()?;
        self.administered(&*tx, actor, user)?;
        must_be_enabled(&*tx, user)?;
        tx.delete_totp(user)?;
        tx.end_sessions(user, next_millisecond(now))?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::TotpDisabled, now).user(user)])
    }

    /// Makes an account an administrator of the installation, or takes that; false if there was nothing to do. The last
    /// one who is enabled is taken only if `even_the_last`.
    pub fn set_installation_administrator(
        &self,
        actor: &Actor,
        user: UserId,
        admin: bool,
        even_the_last: bool,
    ) -> Result<bool> {
        let mut tx = self.begin()?;
        let account = self.administered(&*tx, actor, user)?;
        if account.installation_administrator == admin {
            return Ok(false);
        }
        if !admin && !even_the_last && !is_administered_besides(&*tx, user)? {
            return Err(AccountError::LastInstallationAdministrator);
        }
        tx.set_user_admin(user, admin)?;
        let event = audit::event(&actor.author(), EventAction::InstallationAdministratorSet, self.now());
        self.finish(tx, [event.user(user).detail(if admin { "given" } else { "taken" })])?;
        Ok(true)
    }

    /// The account, if the actor may do with it what needs no password.
    fn administered(&self, store: &dyn Read, actor: &Actor, user: UserId) -> Result<User> {
        self.authorize(store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        self.authorize(store, actor, "ManageInstallation", &Resource::Installation)?;
        self.authorize(store, actor, "ManageSignIn", &Resource::User(user))?;
        store.user(user)?.ok_or(AccountError::NotFound("user"))
    }
}

/// Whether somebody else who is enabled administers the organization.
pub(super) fn has_administrator_besides(store: &dyn Read, id: OrganizationId, user: UserId) -> Result<bool> {
    is_one_enabled(store, &store.administrators(id)?, user)
}

/// Whether somebody else who is enabled administers the installation.
fn is_administered_besides(store: &dyn Read, user: UserId) -> Result<bool> {
    is_one_enabled(store, &store.installation_administrators()?, user)
}

fn is_one_enabled(store: &dyn Read, users: &[User], besides: UserId) -> Result<bool> {
    for other in users.iter().filter(|other| other.id != besides) {
        if store.disabled_at(other.id)?.is_none() {
            return Ok(true);
        }
    }
    Ok(false)
}
