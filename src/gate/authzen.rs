//! The AuthZEN Authorization API 1.0 (OpenID): questions in the words of the schema, asked by applications and gateways
//! that enforce the answers themselves.
//!
//! A permit is a 200 with `"decision": true`, which only a `Permit` of the engine makes; whatever else goes wrong is
//! `false`, or an error's status. All that takes time (verifying a credential, parsing, deciding) is done on threads meant
//! for blocking, by few at a time; a few more may wait, within the deadline of decisions.

mod caller;
mod evaluation;
mod metadata;
mod refusal;
mod request;
mod search;
mod token;

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::sync::Semaphore;

use self::refusal::Refusal;
use super::check::Gate;
use crate::authn::Verified;
use crate::authz::generation::Generation;
use crate::authz::inquiry::Sought;
use crate::model::{DecisionId, Timestamp, Username};
use crate::telemetry::{AskerRecord, DecisionRecord, Outcome, RouteRecord};

/// The longest body, in bytes.
const MAX_LEN: usize = 1024 * 1024;
/// How many requests may be at work or wait. Each may hold a body.
const MOST_AT_ONCE: usize = 128;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the API is made of.
pub struct AuthZen {
    gate: Arc<Gate>,
    /// Whose keys are taken; nobody need send one if there is none.
    callers: Vec<Username>,
    /// Where it is reached, without a trailing slash, if that is known.
    url: Option<String>,
    deadline: Duration,
    waiting: Arc<Semaphore>,
    working: Arc<Semaphore>,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Evaluation,
    Evaluations,
    Search(Sought),
}

impl AuthZen {
    /// Answers within `deadline`, and only the callers if there are any. It says to be reached at `url`, which has nothing
    /// behind its host and port.
    pub fn new(gate: Arc<Gate>, callers: Vec<Username>, url: Option<String>, deadline: Duration) -> Self {
        let cores = available_parallelism().map_or(2, |cores| cores.get().max(2));
        let (waiting, working) = (Arc::new(Semaphore::new(MOST_AT_ONCE)), Arc::new(Semaphore::new(cores)));
        Self { gate, callers, url, deadline, waiting, working }
    }

    /// The API's paths.
    pub fn router(self) -> Router {
        let operation = |operation| {
            post(async move |State(authzen): State<Arc<Self>>, request: Request| {
                authzen.serve(operation, request).await
            })
        };
        Router::new()
            .route("/access/v1/evaluation", operation(Operation::Evaluation))
            .route("/access/v1/evaluations", operation(Operation::Evaluations))
            .route("/access/v1/search/subject", operation(Operation::Search(Sought::Subjects)))
            .route("/access/v1/search/resource", operation(Operation::Search(Sought::Resources)))
            .route("/access/v1/search/action", operation(Operation::Search(Sought::Actions)))
            .route("/.well-known/authzen-configuration", get(metadata::show))
            .layer(from_fn(identify))
            .with_state(Arc::new(self))
    }

    async fn serve(self: Arc<Self>, operation: Operation, request: Request) -> Response {
        match Arc::clone(&self).answer(operation, request).await {
            Ok(answer) => ([(CONTENT_TYPE, "application/json")], answer.to_string()).into_response(),
            Err(refusal) => {
                self.refused(&refusal);
                refusal.into_response()
            }
        }
    }

    async fn answer(self: Arc<Self>, operation: Operation, request: Request) -> Result<serde_json::Value, Refusal> {
        let Ok(place) = Arc::clone(&self.waiting).try_acquire_owned() else {
            self.gate.metrics.shed();
            return Err(Refusal::Unavailable("too many requests wait".to_owned()));
        };
        let until = Instant::now() + self.deadline;
        let answered = tokio::time::timeout(self.deadline, async {
            let (parts, body) = request.into_parts();
            if !is_json(&parts.headers) {
                return Err(Refusal::Malformed("the request's content type is not `application/json`".to_owned()));
            }
            let body = read(body).await?;
            let turn = Arc::clone(&self.working).acquire_owned().await;
            let work = move || {
                // Work that nobody waits for any more still keeps others from beginning.
                let _held = (place, turn);
                self.work(operation, &parts.headers, &body, until)
            };
            let failed = |_| Refusal::Unavailable("the decision failed unexpectedly".to_owned());
            tokio::task::spawn_blocking(work).await.map_err(failed)?
        });
        answered.await.unwrap_or_else(|_| Err(Refusal::Unavailable("the decision took too long".to_owned())))
    }

    /// Blocks.
    fn work(
        &self,
        operation: Operation,
        headers: &HeaderMap,
        body: &Bytes,
        until: Instant,
    ) -> Result<serde_json::Value, Refusal> {
        let now = self.gate.clock.now();
        if !self.gate.coherence.is_fresh(now) {
            let cause = "the store has not been reached for too long to trust the caches";
            return Err(Refusal::Unavailable(cause.to_owned()));
        }
        let caller = self.caller(headers, now)?;
        let request = request::parse(body)?;
        let generation = self.gate.engine.generation();
        let asking = Asking { authzen: self, generation: &generation, caller: caller.as_deref(), until };
        match operation {
            Operation::Evaluation => asking.evaluation(&request),
            Operation::Evaluations => asking.evaluations(&request),
            Operation::Search(sought) => asking.search(sought, &request),
        }
    }

    /// Counts and logs a request that was refused as a whole.
    fn refused(&self, refusal: &Refusal) {
        let (now, generation) = (self.gate.clock.now(), self.gate.engine.generation());
        let cause = refusal.to_string();
        self.record(&Conclusion {
            began: now,
            id: DecisionId::generate(now),
            generation: generation.number(),
            outcome: refusal.outcome(),
            asker: None,
            route: None,
            policies: &[],
            errors: &[],
            cause: Some(&cause),
        });
    }

    fn record(&self, conclusion: &Conclusion<'_>) {
        let Conclusion { began, id, generation, outcome, asker, route, policies, errors, cause } = *conclusion;
        self.gate.metrics.decided(outcome);
        if !errors.is_empty() {
            self.gate.metrics.evaluation_failed();
        }
        self.gate.log.record(&DecisionRecord {
            at: began,
            id,
            generation,
            asker,
            route,
            decision: outcome,
            policies,
            errors,
            client: None,
            request: None,
            cause,
            latency: self.gate.clock.now().since(began),
        });
    }
}

/// What is told of a decision.
struct Conclusion<'c> {
    began: Timestamp,
    id: DecisionId,
    generation: u64,
    outcome: Outcome,
    asker: Option<&'c AskerRecord>,
    route: Option<(&'c RouteRecord, &'c str)>,
    policies: &'c [Arc<str>],
    errors: &'c [Arc<str>],
    cause: Option<&'c str>,
}

/// One request, which is decided by one generation.
struct Asking<'a> {
    authzen: &'a AuthZen,
    generation: &'a Generation,
    caller: Option<&'a Verified>,
    until: Instant,
}

/// Gives a request's identifier back, and keeps answers out of caches unless they say otherwise.
async fn identify(request: Request, next: Next) -> Response {
    let id = request.headers().get(REQUEST_ID).cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(id) = id {
        headers.insert(REQUEST_ID, id);
    }
    response
}

/// Whether the body is said to be JSON. Its parameters mean nothing (RFC 8259, section 11).
fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_LEN).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLong),
        Err(_) => Err(Refusal::Malformed("the body is incomplete".to_owned())),
    }
}
