//! From a question to an answer, each step once and in order.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::answer::{Allowed, Answer, Answered, Decided, Invalid};
use super::asked::Asked;
use super::assertions::Assertions;
use super::lines::Lines;
use super::presented::{self, Presented};
use super::question::Source;
use super::respond::{Form, LogIn, Respond, Response};
use super::shadow::Shadow;
use crate::accounts::{self, Coherence};
use crate::authn::{Candidate, Refused, Verified, Verifier, VerifyError};
use crate::authz::generation::Generation;
use crate::authz::routes::Match;
use crate::authz::{Circumstances, Decision, Engine, Question, Resource, Subject};
use crate::cache::Stamp;
use crate::clock::Clock;
use crate::http::direct::Written;
use crate::model::{DecisionId, Timestamp};
use crate::telemetry::{CacheName, DecisionLog, DecisionRecord, Metrics, Outcome, RequestRecord};

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
    pub(super) verifier: Arc<Verifier>,
    pub(super) engine: Arc<Engine>,
    pub(super) coherence: Arc<Coherence>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) log: DecisionLog,
    pub(super) metrics: Arc<Metrics>,
    shadow: Option<Shadow>,
    log_in: Option<LogIn>,
    assertions: Option<Assertions>,
    respond: Respond,
}

/// What an answer was made from, for the log.
struct Trail<'t> {
    generation: &'t Generation,
    asked: Option<&'t Asked<'t>>,
    route: Option<Match<'t, 't>>,
    /// Unless the answer has it.
    decided: Decided,
}

