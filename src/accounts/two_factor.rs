//! Two-factor authentication: pairing, recovery codes, disabling. Each needs the password again.

use super::reauthentication::put;
use super::{AccountError, Accounts, Actor, Result, hide};
use crate::audit;
use crate::authn::{Attempt, Verdict};
use crate::authn::{RecoveryCode, TotpSecret};
use crate::authz::Resource;
use crate::model::{EventAction, Totp, UserId};
use crate::secret::Secret;
use crate::store::{Read, Transaction};
use crate::telemetry::ProofOutcome;

/// What an authenticator is paired with.
#[derive(Debug)]
pub struct Pairing {
    /// The secret in base32, for typing.
    pub secret: Secret,
    /// The same as an `otpauth://` address, for a QR code.
    pub uri: Secret,
}

impl Accounts {
    /// Whether two-factor authentication is enabled for an account.
    pub fn totp_enabled(&self, actor: &Actor, user: UserId) -> Result<bool> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        is_enabled(&*self.store, user)
    }

    /// Begins a pairing: nothing is enabled before one of its codes was confirmed. One that was begun before ends.
    pub fn begin_totp(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<Pairing> {
        let proof = self.reauthenticate(actor, user, "ManageSignIn", password)?;
        let secret = TotpSecret::generate();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        proof.still_holds(&*tx)?;
        let sealed = secret.seal(&self.vault, user);
        tx.put_totp(&Totp { user, secret: sealed, enabled_at: None, last_step: 0, created_at: self.now() })?;
        self.finish(tx, [])?;
        let uri = secret.uri(&self.name, proof.user.username.as_str());
        Ok(Pairing { secret: secret.base32(), uri })
    }

    /// Enables two-factor authentication, if `code` is one of the pairing that was begun. Gives the recovery codes, which
    /// are never shown again.
    pub fn confirm_totp(&self, actor: &Actor, user: UserId, code: &Secret) -> Result<Vec<Secret>> {
        let now = self.now();
        let account = self.store.user(user)?.ok_or(AccountError::NotFound("user"))?;
        let mut attempt = Attempt::new(account.username.as_str(), actor.origin().client);
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        let pairing = tx.totp(user)?.ok_or(AccountError::NotFound("pairing"))?;
        if pairing.enabled_at.is_some() {
            return Err(AccountError::Exists("two-factor authentication"));
        }
        let (verdict, rows) = attempt.admit_code(user, now, |key| tx.throttle(key))?;
        if let Verdict::Wait(retry_after) = verdict {
            self.reauthentication_ended(ProofOutcome::Throttled, user, actor.origin().client);
            return Err(AccountError::TooManyAttempts { retry_after });
        }
        put(&mut *tx, &rows, None)?;
        let Some(step) = self.matching_step(&pairing, code)? else {
            self.finish(tx, [])?;
            self.reauthentication_ended(ProofOutcome::WrongCode, user, actor.origin().client);
            return Err(AccountError::InvalidCode);
        };
        tx.enable_totp(user, now, step)?;
        let codes = self.new_recovery_codes(&mut *tx, user)?;
        let rows = attempt.give_back(|key| tx.throttle(key))?;
        put(&mut *tx, &rows, None)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::TotpEnabled, now).user(user)])?;
        Ok(codes)
    }

    /// Ten new recovery codes; the old ones end.
    pub fn replace_recovery_codes(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<Vec<Secret>> {
        let proof = self.reauthenticate(actor, user, "ManageSignIn", password)?;
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        proof.still_holds(&*tx)?;
        must_be_enabled(&*tx, user)?;
        let codes = self.new_recovery_codes(&mut *tx, user)?;
        let event = audit::event(&actor.author(), EventAction::RecoveryCodesReplaced, self.now());
        self.finish(tx, [event.user(user)])?;
        Ok(codes)
    }

    /// Disables two-factor authentication.
    pub fn disable_totp(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<()> {
        let proof = self.reauthenticate(actor, user, "ManageSignIn", password)?;
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        proof.still_holds(&*tx)?;
        must_be_enabled(&*tx, user)?;
        tx.delete_totp(user)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::TotpDisabled, self.now()).user(user)])
    }

    fn new_recovery_codes(&self, tx: &mut dyn Transaction, user: UserId) -> Result<Vec<Secret>> {
        let codes = RecoveryCode::generate();
        let digests: Vec<_> = codes.iter().map(|code| code.digest(&self.pepper)).collect();
        tx.replace_recovery_codes(user, &digests)?;
        Ok(codes.iter().map(RecoveryCode::to_secret).collect())
    }
}

fn is_enabled(store: &dyn Read, user: UserId) -> Result<bool> {
    Ok(store.totp(user)?.is_some_and(|totp| totp.enabled_at.is_some()))
}

pub(super) fn must_be_enabled(store: &dyn Read, user: UserId) -> Result<()> {
    if is_enabled(store, user)? { Ok(()) } else { Err(AccountError::NotFound("two-factor authentication")) }
}
