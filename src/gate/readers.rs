//! Where decisions are made that the caches do not have: a few threads that may block, and a bounded queue before them.
//!
//! Whoever is at the head of the queue asks the caches again before the store. So of many requests for the same thing at
//! once no more read the store than there are threads, and the others are answered by what these have found. A store that
//! hangs holds up these threads and what waits for them, until its deadline; it holds up nothing else.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::question::Question;
use super::respond::Response;

/// How many may wait: what a few threads can answer within a second is many times as much, so whoever would wait longer
/// is told so at once.
const MOST_WAITING: usize = 4_096;
/// How many bytes all that wait may hold together: a client may make the head of its request long.
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Too many are waiting already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overloaded;

/// The threads. They end with this, once they have answered what they are at.
pub struct Readers {
    queue: Arc<Queue>,
}

struct Queue {
    state: Mutex<State>,
    bytes: Arc<Semaphore>,
    /// There is something to do, or it is over.
    work: Condvar,
    /// A thread has ended.
    ended: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// Threads that wait for work.
    idle: usize,
    threads: usize,
    is_closed: bool,
}

struct Waiting {
    question: Question,
    answer: oneshot::Sender<Response>,
    _bytes: OwnedSemaphorePermit,
}

impl Readers {
    /// Starts so many threads, which find answers by `answer`.
    pub fn start<F>(threads: usize, answer: F) -> io::Result<Self>
    where
        F: Fn(&Question) -> Response + Clone + Send + 'static,
    {
        let state = Mutex::default();
        let bytes = Arc::new(Semaphore::new(MOST_BYTES));
        let queue = Arc::new(Queue { state, bytes, work: Condvar::new(), ended: Condvar::new() });
        let readers = Self { queue: Arc::clone(&queue) };
        for number in 0..threads {
            let (queue, answer) = (Arc::clone(&queue), answer.clone());
            queue.lock().threads += 1;
            let run = {
                let queue = Arc::clone(&queue);
                move || queue.work_off(answer)
            };
            if let Err(error) = thread::Builder::new().name(format!("reader-{number}")).spawn(run) {
                queue.lock().threads -= 1;
                return Err(error);
            }
        }
        Ok(readers)
    }

    /// Queues a question, while whoever asks holds so many bytes `beside` it. The answer comes unless finding it fails
    /// unexpectedly; whoever no longer waits for it drops the receiver, and it is not looked for.
    pub(super) fn ask(&self, question: Question, beside: usize) -> Result<oneshot::Receiver<Response>, Overloaded> {
        let (answer, receiver) = oneshot::channel();
        let bytes = u32::try_from(question.weight().saturating_add(beside)).map_err(|_| Overloaded)?;
        let bytes = Arc::clone(&self.queue.bytes).try_acquire_many_owned(bytes).map_err(|_| Overloaded)?;
        let mut state = self.queue.lock();
        if state.waiting.len() >= MOST_WAITING || state.is_closed {
            return Err(Overloaded);
        }
        state.waiting.push_back(Waiting { question, answer, _bytes: bytes });
        // A thread that is at work looks into the queue by itself.
        if state.idle > 0 {
            self.queue.work.notify_one();
        }
        Ok(receiver)
    }

    /// Lets the threads end, and waits for them; false if that took longer than `patience`. Blocks.
    pub fn stop(&self, patience: Duration) -> bool {
        self.queue.close();
        let ended = self.queue.ended.wait_timeout_while(self.queue.lock(), patience, |state| state.threads > 0);
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        // Nobody answers these any more.
        state.waiting.clear();
        self.work.notify_all();
    }

    fn work_off(&self, answer: impl Fn(&Question) -> Response) {
        while let Some(Waiting { question, answer: sender, _bytes }) = self.next() {
            // Its deadline has passed, or the client has gone.
            if sender.is_closed() {
                continue;
            }
            // Whoever waits learns of a panic by the sender's end.
            if let Ok(response) = catch_unwind(AssertUnwindSafe(|| answer(&question))) {
                let _ = sender.send(response);
            }
        }
        // What the threads use may be closed once they have ended.
        drop(answer);
        self.lock().threads -= 1;
        self.ended.notify_all();
    }

    /// The next question, when there is one; nothing when it is over.
    fn next(&self) -> Option<Waiting> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if let Some(question) = state.waiting.pop_front() {
                return Some(question);
            }
            state.idle += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;

    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::HeaderMap;

    use super::super::dialect::Dialect;
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    fn response() -> Response {
        Response::new(Full::new(Bytes::new()))
    }

