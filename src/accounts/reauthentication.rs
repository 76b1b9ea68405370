//! Proving again who one is: every try of a password or a code is charged before it is looked at.

use std::time::Duration;

use super::failed_proofs::outcome;
use super::{AccountError, Accounts, Actor, Result};
use crate::authn::{Attempt, Verdict};
use crate::authn::{RecoveryCode, TotpSecret};
use crate::authz::Resource;
use crate::model::{Throttle, Totp, User, UserId};
use crate::secret::{PasswordHash, Secret};
use crate::store::{Read, Transaction};

/// An account whose password was given just now.
// INVARIANT: built by `reauthenticate` only.
pub(super) struct Reauthenticated {
    pub(super) user: User,
    hash: PasswordHash,
}

impl Reauthenticated {
    /// Whether the password is still the one that was given: asked within the transaction that relies on it.
    pub(super) fn still_holds(&self, tx: &dyn Read) -> Result<()> {
        let hash = tx.password_hash(self.user.id)?;
        let same = hash.is_some_and(|hash| hash.expose() == self.hash.expose());
        if same { Ok(()) } else { Err(AccountError::InvalidCredentials) }
    }
}

/// What became of a second factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SecondFactor {
    /// The account has none.
    NotEnabled,
    /// A code of the authenticator.
    Code,
    /// A recovery code, which is used up.
    RecoveryCode,
    /// None was given.
    Missing,
    /// What was given is not right.
    Wrong,
    /// Too many were wrong before, so this one was not looked at.
    MustWait(Duration),
}

impl Accounts {
    /// Charges an attempt, or refuses it because there were too many.
    pub(super) fn charge(&self, attempt: &mut Attempt) -> Result<()> {
        let mut tx = self.begin()?;
        let (verdict, rows) = attempt.admit(self.now(), |key| tx.throttle(key))?;
        put(&mut *tx, &rows, None)?;
        self.finish(tx, [])?;
        match verdict {
            Verdict::Go => Ok(()),
            Verdict::Wait(retry_after) => Err(AccountError::TooManyAttempts { retry_after }),
        }
    }

    /// Checks the password of an account, which `action` needs. Whoever may not do that is not told whether it is right.
    pub(super) fn reauthenticate(
        &self,
        actor: &Actor,
        user: UserId,
        action: &str,
        password: &Secret,
    ) -> Result<Reauthenticated> {
        self.authorize(&*self.store, actor, action, &Resource::User(user))?;
        let user = self.store.user(user)?.ok_or(AccountError::NotFound("user"))?;
        let hash = self.store.password_hash(user.id)?.ok_or(AccountError::PasswordRequired)?;
        let (id, client) = (user.id, actor.origin().client);
        let proof = self.give_again(actor, user, hash, password);
        self.reauthentication_ended(outcome(&proof), id, client);
        proof
    }

    fn give_again(&self, actor: &Actor, user: User, hash: PasswordHash, password: &Secret) -> Result<Reauthenticated> {
        let mut attempt = Attempt::new(user.username.as_str(), actor.origin().client);
        self.charge(&mut attempt)?;
        if !self.passwords.verify(password, Some(&hash))? {
            return Err(AccountError::InvalidCredentials);
        }
        let mut tx = self.begin()?;
        let rows = attempt.succeed(self.now(), |key| tx.throttle(key))?;
        put(&mut *tx, &rows, Some(user.id))?;
        self.finish(tx, [])?;
        Ok(Reauthenticated { user, hash })
    }

    /// Checks the second factor of an account, if it has one. Each code is accepted once: of several uses at the same
    /// time one wins, since they take turns at the transaction. A wrong one is charged to `attempt` and must be committed.
    pub(super) fn second_factor(
        &self,
        tx: &mut dyn Transaction,
        user: UserId,
        code: Option<&Secret>,
        attempt: &mut Attempt,
    ) -> Result<SecondFactor> {
        let Some(totp) = tx.totp(user)?.filter(|totp| totp.enabled_at.is_some()) else {
            return Ok(SecondFactor::NotEnabled);
        };
        let Some(code) = code.filter(|code| !code.expose().is_empty()) else { return Ok(SecondFactor::Missing) };
        let (verdict, rows) = attempt.admit_code(user, self.now(), |key| tx.throttle(key))?;
        put(tx, &rows, None)?;
        if let Verdict::Wait(retry_after) = verdict {
            return Ok(SecondFactor::MustWait(retry_after));
        }
        if let Some(step) = self.matching_step(&totp, code)? {
            return Ok(if tx.set_totp_step(user, step)? { SecondFactor::Code } else { SecondFactor::Wrong });
        }
        let Some(code) = RecoveryCode::parse(code.expose()) else { return Ok(SecondFactor::Wrong) };
        let used = tx.use_recovery_code(user, &code.digest(&self.pepper))?;
        Ok(if used { SecondFactor::RecoveryCode } else { SecondFactor::Wrong })
    }

    pub(super) fn matching_step(&self, totp: &Totp, code: &Secret) -> Result<Option<i64>> {
        let secret = TotpSecret::open(&self.vault, totp.user, &totp.secret)?;
        Ok(secret.matching_step(code, self.now(), totp.last_step))
    }
}

/// Keeps rows of an attempt. Those by which an account is trusted belong to it.
pub(super) fn put(tx: &mut dyn Transaction, rows: &[Throttle], user: Option<UserId>) -> Result<()> {
    for row in rows {
        tx.put_throttle(row, user.filter(|_| row.trusted))?;
    }
    Ok(())
}
