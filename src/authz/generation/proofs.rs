//! Invariants that are proved before policies come into force.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::invariants::{self, Invariant, Stated};
use super::{Generation, LoadError, Source};
use crate::authz::analysis::progress::untold;
use crate::authz::analysis::prove::{Conclusion, Proved, Refutation, prove as prove_all};
use crate::authz::analysis::solver::{HOW_TO_INSTALL, Solver};
use crate::authz::problem::{Problem, with_causes};
use crate::config::Prove;
use crate::model::PolicyDigest;

/// After how many questions in a row without an answer the solver is asked no more: it would never end.
const PATIENCE: u32 = 3;
/// How many results are remembered: that of the files in force, and those of some that were tried since.
const REMEMBERED: usize = 4;

/// Proves the invariants of policies that are about to come into force.
pub struct Proofs {
    prove: Prove,
    timeout: Duration,
    find: Box<dyn Fn() -> Option<PathBuf> + Send + Sync>,
    /// Becomes `true` when nothing more is to be proved.
    stop: watch::Sender<bool>,
    /// How many proofs are being made.
    running: Mutex<usize>,
    /// One less is.
    ended: Condvar,
    known: Mutex<Vec<Known>>,
    /// Whether it was said that there is no solver.
    is_said: AtomicBool,
}

/// What was proved: of which policies, which invariants, and how strictly it was judged.
type Asked = (PolicyDigest, Vec<Problem>, Prove);

/// What came of a proof.
struct Known {
    of: Asked,
    result: Result<(), LoadError>,
    /// Whether it would come out the same again.
    is_certain: bool,
}

/// A proof that is being made.
struct Running<'a>(&'a Proofs);

impl<'a> Running<'a> {
    /// Nothing once no more is to be proved.
    fn begin(proofs: &'a Proofs) -> Option<Self> {
        let mut running = proofs.running.lock().unwrap_or_else(PoisonError::into_inner);
        if *proofs.stop.borrow() {
            return None;
        }
        *running += 1;
        Some(Self(proofs))
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        *self.0.running.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.ended.notify_all();
    }
}

impl Proofs {
    /// Proves as `prove` says, where the solver may take as long as `timeout` for each question.
    pub fn new(prove: Prove, timeout: Duration) -> Self {
        Self {
            prove,
            timeout,
            find: Box::new(Solver::installed),
            stop: watch::channel(false).0,
            running: Mutex::default(),
            ended: Condvar::new(),
            known: Mutex::default(),
            is_said: AtomicBool::new(false),
        }
    }

    /// Proves nothing.
    pub fn off() -> Self {
        Self::new(Prove::Off, Duration::ZERO)
    }

    /// Whether anything is proved.
    pub(in crate::authz) fn is_on(&self) -> bool {
        self.prove != Prove::Off
    }

    /// Ends a proof that is being made, and makes no other.
    pub fn stop(&self) {
        self.stopper()();
    }

    /// Waits until no proof is being made, so that no solver is left; false if that took longer than `patience`. Blocks.
    pub fn have_ended_within(&self, patience: Duration) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = self.ended.wait_timeout_while(running, patience, |running| *running > 0);
        !ended.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// What stops them, for whoever has not got them any more.
    pub fn stopper(&self) -> impl Fn() + Send + use<> {
        let stop = self.stop.clone();
        move || {
            stop.send_replace(true);
        }
    }

