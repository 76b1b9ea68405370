//! What has come back.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use hdrhistogram::Histogram;
use hyper::StatusCode;

use super::client::Failure;
use super::pace::Turn;

/// Nanoseconds that are told apart at least, and the most that are counted: above all of what can be waited for.
const FINEST: u64 = 1_000;
const LONGEST: u64 = 3_600_000_000_000;
/// Significant decimal digits of each value.
const DIGITS: u8 = 3;

/// What has come back of the requests that were due while it was measured.
#[derive(Clone)]
pub(super) struct Tally {
    /// Nanoseconds from when a request was due until it was answered; of those that were not answered in time, or not
    /// even sent, until they were given up.
    pub(super) latency: Histogram<u64>,
    /// Nanoseconds that the sender was late by itself.
    pub(super) late: Histogram<u64>,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, u64>,
    /// Requests that were not answered.
    pub(super) failures: BTreeMap<Failure, u64>,
    /// Requests that were due and not sent, since no connection was free for them until the end.
    pub(super) not_sent: u64,
    /// Answers that came while it was measured.
    pub(super) in_time: u64,
}

impl Tally {
    pub(super) fn new() -> Result<Self> {
        let histogram = Histogram::new_with_bounds(FINEST, LONGEST, DIGITS)?;
        Ok(Self {
            latency: histogram.clone(),
            late: histogram,
            statuses: BTreeMap::new(),
            failures: BTreeMap::new(),
            not_sent: 0,
            in_time: 0,
        })
    }

    /// Counts what came of a request `waited` after it was due, before the end or not.
    pub(super) fn asked(&mut self, turn: Turn, answer: Result<StatusCode, Failure>, waited: Duration, in_time: bool) {
        if let Some(late) = turn.late {
            self.late.saturating_record(nanos(late));
        }
        match answer {
            Ok(status) => {
                self.latency.saturating_record(nanos(waited));
                *self.statuses.entry(status.as_u16()).or_default() += 1;
                self.in_time += u64::from(in_time);
            }
            Err(failure) => {
                // How soon a connection broke says nothing of how long an answer takes.
                if failure == Failure::TimedOut {
                    self.latency.saturating_record(nanos(waited));
                }
                *self.failures.entry(failure).or_default() += 1;
            }
        }
    }

    /// Counts a request that was due so long ago.
    pub(super) fn not_sent(&mut self, waited: Duration) {
        self.latency.saturating_record(nanos(waited));
        self.not_sent += 1;
    }

    /// Takes another thread's in.
    pub(super) fn add(&mut self, other: &Self) -> Result<()> {
        self.latency.add(&other.latency)?;
        self.late.add(&other.late)?;
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        self.not_sent += other.not_sent;
        self.in_time += other.in_time;
        Ok(())
    }
}

fn nanos(duration: Duration) -> u64 {
    duration.as_nanos().try_into().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn what_was_waited_for_in_vain_is_a_latency_and_what_broke_is_not() {
        let mut tally = Tally::new().unwrap();
        let turn = Turn { due: Instant::now(), late: None };
        tally.asked(turn, Ok(StatusCode::OK), Duration::from_millis(1), true);
        tally.asked(turn, Ok(StatusCode::FORBIDDEN), Duration::from_millis(2), false);
        tally.asked(turn, Err(Failure::TimedOut), Duration::from_secs(10), false);
        tally.asked(turn, Err(Failure::Broken), Duration::from_secs(20), false);
        tally.not_sent(Duration::from_secs(5));
        let mut whole = tally.clone();
        whole.add(&tally).unwrap();
        assert_eq!(whole.statuses, BTreeMap::from([(200, 2), (403, 2)]));
        assert_eq!(whole.failures, BTreeMap::from([(Failure::TimedOut, 2), (Failure::Broken, 2)]));
        assert_eq!((whole.not_sent, whole.in_time, whole.latency.len()), (2, 2, 8));
        assert_eq!(whole.latency.max() / 100_000_000, 100, "ten seconds, in three digits");
    }

    #[test]
    fn the_sender_is_late_only_where_it_waited() {
        let mut tally = Tally::new().unwrap();
        for late in [None, Some(Duration::from_micros(50))] {
            let turn = Turn { due: Instant::now(), late };
            tally.asked(turn, Ok(StatusCode::OK), Duration::from_millis(1), true);
        }
        assert_eq!((tally.late.len(), tally.latency.len()), (1, 2));
    }
}