    /// Readers that are held up: each question takes a permit, and tells that it was begun.
    fn held_up(threads: usize) -> (Readers, mpsc::SyncSender<()>, mpsc::Receiver<()>) {
        let (permit, permits) = mpsc::sync_channel(0);
        let (begin, begun) = mpsc::channel();
        let permits = Arc::new(Mutex::new(permits));
        let readers = Readers::start(threads, move |_| {
            begin.send(()).unwrap();
            permits.lock().unwrap().recv().unwrap();
            response()
        });
        (readers.unwrap(), permit, begun)
    }

    fn ask(readers: &Readers) -> Result<oneshot::Receiver<Response>, Overloaded> {
        readers.ask(Question { source: Dialect::Nginx.into(), headers: HeaderMap::new() }, 0)
    }

    #[test]
    fn each_question_is_answered_by_one_of_the_threads() {
        let most = Arc::new(Mutex::new((0, 0)));
        let counted = Arc::clone(&most);
        let readers = Readers::start(3, move |_| {
            let now = {
                let mut counted = counted.lock().unwrap();
                counted.0 += 1;
                counted.1 = counted.1.max(counted.0);
                counted.0
            };
            thread::yield_now();
            counted.lock().unwrap().0 -= 1;
            assert!(now <= 3);
            response()
        })
        .unwrap();
        let answers: Vec<_> = (0..500).map(|_| ask(&readers).unwrap()).collect();
        assert!(answers.into_iter().all(|answer| answer.blocking_recv().is_ok()));
        assert!((1..=3).contains(&most.lock().unwrap().1));
        assert!(readers.stop(PATIENCE));
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_not_looked_for() {
        let (readers, permit, begun) = held_up(1);
        let first = ask(&readers).unwrap();
        begun.recv_timeout(PATIENCE).unwrap();
        drop(ask(&readers).unwrap());
        let third = ask(&readers).unwrap();
        permit.send(()).unwrap();
        permit.send(()).unwrap();
        assert!(first.blocking_recv().is_ok());
        assert!(third.blocking_recv().is_ok());
        assert_eq!(begun.try_iter().count(), 1, "the second was not begun");
    }

    #[test]
    fn beyond_a_bound_nobody_waits() {
        let (readers, permit, begun) = held_up(1);
        let first = ask(&readers).unwrap();
        begun.recv_timeout(PATIENCE).unwrap();
        let waiting: Vec<_> = (0..MOST_WAITING).map(|_| ask(&readers).unwrap()).collect();
        assert_eq!(ask(&readers).err(), Some(Overloaded));
        permit.send(()).unwrap();
        assert!(first.blocking_recv().is_ok());
        begun.recv_timeout(PATIENCE).unwrap();
        assert!(ask(&readers).is_ok(), "one is at work, so another one may wait");
        assert!(!readers.stop(Duration::ZERO), "one is held up");
        drop(permit);
        assert!(waiting.into_iter().all(|answer| answer.blocking_recv().is_err()));
        assert!(readers.stop(PATIENCE));
    }

    #[test]
    fn beyond_a_bound_of_bytes_nobody_waits() {
        let (readers, permit, begun) = held_up(1);
        let long = |name, len| {
            let mut headers = HeaderMap::new();
            headers.insert(name, "a".repeat(len).parse().unwrap());
            Question { source: Dialect::Nginx.into(), headers }
        };
        let first = ask(&readers).unwrap();
        begun.recv_timeout(PATIENCE).unwrap();
        let most = MOST_BYTES / (60 * 1024);
        assert!(most < MOST_WAITING);
        let waiting: Vec<_> = (0..=most).map_while(|_| readers.ask(long("cookie", 60 * 1024), 0).ok()).collect();
        assert!((most - 2..=most).contains(&waiting.len()), "{}", waiting.len());
        // A short one finds room all the same.
        let short = ask(&readers).unwrap();
        assert_eq!(readers.ask(long("accept", 10), 60 * 1024).err(), Some(Overloaded), "what is held beside it counts");
        // The room is that of those who wait, and comes back with their answers.
        for _ in 0..waiting.len() + 2 {
            permit.send(()).unwrap();
        }
        assert!(first.blocking_recv().is_ok() && short.blocking_recv().is_ok());
        assert!(waiting.into_iter().all(|answer| answer.blocking_recv().is_ok()));
        drop(permit);
        assert!(readers.ask(long("cookie", 60 * 1024), 0).is_ok());
    }

    #[test]
    fn a_panic_is_told_and_ends_no_thread() {
        let calls = Arc::new(AtomicUsize::new(0));
        let readers = Readers::start(1, move |_| {
            assert!(calls.fetch_add(1, Ordering::SeqCst) > 0, "on purpose");
            response()
        })
        .unwrap();
        assert!(ask(&readers).unwrap().blocking_recv().is_err());
        assert!(ask(&readers).unwrap().blocking_recv().is_ok());
    }
}
