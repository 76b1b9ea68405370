//! Decisions: one generation of policies, the facts of the moment, Cedar's answer, and the caches between them.

mod key;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use serde_json::json;

use self::key::DecisionKey;
use super::analysis::explain::Explained;
use super::candidate::{Candidate, Candidates, Compared, Disagreement};
use super::decision::Decision;
use super::entities;
use super::evaluate::{self, Failure, complete, evaluate, failed};
use super::facts::{Facts, FactsKey, FactsOf};
use super::generation::{Contents, Found, Generation, LoadError, Proofs, Source, Stated};
use super::inquiry::{self, Inquiry, InquiryError, Page, Sought};
use super::question::{Circumstances, Resource, Subject};
use super::reads::{Reads, Strays};
use crate::cache::{Cache, Stamp, Versions};
use crate::model::{PolicyDigest, Role, UserId};
use crate::store::{Read, Store, StoreError};
use crate::telemetry::ShadowResult;

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
    reloading: Mutex<()>,
    last_reload_error: ArcSwapOption<LoadError>,
    facts: Cache<FactsKey, Arc<Facts>>,
    /// The facts of whatever the store knows nothing of.
    nothing: Arc<Facts>,
    decisions: Cache<DecisionKey, Arc<Decision>>,
    candidates: Option<Candidates>,
}

