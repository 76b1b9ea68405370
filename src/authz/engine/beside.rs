//! The candidate beside the policies in force: how it is read, proved and asked.

use std::path::PathBuf;
use std::sync::Arc;

use super::{Engine, Question};
use crate::authz::candidate::{Candidate, Candidates, Compared, Disagreement, Standing};
use crate::authz::decision::Decision;
use crate::authz::evaluate::evaluate;
use crate::authz::generation::{LoadError, Source};
use crate::model::PolicyDigest;
use crate::store::StoreError;
use crate::telemetry::ShadowResult;

impl Engine {
    /// The same engine with a folder of candidate policies, which are not read yet.
    #[must_use]
    pub fn with_candidate(self, folder: PathBuf) -> Self {
        let source = Source { policies: folder.into(), ..self.source.clone() };
        Self { candidates: Some(Candidates::new(source, self.source.clone())), ..self }
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

    /// Whether the invariants are to be proved for the candidate, which [`Self::prove_candidate`] does. Where `again` is asked
    /// for, also those that were not proved before.
    pub fn is_candidate_unproved(&self, again: bool) -> bool {
        let Some(candidates) = self.candidates.as_ref().filter(|_| self.proofs.is_on()) else { return false };
        if again {
            candidates.ask_again();
        }
        candidates.is_unproved()
    }

    /// Finds out whether the invariants hold for the candidate, and tells `told` which it is. Blocks for as long as that takes;
    /// nothing waits for it.
    pub fn prove_candidate(&self, told: impl Fn(&Candidate, &Result<(), LoadError>)) {
        if let Some(candidates) = &self.candidates {
            candidates.prove(&self.proofs, told);
        }
    }

    /// What is known of the invariants of the candidate.
    pub fn candidate_standing(&self) -> Standing {
        match self.candidates.as_ref().filter(|_| self.proofs.is_on()) {
            Some(candidates) => candidates.standing(),
            None => Standing::Off,
        }
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
}