impl<'t> Trail<'t> {
    fn beginning(generation: &'t Generation, asked: Option<&'t Asked<'t>>) -> Self {
        Self { generation, asked, route: None, decided: Decided::default() }
    }
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
        shadow: Option<Shadow>,
        log_in: Option<LogIn>,
        assertions: Option<Assertions>,
        respond: Respond,
    ) -> Self {
        Self { verifier, engine, coherence, clock, log, metrics, shadow, log_in, assertions, respond }
    }

    /// Writes the response to a question, if the caches are enough for it. Does not block.
    pub fn write_now(&self, source: &Source, lines: Lines<'_>, to: &mut Written) -> Result<(), NeedsStore> {
        let answered = self.find_now(source, lines)?;
        self.respond.respond(source.form(), &answered, to);
        Ok(())
    }

    /// The answer to a question, if the caches are enough for it. Does not block.
    pub(super) fn find_now(&self, source: &Source, lines: Lines<'_>) -> Result<Answered, NeedsStore> {
        self.answer_with(source, lines, Store::MustWait)
    }

    /// The response for an answer.
    pub(super) fn respond(&self, form: Form, answered: &Answered) -> Response {
        let mut response = Response::default();
        self.respond.respond(form, answered, &mut response);
        response
    }

    /// The response to a question. Blocks where the store must be asked.
    pub fn answer(&self, source: &Source, headers: &HeaderMap) -> Response {
        match self.answer_with(source, headers.into(), Store::MayBeAsked) {
            Ok(answered) => self.respond(source.form(), &answered),
            Err(NeedsStore) => self.unavailable("the store was needed and could not be asked"),
        }
    }

    /// The response when no answer could be found in time.
    pub(super) fn unavailable(&self, cause: &str) -> Response {
        self.without_question(Answer::Unavailable { cause: cause.to_owned() })
    }

    /// The response when too many wait for an answer already.
    pub(super) fn overloaded(&self) -> Response {
        self.metrics.shed();
        self.unavailable("too many decisions wait for the store")
    }

    /// The response to a question that did not come in the way that a proxy asks.
    pub(super) fn malformed(&self, cause: impl Display) -> Response {
        self.without_question(Answer::Malformed { cause: cause.to_string() })
    }

    fn without_question(&self, answer: Answer) -> Response {
        let (began, generation) = (self.clock.now(), self.engine.generation());
        let answered = self.conclude(answer, &Trail::beginning(&generation, None), began);
        // These answers have one form.
        self.respond(Form::Whole, &answered)
    }

    fn answer_with(&self, source: &Source, lines: Lines<'_>, store: Store) -> Result<Answered, NeedsStore> {
        let began = self.clock.now();
        let generation = self.engine.generation();
        let asked = source.read(lines);
        let mut trail = Trail::beginning(&generation, asked.as_ref().ok());
        let answer = match &asked {
            Ok(asked) => self.find(asked, lines, store, began, &mut trail)?,
            Err(error) => Answer::Malformed { cause: error.to_string() },
        };
        Ok(self.conclude(answer, &trail, began))
    }

    fn find<'t>(
        &self,
        asked: &'t Asked<'t>,
        lines: Lines<'_>,
        store: Store,
        now: Timestamp,
        trail: &mut Trail<'t>,
    ) -> Result<Answer, NeedsStore> {
        let presented = match presented::read(lines) {
            Ok(presented) => presented,
            Err(error) => return Ok(Answer::Malformed { cause: error.to_string() }),
        };
        if !self.coherence.is_fresh(now) {
            let cause = "the store has not been reached for too long to trust the caches".to_owned();
            return Ok(Answer::Unavailable { cause });
        }
        let Caller { verified, stamp, invalid } = match self.caller(&presented, store, now)? {
            Ok(caller) => caller,
            Err(unavailable) => return Ok(unavailable),
        };
        let generation = trail.generation;
        let Some(found) = generation.routes().find(asked.host.as_str(), asked.method, &asked.path) else {
            trail.decided.verified = verified;
            return Ok(Answer::Denied { cause: Some("no route matches") });
        };
        trail.route = Some(found);

        let resource = Resource::from_parts(&found.route.resource_type, found.resource_id);
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
        let subject = verified.as_deref().map_or(Subject::Anonymous, accounts::subject);
        let action = found.route.action_index;
        let question = Question { subject, subject_stamp: stamp, action, resource: &resource, circumstances };
        let cached = self.engine.cached(generation, &question);
        self.metrics.looked_up(CacheName::Decisions, cached.is_some());
        let decision = match (cached, store) {
            (Some(decision), _) => decision,
            (None, Store::MustWait) => return Err(NeedsStore),
            (None, Store::MayBeAsked) => match self.engine.decide(generation, &question) {
                Ok(decision) => decision,
                Err(error) => {
                    trail.decided.verified = verified;
                    return Ok(Answer::Unavailable { cause: error.to_string() });
                }
            },
        };
        Ok(match Allowed::new(Decided { decision: Some(decision), verified }) {
            Ok(allowed) => Answer::Allowed(allowed),
            Err(decided) => {
                let anonymous = decided.verified.is_none();
                trail.decided = decided;
                if anonymous {
                    let log_in = self.log_in.as_ref().filter(|_| asked.is_navigation(lines.all));
                    Answer::Unauthenticated { invalid, log_in: log_in.map(|log_in| log_in.address(asked)) }
                } else {
                    Answer::Denied { cause: None }
                }
            }
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

    /// Counts and logs, and has a candidate asked.
    fn conclude(&self, answer: Answer, trail: &Trail<'_>, began: Timestamp) -> Answered {
        let id = DecisionId::generate(began);
        let (answer, assertion) = match self.assertion(&answer, trail, id, began).transpose() {
            Ok(assertion) => (answer, assertion),
            Err(instead) => (instead, None),
        };
        let (outcome, decided) = match &answer {
            Answer::Allowed(allowed) => (Outcome::Allow, allowed.decided()),
            Answer::Unauthenticated { .. } => (Outcome::Unauthenticated, &trail.decided),
            Answer::Denied { .. } => (Outcome::Deny, &trail.decided),
            Answer::Malformed { .. } => (Outcome::Malformed, &trail.decided),
            Answer::Unavailable { .. } => (Outcome::Unavailable, &trail.decided),
        };
        self.metrics.decided(outcome);
        if decided.decision.as_ref().is_some_and(|decision| !decision.errors().is_empty()) {
            self.metrics.evaluation_failed();
        }
        if self.log.is_on() {
            let cause = match &answer {
                Answer::Malformed { cause } | Answer::Unavailable { cause } => Some(cause.as_str()),
                Answer::Denied { cause } => *cause,
                Answer::Unauthenticated { invalid: Some(Invalid), .. } => Some(Refused::MESSAGE),
                Answer::Allowed(_) | Answer::Unauthenticated { .. } => None,
            };
            self.record(id, outcome, cause, decided, trail, began);
        }
        if let Some(shadow) = &self.shadow
            && let (Some(asked), Some(found)) = (trail.asked, &trail.route)
        {
            shadow.ask(id, began, decided, asked, found);
        }
        Answered { answer, id, at: began, assertion }
    }

    /// What an allow takes along, if that is configured; the answer instead if it cannot.
    fn assertion(
        &self,
        answer: &Answer,
        trail: &Trail<'_>,
        id: DecisionId,
        at: Timestamp,
    ) -> Option<Result<HeaderValue, Answer>> {
        let (Some(assertions), Answer::Allowed(allowed), Some(asked)) = (&self.assertions, answer, trail.asked) else {
            return None;
        };
        Some(assertions.assert(allowed, asked, id, at))
    }

    fn record(
        &self,
        id: DecisionId,
        decision: Outcome,
        cause: Option<&str>,
        decided: &Decided,
        trail: &Trail<'_>,
        began: Timestamp,
    ) {
        let Trail { generation, asked, route, .. } = trail;
        let by = decided.decision.as_deref();
        self.log.record(&DecisionRecord {
            at: began,
            id,
            generation: by.map_or(generation.number(), Decision::generation),
            asker: decided.verified.as_deref().map(Verified::record),
            route: route.map(|found| (&found.route.record, found.resource_id)),
            decision,
            policies: by.map_or(&[], |decision| decision.policies()),
            errors: by.map_or(&[], |decision| decision.errors()),
            client: asked.and_then(|asked| asked.client),
            request: asked.map(|asked| RequestRecord {
                method: asked.method,
                host: asked.host.as_str(),
                path: asked.path.as_str(),
            }),
            cause,
            latency: self.clock.now().since(began),
        });
    }

    /// Opens the files of the decision log and of the shadow log again: what was there may have been moved away. Blocks.
    pub fn reopen_logs(&self) {
        self.log.reopen();
        if let Some(shadow) = &self.shadow {
            shadow.reopen_log();
        }
    }

    /// Writes out what is left of the decision log, and then of the shadow log; false if either took longer than
    /// `patience`. Blocks.
    pub fn flush_logs(&self, patience: Duration) -> bool {
        let is_written = self.log.shutdown(patience);
        self.shadow.as_ref().is_none_or(|shadow| shadow.shutdown(patience)) && is_written
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
