//! The decision listener: `/check/{dialect}` for proxies; health, readiness and metrics for operators.
//!
//! Paths are matched byte for byte. Nothing normalizes them first, and nothing of a check's own query counts.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode, Version, http};

use super::check::{Gate, NeedsStore};
use super::dialect::Dialect;
use super::framing;
use super::lines::Lines;
use super::readers::Readers;
use super::respond::Response;

/// Whether peers and process are as they must be: given by the composition root.
pub trait Probes: Send + Sync + 'static {
    /// Whether decisions can be made, and what stands in the way or is noteworthy.
    fn ready(&self) -> (bool, serde_json::Value);
    /// The metrics, with their content type.
    fn metrics(&self) -> (&'static str, String);
}

type Question = Request<Incoming>;

/// Serves one connection of the decision listener.
#[derive(Clone)]
pub struct DecisionService {
    gate: Arc<Gate>,
    readers: Arc<Readers>,
    probes: Arc<dyn Probes>,
    deadline: Duration,
    trusted: bool,
}

impl DecisionService {
    /// For a connection whose peer is `trusted`, or is not. Answers within `deadline`.
    pub fn new(
        gate: Arc<Gate>,
        readers: Arc<Readers>,
        probes: Arc<dyn Probes>,
        deadline: Duration,
        trusted: bool,
    ) -> Self {
        Self { gate, readers, probes, deadline, trusted }
    }

    /// The response, if nothing need be waited for; otherwise the question's headers.
    fn check_now(&self, dialect: Dialect, mut question: Question) -> Result<Response, HeaderMap> {
        let lines = Lines::from(question.headers());
        if let Err(cause) = framing::check(question.method(), question.version(), &lines) {
            return Ok(self.gate.malformed(dialect, cause));
        }
        let answered = self.gate.find_now(dialect, lines);
        let headers = std::mem::take(question.headers_mut());
        match answered {
            Ok(answered) => Ok(self.gate.respond(dialect, answered, headers)),
            Err(NeedsStore) => Err(headers),
        }
    }

    async fn check_later(self, dialect: Dialect, headers: HeaderMap) -> Response {
        let Ok(answer) = self.readers.ask(dialect, headers) else { return self.gate.overloaded(dialect) };
        match tokio::time::timeout(self.deadline, answer).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => self.gate.unavailable(dialect, "the decision failed unexpectedly"),
            Err(_) => self.gate.unavailable(dialect, "the decision took too long"),
        }
    }

    fn check(&self, dialect: Dialect, question: Question) -> Answering {
        if question.version() == Version::HTTP_2 {
            // Each stream has a task of its own, so that nothing of it concerns the others.
            let service = self.clone();
            return Answering::Later(Box::pin(async move {
                match service.check_now(dialect, question) {
                    Ok(response) => response,
                    Err(headers) => service.check_later(dialect, headers).await,
                }
            }));
        }
        match self.check_now(dialect, question) {
            Ok(response) => Answering::now(response),
            Err(headers) => Answering::Later(Box::pin(self.clone().check_later(dialect, headers))),
        }
    }

    fn probe(&self, method: &Method, path: &str) -> Response {
        if method != Method::GET && method != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match path {
            "/healthz" => plain(StatusCode::OK, "text/plain", "ok\n"),
            "/readyz" => {
                let (ready, detail) = self.probes.ready();
                let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                plain(status, "application/json", detail.to_string())
            }
            "/metrics" => {
                let (content_type, text) = self.probes.metrics();
                plain(StatusCode::OK, content_type, text)
            }
            _ => plain(StatusCode::NOT_FOUND, "text/plain", "there is nothing here\n"),
        }
    }
}

/// A response, or the way to it.
pub enum Answering {
    /// It is there; taken when it is asked for.
    Now(Option<Response>),
    /// It has to be waited for.
    Later(Pin<Box<dyn Future<Output = Response> + Send>>),
}

impl Answering {
    const fn now(response: Response) -> Self {
        Self::Now(Some(response))
    }
}

impl Future for Answering {
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(response) => response.take().map_or(Poll::Pending, |response| Poll::Ready(Ok(response))),
            Self::Later(response) => response.as_mut().poll(cx).map(Ok),
        }
    }
}

impl hyper::service::Service<Question> for DecisionService {
    type Response = Response;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, question: Question) -> Self::Future {
        if !self.trusted {
            let refusal =
                plain(StatusCode::FORBIDDEN, "text/plain", "this address is not among `decision.trusted_peers`\n");
            return Answering::now(refusal);
        }
        let path = question.uri().path();
        match path.strip_prefix("/check/").map(Dialect::from_name) {
            // The body, if one was announced, is not waited for.
            Some(Some(dialect)) => self.check(dialect, question),
            _ => Answering::now(self.probe(question.method(), path)),
        }
    }
}

fn plain(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
