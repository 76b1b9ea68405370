//! Logs of lines, each written by a thread of its own.
//!
//! Whoever has a line puts it into a bounded queue and goes on. When the queue is full, the line is dropped and counted:
//! the log may have gaps, a decision may not wait.

mod file;
mod writer;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use self::file::LogFile;
use self::writer::{BATCH_BYTES, Writer};
use super::queue::Queue;

/// How many bytes of lines wait at most: some ten thousand, or as much as a busy core makes in a tenth of a second.
pub(super) const CAPACITY: usize = 4 * 1_024 * 1_024;

/// Where a log goes.
#[derive(Debug, Clone, Copy)]
pub enum Output<'a> {
    /// Nowhere.
    Off,
    /// To standard error.
    Stderr,
    /// To standard output.
    Stdout,
    /// To the end of a file, which is created for its owner alone if it does not exist. One that is moved away is replaced
    /// by the next line.
    File(&'a Path),
}

/// Which log it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// That of all decisions.
    Decisions,
    /// That of the decisions on which a candidate disagrees.
    Shadow,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Decisions => "decision log",
            Self::Shadow => "shadow log",
        })
    }
}

/// A log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be written.
    #[error("cannot open the {name} `{path}`: {cause}")]
    Open {
        /// The log.
        name: Name,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread that writes the {name}: {cause}")]
    Thread {
        /// The log.
        name: Name,
        /// Why not.
        #[source]
        cause: io::Error,
    },
}

/// A log of lines.
#[derive(Debug)]
pub(super) struct LineLog {
    queue: Option<Arc<Queue<u8>>>,
    file: Option<LogFile>,
    dropped: Counter,
}

impl LineLog {
    /// A log that goes to `output`. Lines that are lost are counted by `dropped`.
    pub(super) fn open(name: Name, output: Output<'_>, dropped: Counter) -> Result<Self, LogError> {
        match output {
            Output::Off => Ok(Self { queue: None, file: None, dropped }),
            Output::Stderr => Self::start(name, io::stderr(), dropped, CAPACITY),
            Output::Stdout => Self::start(name, io::stdout(), dropped, CAPACITY),
            Output::File(path) => {
                let file = LogFile::open(name, path);
                let file = file.map_err(|cause| LogError::Open { name, path: path.to_owned(), cause })?;
                let mut log = Self::start_renewing(name, file.clone(), |file| file.renew(), dropped, CAPACITY)?;
                log.file = Some(file);
                Ok(log)
            }
        }
    }

    /// The same with a queue of `capacity` bytes.
    pub(super) fn start(
        name: Name,
        output: impl io::Write + Send + 'static,
        dropped: Counter,
        capacity: usize,
    ) -> Result<Self, LogError> {
        Self::start_renewing(name, output, |_| false, dropped, capacity)
    }

    /// The same with an output that `renew` looks at before each write, and which may then be another: it gives whether it
    /// is.
    fn start_renewing<W: io::Write + Send + 'static>(
        name: Name,
        output: W,
        renew: fn(&mut W) -> bool,
        dropped: Counter,
        capacity: usize,
    ) -> Result<Self, LogError> {
        let queue = Arc::new(Queue::new(capacity, BATCH_BYTES));
        let writer = Writer::new(name, output, renew, dropped.clone());
        let lines = Arc::clone(&queue);
        let thread = match name {
            Name::Decisions => "decision-log",
            Name::Shadow => "shadow-log",
        };
        let write = move || lines.while_worked_off(|lines| writer.write(lines));
        let started = thread::Builder::new().name(thread.to_owned()).spawn(write);
        started.map_err(|cause| LogError::Thread { name, cause })?;
        Ok(Self { queue: Some(queue), file: None, dropped })
    }

    /// Whether lines are kept, so that none need be made otherwise.
    pub(super) fn is_on(&self) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.is_open())
    }

    /// Has `put` put a line into the queue, if lines are kept; false if it could not. It never waits for the output.
    pub(super) fn push(&self, put: impl FnOnce(&Queue<u8>) -> bool) {
        if let Some(queue) = &self.queue
            && !put(queue)
        {
            self.dropped.inc();
        }
    }

    /// Opens its file again, if it has one: what was there before may have been moved away. Waits for a write under way.
    pub(super) fn reopen(&self) {
        if let Some(file) = &self.file {
            file.reopen();
        }
    }

    /// How many lines were lost, because too much was waiting or the output failed.
    pub(super) fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Takes no more lines, and waits until those that were taken are written; at most as long as `patience`. Gives
    /// whether all are written. This blocks the thread.
    pub(super) fn shutdown(&self, patience: Duration) -> bool {
        self.queue.as_ref().is_none_or(|queue| {
            queue.close();
            queue.is_finished_within(patience)
        })
    }
}

impl Drop for LineLog {
    fn drop(&mut self) {
        if let Some(queue) = &self.queue {
            queue.close();
        }
    }
}
