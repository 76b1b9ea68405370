//! Failed log-ins and failed tries to give one's password again: each is counted in the metrics, and some are told in the
//! log.
//!
//! They are no account events: whoever guesses would decide how much is written to the database, which keeps events for
//! good. So does the log name no login, which is whatever somebody has typed, passwords included, but the account that it
//! names. And it has one line in ten seconds at most, which says how many had none.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::{AccountError, Accounts, Result};
use crate::model::{Timestamp, UserId};
use crate::telemetry::ProofOutcome;

/// How long nothing is told after something was.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What was told last, and what was not since.
#[derive(Debug)]
pub(super) struct FailedProofs {
    told_at: AtomicI64,
    untold: AtomicU64,
}

impl Default for FailedProofs {
    fn default() -> Self {
        Self { told_at: AtomicI64::new(i64::MIN), untold: AtomicU64::new(0) }
    }
}

impl FailedProofs {
    /// Whether a failure is to be told now, and how many were not told before it.
    fn admit(&self, now: Timestamp) -> Option<u64> {
        let last = self.told_at.load(Ordering::Relaxed);
        let last_time = Timestamp::from_micros(last);
        // A line from the future was written before the clock was set back.
        let is_due = now < last_time || now >= last_time.plus(TOLD_EVERY);
        let exchange = |now| self.told_at.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed);
        // Of several at the same time one is told.
        if is_due && exchange(now.as_micros()).is_ok() {
            return Some(self.untold.swap(0, Ordering::Relaxed));
        }
        self.untold.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Accounts {
    /// Notes how a log-in ended, at the account that it named if there is one.
    pub(super) fn log_in_ended(&self, outcome: ProofOutcome, user: Option<UserId>, client: Option<IpAddr>) {
        self.metrics.logged_in(outcome);
        self.tell_failure("log-in", outcome, user, client);
    }

    /// Notes how giving one's password, or a code, again ended.
    pub(super) fn reauthentication_ended(&self, outcome: ProofOutcome, user: UserId, client: Option<IpAddr>) {
        self.metrics.reauthenticated(outcome);
        self.tell_failure("reauthentication", outcome, Some(user), client);
    }

    fn tell_failure(&self, of: &str, outcome: ProofOutcome, user: Option<UserId>, client: Option<IpAddr>) {
        if !outcome.may_be_a_guess() {
            return;
        }
        let Some(untold) = self.failed_proofs.admit(self.now()) else { return };
        let (user, client) = (user.map(tracing::field::display), client.map(tracing::field::display));
        tracing::warn!(of, outcome = outcome.as_str(), user, client, untold, "somebody could not prove who they are");
    }
}

/// How a proof ended that gave `result`.
pub(super) fn outcome<T>(result: &Result<T>) -> ProofOutcome {
    match result {
        Ok(_) => ProofOutcome::Accepted,
        Err(AccountError::InvalidCredentials) => ProofOutcome::WrongCredentials,
        Err(AccountError::TotpRequired) => ProofOutcome::CodeNeeded,
        Err(AccountError::InvalidCode) => ProofOutcome::WrongCode,
        Err(AccountError::TooManyAttempts { .. }) => ProofOutcome::Throttled,
        Err(_) => ProofOutcome::Unavailable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn however_many_fail_one_is_told_in_a_while_with_the_number_of_the_others() {
        let (proofs, start) = (FailedProofs::default(), Timestamp::from_secs(1_764_000_000));
        let at = |secs| start.plus(Duration::from_secs(secs));
        assert_eq!(proofs.admit(at(0)), Some(0));
        assert!((0..1_000).all(|_| proofs.admit(at(9)).is_none()));
        assert_eq!(proofs.admit(at(10)), Some(1_000));
        assert_eq!(proofs.admit(at(19)), None);
        assert_eq!(proofs.admit(at(1)), Some(1), "a clock that was set back silences nothing");
    }
}
