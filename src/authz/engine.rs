//! Decisions: one generation of policies, the facts of the moment, Cedar's answer, and the caches between them.

mod beside;
mod explanation;
mod key;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};

use self::key::DecisionKey;
use super::candidate::Candidates;
use super::decision::Decision;
use super::entities;
use super::evaluate::{evaluate, failed};
use super::facts::{Facts, FactsKey, FactsOf};
use super::generation::{Found, Generation, LoadError, Proofs, Source, Stated, Tests};
use super::inquiry::{self, Inquiry, InquiryError, Page, Sought};
use super::question::{Circumstances, Resource, Subject};
use crate::cache::{Cache, Stamp, Versions};
use crate::model::UserId;
use crate::store::{Read, Store, StoreError};

/// A question in full. The action is one of the generation that it is asked of.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// Who asks.
    pub subject: Subject<'a>,
    /// The versions that the subject depends on.
    pub subject_stamp: Stamp,
    /// The action's index in the generation.
    pub action: u16,
    /// On what.
    pub resource: &'a Resource,
    /// Under which circumstances.
    pub circumstances: Circumstances<'a>,
}

/// Decides.
pub struct Engine {
    store: Arc<dyn Store>,
    versions: Arc<Versions>,
    source: Source,
    proofs: Proofs,
    current: ArcSwap<Generation>,
    /// The tests that the generation in force has passed, if it was read from files.
    reloading: Mutex<Option<Tests>>,
    test_count: ArcSwap<TestCount>,
    last_reload_error: ArcSwapOption<LoadError>,
    facts: Cache<FactsKey, Arc<Facts>>,
    /// The facts of whatever the store knows nothing of.
    nothing: Arc<Facts>,
    decisions: Cache<DecisionKey, Arc<Decision>>,
    candidates: Option<Candidates>,
}

impl Engine {
    /// Loads the first generation, under the number that `number` gives. `proofs` proves the invariants, now and at each
    /// reload. Where the files cannot be taken, what `recorded` gives stands in for them, if it gives something and no
    /// invariant is against it: it was loaded and in force before. Why the files could not be taken is then the last reload's
    /// error. Otherwise it is an error here: there is nothing to decide by. Blocks.
    pub fn start(
        source: Source,
        proofs: Proofs,
        number: impl FnOnce(&Generation) -> u64,
        recorded: impl FnOnce() -> Option<Result<Generation, LoadError>>,
        store: Arc<dyn Store>,
        versions: Arc<Versions>,
        capacity: EngineCapacity,
    ) -> Result<Self, LoadError> {
        let found = Found::read(&source);
        let (stated, origins, tests) = (found.stated().clone(), found.origins(), found.tests().clone());
        let holds = |generation: &Generation, stated: &Stated| proofs.check(generation, stated, &source);
        let (first, refused) = match found.load_if(holds, number, &entities::samples()) {
            Ok(first) => (first, None),
            Err(error) => match recorded() {
                None => return Err(error),
                Some(Err(more)) => return Err(error.and(more)),
                Some(Ok(recorded)) => {
                    if let Err(against) = proofs.check_recorded(&recorded, &stated, &source) {
                        return Err(error.and(LoadError::of_recorded(recorded.number(), against.problems())));
                    }
                    (recorded.in_place_of(origins), Some(error))
                }
            },
        };
        let reloading = Mutex::new(Some(tests).filter(|_| refused.is_none()));
        let last_reload_error = ArcSwapOption::from_pointee(refused);
        Ok(Self { proofs, reloading, last_reload_error, ..Self::on(first, source, store, versions, capacity) })
    }

    /// Decides by a generation that is loaded already, and proves nothing; `source` is where the next one is read from.
    pub fn on(
        first: Generation,
        source: Source,
        store: Arc<dyn Store>,
        versions: Arc<Versions>,
        capacity: EngineCapacity,
    ) -> Self {
        Self {
            store,
            versions,
            source,
            proofs: Proofs::off(),
            reloading: Mutex::default(),
            test_count: ArcSwap::from_pointee(TestCount { now: first.tests(), lost: None }),
            current: ArcSwap::from_pointee(first),
            last_reload_error: ArcSwapOption::empty(),
            facts: Cache::new(capacity.facts),
            nothing: Arc::new(Facts::Nothing),
            decisions: Cache::new(capacity.decisions),
            candidates: None,
        }
    }

