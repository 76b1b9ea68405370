//! Two-factor authentication: pairing, recovery codes, disabling. Each needs the password again.

use super::attempts::Attempt;
use super::{AccountError, Accounts, Actor, Origin, Result, hide};
use crate::audit;
use crate::authn::{recovery_code, totp};
use crate::authz::Resource;
use crate::model::{EventAction, Totp, User, UserId};
use crate::secret::Secret;
use crate::store::Transaction;

/// What an authenticator is paired with.
#[derive(Debug)]
pub struct Pairing {
    /// The secret, in base32, for typing.
    pub secret: Secret,
    /// The same as an `otpauth://` address.
    pub uri: Secret,
}

impl Accounts {
    /// Whether two-factor authentication is enabled for an account.
    pub fn totp_enabled(&self, actor: &Actor, user: UserId) -> Result<bool> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        Ok(self.store.totp(user)?.is_some_and(|totp| totp.enabled_at.is_some()))
    }

    /// Begins a pairing: nothing is enabled before a code of it was confirmed. A pairing that was begun before ends.
    pub fn begin_totp(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<Pairing> {
        let (account, _) = self.with_password(actor, user, password)?;
        let secret = totp::generate();
        let sealed = self.vault.seal(&totp_context(user), secret.expose().as_bytes());
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        if tx.totp(user)?.is_some_and(|totp| totp.enabled_at.is_some()) {
            return Err(AccountError::Exists("two-factor authentication"));
        }
        tx.put_totp(&Totp { user, secret: sealed, enabled_at: None, last_step: 0, created_at: self.now() })?;
        self.finish(tx, [])?;
        let uri = totp::uri(&self.name, account.username.as_str(), &secret);
        Ok(Pairing { secret, uri })
    }

    /// Enables two-factor authentication, if `code` is one of the pairing that was begun. Gives the recovery codes, which
    /// are never shown again.
    pub fn confirm_totp(&self, actor: &Actor, user: UserId, code: &Secret) -> Result<Vec<Secret>> {
        let account = self.signing_in(actor, user)?;
        let attempt = self.attempt(&account, actor.origin())?;
        let now = self.now();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        let pairing = tx.totp(user)?.ok_or(AccountError::NotFound("pairing"))?;
        if pairing.enabled_at.is_some() {
            return Err(AccountError::Exists("two-factor authentication"));
        }
        let step = self.matching_step(&pairing, code)?.ok_or(AccountError::InvalidCode)?;
        tx.enable_totp(user, now, step)?;
        let codes = self.new_recovery_codes(&mut *tx, user)?;
        self.succeeded(&mut *tx, &attempt)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::TotpEnabled, now).user(user)])?;
        Ok(codes)
    }

    /// Ten new recovery codes; the old ones end.
    pub fn replace_recovery_codes(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<Vec<Secret>> {
        self.with_password(actor, user, password)?;
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        enabled(&*tx, user)?;
        let codes = self.new_recovery_codes(&mut *tx, user)?;
        let event = audit::event(&actor.author(), EventAction::RecoveryCodesReplaced, self.now());
        self.finish(tx, [event.user(user)])?;
        Ok(codes)
    }

    /// Disables two-factor authentication.
    pub fn disable_totp(&self, actor: &Actor, user: UserId, password: &Secret) -> Result<()> {
        self.with_password(actor, user, password)?;
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(user))?;
        enabled(&*tx, user)?;
        tx.delete_totp(user)?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::TotpDisabled, self.now()).user(user)])
    }

    /// Checks a second factor, if the account has one: a code of the authenticator, or a recovery code. Each is accepted
    /// once; of several uses at the same time one wins, since they take turns at the transaction.
    pub(super) fn second_factor(
        &self,
        tx: &mut dyn Transaction,
        user: UserId,
        code: Option<&Secret>,
    ) -> Result<SecondFactor> {
        let Some(totp) = tx.totp(user)?.filter(|totp| totp.enabled_at.is_some()) else {
            return Ok(SecondFactor::NotEnabled);
        };
        let code = code.ok_or(AccountError::TotpRequired)?;
        if let Some(step) = self.matching_step(&totp, code)? {
            return if tx.set_totp_step(user, step)? { Ok(SecondFactor::Code) } else { Err(AccountError::InvalidCode) };
        }
        let digest = recovery_code::digest(&self.pepper, code).ok_or(AccountError::InvalidCode)?;
        if tx.use_recovery_code(user, &digest)? { Ok(SecondFactor::RecoveryCode) } else { Err(AccountError::InvalidCode) }
    }

    fn matching_step(&self, totp: &Totp, code: &Secret) -> Result<Option<i64>> {
        let secret = self.vault.open_sealed(&totp_context(totp.user), &totp.secret).map_err(AccountError::vault)?;
        Ok(totp::matching_step(&secret, code.expose(), self.now(), totp.last_step))
    }

    fn new_recovery_codes(&self, tx: &mut dyn Transaction, user: UserId) -> Result<Vec<Secret>> {
        let codes = recovery_code::generate();
        let digests: Vec<_> = codes.iter().filter_map(|code| recovery_code::digest(&self.pepper, code)).collect();
        tx.replace_recovery_codes(user, &digests)?;
        Ok(codes)
    }
}

/// What was given besides the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondFactor {
    NotEnabled,
    Code,
    RecoveryCode,
}

fn enabled(tx: &dyn Transaction, user: UserId) -> Result<()> {
    let enabled = tx.totp(user)?.is_some_and(|totp| totp.enabled_at.is_some());
    if enabled { Ok(()) } else { Err(AccountError::NotFound("two-factor authentication")) }
}

/// The place that a TOTP secret is sealed for.
pub(super) fn totp_context(user: UserId) -> String {
    format!("totp secret {user}")
}
