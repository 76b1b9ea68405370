//! The lines that wait to be written, all in one buffer, which the writer takes as a whole.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::writer::BATCH_BYTES;

/// A bounded queue of lines.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Tells the writer that there is something to do.
    begun: Condvar,
    /// Tells those who wait for the writer that it has ended.
    ended: Condvar,
    /// What `waiting` says, to be asked without the lock.
    is_open: AtomicBool,
    capacity: usize,
}

#[derive(Debug)]
struct Waiting {
    lines: Vec<u8>,
    is_open: bool,
    is_finished: bool,
    /// The writer has nothing to do, and must be woken. While it gathers it need not be: under load, a decision would
    /// pay more for that than for the record.
    writer_sleeps: bool,
}

impl Queue {
    /// A queue of `capacity` bytes at most.
    pub(super) fn new(capacity: usize) -> Self {
        let waiting = Waiting { lines: Vec::new(), is_open: true, is_finished: false, writer_sleeps: false };
        let (begun, ended) = (Condvar::new(), Condvar::new());
        Self { waiting: Mutex::new(waiting), begun, ended, is_open: AtomicBool::new(true), capacity }
    }

    /// Whether lines are taken.
    pub(super) fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Takes a line; gives whether there was room for it. Waits for nothing but the copying of another line.
    pub(super) fn push(&self, line: &[u8]) -> bool {
        let mut waiting = self.lock();
        if !waiting.is_open || waiting.lines.len().saturating_add(line.len()) > self.capacity {
            return false;
        }
        let had_enough = waiting.lines.len() >= BATCH_BYTES;
        waiting.lines.extend_from_slice(line);
        let has_enough = waiting.lines.len() >= BATCH_BYTES;
        let wake = mem::take(&mut waiting.writer_sleeps) || (has_enough && !had_enough);
        drop(waiting);
        if wake {
            self.begun.notify_one();
        }
        true
    }

    /// Waits until there are lines, and exchanges them for `written`, whose memory is used again. Gives whether there
    /// are any: if not, there will never be.
    pub(super) fn take(&self, written: &mut Vec<u8>) -> bool {
        written.clear();
        let mut waiting = self.lock();
        while waiting.lines.is_empty() && waiting.is_open {
            waiting.writer_sleeps = true;
            waiting = self.begun.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.writer_sleeps = false;
        mem::swap(&mut waiting.lines, written);
        !written.is_empty()
    }

    /// Waits for more lines to come, unless none can or there are enough.
    pub(super) fn gather(&self, time: Duration) {
        let is_too_little = |waiting: &mut Waiting| waiting.is_open && waiting.lines.len() < BATCH_BYTES;
        drop(self.begun.wait_timeout_while(self.lock(), time, is_too_little));
    }

    /// Takes no more lines.
    pub(super) fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.lock().is_open = false;
        self.begun.notify_one();
    }

    /// All lines are written, or never will be.
    pub(super) fn finish(&self) {
        self.lock().is_finished = true;
        self.ended.notify_all();
    }

    /// Waits until all lines are written; false if it takes longer than `patience`.
    pub(super) fn is_finished_within(&self, patience: Duration) -> bool {
        let waiting = self.ended.wait_timeout_while(self.lock(), patience, |waiting| !waiting.is_finished);
        waiting.unwrap_or_else(PoisonError::into_inner).0.is_finished
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