    /// Reads the policies, the schema and the routes again. If they have changed and all is well, they are in force when
    /// this returns, as the generation whose number it gives; otherwise nothing changes.
    ///
    /// Where the files are those in force, tests and invariants are still held against them if they have changed themselves. Where
    /// what is in force is from the history, files that say the same take its place, under its number.
    ///
    /// When nothing can fail any more, `number` is asked under which number they are to go, which must be the one that
    /// it is given, or greater.
    pub fn reload(&self, number: impl FnOnce(&Generation, u64) -> u64) -> Result<Reloaded, LoadError> {
        // Two reloads at once could put the older state of the files in force last.
        let mut passed = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        let found = Found::read_next(&self.source, &current);
        let is_same = found.contents().is_some_and(|contents| contents.digest() == current.contents().digest());
        if is_same && !current.is_recorded() {
            let holds = self.test_again(&current, &found, &mut passed);
            let holds = holds.and_then(|()| self.proofs.check(&current, found.stated(), &self.source));
            self.last_reload_error.store(holds.as_ref().err().cloned().map(Arc::new));
            return holds.map(|()| Reloaded::Unchanged(current.number()));
        }
        let least = current.number().saturating_add(1);
        let number = |next: &Generation| if is_same { current.number() } else { number(next, least).max(least) };
        let tests = found.tests().clone();
        let holds = |generation: &Generation, stated: &Stated| self.proofs.check(generation, stated, &self.source);
        let next = found.load_if(holds, number, &entities::samples());
        self.last_reload_error.store(next.as_ref().err().cloned().map(Arc::new));
        let next = next?;
        let number = next.number();
        *passed = Some(tests);
        self.count_tests(next.tests());
        self.current.store(Arc::new(next));
        Ok(if is_same { Reloaded::Unchanged(number) } else { Reloaded::InForce(number) })
    }

    /// Holds the tests that were found against the generation in force, unless it has passed them.
    fn test_again(&self, current: &Generation, found: &Found, passed: &mut Option<Tests>) -> Result<(), LoadError> {
        if passed.as_ref() != Some(found.tests()) {
            self.count_tests(found.test(current)?);
            *passed = Some(found.tests().clone());
        }
        Ok(())
    }

    fn count_tests(&self, now: Option<u32>) {
        let count = self.test_count().followed_by(now);
        self.test_count.store(Arc::new(count));
    }

    /// How many tests the policies in force go by, and how many they have lost.
    pub fn test_count(&self) -> TestCount {
        **self.test_count.load()
    }

    /// Notes how many tests the generation before the first one went by.
    pub fn follows_tests(&self, before: u32) {
        let count = TestCount { now: Some(before), lost: None }.followed_by(self.test_count().now);
        self.test_count.store(Arc::new(count));
    }

    /// How invariants are proved.
    pub fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// What the last reload, or the reading at the start, failed with, if it did: the generation in force is then older than
    /// the files.
    pub fn last_reload_error(&self) -> Option<Arc<LoadError>> {
        self.last_reload_error.load_full()
    }

    /// The generation in force. A request takes it once, and is decided by it from beginning to end.
    pub fn generation(&self) -> Guard<Arc<Generation>> {
        self.current.load()
    }

    /// The decision, if it is known without asking the store or evaluating anything.
    pub fn cached(&self, generation: &Generation, question: &Question<'_>) -> Option<Arc<Decision>> {
        if generation.tables().covers(question) {
            let tabled = if question.resource.may_be_stored() {
                let facts = FactsOf(question.subject.user_id(), question.resource);
                let facts = self.facts.get_stamped(&self.versions, &facts);
                facts.and_then(|(facts, _)| generation.tables().find(question, &facts))
            } else {
                generation.tables().find(question, &self.nothing)
            };
            if let Some(decision) = tabled {
                return Some(Arc::clone(decision));
            }
        }
        self.remembered(&DecisionKey::of(generation, question)?, question)
    }

    /// The decision, from the tables and caches where they have it. Blocks where the store must be asked.
    pub fn decide(&self, generation: &Generation, question: &Question<'_>) -> Result<Arc<Decision>, StoreError> {
        let Question { subject, subject_stamp, resource, circumstances, .. } = question;
        let (facts, stamp) = self.facts(subject.user_id(), resource)?;
        if let Some(decision) = generation.tables().find(question, &facts) {
            return Ok(Arc::clone(decision));
        }
        let key = DecisionKey::of(generation, question);
        if let Some(known) = key.as_ref().and_then(|key| self.remembered(key, question)) {
            return Ok(known);
        }
        let load = self.load_facts();
        let decision = evaluate(generation, question.action, subject, resource, &facts, circumstances, &load)?;
        let decision = Arc::new(decision);
        if let Some(key) = key {
            let stamp = self.versions.both(subject_stamp, &stamp);
            self.decisions.insert(key, Arc::clone(&decision), stamp, None);
        }
        Ok(decision)
    }

