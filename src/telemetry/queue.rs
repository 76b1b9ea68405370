//! What waits for a thread of its own, all in one buffer, which that thread takes as a whole: the bytes of a log's lines,
//! or questions.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A bounded queue, and who works it off.
#[derive(Debug)]
pub struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    /// Tells the worker that there is something to do.
    begun: Condvar,
    /// Tells those who wait for the worker that it has ended.
    ended: Condvar,
    /// What `waiting` says, to be asked without the lock.
    is_open: AtomicBool,
    capacity: usize,
    /// So many are enough to stop gathering more.
    enough: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    items: Vec<T>,
    is_open: bool,
    is_finished: bool,
    /// The worker has nothing to do, and must be woken. While it gathers it need not be: under load, a decision would
    /// pay more for that than for the record.
    worker_sleeps: bool,
}

impl<T> Queue<T> {
    /// A queue of `capacity` items at most, of which `enough` are not waited for.
    pub fn new(capacity: usize, enough: usize) -> Self {
        let waiting = Waiting { items: Vec::new(), is_open: true, is_finished: false, worker_sleeps: false };
        let (begun, ended) = (Condvar::new(), Condvar::new());
        Self { waiting: Mutex::new(waiting), begun, ended, is_open: AtomicBool::new(true), capacity, enough }
    }

    /// Whether items are taken.
    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// Takes an item; gives whether there was room for it. Waits for nothing but the adding of another one.
    pub fn push(&self, item: T) -> bool {
        self.add(1, |items| items.push(item))
    }

    fn add(&self, count: usize, add: impl FnOnce(&mut Vec<T>)) -> bool {
        let mut waiting = self.lock();
        if !waiting.is_open || waiting.items.len().saturating_add(count) > self.capacity {
            return false;
        }
        let had_enough = waiting.items.len() >= self.enough;
        add(&mut waiting.items);
        let has_enough = waiting.items.len() >= self.enough;
        let wake = mem::take(&mut waiting.worker_sleeps) || (has_enough && !had_enough);
        drop(waiting);
        if wake {
            self.begun.notify_one();
        }
        true
    }

    /// Waits until there are items, and exchanges them for `done`, whose memory is used again. Gives whether there are
    /// any: if not, there will never be.
    pub fn take(&self, done: &mut Vec<T>) -> bool {
        done.clear();
        let mut waiting = self.lock();
        while waiting.items.is_empty() && waiting.is_open {
            waiting.worker_sleeps = true;
            waiting = self.begun.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        waiting.worker_sleeps = false;
        mem::swap(&mut waiting.items, done);
        !done.is_empty()
    }

    /// Waits until there are items, or none can come any more; false if that takes longer than `time`.
    pub fn goes_on_within(&self, time: Duration) -> bool {
        let mut waiting = self.lock();
        waiting.worker_sleeps = true;
        let is_idle = |waiting: &mut Waiting<T>| waiting.is_open && waiting.items.is_empty();
        let waited = self.begun.wait_timeout_while(waiting, time, is_idle);
        let (mut waiting, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.worker_sleeps = false;
        !timeout.timed_out()
    }

    /// Waits for more items to come, unless none can or there are enough.
    pub fn gather(&self, time: Duration) {
        let is_too_little = |waiting: &mut Waiting<T>| waiting.is_open && waiting.items.len() < self.enough;
        drop(self.begun.wait_timeout_while(self.lock(), time, is_too_little));
    }

    /// Takes no more items.
    pub fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.lock().is_open = false;
        self.begun.notify_one();
    }

    /// Has `work` work it off, and tells those who wait when that has ended, be it by a panic.
    pub fn while_worked_off<R>(&self, work: impl FnOnce(&Self) -> R) -> R {
        struct Finish<'a, T>(&'a Queue<T>);
        impl<T> Drop for Finish<'_, T> {
            fn drop(&mut self) {
                self.0.lock().is_finished = true;
                self.0.ended.notify_all();
            }
        }
        let _finish = Finish(self);
        work(self)
    }

    /// Waits until the worker has ended; false if it takes longer than `patience`.
    pub fn is_finished_within(&self, patience: Duration) -> bool {
        let waiting = self.ended.wait_timeout_while(self.lock(), patience, |waiting| !waiting.is_finished);
        waiting.unwrap_or_else(PoisonError::into_inner).0.is_finished
    }

    fn lock(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue<u8> {
    /// Takes a line, all of it or nothing; gives whether there was room for it.
    pub(super) fn push_line(&self, line: &[u8]) -> bool {
        self.add(line.len(), |bytes| bytes.extend_from_slice(line))
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn what_finds_no_room_is_refused_and_what_was_taken_is_worked_off() {
        let queue = Queue::new(3, usize::MAX);
        assert_eq!([1, 2, 3, 4].map(|item| queue.push(item)), [true, true, true, false]);
        let mut taken = vec![0];
        assert!(queue.take(&mut taken));
        assert_eq!(taken, [1, 2, 3]);
        assert!(!queue.goes_on_within(Duration::ZERO));
        assert!(queue.push(5) && queue.goes_on_within(Duration::MAX));
        queue.close();
        assert!(queue.goes_on_within(Duration::MAX));
        assert!(!queue.push(6) && !queue.is_open());
        // There is nothing to wait for.
        queue.gather(Duration::MAX);
        assert!(queue.take(&mut taken));
        assert_eq!(taken, [5]);
        assert!(!queue.take(&mut taken));
    }

    #[test]
    fn who_waits_for_the_end_learns_of_a_panic_as_well() {
        let queue = Queue::<u8>::new(1, 1);
        assert!(!queue.is_finished_within(Duration::ZERO));
        assert!(catch_unwind(AssertUnwindSafe(|| queue.while_worked_off(|_| panic!("on purpose")))).is_err());
        assert!(queue.is_finished_within(Duration::MAX));
    }
}
