//! How all connections are told that the server stops. Until then it costs them next to nothing to ask.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};

use tokio::sync::Notify;
use tokio::sync::futures::OwnedNotified;

/// The end of all connections.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    has_begun: AtomicBool,
    begins: Arc<Notify>,
}

impl Drain {
    /// Tells all who watch.
    pub(crate) fn begin(&self) {
        self.has_begun.store(true, Ordering::SeqCst);
        self.begins.notify_waiters();
    }

    /// Watches for the beginning, from now on.
    pub(crate) fn watch(self: &Arc<Self>) -> Watch {
        let begins = Box::pin(Arc::clone(&self.begins).notified_owned());
        Watch { drain: Arc::clone(self), begins, waker: None, was_told: false }
    }
}

/// Watches for the beginning, for one connection.
#[derive(Debug)]
pub struct Watch {
    drain: Arc<Drain>,
    begins: Pin<Box<OwnedNotified>>,
    /// Whom the beginning wakes.
    waker: Option<Waker>,
    was_told: bool,
}

impl Watch {
    /// Waits for the beginning.
    pub async fn begun(&mut self) {
        std::future::poll_fn(|cx| if self.begins(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Whether it has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.drain.has_begun.load(Ordering::SeqCst)
    }

    /// Whether it has begun, which is told once. The task is woken when it begins.
    pub(super) fn begins(&mut self, cx: &mut Context<'_>) -> bool {
        let has_begun = self.has_begun();
        let wakes = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if self.was_told || (wakes && !has_begun) {
            return false;
        }
        self.waker = Some(cx.waker().clone());
        // If it begins meanwhile, that is noticed: what is waited for was there before.
        self.was_told = has_begun || self.begins.as_mut().poll(cx).is_ready();
        self.was_told
    }
}
