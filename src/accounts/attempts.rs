//! Guessing is slowed: every try of a password or a code is counted before it is looked at, and forgiven when it was right.
//!
//! Counted first, because otherwise tries that are made at the same time would all pass before the first has failed.

use std::net::IpAddr;

use super::{AccountError, Accounts, Origin, Result};
use crate::authn::throttle::{self, Verdict};
use crate::model::{Email, Throttle, Timestamp, Username};
use crate::secret::Digest;
use crate::store::Transaction;

/// A counted try. Whoever does not clear it has failed.
pub(super) struct Attempt {
    pair: Digest,
}

impl Accounts {
    /// Counts a try to prove to be the account `login`, from where `origin` says; refuses it if there were too many.
    /// Counts alike whether or not the account exists.
    pub(super) fn attempt(&self, login: &str, origin: &Origin) -> Result<Attempt> {
        let account = canonical_login(login);
        let mut tx = self.begin()?;
        let attempt = self.count(&mut *tx, &account, origin.client)?;
        self.finish(tx, [])?;
        Ok(attempt)
    }

    fn count(&self, tx: &mut dyn Transaction, account: &str, client: Option<IpAddr>) -> Result<Attempt> {
        let now = self.now();
        let keys = throttle::keys(account, client);
        let row = |tx: &dyn Transaction, key: Digest| -> Result<Throttle> {
            let new = Throttle { key, failures: 0, last_failure_at: Timestamp::from_micros(0), trusted: false };
            Ok(tx.throttle(&key)?.unwrap_or(new))
        };
        let rows = throttle::Rows {
            address: keys.address.map(|key| row(tx, key)).transpose()?,
            account: row(tx, keys.account)?,
            pair: row(tx, keys.pair)?,
        };
        if let Verdict::Wait(wait) = throttle::verdict(&rows, now) {
            return Err(AccountError::TooManyAttempts { retry_after: wait });
        }
        for row in throttle::failed(rows, now) {
            tx.put_throttle(&row)?;
        }
        Ok(Attempt { pair: keys.pair })
    }

    /// The try was right, all factors of it: forgives it and those before it from there.
    pub(super) fn succeeded(&self, tx: &mut dyn Transaction, attempt: &Attempt) -> Result<()> {
        let trusted = Throttle { key: attempt.pair, failures: 0, last_failure_at: self.now(), trusted: true };
        Ok(tx.put_throttle(&trusted)?)
    }
}

/// One spelling of a login, also of one that names nobody.
fn canonical_login(login: &str) -> String {
    let username = || Username::parse(login).map(|username| username.canonical().to_owned());
    let email = || Email::parse(login).map(|email| email.canonical().to_owned());
    username().or_else(|_| email()).unwrap_or_else(|_| login.to_lowercase())
}