impl Engine {
    /// Loads the first generation, under the number that `number` gives. Bad policies are an error: there is nothing to
    /// decide by. `proofs` proves the invariants, now and at each reload. Blocks.
    pub fn start(
        source: Source,
        proofs: Proofs,
        number: impl FnOnce(&Contents) -> u64,
        store: Arc<dyn Store>,
        versions: Arc<Versions>,
        capacity: EngineCapacity,
    ) -> Result<Self, LoadError> {
        let holds = |generation: &Generation, stated: &Stated| proofs.check(generation, stated, &source);
        let first = Found::read(&source).load_if(holds, number, &entities::samples())?;
        Ok(Self { proofs, ..Self::on(first, source, store, versions, capacity) })
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
            current: ArcSwap::from_pointee(first),
            reloading: Mutex::new(()),
            last_reload_error: ArcSwapOption::empty(),
            facts: Cache::new(capacity.facts),
            nothing: Arc::new(Facts::Nothing),
            decisions: Cache::new(capacity.decisions),
            candidates: None,
        }
    }

    /// The same engine with a folder of candidate policies, which are not read yet.
    #[must_use]
    pub fn with_candidate(self, folder: PathBuf) -> Self {
        let source = Source { policies: folder.into(), ..self.source.clone() };
        Self { candidates: Some(Candidates::new(source)), ..self }
    }

    /// Reads the policies, the schema and the routes again. If they have changed and all is well, they are in force when
    /// this returns, as the generation whose number it gives; otherwise nothing changes.
    ///
    /// Where the files are those in force, the invariants are still held against them if they have changed themselves.
    ///
    /// When nothing can fail any more, `number` is asked under which number they are to go, which must be the one that
    /// it is given, or greater.
    pub fn reload(&self, number: impl FnOnce(&Contents, u64) -> u64) -> Result<Reloaded, LoadError> {
        // Two reloads at once could put the older state of the files in force last.
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let current = self.current.load();
        let found = Found::read_next(&self.source, &current);
        if found.contents().is_some_and(|contents| contents.digest() == current.contents().digest()) {
            let holds = self.proofs.check(&current, found.stated(), &self.source);
            self.last_reload_error.store(holds.as_ref().err().cloned().map(Arc::new));
            return holds.map(|()| Reloaded::Unchanged(current.number()));
        }
        let least = current.number().saturating_add(1);
        let holds = |generation: &Generation, stated: &Stated| self.proofs.check(generation, stated, &self.source);
        let next = found.load_if(holds, |contents| number(contents, least).max(least), &entities::samples());
        self.last_reload_error.store(next.as_ref().err().cloned().map(Arc::new));
        let next = next?;
        let number = next.number();
        self.current.store(Arc::new(next));
        Ok(Reloaded::InForce(number))
    }

    /// How invariants are proved.
    pub fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// What the last reload failed with, if it did: the generation in force is then older than the files.
    pub fn last_reload_error(&self) -> Option<Arc<LoadError>> {
        self.last_reload_error.load_full()
    }

    /// The generation in force. A request takes it once, and is decided by it from beginning to end.
    pub fn generation(&self) -> Guard<Arc<Generation>> {
        self.current.load()
    }

    /// Reads the policies of the candidate again, if there is a folder for them, and holds them against the schema in
    /// force. Gives the digest of a candidate that is new; whatever fails leaves the last good one, if there is one.
    pub fn reload_candidate(&self) -> Result<Option<PolicyDigest>, LoadError> {
        self.candidates.as_ref().map_or(Ok(None), |candidates| candidates.reload(|| self.generation()))
    }

    /// The candidates, if there is a folder for them.
    pub fn candidates(&self) -> Option<&Candidates> {
        self.candidates.as_ref()
    }

    /// What `candidate` makes of a question that the generation in force has answered by `live`. Blocks where the store
    /// must be asked. Decisions are neither looked up nor remembered.
    pub fn decide_beside(
        &self,
        candidate: &Candidate,
        live: &Decision,
        question: &Question<'_>,
    ) -> Result<Compared, StoreError> {
        let generation = self.generation();
        let Some(action) = generation.action(question.action).filter(|_| generation.number() == live.generation())
        else {
            return Ok(Compared::STALE);
        };
        let before = self.versions.moment();
        let Question { subject, resource, circumstances, .. } = question;
        let ((facts, _), load) = (self.facts(subject.user_id(), resource)?, self.load_facts());
        let opinion = candidate.opinion(action.name(), question, &facts, &load)?;
        let result = opinion.against(live);
        if result == ShadowResult::Same {
            return Ok(Compared::SAME);
        }
        // Only policies may be what differs: the facts may have moved since, even while both were asked.
        let again = match generation.tables().find(question, &facts) {
            Some(decision) => Arc::clone(decision),
            None => evaluate(&generation, question.action, subject, resource, &facts, circumstances, &load)?.into(),
        };
        let outcome = |decision: &Decision| (decision.permit().is_some(), decision.errors().is_empty());
        if outcome(&again) != outcome(live) || !self.versions.is_current(&self.versions.stamp(before, [])) {
            return Ok(Compared::STALE);
        }
        let action = Arc::clone(action.name());
        Ok(Compared { result, disagreement: Some(Disagreement { action, opinion }) })
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

    /// The same with what stood in the way of a permit: for explanations.
    pub fn explain_in(
        &self,
        store: &dyn Read,
        subject: &Subject<'_>,
        action: &str,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Result<Explained, StoreError> {
        let (decision, generation) = self.decide_in(store, subject, action, resource, circumstances)?;
        let (mut misses, mut least_role) = (Vec::new(), None);
        if let Some((index, _)) = generation.action_by_name(action).filter(|_| decision.permit().is_none()) {
            let facts = Facts::load(store, subject.user_id(), resource)?;
            let load = |user: Option<UserId>, resource: &Resource| Facts::load(store, user, resource).map(Arc::new);
            misses = evaluate::misses(&generation, index, subject, resource, &facts, circumstances, &load)?;
            for role in Role::ALL.into_iter().rev().filter(|_| subject.user_id().is_some()) {
                let Some(facts) = facts.with_role(role) else { break };
                let decision = evaluate(&generation, index, subject, resource, &facts, circumstances, &load)?;
                if decision.permit().is_some() {
                    least_role = Some(role);
                    break;
                }
            }
        }
        Ok(Explained { decision, misses, least_role })
    }

    /// The entities that a decision is made from, as Cedar's JSON: for explanations.
    pub fn entities_json(
        &self,
        store: &dyn Read,
        subject: &Subject<'_>,
        resource: &Resource,
    ) -> Result<serde_json::Value, StoreError> {
        let facts = Facts::load(store, subject.user_id(), resource)?;
        let generation = self.generation();
        let (types, reads) = (generation.prepared().types(), Reads::EVERYTHING);
        let Ok(mut slice) = entities::slice(subject, resource, &facts, types, reads) else { return Ok(json!([])) };
        let load = |user: Option<UserId>, resource: &Resource| Facts::load(store, user, resource).map(Arc::new);
        if let Err(Failure::Store(error)) = complete(&generation, reads, &Strays::default(), None, &mut slice, &load) {
            return Err(error);
        }
        Ok(slice.entities.iter().filter_map(|entity| entity.to_json_value().ok()).collect())
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
