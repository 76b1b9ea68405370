//! The decision listener: `/check/{dialect}` for proxies; health, readiness and metrics for operators.
//!
//! Paths are matched byte for byte. Nothing normalizes them first, and nothing of a check's own query counts.

use std::convert::Infallible;
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http_body_util::Full;
use httparse::Header;
use hyper::body::{Frame, Incoming, SizeHint};
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Method, Request, StatusCode, Version, http};
use tower::ServiceExt;

use super::check::NeedsStore;
use super::decider::Decider;
use super::dialect::Dialect;
use super::lines::Lines;
use super::peer::Trust;
use super::question::{Question, Source};
use super::respond::Response;
use super::{envoy, framing};
use crate::http::direct::{Direct, Directly, Head, Written};
use crate::http::limited::Refusal;
use crate::http::listener::Peer;

/// Whether peers and process are as they must be: given by the composition root.
pub trait Probes: Send + Sync + 'static {
    /// Whether decisions can be made, and what stands in the way or is noteworthy.
    fn ready(&self) -> (bool, serde_json::Value);
    /// The metrics, with their content type.
    fn metrics(&self) -> (&'static str, String);
}

type Message = Request<Incoming>;

/// Serves one connection of the decision listener.
#[derive(Clone)]
pub struct DecisionService {
    decider: Decider,
    probes: Arc<dyn Probes>,
    others: Router,
    peer: Peer,
    trust: Trust,
}

/// In which way a message asks.
#[derive(Clone, Copy)]
enum Way {
    Headers(Dialect),
    Envoy,
}

impl DecisionService {
    /// For a connection of this peer, which may ask if `trust` holds. What is no check and no probe is for `others`, who
    /// find the [`Peer`] among the request's extensions.
    pub fn new(decider: Decider, probes: Arc<dyn Probes>, others: Router, peer: Peer, trust: Trust) -> Self {
        Self { decider, probes, others, peer, trust }
    }

    /// What answers this connection's simplest questions: itself, if where the peer is lets it ask.
    pub fn direct(&self) -> Option<Self> {
        self.trust.is_given().then(|| self.clone())
    }

    /// The response, if nothing need be waited for; otherwise the question.
    fn check_now(&self, way: Way, mut message: Message) -> Result<Response, Box<Question>> {
        let gate = &self.decider.gate;
        let lines = Lines::from(message.headers());
        if let Err(cause) = framing::check(message.method(), message.version(), &lines) {
            return Ok(gate.malformed(cause));
        }
        let source = match way {
            Way::Headers(dialect) => Source::Headers(dialect),
            Way::Envoy => match envoy::told(message.method(), message.uri(), &lines) {
                Ok(told) => Source::Told(told),
                Err(cause) => return Ok(gate.malformed(cause)),
            },
        };
        match gate.find_now(&source, lines) {
            Ok(answered) => Ok(gate.respond(source.form(), &answered)),
            Err(NeedsStore) => Err(Box::new(Question { source, headers: std::mem::take(message.headers_mut()) })),
        }
    }

    fn check(&self, way: Way, message: Message) -> Answering {
        if message.version() == Version::HTTP_2 {
            // Each stream has a task of its own, so that nothing of it concerns the others.
            let service = self.clone();
            return Answering::later(async move {
                match service.check_now(way, message) {
                    Ok(response) => response.map(AnswerBody::Whole),
                    Err(question) => service.decider.decide_later(*question, 0).await.map(AnswerBody::Whole),
                }
            });
        }
        match self.check_now(way, message) {
            Ok(response) => Answering::now(response),
            Err(question) => {
                let decider = self.decider.clone();
                Answering::later(async move { decider.decide_later(*question, 0).await.map(AnswerBody::Whole) })
            }
        }
    }

    fn pass_on(&self, mut message: Message) -> Answering {
        message.extensions_mut().insert(self.peer);
        let answer = self.others.clone().oneshot(message);
        Answering::later(async move {
            let Ok(response) = answer.await;
            response.map(AnswerBody::Streamed)
        })
    }

