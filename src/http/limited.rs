//! A service whose every request ends in time, answered or not.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderValue};
use hyper::service::Service;
use hyper::{Request, Response, Version};
use pin_project_lite::pin_project;
use tokio::time::{Sleep, sleep};

use super::patience::{InFlight, Requests};

/// An extension of a response: whoever asked may ask nothing here. The connection of a
/// [stranger](super::places::Standing::Stranger) is closed after it.
#[derive(Debug, Clone, Copy)]
pub struct Refusal;

/// The service of one connection.
pub(super) struct Limited<S> {
    service: S,
    requests: Arc<Requests>,
    timeout: Duration,
    is_strangers: bool,
}

impl<S> Limited<S> {
    /// `service`, whose requests are counted among `requests`, and take `timeout` at most until there is a response. A
    /// stranger's requests are over with the first [`Refusal`].
    pub(super) fn new(service: S, requests: Arc<Requests>, timeout: Duration, is_strangers: bool) -> Self {
        Self { service, requests, timeout, is_strangers }
    }
}

impl<S, B> Service<Request<Incoming>> for Limited<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<Box<dyn Error + Send + Sync>>>,
{
    type Response = S::Response;
    type Error = io::Error;
    type Future = Within<S::Future>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        self.requests.begin();
        let stranger = self.is_strangers.then(|| request.version());
        let response = self.service.call(request);
        Within { response, requests: Arc::clone(&self.requests), timeout: self.timeout, stranger, waiting: None }
    }
}

pin_project! {
    /// A response, or the end of the time for it.
    pub(super) struct Within<F> {
        #[pin]
        response: F,
        requests: Arc<Requests>,
        timeout: Duration,
        // By which version a stranger asks.
        stranger: Option<Version>,
        waiting: Option<Waiting>,
    }
}

/// A response that was not there at once: what is needed only then.
struct Waiting {
    ends: Pin<Box<Sleep>>,
    _in_flight: InFlight,
}

impl<F, B, E> Future for Within<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    E: Into<Box<dyn Error + Send + Sync>>,
{
    type Output = io::Result<Response<B>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(mut response) = this.response.poll(cx) {
            if let (Some(version), Ok(response)) = (this.stranger, &mut response)
                && response.extensions().get::<Refusal>().is_some()
            {
                this.requests.end();
                // HTTP/2 has a frame for it.
                if *version != Version::HTTP_2 {
                    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
            }
            return Poll::Ready(response.map_err(io::Error::other));
        }
        let (requests, timeout) = (this.requests, *this.timeout);
        let waiting = this
            .waiting
            .get_or_insert_with(|| Waiting { ends: Box::pin(sleep(timeout)), _in_flight: Arc::clone(requests).wait() });
        waiting.ends.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
