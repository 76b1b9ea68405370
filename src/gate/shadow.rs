//! What a candidate would have decided. Each decision about a route is handed to a thread of its own, which asks the
//! candidate, counts, and logs where it disagrees.
//!
//! Whoever decides copies the question into a bounded queue and goes on; when that is full, the question is dropped and
//! counted. The thread works for as long as it rests, at most: what the candidate costs is half of one core.

mod tally;

use std::io;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::tally::Tally;
use super::answer::Decided;
use super::asked::Asked;
use crate::accounts;
use crate::authn::Verified;
use crate::authz::routes::Match;
use crate::authz::{Candidates, Circumstances, Compared, Decision, Disagreement, Engine, Question, Resource, Subject};
use crate::cache::Stamp;
use crate::model::{DecisionId, PolicyDigest, Timestamp};
use crate::telemetry::{Metrics, Queue, ShadowDecision, ShadowLog, ShadowRecord, ShadowResource, ShadowResult};

/// How many questions wait at most: as many as a busy listener is asked while the thread rests.
const MOST_WAITING: usize = 4_096;
/// How many bytes of texts that clients choose, paths most of all, may wait together.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// How long questions gather, so that those who decide seldom have to wake the thread.
const GATHERING: Duration = Duration::from_millis(10);
/// After so much work the thread rests as long as it took.
const BURST: Duration = Duration::from_millis(1);
/// What was compared is told after so much time without a question.
const QUIET: Duration = Duration::from_secs(10);

/// The way to the candidate. The thread ends with this.
pub struct Shadow {
    queue: Arc<Queue<Told>>,
    bytes: Arc<Semaphore>,
    comparing: Arc<Comparing>,
}

/// A question that was decided.
struct Told {
    id: DecisionId,
    at: Timestamp,
    verified: Option<Arc<Verified>>,
    /// Of the generation that decided.
    action: u16,
    resource: Resource,
    client: Option<IpAddr>,
    method: Box<str>,
    host: Box<str>,
    path: Box<str>,
    live: Arc<Decision>,
    _bytes: OwnedSemaphorePermit,
}

/// What the thread needs.
struct Comparing {
    engine: Arc<Engine>,
    log: ShadowLog,
    metrics: Arc<Metrics>,
    /// How many were not compared since that was told.
    dropped: AtomicU64,
}

impl Shadow {
    /// Starts the thread, which asks the candidate of `engine`.
    pub fn start(engine: Arc<Engine>, log: ShadowLog, metrics: Arc<Metrics>) -> io::Result<Self> {
        let queue = Arc::new(Queue::new(MOST_WAITING, usize::MAX));
        let comparing = Arc::new(Comparing { engine, log, metrics, dropped: AtomicU64::new(0) });
        let bytes = Arc::new(Semaphore::new(MOST_BYTES));
        let shadow = Self { queue: Arc::clone(&queue), bytes, comparing: Arc::clone(&comparing) };
        let work = move || queue.while_worked_off(|queue| comparing.work_off(queue));
        thread::Builder::new().name("shadow".to_owned()).spawn(work)?;
        Ok(shadow)
    }

    /// Has the candidate asked what the policies have decided, if they have. Never waits.
    pub(super) fn ask(
        &self,
        id: DecisionId,
        at: Timestamp,
        decided: &Decided,
        asked: &Asked<'_>,
        found: &Match<'_, '_>,
    ) {
        let Some(live) = decided.decision.as_ref().filter(|_| self.comparing.has_candidate()) else {
            return;
        };
        let Some(bytes) = self.room_for(asked, found) else {
            self.comparing.drop_one();
            return;
        };
        let told = Told {
            id,
            at,
            verified: decided.verified.clone(),
            action: found.route.action_index,
            resource: Resource::from_parts(&found.route.resource_type, found.resource_id),
            client: asked.client,
            method: asked.method.into(),
            host: asked.host.as_str().into(),
            path: asked.path.as_str().into(),
            live: Arc::clone(live),
            _bytes: bytes,
        };
        if !self.queue.push(told) {
            self.comparing.drop_one();
        }
    }

    /// Opens the file of the shadow log again, if it goes to one. Blocks.
    pub(super) fn reopen_log(&self) {
        self.comparing.log.reopen();
    }

