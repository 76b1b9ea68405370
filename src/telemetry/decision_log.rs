//! The decision log: one line of JSON for each decision, written by a thread of its own.
//!
//! The line is made by the thread that decides. To hand its parts to the writer would take longer than to write them
//! down: each would have to be copied or counted, and given back by another thread.

mod line;
mod record;

use std::time::Duration;

pub use self::record::{AskerRecord, DecisionRecord, RequestRecord, RouteRecord};
use super::Metrics;
use super::line_log::{LineLog, LogError, Name, Output};

/// The decision log.
#[derive(Debug)]
pub struct DecisionLog(LineLog);

impl DecisionLog {
    /// A log that goes to `output`.
    pub fn open(output: Output<'_>, metrics: &Metrics) -> Result<Self, LogError> {
        LineLog::open(Name::Decisions, output, metrics.decision_log_dropped()).map(Self)
    }

    /// Whether records are kept, so that none need be made otherwise.
    pub fn is_on(&self) -> bool {
        self.0.is_on()
    }

    /// Takes a record. It never waits for the output.
    pub fn record(&self, record: &DecisionRecord<'_>) {
        self.0.push(|queue| line::with(record, |line| queue.push_line(line)));
    }

    /// How many records were lost, because too much was waiting or the output failed.
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// Opens its file again, if it goes to one. Blocks.
    pub fn reopen(&self) {
        self.0.reopen();
    }

    /// Takes no more records, and waits until those that were taken are written; at most as long as `patience`. Gives
    /// whether all are written. This blocks the thread.
    pub fn shutdown(&self, patience: Duration) -> bool {
        self.0.shutdown(patience)
    }
}

#[cfg(test)]
mod tests;