    fn probe(&self, probe: Probe, method: &Method) -> Response {
        if method != Method::GET && method != Method::HEAD {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain", "");
            response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match probe {
            Probe::Health => plain(StatusCode::OK, "text/plain", "ok\n"),
            Probe::Readiness => {
                let (ready, detail) = self.probes.ready();
                let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
                plain(status, "application/json", detail.to_string())
            }
            Probe::Metrics => {
                let (content_type, text) = self.probes.metrics();
                plain(StatusCode::OK, content_type, text)
            }
        }
    }
}

impl Direct for DecisionService {
    fn answer(&self, head: Head<'_>, to: &mut Written) -> Directly {
        let Some(dialect) = asked_by(head.target) else { return Directly::Not };
        let (source, lines) = (Source::Headers(dialect), Lines::from(head.lines));
        if framing::check(&Method::GET, Version::HTTP_11, &lines).is_err() {
            return Directly::Not;
        }
        match self.decider.gate.write_now(&source, lines, to) {
            Ok(()) => Directly::Answered,
            Err(NeedsStore) => {
                let Ok(headers) = mapped(head.lines) else { return Directly::Not };
                let (decider, question) = (self.decider.clone(), Question { source, headers });
                Directly::Later(Box::pin(async move { decider.decide_later(question, 0).await }))
            }
        }
    }
}

/// The dialect in which a target asks, by every reading of it.
fn asked_by(target: &str) -> Option<Dialect> {
    let asked = target.strip_prefix("/check/")?;
    let (name, query) = asked.split_once('?').unwrap_or((asked, ""));
    query.bytes().all(|byte| byte.is_ascii_graphic()).then(|| Dialect::from_name(name))?
}

fn mapped(lines: &[Header<'_>]) -> Result<HeaderMap, http::Error> {
    let mut map = HeaderMap::with_capacity(lines.len());
    for Header { name, value } in lines {
        map.append(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_bytes(value)?);
    }
    Ok(map)
}

/// What operators ask.
#[derive(Clone, Copy)]
enum Probe {
    Health,
    Readiness,
    Metrics,
}

impl Probe {
    fn at(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Readiness),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }
}

/// The body of an answer.
pub enum AnswerBody {
    /// A decision's, or a probe's.
    Whole(Full<Bytes>),
    /// Any other.
    Streamed(Body),
}

impl hyper::body::Body for AnswerBody {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match self.get_mut() {
            Self::Whole(body) => Pin::new(body).poll_frame(cx).map_err(|never| match never {}),
            Self::Streamed(body) => Pin::new(body).poll_frame(cx).map_err(Into::into),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(body) => body.is_end_stream(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(body) => body.size_hint(),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

type AnswerResponse = http::Response<AnswerBody>;

/// A response, or the way to it.
pub enum Answering {
    /// It is there; taken when it is asked for.
    Now(Option<Response>),
    /// It has to be waited for.
    Later(Pin<Box<dyn Future<Output = AnswerResponse> + Send>>),
}

impl Answering {
    const fn now(response: Response) -> Self {
        Self::Now(Some(response))
    }

    fn later(response: impl Future<Output = AnswerResponse> + Send + 'static) -> Self {
        Self::Later(Box::pin(response))
    }
}

impl Future for Answering {
    type Output = Result<AnswerResponse, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Now(response) => match response.take() {
                Some(response) => Poll::Ready(Ok(response.map(AnswerBody::Whole))),
                None => Poll::Pending,
            },
            Self::Later(response) => response.as_mut().poll(cx).map(Ok),
        }
    }
}

impl hyper::service::Service<Message> for DecisionService {
    type Response = AnswerResponse;
    type Error = Infallible;
    type Future = Answering;

    fn call(&self, message: Message) -> Self::Future {
        if !self.trust.holds(message.headers()) {
            let mut refusal =
                plain(StatusCode::FORBIDDEN, "text/plain", "this address is not among `decision.trusted_peers`\n");
            refusal.extensions_mut().insert(Refusal);
            return Answering::now(refusal);
        }
        let path = message.uri().path();
        // The body of a check, if one was announced, is not waited for.
        if let Some(dialect) = path.strip_prefix("/check/").and_then(Dialect::from_name) {
            self.check(Way::Headers(dialect), message)
        } else if envoy::asks(message.uri()) {
            self.check(Way::Envoy, message)
        } else if let Some(probe) = Probe::at(path) {
            Answering::now(self.probe(probe, message.method()))
        } else {
            self.pass_on(message)
        }
    }
}

/// What is neither a check nor a probe.
pub fn others() -> Router {
    Router::new().fallback(async || plain(StatusCode::NOT_FOUND, "text/plain", "there is nothing here\n"))
}

fn plain(status: StatusCode, content_type: &'static str, text: impl Into<Bytes>) -> Response {
    let mut response = http::Response::new(Full::new(text.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
