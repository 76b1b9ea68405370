//! The history of the policies: every generation that was in force, as long as it is one of the newest.
//!
//! Whatever is kept was validated. A store that fails keeps nobody from putting policies into force: they are kept as
//! soon as it works again. Nothing that is cached depends on the history.

use std::sync::{Arc, Mutex, PoisonError};

use crate::accounts::{Actor, Result};
use crate::audit::{self, Draft};
use crate::authz::generation::{Contents, Generation, LoadError, load_kept};
use crate::authz::problem::Problem;
use crate::clock::Clock;
use crate::model::{EventAction, PolicyFile, PolicyGeneration, ReloadCause, UserId};
use crate::store::{Store, StoreError};

/// How many generations are kept.
const KEPT: u32 = 50;
/// How many generations wait at most until the store works again; then the oldest are lost.
const MOST_WAITING: usize = 50;

/// The history, in a store that several processes may share: numbers grow over all of them, and the same files in a row
/// have one.
pub struct PolicyHistory {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Vec<Waiting>>,
}

/// A generation that is to be kept, under this number or a greater one.
struct Waiting {
    generation: PolicyGeneration,
    event: Option<Draft>,
}

impl PolicyHistory {
    /// The history in `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, waiting: Mutex::default() }
    }

    /// The number that a process which starts with these files knows them by.
    pub fn number_for(&self, contents: &Contents) -> std::result::Result<u64, StoreError> {
        let newest = self.store.policy_generations(None, 1)?.pop();
        Ok(newest.map_or(1, |newest| {
            if newest.digest == contents.digest() { newest.number } else { newest.number.saturating_add(1) }
        }))
    }

    /// The newest generations, newest first.
    pub fn newest(&self, limit: u32) -> Result<Vec<PolicyGeneration>> {
        Ok(self.store.policy_generations(None, limit)?)
    }

    /// The newest generation, under its number, for whoever decides where the files cannot be loaded; nothing if none is
    /// kept. The error says why it cannot: this version does not load it, or it is not what was written.
    pub fn load_newest(&self) -> Result<Option<std::result::Result<Generation, LoadError>>> {
        Ok(self.newest(1)?.pop().map(|PolicyGeneration { number, digest, tests, files, .. }| {
            let contents = Contents::new(files);
            if contents.digest() != digest {
                let problem =
                    Problem::with(&format!("generation:{number}"), "the files are not those that were recorded");
                return Err(LoadError::of_recorded(number, &[problem]));
            }
            let kept = load_kept(&contents, number).map(|kept| kept.that_passed(tests));
            kept.map_err(|error| LoadError::of_recorded(number, error.problems()))
        }))
    }

    /// The generation with this number, if it is kept, and the one before it.
    pub fn find(&self, number: u64) -> Result<Option<(PolicyGeneration, Option<PolicyGeneration>)>> {
        let mut found = self.store.policy_generations(Some(number.saturating_add(1)), 2)?.into_iter();
        let generation = found.next().filter(|generation| generation.number == number);
        Ok(generation.map(|generation| (generation, found.next())))
    }

    /// Notes that the files of a generation were written back on this machine, as what is to be in force next. Gives the
    /// number that they go under: a server that reads them takes it.
    pub fn record_rollback(&self, actor: &Actor, contents: &Contents) -> Result<u64> {
        let event = audit::event(&actor.author(), EventAction::PoliciesReloaded, self.clock.now());
        let waiting = self.waiting(1, contents, None, ReloadCause::Console, None, Some(event));
        Ok(self.write(&waiting)?)
    }

    /// Keeps a generation that is about to be in force, under the number `least` or the next that is free; gives the
    /// number. Where the newest that is kept has the same files, as another process has put them in force, it is that.
    pub(super) fn record(
        &self,
        least: u64,
        contents: &Contents,
        tests: Option<u32>,
        cause: ReloadCause,
        user: Option<UserId>,
        event: Option<Draft>,
    ) -> u64 {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        all.push(self.waiting(least, contents, tests, cause, user, event));
        if all.len() > MOST_WAITING {
            all.remove(0);
        }
        self.write_all(&mut all).unwrap_or_else(|error| {
            tracing::error!(generation = least, %error, "new policies are not in the history yet");
            least
        })
    }

    /// Keeps what waits for the store, if anything does.
    pub(super) fn record_again(&self) {
        let mut all = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return;
        }
        match self.write_all(&mut all) {
            Ok(generation) => tracing::info!(generation, "the history of the policies is complete again"),
            Err(error) => tracing::debug!(%error, "new policies are still not in the history"),
        }
    }

    fn waiting(
        &self,
        number: u64,
        contents: &Contents,
        tests: Option<u32>,
        cause: ReloadCause,
        user: Option<UserId>,
        event: Option<Draft>,
    ) -> Waiting {
        let files: Vec<PolicyFile> = contents.files().to_vec();
        let (at, digest) = (self.clock.now(), contents.digest());
        Waiting { generation: PolicyGeneration { number, at, cause, user, digest, tests, files }, event }
    }

    /// Writes in the order in which they were in force; gives the number of the last one.
    fn write_all(&self, all: &mut Vec<Waiting>) -> std::result::Result<u64, StoreError> {
        let mut number = 0;
        while let Some(first) = all.first() {
            number = self.write(first)?;
            let known = first.generation.number;
            if all.len() > 1 && number != known {
                tracing::warn!(generation = known, recorded = number, "another process was first with this number");
            }
            all.remove(0);
        }
        Ok(number)
    }

    fn write(&self, waiting: &Waiting) -> std::result::Result<u64, StoreError> {
        let Waiting { generation, event } = waiting;
        let mut tx = self.store.begin()?;
        let newest = tx.policy_generations(None, 1)?.pop();
        let number = match newest {
            Some(newest) if newest.digest == generation.digest && newest.number >= generation.number => newest.number,
            newest => {
                let next = newest.map_or(1, |newest| newest.number.saturating_add(1));
                let number = next.max(generation.number);
                tx.insert_policy_generation(&PolicyGeneration { number, ..generation.clone() }, KEPT)?;
                number
            }
        };
        if let Some(event) = event {
            tx.record(&event.clone().detail(number).finish())?;
        }
        tx.commit()?;
        Ok(number)
    }
}

#[cfg(test)]
mod tests;