    fn remembered(&self, key: &DecisionKey, question: &Question<'_>) -> Option<Arc<Decision>> {
        self.decisions.get(&self.versions, key, question.circumstances.now)
    }

    /// The decision from the state that `store` shows and from no cache: for changes, which are decided within the
    /// transaction that makes them, and for explanations.
    pub fn decide_in(
        &self,
        store: &dyn Read,
        subject: &Subject<'_>,
        action: &str,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Result<(Decision, Guard<Arc<Generation>>), StoreError> {
        let generation = self.generation();
        let facts = Facts::load(store, subject.user_id(), resource)?;
        let load = |user: Option<UserId>, resource: &Resource| Facts::load(store, user, resource).map(Arc::new);
        let decision = match generation.action_by_name(action) {
            Some((index, _)) => evaluate(&generation, index, subject, resource, &facts, circumstances, &load)?,
            None => failed(&generation, &facts, format!("the schema has no action `{action}`")),
        };
        Ok((decision, generation))
    }

    /// The decision on a question in the words of the schema. Blocks where the store must be asked.
    pub fn inquire(&self, generation: &Generation, inquiry: &Inquiry<'_>) -> Result<Decision, InquiryError> {
        let is_disabled = |user| self.store.disabled_at(user).map(|since| since.is_some());
        inquiry::decide(generation, &is_disabled, &self.load_facts(), inquiry)
    }

    /// The subjects, resources or actions for which the policies permit it. Blocks.
    pub fn search(
        &self,
        generation: &Generation,
        sought: Sought,
        inquiry: &Inquiry<'_>,
        page: &Page<'_>,
    ) -> Result<inquiry::Found, StoreError> {
        let store: &dyn Store = &*self.store;
        inquiry::search(generation, store, &self.load_facts(), sought, inquiry, page)
    }

    fn load_facts(&self) -> impl Fn(Option<UserId>, &Resource) -> Result<Arc<Facts>, StoreError> {
        |user, resource| self.facts(user, resource).map(|(facts, _)| facts)
    }

    fn facts(&self, user: Option<UserId>, resource: &Resource) -> Result<(Arc<Facts>, Stamp), StoreError> {
        if !resource.may_be_stored() {
            // Not remembered: whoever asks may choose the identifier, as long and as often as they like.
            return Ok((Arc::clone(&self.nothing), self.versions.stamp(self.versions.moment(), [])));
        }
        if let Some(known) = self.facts.get_stamped(&self.versions, &FactsOf(user, resource)) {
            return Ok(known);
        }
        let before = self.versions.moment();
        let store: &dyn Store = &*self.store;
        let facts = Arc::new(Facts::load(store, user, resource)?);
        let stamp = self.versions.stamp(before, facts.made_of(user, resource));
        self.facts.insert((user, resource.clone()), Arc::clone(&facts), stamp, None);
        Ok((facts, stamp))
    }
}

/// How many tests policies go by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TestCount {
    /// How many there are, if any are to be run.
    pub now: Option<u32>,
    /// How many there were before there were none, although they are to be run.
    pub lost: Option<u32>,
}

impl TestCount {
    /// What is so when there are this many.
    fn followed_by(self, now: Option<u32>) -> Self {
        let lost = if now == Some(0) { self.lost.or(self.now.filter(|&before| before > 0)) } else { None };
        Self { now, lost }
    }
}

/// What came of a reload that has not failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reloaded {
    /// A new generation is in force, under this number.
    InForce(u64),
    /// The files are those of the generation in force, which has this number.
    Unchanged(u64),
}

impl Reloaded {
    /// The number of the generation in force.
    pub fn number(self) -> u64 {
        match self {
            Self::InForce(number) | Self::Unchanged(number) => number,
        }
    }
}

/// How many entries the caches hold at most; none of them is longer than some hundred bytes.
#[derive(Debug, Clone, Copy)]
pub struct EngineCapacity {
    /// Facts of a user and a resource.
    pub facts: u64,
    /// Decisions.
    pub decisions: u64,
}

#[cfg(test)]
mod tests;
