//! The policies are read again, and what came of it is kept.

mod history;

use std::sync::Arc;
use std::thread;

pub use self::history::PolicyHistory;
use super::{Accounts, Actor, Result};
use crate::audit;
use crate::authz::generation::LoadError;
use crate::authz::{Candidate, Reloaded, Resource, TestCount};
use crate::model::{EventAction, ReloadCause};

/// Who or what has the policies read again.
#[derive(Debug, Clone, Copy)]
pub enum Reloader<'a> {
    /// The files have changed, or seem to have.
    Watcher,
    /// Whoever runs the server has sent SIGHUP.
    Sighup,
    /// A user, if the policies in force permit it.
    User(&'a Actor),
}

impl Reloader<'_> {
    const fn cause(self) -> ReloadCause {
        match self {
            Self::Watcher => ReloadCause::Watcher,
            Self::Sighup => ReloadCause::Sighup,
            Self::User(_) => ReloadCause::User,
        }
    }
}

impl Accounts {
    /// Reads the policies, the schema and the routes again. If they have changed and all is well, they are in force when
    /// this returns; otherwise nothing changes. A candidate is read again in either case, and what is wrong with it changes
    /// nothing of that. Logs and counts how it went, but for the watcher's finding the same problem again.
    ///
    /// # Errors
    ///
    /// [`AccountError::Policies`](super::AccountError::Policies) with everything that is wrong with the files, and
    /// [`AccountError::Denied`](super::AccountError::Denied).
    pub fn reload_policies(&self, by: Reloader<'_>) -> Result<Reloaded> {
        if let Reloader::User(actor) = by {
            self.authorize(&*self.store, actor, "ReloadPolicies", &Resource::Installation)?;
        }
        if !matches!(by, Reloader::Watcher) {
            // Whoever asks wants to know it now.
            self.engine.proofs().ask_again();
        }
        let (known, was_recorded) = (self.engine.last_reload_error(), self.engine.generation().is_recorded());
        let tests = self.engine.test_count();
        let reloaded = self.engine.reload(|next, least| {
            let (user, event) = match by {
                Reloader::Watcher | Reloader::Sighup => (None, None),
                Reloader::User(actor) => {
                    let event = audit::event(&actor.author(), EventAction::PoliciesReloaded, self.now());
                    (actor.user_id(), Some(event))
                }
            };
            self.policies.record(least, next.contents(), next.tests(), by.cause(), user, event)
        });
        self.metrics.set_policy_files_refused(reloaded.is_err());
        match &reloaded {
            Ok(Reloaded::InForce(generation)) => {
                self.metrics.set_policy_generation(*generation);
                let tests = self.engine.test_count().now;
                tracing::info!(generation, by = by.cause().as_str(), tests, "new policies are in force");
            }
            Ok(Reloaded::Unchanged(generation)) if was_recorded => {
                tracing::info!(generation, "the files are right again, and those that are in force");
            }
            Ok(Reloaded::Unchanged(generation)) if known.is_some() => {
                tracing::info!(generation, "the policies are again those in force");
            }
            Ok(Reloaded::Unchanged(generation)) => tracing::debug!(generation, "the policies have not changed"),
            Err(error) if matches!(by, Reloader::Watcher) && known.as_deref() == Some(error) => {}
            Err(error) => {
                self.metrics.reload_failed();
                let generation = self.engine.generation().number();
                tracing::error!(generation, %error, "the policies were not reloaded, the last good ones stay in force");
            }
        }
        self.warn_of_lost_tests(tests);
        self.reload_candidate(matches!(by, Reloader::Watcher));
        Ok(reloaded?)
    }

    /// Reads the candidate for the first time, if there is a folder for it. One that is bad keeps nothing from starting.
    pub fn load_candidate(&self) {
        self.reload_candidate(false);
    }

    /// The candidate follows its own files and the schema in force, whatever came of the policies in force.
    fn reload_candidate(&self, by_watcher: bool) {
        let Some(candidates) = self.engine.candidates() else { return };
        let known = candidates.last_error();
        match self.engine.reload_candidate() {
            Ok(Some(candidate)) => {
                self.metrics.set_candidate_loaded(true);
                tracing::info!(%candidate, "a new candidate is asked beside the policies in force");
            }
            Ok(None) if known.is_some() => tracing::info!("the candidate is again the one that is asked"),
            Ok(None) => {}
            Err(error) if by_watcher && known.as_deref() == Some(&error) => {}
            Err(error) => {
                self.metrics.candidate_failed();
                let instead =
                    if candidates.current().is_some() { "the last good one is asked" } else { "none is asked" };
                tracing::error!(%error, "the candidate was not loaded, {instead}");
            }
        }
        if self.engine.is_candidate_unproved(!by_watcher) {
            self.prove_candidate();
        }
    }

    /// Has the candidate's invariants proved by a thread of its own: what is to come into force does not wait for it, and it is
    /// asked meanwhile and whatever comes of it.
    fn prove_candidate(&self) {
        let engine = Arc::clone(&self.engine);
        let told = |candidate: &Candidate, result: &std::result::Result<(), LoadError>| {
            let candidate = candidate.digest();
            match result {
                Ok(()) => tracing::info!(%candidate, "the invariants are proved for the candidate"),
                Err(error) => error.problems().iter().for_each(|problem| {
                    tracing::warn!(%candidate, %problem, "an invariant is not proved for the candidate");
                }),
            }
        };
        let proving = thread::Builder::new().name("prove-candidate".to_owned());
        if let Err(error) = proving.spawn(move || engine.prove_candidate(told)) {
            tracing::error!(%error, "the invariants are not proved for the candidate: there is no thread for it");
        }
    }

    /// Logs and counts that a server has started on a generation of the history, if it has: its files could not be taken.
    pub fn tell_of_refused_policies(&self) {
        let Some(error) = self.engine.last_reload_error() else { return };
        self.metrics.reload_failed();
        self.metrics.set_policy_files_refused(true);
        let generation = self.engine.generation().number();
        tracing::warn!(
            generation,
            %error,
            "the files of the policies cannot be taken: the newest generation in the history decides until they can"
        );
    }

    /// Keeps the generation that the server has started with, unless it is the newest that is kept.
    pub fn record_first_policies(&self) {
        let generation = self.engine.generation();
        if let Ok(Some(before)) = self.policies.newest(1).map(|mut newest| newest.pop()?.tests) {
            let known = self.engine.test_count();
            self.engine.follows_tests(before);
            self.warn_of_lost_tests(known);
        }
        let (number, contents) = (generation.number(), generation.contents());
        let recorded = self.policies.record(number, contents, generation.tests(), ReloadCause::Start, None, None);
        if recorded != number {
            tracing::warn!(generation = number, recorded, "another process was first: the history has another number");
        }
    }

    /// Policies whose tests are gone are taken: whoever may change those may change the tests. But nothing holds them to what
    /// they were held to before, and that is said once.
    fn warn_of_lost_tests(&self, known: TestCount) {
        if let TestCount { lost: Some(before), .. } = self.engine.test_count()
            && known.lost.is_none()
        {
            let generation = self.engine.generation().number();
            tracing::warn!(
                generation,
                before,
                now = 0,
                "the policies in force have no tests any more: whatever is changed now goes into force untested"
            );
        }
    }

    /// Keeps what could not be kept before, if there is anything.
    pub fn record_policies_again(&self) {
        self.policies.record_again();
    }
}
