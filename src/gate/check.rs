//! From a proxy's headers to an answer, each step once and in order.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;

use super::answer::{Allowed, Answer, Invalid};
use super::dialect::{Asked, Dialect};
use super::lines::Lines;
use super::presented::{self, Presented};
use super::respond::{LogIn, Respond, Response};
use crate::accounts::{self, Coherence};
use crate::authn::{Candidate, Refused, Verified, Verifier, VerifyError};
use crate::authz::{Circumstances, Decision, Engine, Question, Resource, Subject};
use crate::cache::Stamp;
use crate::clock::Clock;
use crate::model::{DecisionId, Timestamp};
use crate::telemetry::{CacheName, DecisionLog, DecisionRecord, Metrics, Outcome};

/// The caches do not have what the answer needs: ask again where blocking is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeedsStore;

/// Whether the store may be asked, which blocks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Store {
    MayBeAsked,
    MustWait,
}

/// Answers proxies.
pub struct Gate {
    verifier: Arc<Verifier>,
    engine: Arc<Engine>,
    coherence: Arc<Coherence>,
    clock: Arc<dyn Clock>,
    log: DecisionLog,
    metrics: Arc<Metrics>,
    log_in: Option<LogIn>,
    respond: Respond,
}

/// What an answer was made from, for the log.
#[derive(Default)]
struct Trail<'a> {
    asked: Option<Asked<'a>>,
    verified: Option<Arc<Verified>>,
    action: Option<Arc<str>>,
    resource: Option<Resource>,
    decision: Option<Arc<Decision>>,
}

impl Gate {
    /// A gate before this account system.
    #[expect(clippy::too_many_arguments, reason = "the composition root hands over each part once")]
    pub fn new(
        verifier: Arc<Verifier>,
        engine: Arc<Engine>,
        coherence: Arc<Coherence>,
        clock: Arc<dyn Clock>,
        log: DecisionLog,
        metrics: Arc<Metrics>,
        log_in: Option<LogIn>,
        respond: Respond,
    ) -> Self {
        Self { verifier, engine, coherence, clock, log, metrics, log_in, respond }
    }

    /// The response to a proxy's question, if the caches are enough for it. Does not block.
    pub fn answer_now(&self, dialect: Dialect, headers: &HeaderMap) -> Result<Response, NeedsStore> {
        self.answer_with(dialect, headers, Store::MustWait)
    }

    /// The response to a proxy's question. Blocks where the store must be asked.
    pub fn answer(&self, dialect: Dialect, headers: &HeaderMap) -> Response {
        self.answer_with(dialect, headers, Store::MayBeAsked)
            .unwrap_or_else(|NeedsStore| self.unavailable(dialect, "the store was needed and could not be asked"))
    }

    /// The response when no answer could be found in time.
    pub fn unavailable(&self, dialect: Dialect, cause: &str) -> Response {
        let began = self.clock.now();
        self.conclude(dialect, Answer::Unavailable { cause: cause.to_owned() }, Trail::default(), began)
    }

    /// The response to a question that did not come in the way that a proxy asks.
    pub(super) fn malformed(&self, dialect: Dialect, cause: impl Display) -> Response {
        let began = self.clock.now();
        self.conclude(dialect, Answer::Malformed { cause: cause.to_string() }, Trail::default(), began)
    }

    fn answer_with(&self, dialect: Dialect, headers: &HeaderMap, store: Store) -> Result<Response, NeedsStore> {
        let began = self.clock.now();
        let mut trail = Trail::default();
        let answer = self.find(dialect, headers, store, began, &mut trail)?;
        Ok(self.conclude(dialect, answer, trail, began))
    }

