//! Where the policies stand that were compared: as far as what they were then can still be had.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::authz::analysis;
use crate::authz::generation::{Contents, Generation, PolicyPlace, Source, load_kept};
use crate::cli::policy::history;
use crate::cli::settings::Settings;
use crate::model::PolicyGeneration;

/// What decided, and what was asked beside it.
#[derive(Default)]
pub(super) struct Places {
    /// The generations that could be had, newest first.
    live: Vec<Generation>,
    candidate: Option<Generation>,
}

impl Places {
    /// Looks for the generations in the history, if there is one, and for the candidate in its folder and in the history.
    pub(super) fn of(candidate: &str, generations: &BTreeSet<u64>, settings: &Settings) -> Result<Self> {
        let (config, _) = settings.load(Vec::new())?;
        let folder = config.policy.shadow.clone();
        let loaded = folder.and_then(|policies| {
            let source = Source { policies: policies.into(), schema: config.policy.schema.clone(), tests: false };
            analysis::load(&source).ok().filter(|found| found.contents().digest().to_string() == candidate)
        });
        let mut places = Self { live: Vec::new(), candidate: loaded };
        if !matches!(config.store.path.try_exists(), Ok(true)) {
            return Ok(places);
        }
        let (_, history) = history::open(settings)?;
        for kept in history.newest(u32::MAX)? {
            if places.candidate.is_none() && kept.digest.to_string() == candidate {
                places.candidate = load(&kept);
            }
            if generations.contains(&kept.number) {
                places.live.extend(load(&kept));
            }
        }
        Ok(places)
    }

    /// Where the policy of a generation stands.
    pub(super) fn live(&self, generation: u64, policy: &str) -> Option<PolicyPlace> {
        self.live.iter().find(|found| found.number() == generation)?.policy_place(policy)
    }

    /// Where the candidate's policy stands.
    pub(super) fn candidate(&self, policy: &str) -> Option<PolicyPlace> {
        self.candidate.as_ref()?.policy_place(policy)
    }
}

/// Nothing if this version does not load it: it was another one that compared.
fn load(kept: &PolicyGeneration) -> Option<Generation> {
    load_kept(&Contents::new(kept.files.clone()), kept.number).ok()
}
