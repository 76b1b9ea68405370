//! Decisions: one generation of policies, the facts of the moment, Cedar's answer, and the caches between them.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use cedar_policy::{Authorizer, Decision as CedarDecision, Entities, PolicyId, Request};

use super::actions::{Action, ContextUse};
use super::entities;
use super::facts::{Facts, FactsKey, FactsOf};
use super::generation::{self, Generation, LoadError, Source};
use super::question::{Circumstances, Resource, Subject, SubjectKey};
use crate::cache::{Cache, Stamp, Versions};
use crate::model::{Role, UserId};
use crate::store::{Read, Store, StoreError};

/// What policies say of one question.
#[derive(Debug, Clone)]
pub struct Decision {
    allowed: bool,
    generation: u64,
    role: Option<Role>,
    policies: Arc<[Arc<str>]>,
    errors: Arc<[Arc<str>]>,
}

/// Proof that policies allow something; only an allowing [`Decision`] gives one.
#[derive(Debug, Clone, Copy)]
pub struct Permit<'a> {
    decision: &'a Decision,
}

impl Permit<'_> {
    /// The role on the resource's application by which this was decided, if the subject has one.
    pub fn role(&self) -> Option<Role> {
        self.decision.role
    }
}

impl Decision {
    /// The permit, if this allows.
    pub fn permit(&self) -> Option<Permit<'_>> {
        self.allowed.then_some(Permit { decision: self })
    }

    /// The generation of policies that decided.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The identifiers of the policies that determined the decision; none where nothing permits.
    pub fn policies(&self) -> &Arc<[Arc<str>]> {
        &self.policies
    }

    /// What went wrong. Any error denies.
    pub fn errors(&self) -> &Arc<[Arc<str>]> {
        &self.errors
    }

    /// The subject's role on the resource's application.
    pub fn role(&self) -> Option<Role> {
        self.role
    }
}

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

/// Everything that a cached decision depends on, but for what its stamp covers.
#[derive(PartialEq, Eq, Hash)]
struct DecisionKey {
    generation: u64,
    subject: SubjectKey,
    action: u16,
    resource: Resource,
}

/// Decides.
pub struct Engine {
    store: Arc<dyn Store>,
    versions: Arc<Versions>,
    source: Source,
    current: ArcSwap<Generation>,
    reloading: Mutex<()>,
    last_reload_error: ArcSwapOption<LoadError>,
    facts: Cache<FactsKey, Arc<Facts>>,
    decisions: Cache<DecisionKey, Arc<Decision>>,
}

impl Engine {
    /// Loads the first generation. Bad policies are an error: there is nothing to decide by.
    pub fn start(
        source: Source,
        store: Arc<dyn Store>,
        versions: Arc<Versions>,
        capacity: EngineCapacity,
    ) -> Result<Self, LoadError> {
        let first = generation::load(&source, 1, &entities::samples())?;
        Ok(Self {
            store,
            versions,
            source,
            current: ArcSwap::from_pointee(first),
            reloading: Mutex::new(()),
            last_reload_error: ArcSwapOption::empty(),
            facts: Cache::new(capacity.facts),
            decisions: Cache::new(capacity.decisions),
        })
    }

    /// Reads the policies, the schema and the routes again. If all is well they are in force when this returns, as the
    /// generation whose number it gives; otherwise nothing changes.
    pub fn reload(&self) -> Result<u64, LoadError> {
        // Two reloads at once could put the older state of the files in force last.
        let _one_at_a_time = self.reloading.lock().unwrap_or_else(PoisonError::into_inner);
        let next = generation::reload(&self.source, &self.current.load(), &entities::samples());
        self.last_reload_error.store(next.as_ref().err().cloned().map(Arc::new));
        let next = next?;
        let number = next.number();
        self.current.store(Arc::new(next));
        Ok(number)
    }

    /// What the last reload failed with, if it did: the generation in force is then older than the files.
    pub fn last_reload_error(&self) -> Option<Arc<LoadError>> {
        self.last_reload_error.load_full()
    }

    /// The generation in force. A request takes it once, and is decided by it from beginning to end.
    pub fn generation(&self) -> Guard<Arc<Generation>> {
        self.current.load()
    }

    /// The decision, if it is known without asking the store or evaluating anything.
    pub fn cached(&self, generation: &Generation, question: &Question<'_>) -> Option<Arc<Decision>> {
        let key = self.key(generation, question)?;
        self.decisions.get(&self.versions, &key, question.circumstances.now)
    }

