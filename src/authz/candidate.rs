//! A candidate: policies that are asked what they would decide, beside those that do.

use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use arc_swap::{ArcSwapOption, Guard};

use super::decision::Decision;
use super::engine::Question;
use super::entities;
use super::evaluate::{evaluate, failed};
use super::facts::Facts;
use super::generation::{Found, Generation, LoadError, Proofs, Source, Stated};
use super::inquiry::LoadFacts;
use crate::model::PolicyDigest;
use crate::store::StoreError;
use crate::telemetry::ShadowResult;

/// Policies that fit the schema in force, and are not in force themselves.
// INVARIANT: the generation is handed out to nobody. What decides, and what remembers decisions, wants one, so a candidate
// can do neither; what it says is an `Opinion`, of which no permit is made.
pub struct Candidate {
    generation: Generation,
}

/// What a candidate would decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// Whether it would allow.
    pub allowed: bool,
    /// The identifiers of the policies that determine it.
    pub policies: Arc<[Arc<str>]>,
    /// What goes wrong. Any error denies.
    pub errors: Arc<[Arc<str>]>,
}

/// What a candidate makes of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// In a word.
    pub result: ShadowResult,
    /// What it disagrees with, if it does.
    pub disagreement: Option<Disagreement>,
}

/// Where a candidate disagrees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disagreement {
    /// The name of the action that was decided about.
    pub action: Arc<str>,
    /// What the candidate says.
    pub opinion: Opinion,
}

impl Compared {
    /// The decision cannot be compared any more.
    pub(super) const STALE: Self = Self { result: ShadowResult::Stale, disagreement: None };
    /// Nothing differs.
    pub(super) const SAME: Self = Self { result: ShadowResult::Same, disagreement: None };
}

impl Candidate {
    /// What its files and those of the schema come to: the digest of the generation that it would be.
    pub fn digest(&self) -> PolicyDigest {
        self.generation.contents().digest()
    }

    /// What it would decide. The action is told by its name, since its index is of the generation in force.
    pub(super) fn opinion(
        &self,
        action: &str,
        question: &Question<'_>,
        facts: &Facts,
        load: LoadFacts<'_>,
    ) -> Result<Opinion, StoreError> {
        let generation = &self.generation;
        let Some((action, _)) = generation.action_by_name(action) else {
            let error = format!("the candidate's schema has no action `{action}`");
            return Ok(Opinion::of(&failed(generation, facts, error)));
        };
        let question = Question { action, ..*question };
        if let Some(decision) = generation.tables().find(&question, facts) {
            return Ok(Opinion::of(decision));
        }
        let Question { subject, resource, circumstances, .. } = question;
        Ok(Opinion::of(&evaluate(generation, action, &subject, resource, facts, &circumstances, load)?))
    }
}

impl Opinion {
    fn of(decision: &Decision) -> Self {
        let (policies, errors) = (Arc::clone(decision.policies()), Arc::clone(decision.errors()));
        Self { allowed: decision.permit().is_some(), policies, errors }
    }

    /// How it differs from this decision.
    pub(super) fn against(&self, live: &Decision) -> ShadowResult {
        match (live.permit().is_some(), self.allowed) {
            _ if live.errors().is_empty() && !self.errors.is_empty() => ShadowResult::Error,
            (false, true) => ShadowResult::Gains,
            (true, false) => ShadowResult::Loses,
            (true, true) | (false, false) => ShadowResult::Same,
        }
    }
}

/// The folder of a candidate, and the last good state of it.
pub struct Candidates {
    source: Source,
    /// Where the policies in force are read from.
    live: Source,
    current: ArcSwapOption<Candidate>,
    reloading: Mutex<()>,
    last_error: ArcSwapOption<LoadError>,
    proof: ArcSwapOption<Proof>,
    proving: Mutex<()>,
}

/// Whether the invariants hold for a candidate.
struct Proof {
    candidate: Arc<Candidate>,
    stated: Stated,
    /// Nothing as long as it is not known.
    result: Option<Result<(), LoadError>>,
}

/// What is known of the invariants of a candidate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// They are not proved, or there is no candidate.
    Off,
    /// Nothing yet.
    Pending,
    /// They hold.
    Proved,
    /// Which do not, or cannot be told to.
    NotProved(LoadError),
}

impl Standing {
    /// In a word.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Pending => "pending",
            Self::Proved => "proved",
            Self::NotProved(_) => "not proved",
        }
    }
}