    /// Room for what is copied of a question, if there is any.
    fn room_for(&self, asked: &Asked<'_>, found: &Match<'_, '_>) -> Option<OwnedSemaphorePermit> {
        let texts = [asked.method, asked.host.as_str(), asked.path.as_str(), found.resource_id];
        let bytes = u32::try_from(texts.map(str::len).into_iter().sum::<usize>()).ok()?;
        Arc::clone(&self.bytes).try_acquire_many_owned(bytes).ok()
    }

    /// Takes no more questions, and waits until those that were taken are compared and logged; at most as long as
    /// `patience`. Gives whether all are. Blocks.
    pub(super) fn shutdown(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        self.queue.close();
        self.queue.is_finished_within(patience)
            && self.comparing.log.shutdown(until.saturating_duration_since(Instant::now()))
    }
}

impl Drop for Shadow {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Comparing {
    fn has_candidate(&self) -> bool {
        self.engine.candidates().is_some_and(|candidates| candidates.current().is_some())
    }

    fn drop_one(&self) {
        self.metrics.shadow_dropped();
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn take_dropped(&self) -> u64 {
        self.dropped.swap(0, Ordering::Relaxed)
    }

    fn work_off(&self, queue: &Queue<Told>) {
        let (mut questions, mut tally) = (Vec::new(), Tally::default());
        loop {
            if !tally.is_empty() && !queue.goes_on_within(QUIET) {
                tally.tell(&self.log, || self.take_dropped());
            }
            if !queue.take(&mut questions) {
                break;
            }
            let mut began = Instant::now();
            for told in questions.drain(..) {
                // Whatever a candidate may do to this thread, the next question is another one.
                match catch_unwind(AssertUnwindSafe(|| self.compare(&told))).unwrap_or_default() {
                    Some((candidate, result)) => {
                        let policies = (told.live.generation(), candidate);
                        tally.add(policies, told.at, result, &self.log, || self.take_dropped());
                    }
                    None => self.drop_one(),
                }
                let spent = began.elapsed();
                if spent >= BURST {
                    // Waiting for the store is no work.
                    queue.gather(spent.min(GATHERING));
                    began = Instant::now();
                }
            }
            queue.gather(GATHERING);
        }
        tally.tell(&self.log, || self.take_dropped());
    }

    /// Counts and logs what the candidate makes of it, and gives it; nothing if that could not be found out.
    fn compare(&self, told: &Told) -> Option<(PolicyDigest, ShadowResult)> {
        let current = self.engine.candidates().map(Candidates::current);
        let candidate = current.as_deref().and_then(Option::as_ref)?;
        let question = Question {
            subject: told.verified.as_deref().map_or(Subject::Anonymous, accounts::subject),
            // Nothing is remembered.
            subject_stamp: Stamp::default(),
            action: told.action,
            resource: &told.resource,
            circumstances: Circumstances {
                now: told.at,
                client: told.client,
                method: &told.method,
                host: &told.host,
                path: &told.path,
                member: None,
                role: None,
                returning: false,
            },
        };
        let Compared { result, disagreement } = match self.engine.decide_beside(candidate, &told.live, &question) {
            Ok(compared) => compared,
            Err(error) => {
                tracing::debug!(%error, "the candidate could not be asked");
                return None;
            }
        };
        self.metrics.shadowed(result);
        if let Some(Disagreement { action, opinion }) = disagreement {
            let (verified, live) = (told.verified.as_deref(), &told.live);
            self.log.record(&ShadowRecord {
                time: told.at,
                decision_id: told.id,
                change: result,
                generation: live.generation(),
                candidate: candidate.digest(),
                principal: verified.map(Verified::user_id),
                role: live.role(),
                credential: verified.map(Verified::kind),
                credential_id: verified.map(Verified::id),
                action: &action,
                resource: ShadowResource { entity_type: told.resource.entity_type(), id: &told.resource.id() },
                client: told.client,
                method: &told.method,
                host: &told.host,
                path: &told.path,
                live: ShadowDecision::new(live.permit().is_some(), live.policies(), live.errors()),
                shadow: ShadowDecision::new(opinion.allowed, &opinion.policies, &opinion.errors),
            });
        }
        Some((candidate.digest(), result))
    }
}