    /// The decision, from the caches where they have it. Blocks where the store must be asked.
    pub fn decide(&self, generation: &Generation, question: &Question<'_>) -> Result<Arc<Decision>, StoreError> {
        if let Some(known) = self.cached(generation, question) {
            return Ok(known);
        }
        let Question { subject, subject_stamp, resource, circumstances, .. } = question;
        let (facts, stamp) = self.facts(subject.user_id(), resource)?;
        let decision = Arc::new(evaluate(generation, question.action, subject, resource, &facts, circumstances));
        if let Some(key) = self.key(generation, question) {
            let stamp = self.versions.both(subject_stamp, &stamp);
            self.decisions.insert(key, Arc::clone(&decision), stamp, None);
        }
        Ok(decision)
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
        let decision = match generation.action_by_name(action) {
            Some((index, _)) => evaluate(&generation, index, subject, resource, &facts, circumstances),
            None => failed(&generation, &facts, format!("the schema has no action `{action}`")),
        };
        Ok((decision, generation))
    }

    /// The entities that a decision is made from, as Cedar's JSON: for explanations.
    pub fn entities_json(
        &self,
        store: &dyn Read,
        subject: &Subject<'_>,
        resource: &Resource,
    ) -> Result<serde_json::Value, StoreError> {
        let facts = Facts::load(store, subject.user_id(), resource)?;
        let json = entities::slice(subject, resource, &facts)
            .map(|slice| slice.entities.iter().filter_map(|entity| entity.to_json_value().ok()).collect())
            .unwrap_or_default();
        Ok(serde_json::Value::Array(json))
    }

    fn facts(&self, user: Option<UserId>, resource: &Resource) -> Result<(Arc<Facts>, Stamp), StoreError> {
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

    /// What the decision may be kept under; nothing if it depends on more than the key and its stamp hold.
    // INVARIANT: with `CredentialOnly` a decision reads of its context only what follows from the credential's digest,
    // and with `None` nothing. The rest is the generation, the action, and the facts, which the stamp covers.
    fn key(&self, generation: &Generation, question: &Question<'_>) -> Option<DecisionKey> {
        let cacheable = match generation.action(question.action)?.context_use() {
            ContextUse::None | ContextUse::CredentialOnly => true,
            ContextUse::Everything => false,
        };
        let subject = question.subject.cache_key().filter(|_| cacheable)?;
        Some(DecisionKey {
            generation: generation.number(),
            subject,
            action: question.action,
            resource: question.resource.clone(),
        })
    }
}

/// How many entries the caches hold at most.
#[derive(Debug, Clone, Copy)]
pub struct EngineCapacity {
    /// Facts of a user and a resource.
    pub facts: u64,
    /// Decisions.
    pub decisions: u64,
}

/// Asks Cedar. Whatever goes wrong is a deny that says what.
fn evaluate(
    generation: &Generation,
    action: u16,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
) -> Decision {
    let Some(action) = generation.action(action) else {
        return failed(generation, facts, "the action is not one of this generation".to_owned());
    };
    match ask(generation, action, subject, resource, facts, circumstances) {
        Ok(response) => {
            let diagnostics = response.diagnostics();
            let names = |id: &PolicyId| -> Arc<str> { <PolicyId as AsRef<str>>::as_ref(id).into() };
            let errors: Arc<[Arc<str>]> = diagnostics.errors().map(|error| error.to_string().into()).collect();
            let mut policies: Vec<_> = diagnostics.reason().map(names).collect();
            policies.sort_unstable();
            Decision {
                // An error makes Cedar skip the policy, which may be a `forbid`: so any error denies.
                allowed: response.decision() == CedarDecision::Allow && errors.is_empty(),
                generation: generation.number(),
                role: facts.role(),
                policies: policies.into(),
                errors,
            }
        }
        Err(error) => failed(generation, facts, error),
    }
}

fn ask(
    generation: &Generation,
    action: &Action,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
) -> Result<cedar_policy::Response, String> {
    let slice = entities::slice(subject, resource, facts).map_err(|error| error.to_string())?;
    // An address takes longer to build than all else of the context, and most policies do not look at it.
    let client = circumstances.client.filter(|_| action.context_use() == ContextUse::Everything);
    let circumstances = Circumstances { client, ..*circumstances };
    let context = entities::context(subject, &circumstances).map_err(|error| error.to_string())?;
    let request =
        Request::new(slice.principal, action.uid().clone(), slice.resource, context, Some(generation.schema()))
            .map_err(|error| error.to_string())?;
    let all = slice.entities.into_iter().chain(action.entities().iter().cloned());
    let entities = Entities::from_entities(all, None).map_err(|error| error.to_string())?;
    Ok(Authorizer::new().is_authorized(&request, generation.policies(), &entities))
}

fn failed(generation: &Generation, facts: &Facts, error: String) -> Decision {
    Decision {
        allowed: false,
        generation: generation.number(),
        role: facts.role(),
        policies: Arc::new([]),
        errors: Arc::new([error.into()]),
    }
}