impl Candidates {
    /// Of the policies in `source`, which are not read yet, beside those of `live`.
    pub(super) fn new(source: Source, live: Source) -> Self {
        let (current, last_error, proof) = (ArcSwapOption::empty(), ArcSwapOption::empty(), ArcSwapOption::empty());
        Self { source, live, current, reloading: Mutex::default(), last_error, proof, proving: Mutex::default() }
    }

    /// The candidate, if a good one was found.
    pub fn current(&self) -> Guard<Option<Arc<Candidate>>> {
        self.current.load()
    }

    /// What the last reload failed with, if it did: the candidate is then older than the files, or there is none.
    pub fn last_error(&self) -> Option<Arc<LoadError>> {
        self.last_error.load_full()
    }

    /// Reads the policies again, and holds them against the schema of what `live` gives. Gives the digest of a candidate
    /// that is new; whatever fails leaves the last good one. Invariants are not proved here, which would take too long:
    /// [`Self::prove`] does that.
    pub(super) fn reload(
        &self,
        live: impl FnOnce() -> Guard<Arc<Generation>>,
    ) -> Result<Option<PolicyDigest>, LoadError> {
        // Two at once could leave the older state of the files, or one that fits an older schema.
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let found = Found::read_candidate(&self.source, &live(), &self.live);
        let stated = found.stated().clone();
        let current = self.current.load();
        let digest = found.contents().map(|contents| contents.digest());
        if let Some(current) = current.as_ref().filter(|candidate| digest == Some(candidate.digest())) {
            self.last_error.store(None);
            self.state(current, stated);
            return Ok(None);
        }
        // No generation in force has this number.
        let next = found.load(|_| 0, &entities::samples());
        self.last_error.store(next.as_ref().err().cloned().map(Arc::new));
        let next = Arc::new(Candidate { generation: next? });
        let digest = next.digest();
        self.state(&next, stated);
        self.current.store(Some(next));
        Ok(Some(digest))
    }

    /// Notes what is to be proved, unless it was.
    fn state(&self, candidate: &Arc<Candidate>, stated: Stated) {
        let known = self.proof.load();
        let is_known =
            known.as_ref().is_some_and(|proof| Arc::ptr_eq(&proof.candidate, candidate) && proof.stated == stated);
        if !is_known {
            self.proof.store(Some(Arc::new(Proof { candidate: Arc::clone(candidate), stated, result: None })));
        }
    }

    /// What is not proved is to be proved again.
    pub(super) fn ask_again(&self) {
        let failed = |proof: &Arc<Proof>| matches!(proof.result, Some(Err(_)));
        if let Some(proof) = self.proof.load().as_ref().filter(|proof| failed(proof)) {
            let (candidate, stated) = (Arc::clone(&proof.candidate), proof.stated.clone());
            self.proof.store(Some(Arc::new(Proof { candidate, stated, result: None })));
        }
    }

    /// Whether there is something to prove.
    pub(super) fn is_unproved(&self) -> bool {
        self.proof.load().as_ref().is_some_and(|proof| proof.result.is_none())
    }

    /// Finds out whether the invariants hold for the candidate, until that is known of the newest one; tells `told` of each.
    /// Blocks, unless somebody else is at it already. Nothing of it is held against the candidate.
    pub(super) fn prove(&self, proofs: &Proofs, told: impl Fn(&Candidate, &Result<(), LoadError>)) {
        let _one_at_a_time = match self.proving.try_lock() {
            Ok(lock) => lock,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return,
        };
        while let Some(proof) = self.proof.load_full().filter(|proof| proof.result.is_none()) {
            let Proof { candidate, stated, .. } = &*proof;
            let result = proofs.check_candidate(&candidate.generation, stated, &self.source);
            let known =
                Proof { candidate: Arc::clone(candidate), stated: stated.clone(), result: Some(result.clone()) };
            // Unless there is another one by now.
            let before = self.proof.compare_and_swap(&Some(Arc::clone(&proof)), Some(Arc::new(known)));
            if before.as_ref().is_some_and(|before| Arc::ptr_eq(before, &proof)) {
                told(candidate, &result);
            }
        }
    }

    /// What is known of the invariants.
    pub(super) fn standing(&self) -> Standing {
        match self.proof.load().as_deref() {
            None => Standing::Off,
            Some(Proof { result: None, .. }) => Standing::Pending,
            Some(Proof { result: Some(Ok(())), .. }) => Standing::Proved,
            Some(Proof { result: Some(Err(error)), .. }) => Standing::NotProved(error.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
