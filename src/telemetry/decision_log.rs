//! The decision log: one line of JSON for each decision, written by a thread of its own.
//!
//! Whoever decides puts a line into a bounded queue and goes on. When the queue is full, the line is dropped and
//! counted: the log may have gaps, a decision may not wait.
//!
//! The line is made by the thread that decides. To hand its parts to the writer would take longer than to write them
//! down: each would have to be copied or counted, and given back by another thread.

mod line;
mod queue;
mod record;
mod writer;

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use self::queue::Queue;
pub use self::record::{AskerRecord, DecisionRecord, RequestRecord, RouteRecord};
use self::writer::Writer;
use super::Metrics;

/// How many bytes of lines wait at most: some ten thousand, or as much as a busy core makes in a tenth of a second.
const CAPACITY: usize = 4 * 1_024 * 1_024;

/// The decision log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum DecisionLogError {
    /// The file cannot be written.
    #[error("cannot open the decision log `{path}`: {cause}")]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread that writes the decision log: {0}")]
    Thread(#[source] io::Error),
}

/// The decision log.
#[derive(Debug)]
pub struct DecisionLog {
    queue: Option<Arc<Queue>>,
    dropped: Counter,
}

impl DecisionLog {
    /// A log that keeps nothing.
    pub fn off() -> Self {
        Self { queue: None, dropped: Counter::default() }
    }

    /// A log on standard error.
    pub fn to_stderr(metrics: &Metrics) -> Result<Self, DecisionLogError> {
        Self::start(io::stderr(), metrics, CAPACITY)
    }

    /// A log on standard output.
    pub fn to_stdout(metrics: &Metrics) -> Result<Self, DecisionLogError> {
        Self::start(io::stdout(), metrics, CAPACITY)
    }

    /// A log at the end of a file, which is created for its owner alone if it does not exist.
    pub fn to_file(path: &Path, metrics: &Metrics) -> Result<Self, DecisionLogError> {
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = file.map_err(|cause| DecisionLogError::Open { path: path.to_owned(), cause })?;
        Self::start(file, metrics, CAPACITY)
    }

    fn start(
        output: impl io::Write + Send + 'static,
        metrics: &Metrics,
        capacity: usize,
    ) -> Result<Self, DecisionLogError> {
        let queue = Arc::new(Queue::new(capacity));
        let dropped = metrics.decision_log_dropped();
        let writer = Writer::new(output, dropped.clone());
        let lines = Arc::clone(&queue);
        let write = move || writer.write(&lines);
        thread::Builder::new().name("decision-log".to_owned()).spawn(write).map_err(DecisionLogError::Thread)?;
        Ok(Self { queue: Some(queue), dropped })
    }

    /// Whether records are kept, so that none need be made otherwise.
    pub fn is_on(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_open())
    }

    /// Takes a record. It never waits for the output.
    pub fn record(&self, record: &DecisionRecord<'_>) {
        if let Some(queue) = &self.queue
            && !line::with(record, |line| queue.push(line))
        {
            self.dropped.inc();
        }
    }

    /// How many records were lost, because too much was waiting or the output failed.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Takes no more records, and waits until those that were taken are written; at most as long as `patience`. Gives
    /// whether all are written. This blocks the thread.
    pub fn shutdown(&self, patience: Duration) -> bool {
        self.queue.as_ref().is_none_or(|queue| {
            queue.close();
            queue.is_finished_within(patience)
        })
    }
}

impl Drop for DecisionLog {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
    }
}

#[cfg(test)]
mod tests;
