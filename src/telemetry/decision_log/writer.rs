//! The thread that writes the decision log.

use std::io;
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;

use super::{DecisionRecord, line};

/// How long records gather before they are written together. Meanwhile nobody waits on the queue, so putting a record
/// into it wakes no thread: under load, a decision would pay more for that than for the record.
const GATHERING: Duration = Duration::from_millis(5);

/// As many bytes are written at once, more or less.
const BATCH_BYTES: usize = 64 * 1_024;

/// Writes records in batches of whole lines.
pub(super) struct Writer<W> {
    output: W,
    lines: Vec<u8>,
    records: u64,
    dropped: Counter,
    has_failed: bool,
}

impl<W: io::Write> Writer<W> {
    /// Writes to `output`, and counts what is lost.
    pub(super) fn new(output: W, dropped: Counter) -> Self {
        Self { output, lines: Vec::with_capacity(2 * BATCH_BYTES), records: 0, dropped, has_failed: false }
    }

    /// Writes records until nobody can send any more, and all are written.
    pub(super) fn write(mut self, records: &Receiver<DecisionRecord>) {
        while let Ok(record) = records.recv() {
            self.append(&record);
            while let Ok(record) = records.try_recv() {
                self.append(&record);
            }
            self.flush();
            thread::park_timeout(GATHERING);
        }
    }

    fn append(&mut self, record: &DecisionRecord) {
        line::append(&mut self.lines, record);
        self.records += 1;
        if self.lines.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    fn flush(&mut self) {
        match self.output.write_all(&self.lines).and_then(|()| self.output.flush()) {
            Ok(()) => {
                self.lines.clear();
                self.has_failed = false;
            }
            Err(cause) => {
                self.dropped.inc_by(self.records);
                self.lines.clear();
                // Part of a line may have been written: what follows begins on a new one.
                self.lines.push(b'\n');
                if !self.has_failed {
                    tracing::error!(%cause, "the decision log cannot be written: decisions are missing from it");
                }
                self.has_failed = true;
            }
        }
        self.records = 0;
    }
}
