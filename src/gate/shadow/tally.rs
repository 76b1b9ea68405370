//! How many decisions were compared, by what the candidate made of them: told to the shadow log every now and then, which has
//! nothing of those on which the candidate agrees.

use std::time::Duration;

use crate::model::{PolicyDigest, Timestamp};
use crate::telemetry::{ShadowLog, ShadowResult, ShadowTally};

/// After so much time what was counted is told.
const TOLD_AFTER: Duration = Duration::from_secs(60);

/// What was counted since it was told last.
#[derive(Default)]
pub(super) struct Tally(Option<ShadowTally>);

impl Tally {
    /// Whether nothing was counted.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Counts a decision of the time `at`. What was counted before is told first if it is of other policies, or old enough;
    /// `dropped` gives how many were not compared until then.
    pub(super) fn add(
        &mut self,
        (generation, candidate): (u64, PolicyDigest),
        at: Timestamp,
        result: ShadowResult,
        log: &ShadowLog,
        dropped: impl FnOnce() -> u64,
    ) {
        let goes_on = |tally: &ShadowTally| {
            (tally.generation, tally.candidate) == (generation, candidate) && at < tally.since.plus(TOLD_AFTER)
        };
        if self.0.as_ref().is_some_and(|tally| !goes_on(tally)) {
            self.tell(log, dropped);
        }
        let fresh = || ShadowTally { time: at, since: at, generation, candidate, compared: [0; 5], dropped: 0 };
        let tally = self.0.get_or_insert_with(fresh);
        tally.time = tally.time.max(at);
        if let Some(count) = tally.compared.get_mut(result as usize) {
            *count = count.saturating_add(1);
        }
    }

    /// Tells what was counted, if anything was, and counts anew.
    pub(super) fn tell(&mut self, log: &ShadowLog, dropped: impl FnOnce() -> u64) {
        if let Some(tally) = self.0.take() {
            log.record_tally(&ShadowTally { dropped: dropped(), ..tally });
        }
    }
}
