//! The decision listener: `/check/{dialect}` for proxies; health, readiness and metrics for operators.
//!
//! Paths are matched byte for byte. Nothing normalizes them first, and nothing of a check's own query counts.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode, http};

use super::check::Gate;
use super::dialect::Dialect;
use super::framing;
use super::lines::Lines;
use super::respond::Response;

/// Whether peers and process are as they must be: given by the composition root.
pub trait Probes: Send + Sync + 'static {
    /// Whether decisions can be made, and what stands in the way or is noteworthy.
    fn ready(&self) -> (bool, serde_json::Value);
    /// The metrics, with their content type.
    fn metrics(&self) -> (&'static str, String);
}

/// Serves one connection of the decision listener.
#[derive(Clone)]
pub struct DecisionService {
    gate: Arc<Gate>,
    probes: Arc<dyn Probes>,
    deadline: Duration,
    trusted: bool,
}

impl DecisionService {
    /// For a connection whose peer is `trusted`, or is not. Answers within `deadline`.
    pub fn new(gate: Arc<Gate>, probes: Arc<dyn Probes>, deadline: Duration, trusted: bool) -> Self {
        Self { gate, probes, deadline, trusted }
    }

    async fn check(self, dialect: Dialect, headers: HeaderMap) -> Response {
        if let Ok(response) = self.gate.answer_now(dialect, &headers) {
            return response;
        }
        let gate = Arc::clone(&self.gate);
        let asking = tokio::task::spawn_blocking(move || gate.answer(dialect, &headers));
        match tokio::time::timeout(self.deadline, asking).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => self.gate.unavailable(dialect, "the decision failed unexpectedly"),
            Err(_) => self.gate.unavailable(dialect, "the decision took too long"),
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

impl hyper::service::Service<Request<Incoming>> for DecisionService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: Request<Incoming>) -> Self::Future {
        if !self.trusted {
            let refusal =
                plain(StatusCode::FORBIDDEN, "text/plain", "this address is not among `decision.trusted_peers`\n");
            return Box::pin(std::future::ready(Ok(refusal)));
        }
        let path = request.uri().path();
        match path.strip_prefix("/check/").map(Dialect::from_name) {
            Some(Some(dialect)) => {
                // The body, if one was announced, is not waited for.
                let head = request.into_parts().0;
                if let Err(cause) = framing::check(&head.method, head.version, &Lines::from(&head.headers)) {
                    return Box::pin(std::future::ready(Ok(self.gate.malformed(dialect, cause))));
                }
                let check = self.clone().check(dialect, head.headers);
                Box::pin(async move { Ok(check.await) })
            }
            _ => Box::pin(std::future::ready(Ok(self.probe(request.method(), path)))),
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
