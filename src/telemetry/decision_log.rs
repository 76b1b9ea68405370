//! The decision log: one line of JSON for each decision, written by a thread of its own.
//!
//! Whoever decides puts a record into a bounded queue and goes on. When the queue is full, the record is dropped and
//! counted: the log may have gaps, a decision may not wait.

mod line;
mod writer;

use std::fs::OpenOptions;
use std::io;
use std::net::IpAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use prometheus_client::metrics::counter::Counter;

use super::{Metrics, Outcome};
use crate::model::{CredentialKind, DecisionId, Timestamp, UserId};

/// How many records wait at most.
const CAPACITY: usize = 8_192;

/// What is written of a decision. Nothing in it may be a secret.
#[derive(Debug, Clone)]
pub struct DecisionRecord {
    /// When it was made.
    pub at: Timestamp,
    /// Its identifier, which the caller was told.
    pub id: DecisionId,
    /// The generation of the policies that decided.
    pub generation: u64,
    /// Who asked; nobody if that is unknown.
    pub principal: Option<UserId>,
    /// The kind of the credential, if there was one.
    pub credential_kind: Option<CredentialKind>,
    /// The identifier of the credential: of an API key or of a session, never the credential itself.
    pub credential_id: Option<String>,
    /// The action that was asked for, if a route matched.
    pub action: Option<Arc<str>>,
    /// The type of the resource, if a route matched.
    pub resource_type: Option<Arc<str>>,
    /// The identifier of the resource, if a route matched.
    pub resource_id: Option<String>,
    /// How it ended.
    pub decision: Outcome,
    /// The identifiers of the policies that determined it.
    pub policies: Arc<[Arc<str>]>,
    /// The identifiers of the policies whose evaluation failed, with what went wrong.
    pub errors: Arc<[Arc<str>]>,
    /// The address of the proxy's client.
    pub client: Option<IpAddr>,
    /// The method of the request.
    pub method: Option<String>,
    /// The host of the request.
    pub host: Option<String>,
    /// The canonical path of the request, without its query.
    pub path: Option<String>,
    /// Why it ended so, when no policy decided.
    pub cause: Option<String>,
    /// How long it took.
    pub latency: Duration,
}

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
    queue: ArcSwapOption<SyncSender<DecisionRecord>>,
    dropped: Counter,
    // Nothing is sent on it; it is disconnected when everything has been written.
    finished: Mutex<Receiver<()>>,
}

impl DecisionLog {
    /// A log that keeps nothing.
    pub fn off() -> Self {
        let (_, finished) = mpsc::channel();
        Self { queue: ArcSwapOption::empty(), dropped: Counter::default(), finished: Mutex::new(finished) }
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
        let (queue, records) = mpsc::sync_channel(capacity);
        let (finish, finished) = mpsc::channel();
        let dropped = metrics.decision_log_dropped();
        let writer = writer::Writer::new(output, dropped.clone());
        let write = move || {
            writer.write(&records);
            drop::<mpsc::Sender<()>>(finish);
        };
        thread::Builder::new().name("decision-log".to_owned()).spawn(write).map_err(DecisionLogError::Thread)?;
        Ok(Self { queue: ArcSwapOption::from_pointee(queue), dropped, finished: Mutex::new(finished) })
    }

    /// Whether records are kept, so that none need be made otherwise.
    pub fn is_on(&self) -> bool {
        self.queue.load().is_some()
    }

    /// Takes a record. It never waits.
    pub fn record(&self, record: DecisionRecord) {
        if let Some(queue) = self.queue.load().as_ref()
            && queue.try_send(record).is_err()
        {
            self.dropped.inc();
        }
    }

    /// How many records were lost, because the queue was full or the output failed.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Takes no more records, and waits until those that were taken are written; at most as long as `patience`. Gives
    /// whether all are written. This blocks the thread.
    pub fn shutdown(&self, patience: Duration) -> bool {
        drop(self.queue.swap(None));
        let finished = self.finished.lock().unwrap_or_else(PoisonError::into_inner);
        finished.recv_timeout(patience) == Err(RecvTimeoutError::Disconnected)
    }
}

#[cfg(test)]
mod tests;