    /// What the solver could not tell before is asked again next time.
    pub fn ask_again(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).retain(|known| known.is_certain);
    }

    /// Finds out whether the invariants that stand beside the policies of `source` hold for `generation`, which was read
    /// together with them. Blocks. What came of the same files before is not asked again.
    pub(in crate::authz) fn check(
        &self,
        generation: &Generation,
        stated: &Stated,
        source: &Source,
    ) -> Result<(), LoadError> {
        self.check_as(self.prove, generation, stated, source)
    }

    /// The same for policies that come into force by nothing of this: the error tells as well what is not proved.
    pub(in crate::authz) fn check_candidate(
        &self,
        candidate: &Generation,
        stated: &Stated,
        source: &Source,
    ) -> Result<(), LoadError> {
        self.check_as(Prove::Required, candidate, stated, source)
    }

    fn check_as(
        &self,
        prove: Prove,
        generation: &Generation,
        stated: &Stated,
        source: &Source,
    ) -> Result<(), LoadError> {
        if prove == Prove::Off {
            return Ok(());
        }
        let Some((invariants, _)) = invariants::parse(stated, generation)? else {
            return match prove {
                Prove::Required => Err(invariants::none(source)),
                Prove::Off | Prove::Available => Ok(()),
            };
        };
        let Some(program) = (self.find)() else {
            return self.without_solver(prove, source, &format!("no solver is installed: {HOW_TO_INSTALL}"));
        };
        // The place tells an invariant's text as well, for its first line only: so what it says is added.
        let said = |invariant: &Invariant| invariant.problem(&invariant.policy);
        let of = (generation.contents().digest(), invariants.iter().map(said).collect(), prove);
        if let Some(result) = self.known(&of) {
            return result;
        }
        let interrupted = || {
            let problem = Problem::with(&invariants::folder(source), "the proofs were interrupted: the program ends");
            LoadError { problems: vec![problem] }
        };
        let _running = Running::begin(self).ok_or_else(interrupted)?;
        // The solver has a runtime of its own, which must not be within another one.
        let made = std::thread::scope(|scope| {
            let prover = || -> Result<Vec<Proved>, String> {
                let solver = Solver::start(&program, self.timeout).map_err(|error| with_causes(&error))?;
                let mut solver = solver.with_limits(PATIENCE, self.stop.subscribe());
                let began = Instant::now();
                let proved = prove_all(generation, &invariants, &mut solver, &mut untold);
                tracing::debug!(invariants = invariants.len(), %solver, took = ?began.elapsed(), "proofs were made");
                Ok(proved)
            };
            scope.spawn(prover).join()
        });
        let proved = match made.unwrap_or_else(|panic| std::panic::resume_unwind(panic)) {
            Ok(proved) => proved,
            Err(because) => return self.without_solver(prove, source, &because),
        };
        self.is_said.store(false, Ordering::Relaxed);
        if *self.stop.borrow() {
            return Err(interrupted());
        }
        self.judge(of, generation, &invariants, proved)
    }

    /// The same for a generation of the history that is to stand in for the files. What is wrong with the invariants
    /// themselves, as with one about an action that it does not have, is as if they could not be told, and so refuses it
    /// only where each must be proved.
    pub(in crate::authz) fn check_recorded(
        &self,
        recorded: &Generation,
        stated: &Stated,
        source: &Source,
    ) -> Result<(), LoadError> {
        match (self.prove, invariants::parse(stated, recorded)) {
            (Prove::Available, Err(error)) => {
                tracing::warn!(%error, "the invariants are not proved");
                Ok(())
            }
            _ => self.check(recorded, stated, source),
        }
    }

    fn judge(
        &self,
        of: Asked,
        generation: &Generation,
        invariants: &[Invariant],
        proved: Vec<Proved>,
    ) -> Result<(), LoadError> {
        let (mut problems, mut is_certain) = (Vec::new(), true);
        for (invariant, Proved { result, .. }) in invariants.iter().zip(proved) {
            match result {
                Conclusion::Proved => {}
                Conclusion::Refuted(refutation) => problems.push(refuted(generation, invariant, &refutation)),
                Conclusion::Unknown { because } => {
                    is_certain = false;
                    let problem = unknown(invariant, &because);
                    match of.2 {
                        Prove::Required => problems.push(problem),
                        Prove::Off | Prove::Available => tracing::warn!(%problem, "an invariant is not proved"),
                    }
                }
            }
        }
        let result = if problems.is_empty() { Ok(()) } else { Err(LoadError { problems }) };
        if result.is_ok() && is_certain {
            tracing::info!(invariants = invariants.len(), policies = %of.0, "the invariants are proved");
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.truncate(REMEMBERED - 1);
        known.insert(0, Known { of, result: result.clone(), is_certain });
        result
    }

    fn known(&self, of: &Asked) -> Option<Result<(), LoadError>> {
        let mut all = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let at = all.iter().position(|known| known.of == *of)?;
        // What is asked for often is not forgotten for what is not.
        all.get_mut(..=at)?.rotate_right(1);
        all.first().map(|known| known.result.clone())
    }

    fn without_solver(&self, prove: Prove, source: &Source, because: &str) -> Result<(), LoadError> {
        if prove == Prove::Required {
            let problem = Problem::with(&invariants::folder(source), "the invariants cannot be proved");
            return Err(LoadError { problems: vec![problem.help(because)] });
        }
        if !self.is_said.swap(true, Ordering::Relaxed) {
            tracing::warn!(because, "the invariants are not proved");
        }
        Ok(())
    }
}

fn refuted(generation: &Generation, invariant: &Invariant, refutation: &Refutation) -> Problem {
    let Refutation { request, outcome } = refutation;
    let named = |policy: &String| match generation.policies().policies().find(|found| found.id().to_string() == *policy)
    {
        Some(found) => format!("`{policy}` of {}", generation.policy_file(found.id()).unwrap_or_default()),
        None => format!("`{policy}`"),
    };
    let by: Vec<String> = outcome.policies.iter().map(named).collect();
    let by = match (by.as_slice(), outcome.errors.first()) {
        ([], Some(error)) => format!(": {error}"),
        ([], None) => ": no policy permits it".to_owned(),
        (by, _) => format!(" by {}", by.join(", ")),
    };
    let answer = if outcome.allowed { "permitted" } else { "denied" };
    let shown = request.to_string();
    let mut lines = shown.lines();
    let asked = lines.next().unwrap_or_default();
    let message = format!("the invariant `{}` does not hold: {asked} is {answer}{by}", invariant.id);
    invariant.problem(message).help(format_args!("with {}", lines.collect::<Vec<_>>().join("; ")))
}

fn unknown(invariant: &Invariant, because: &str) -> Problem {
    let because = because.lines().collect::<Vec<_>>().join("; ");
    invariant.problem(format_args!("whether the invariant `{}` holds cannot be told: {because}", invariant.id))
}

impl std::fmt::Debug for Proofs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Proofs").field("prove", &self.prove).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
