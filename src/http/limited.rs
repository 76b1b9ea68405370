//! A service whose every request ends in time, answered or not.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::service::Service;
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::patience::{InFlight, Requests};

/// The service of one connection.
pub(super) struct Limited<S> {
    service: S,
    requests: Arc<Requests>,
    timeout: Duration,
}

impl<S> Limited<S> {
    /// `service`, whose requests are counted among `requests`, and take `timeout` at most until there is a response.
    pub(super) fn new(service: S, requests: Arc<Requests>, timeout: Duration) -> Self {
        Self { service, requests, timeout }
    }
}

impl<S> Service<Request<Incoming>> for Limited<S>
where
    S: Service<Request<Incoming>, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Response = S::Response;
    type Error = io::Error;
    type Future = Within<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.requests.begin();
        let response = self.service.call(request);
        Within { response, requests: Arc::clone(&self.requests), timeout: self.timeout, waiting: None }
    }
}

pin_project! {
    /// A response, or the end of the time for it.
    pub(super) struct Within<F> {
        #[pin]
        response: F,
        requests: Arc<Requests>,
        timeout: Duration,
        waiting: Option<Waiting>,
    }
}

/// A response that was not there at once: what is needed only then.
struct Waiting {
    ends: Pin<Box<Sleep>>,
    _in_flight: InFlight,
}

impl<F, T, E> Future for Within<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = io::Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(response) = this.response.poll(cx) {
            return Poll::Ready(response.map_err(io::Error::other));
        }
        let (requests, timeout) = (this.requests, *this.timeout);
        let waiting = this
            .waiting
            .get_or_insert_with(|| Waiting { ends: Box::pin(sleep(timeout)), _in_flight: Arc::clone(requests).wait() });
        waiting.ends.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