    fn find<'a>(
        &self,
        dialect: Dialect,
        headers: &'a HeaderMap,
        store: Store,
        now: Timestamp,
        trail: &mut Trail<'a>,
    ) -> Result<Answer, NeedsStore> {
        let malformed = |cause: &dyn Display| Ok(Answer::Malformed { cause: cause.to_string() });
        let lines = Lines::from(headers);
        let asked = match dialect.read(lines) {
            Ok(asked) => trail.asked.insert(asked),
            Err(error) => return malformed(&error),
        };
        let presented = match presented::read(lines) {
            Ok(presented) => presented,
            Err(error) => return malformed(&error),
        };
        if !self.coherence.is_fresh(now) {
            let cause = "the store has not been reached for too long to trust the caches".to_owned();
            return Ok(Answer::Unavailable { cause });
        }
        let generation = self.engine.generation();
        let caller = match self.caller(&presented, store, now)? {
            Ok(caller) => caller,
            Err(unavailable) => return Ok(unavailable),
        };
        trail.verified = caller.verified.clone();

        let Some(found) = generation.routes().find(asked.host.as_str(), asked.method, &asked.path) else {
            return Ok(Answer::Denied { cause: Some("no route matches") });
        };
        trail.action = Some(Arc::clone(&found.route.action));
        let resource = trail.resource.insert(Resource::from_parts(&found.route.resource_type, found.resource_id));

        let credential_id = caller.verified.as_ref().map(|verified| verified.id());
        let subject = match (&caller.verified, &credential_id) {
            (Some(verified), Some(id)) => accounts::subject(verified, id),
            _ => Subject::Anonymous,
        };
        let circumstances = Circumstances {
            now,
            client: asked.client,
            method: asked.method,
            host: asked.host.as_str(),
            path: asked.path.as_str(),
            member: None,
            role: None,
            returning: false,
        };
        let action = found.route.action_index;
        let question = Question { subject, subject_stamp: caller.stamp, action, resource, circumstances };
        let cached = self.engine.cached(&generation, &question);
        self.metrics.looked_up(CacheName::Decisions, cached.is_some());
        let decision = match (cached, store) {
            (Some(decision), _) => decision,
            (None, Store::MustWait) => return Err(NeedsStore),
            (None, Store::MayBeAsked) => match self.engine.decide(&generation, &question) {
                Ok(decision) => decision,
                Err(error) => return Ok(Answer::Unavailable { cause: error.to_string() }),
            },
        };
        trail.decision = Some(Arc::clone(&decision));

        let anonymous = caller.verified.is_none();
        Ok(match Allowed::new(decision, caller.verified) {
            Some(allowed) => Answer::Allowed(allowed),
            None if anonymous => {
                let log_in = self.log_in.as_ref().filter(|_| asked.is_navigation(headers));
                Answer::Unauthenticated { invalid: caller.invalid, log_in: log_in.map(|log_in| log_in.address(asked)) }
            }
            None => Answer::Denied { cause: None },
        })
    }

    /// Who asks: somebody whose credential is valid, or nobody in particular.
    fn caller(
        &self,
        presented: &Presented<'_>,
        store: Store,
        now: Timestamp,
    ) -> Result<Result<Caller, Answer>, NeedsStore> {
        let token = match presented {
            Presented::Nothing => return Ok(Ok(Caller::default())),
            Presented::Unusable(_) => return Ok(Ok(Caller::refused())),
            Presented::Token(token) => token,
        };
        let Ok(candidate) = Candidate::read(token.expose()) else { return Ok(Ok(Caller::refused())) };
        // Basic is for clients that cannot send Bearer, and those have keys.
        if token.carrier() == presented::Carrier::Basic && !candidate.is_api_key() {
            return Ok(Ok(Caller::refused()));
        }
        let cached = self.verifier.cached(candidate, now);
        self.metrics.looked_up(CacheName::Credentials, cached.is_some());
        let verified = match (cached, store) {
            (Some(known), _) => known.map_err(VerifyError::from),
            (None, Store::MustWait) => return Err(NeedsStore),
            (None, Store::MayBeAsked) => self.verifier.verify(candidate, now),
        };
        Ok(match verified {
            Ok((verified, stamp)) => Ok(Caller { verified: Some(verified), stamp, invalid: None }),
            Err(VerifyError::Refused(Refused)) => Ok(Caller::refused()),
            Err(VerifyError::Store(error)) => Err(Answer::Unavailable { cause: error.to_string() }),
        })
    }

    /// Counts, logs and responds.
    fn conclude(&self, dialect: Dialect, answer: Answer, trail: Trail<'_>, began: Timestamp) -> Response {
        let id = DecisionId::generate(began);
        let outcome = match answer {
            Answer::Allowed(_) => Outcome::Allow,
            Answer::Unauthenticated { .. } => Outcome::Unauthenticated,
            Answer::Denied { .. } => Outcome::Deny,
            Answer::Malformed { .. } => Outcome::Malformed,
            Answer::Unavailable { .. } => Outcome::Unavailable,
        };
        self.metrics.decided(outcome);
        if trail.decision.as_ref().is_some_and(|decision| !decision.errors().is_empty()) {
            self.metrics.evaluation_failed();
        }
        if self.log.is_on() {
            let cause = match &answer {
                Answer::Malformed { cause } | Answer::Unavailable { cause } => Some(cause.clone()),
                Answer::Denied { cause } => cause.map(str::to_owned),
                Answer::Unauthenticated { invalid: Some(Invalid), .. } => Some(Refused.to_string()),
                Answer::Allowed(_) | Answer::Unauthenticated { .. } => None,
            };
            self.log.record(self.record(id, outcome, cause, trail, began));
        }
        self.respond.respond(dialect, &answer, id)
    }

    fn record(
        &self,
        id: DecisionId,
        outcome: Outcome,
        cause: Option<String>,
        trail: Trail<'_>,
        began: Timestamp,
    ) -> DecisionRecord {
        let Trail { asked, verified, action, resource, decision } = trail;
        let latency = self.clock.now().since(began);
        let generation = decision.as_ref().map_or_else(|| self.engine.generation().number(), |d| d.generation());
        DecisionRecord {
            at: began,
            id,
            generation,
            principal: verified.as_ref().map(|verified| verified.user_id()),
            credential_kind: verified.as_ref().map(|verified| verified.kind()),
            credential_id: verified.as_ref().map(|verified| verified.id()),
            action,
            resource_type: resource.as_ref().map(|resource| resource.entity_type().into()),
            resource_id: resource.as_ref().map(Resource::id),
            decision: outcome,
            policies: decision.as_ref().map(|d| Arc::clone(d.policies())).unwrap_or_default(),
            errors: decision.as_ref().map(|d| Arc::clone(d.errors())).unwrap_or_default(),
            client: asked.as_ref().and_then(|asked| asked.client),
            method: asked.as_ref().map(|asked| asked.method.to_owned()),
            host: asked.as_ref().map(|asked| asked.host.as_str().to_owned()),
            path: asked.as_ref().map(|asked| asked.path.as_str().to_owned()),
            cause,
            latency,
        }
    }

    /// Writes out what is left of the decision log; false if it took longer than `patience`. Blocks.
    pub fn flush_log(&self, patience: Duration) -> bool {
        self.log.shutdown(patience)
    }
}

/// Who asks.
#[derive(Default)]
struct Caller {
    verified: Option<Arc<Verified>>,
    stamp: Stamp,
    invalid: Option<Invalid>,
}

impl Caller {
    fn refused() -> Self {
        Self { invalid: Some(Invalid), ..Self::default() }
    }
}
