//! Session tokens: log-in, refresh, sign out everywhere.

use std::time::Duration;

use super::reauthentication::{SecondFactor, put};
use super::{AccountError, Accounts, Actor, Origin, Result, failed_proofs, hide, user_by_login};
use crate::audit::{self, Author};
use crate::authn::Attempt;
use crate::authn::Issued;
use crate::authz::Resource;
use crate::model::{CredentialKind, EventAction, Timestamp, User, UserId};
use crate::secret::Secret;
use crate::telemetry::ProofOutcome;

/// The identifier of no account.
const NOBODY: UserId = UserId::from_bytes([0; 16]);

impl Accounts {
    /// Signs in with a username or address, a password, and a code if the account has a second factor. Takes as long
    /// whether or not the account exists. One that is disabled is answered like one that does not exist, whatever the
    /// password: whoever has it is not to learn that it is right.
    pub fn log_in(&self, login: &str, password: &Secret, code: Option<&Secret>, origin: &Origin) -> Result<Issued> {
        let user = user_by_login(&*self.store, login)?;
        let id = user.as_ref().map(|user| user.id);
        // Asked of nobody as well, so that its time does not tell who has an account.
        let is_disabled = self.store.disabled_at(id.unwrap_or(NOBODY))?.is_some();
        let issued = self.try_log_in(login, user.filter(|_| !is_disabled), password, code, origin);
        let outcome = match failed_proofs::outcome(&issued) {
            ProofOutcome::WrongCredentials if is_disabled => ProofOutcome::Disabled,
            outcome => outcome,
        };
        self.log_in_ended(outcome, id, origin.client);
        issued
    }

    fn try_log_in(
        &self,
        login: &str,
        user: Option<User>,
        password: &Secret,
        code: Option<&Secret>,
        origin: &Origin,
    ) -> Result<Issued> {
        let mut attempt = Attempt::new(login, origin.client);
        self.charge(&mut attempt)?;
        let hash = match &user {
            Some(user) => self.store.password_hash(user.id)?,
            None => None,
        };
        let right = self.passwords.verify(password, hash.as_ref())?;
        let (Some(user), Some(hash), true) = (user, hash, right) else {
            return Err(AccountError::InvalidCredentials);
        };
        let outdated = self.passwords.is_outdated(&hash);
        let rehashed = outdated.then(|| self.passwords.hash(password)).transpose()?;
        let now = self.now();
        let mut tx = self.begin()?;
        // The password may have been changed, or the account disabled or deleted, while the old one was being checked.
        let same = tx.password_hash(user.id)?.is_some_and(|now| now.expose() == hash.expose());
        if !same || tx.disabled_at(user.id)?.is_some() {
            return Err(AccountError::InvalidCredentials);
        }
        let factor = self.second_factor(&mut *tx, user.id, code, &mut attempt)?;
        let methods: &[&str] = match factor {
            SecondFactor::NotEnabled => &["pwd"],
            SecondFactor::Code | SecondFactor::RecoveryCode => &["pwd", "otp"],
            SecondFactor::Missing | SecondFactor::MustWait(_) => {
                // Half of a log-in is no failure, and clears none.
                let rows = attempt.give_back(|key| tx.throttle(key))?;
                put(&mut *tx, &rows, None)?;
                self.finish(tx, [])?;
                return Err(match factor {
                    SecondFactor::MustWait(retry_after) => AccountError::TooManyAttempts { retry_after },
                    _ => AccountError::TotpRequired,
                });
            }
            SecondFactor::Wrong => {
                self.finish(tx, [])?;
                return Err(AccountError::InvalidCode);
            }
        };
        if rehashed.is_some() {
            tx.set_password_hash(user.id, rehashed.as_ref())?;
        }
        let mut rows = attempt.succeed(now, |key| tx.throttle(key))?;
        // The account has two names, and is trusted from here by either.
        rows.extend(
            [user.username.as_str(), user.email.as_str()].map(|name| Attempt::new(name, origin.client).trust(now)),
        );
        put(&mut *tx, &rows, Some(user.id))?;
        let issued = self.keyring.issue(user.id, methods, now)?;
        let author =
            Author { user: Some(user.id), credential_kind: "password", credential_id: None, client: origin.client };
        let mut events = vec![audit::event(&author, EventAction::SessionCreated, now).user(user.id).detail(issued.id)];
        if factor == SecondFactor::RecoveryCode {
            events.push(audit::event(&author, EventAction::RecoveryCodeUsed, now).user(user.id));
        }
        self.finish(tx, events)?;
        Ok(issued)
    }

    /// A new session token in exchange for a valid one, with the same factors.
    pub fn refresh_session(&self, actor: &Actor) -> Result<Issued> {
        let verified = actor.verified().ok_or(AccountError::InvalidCredentials)?;
        if verified.kind() != CredentialKind::Session {
            return Err(AccountError::SessionRequired);
        }
        let methods: &[&str] = if verified.mfa() { &["pwd", "otp"] } else { &["pwd"] };
        self.issue(actor, verified.user_id(), methods, EventAction::SessionRefreshed)
    }

    /// A session token for an account, made on the console without its password.
    pub fn issue_session(&self, actor: &Actor, user: UserId) -> Result<Issued> {
        self.issue(actor, user, &[], EventAction::SessionCreated)
    }

    fn issue(&self, actor: &Actor, user: UserId, methods: &[&str], action: EventAction) -> Result<Issued> {
        let tx = self.begin()?;
        self.authorize(&*tx, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        self.authorize(&*tx, actor, "ManageSessions", &Resource::User(user))?;
        let now = self.now();
        // Sessions may have been ended since the actor's was verified; the new one must not outlive that.
        let account = tx.user(user)?.ok_or(AccountError::NotFound("user"))?;
        if actor.verified().is_some_and(|verified| verified.user().tokens_not_before != account.tokens_not_before) {
            return Err(AccountError::InvalidCredentials);
        }
        // Not even one that would count once the account is enabled.
        if tx.disabled_at(user)?.is_some() {
            return Err(AccountError::Disabled);
        }
        let issued = self.keyring.issue(user, methods, now)?;
        self.finish(tx, [audit::event(&actor.author(), action, now).user(user).detail(issued.id)])?;
        Ok(issued)
    }

    /// Ends all of an account's session tokens.
    pub fn end_sessions(&self, actor: &Actor, user: UserId) -> Result<()> {
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        self.authorize(&*tx, actor, "ManageSessions", &Resource::User(user))?;
        let now = self.now();
        tx.end_sessions(user, next_millisecond(now))?;
        self.finish(tx, [audit::event(&actor.author(), EventAction::SessionsEnded, now).user(user)])
    }
}

/// Tokens tell when they were issued to the millisecond: those of this one are ended, those of the next are not.
pub(super) fn next_millisecond(now: Timestamp) -> Timestamp {
    let whole = Timestamp::from_micros(now.as_micros().div_euclid(1_000).saturating_mul(1_000));
    whole.plus(Duration::from_millis(1))
}
