//! Decisions that nothing is remembered of: Cedar's answer, from the facts.

use std::sync::Arc;

use cedar_policy::Decision as Answer;
use cedar_policy_core::ast::{EntityUID, EntityUIDEntry, Request, RequestSchema};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::ValidatorSchema;

use super::analysis::explain::{self, Reviewed};
use super::decision::Decision;
use super::entities::{self, Slice};
use super::facts::Facts;
use super::generation::Generation;
use super::index::Authorization;
use super::inquiry::{Gathering, InquiryError, LoadFacts};
use super::prepared::PreparedAction;
use super::question::{Circumstances, Resource, Subject};
use super::reads::{ContextParts, Reads, Strays};
use crate::model::{Role, UserId};
use crate::store::StoreError;

/// Asks Cedar. Whatever goes wrong is a deny that says what, unless it is the store. That is asked by `load`, for nothing
/// but what policies look at beyond the subject and the resource.
pub(super) fn evaluate(
    generation: &Generation,
    action: u16,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
    load: LoadFacts<'_>,
) -> Result<Decision, StoreError> {
    let Some(action) = generation.prepared().action(action) else {
        return Ok(failed(generation, facts, "the action is not one of this generation".to_owned()));
    };
    Ok(match ask(generation, action, subject, resource, facts, circumstances, load) {
        Ok(asked) => conclude(generation, action, &asked, facts.role()),
        Err(Failure::Store(error)) => return Err(error),
        Err(Failure::Other(error)) => failed(generation, facts, error),
    })
}

/// What Cedar is asked: a request, and the entities that it is decided from.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

/// The decision on what is asked of this action.
pub(super) fn conclude(
    generation: &Generation,
    action: &PreparedAction,
    asked: &Asked,
    role: Option<Role>,
) -> Decision {
    let Authorization { decision, reason, errors } =
        generation.index().authorize_for(&action.keys, &asked.request, &asked.entities);
    // An error makes Cedar skip the policy, which may be a `forbid`: so any error denies.
    let allowed = decision == Answer::Allow && errors.is_empty();
    let errors = errors.iter().map(|error| error.to_string().into()).collect();
    Decision::new(generation.number(), allowed, role, reason.into(), errors)
}

/// Why Cedar could not be asked.
pub(super) enum Failure {
    Store(StoreError),
    Other(String),
}

impl From<String> for Failure {
    fn from(error: String) -> Self {
        Self::Other(error)
    }
}

/// What held of the policies that determined `decision`, and what stood in the way of each that permits the action in general.
pub(super) fn review(
    decision: &Decision,
    generation: &Generation,
    action: u16,
    (subject, resource): (&Subject<'_>, &Resource),
    facts: &Facts,
    circumstances: &Circumstances<'_>,
    load: LoadFacts<'_>,
) -> Result<Reviewed, StoreError> {
    let nothing = Reviewed { deciding: Vec::new(), misses: Vec::new() };
    let Some(action) = generation.prepared().action(action) else { return Ok(nothing) };
    match ask(generation, action, subject, resource, facts, circumstances, load) {
        Ok(Asked { request, entities }) => {
            let is_denied = decision.permit().is_none();
            Ok(explain::review(generation, &action.keys, (&request, &entities), decision.policies(), is_denied))
        }
        Err(Failure::Store(error)) => Err(error),
        // What cannot be asked about is told by the decision.
        Err(Failure::Other(_)) => Ok(nothing),
    }
}

/// What Cedar is asked about such a question. It fits the schema.
pub(super) fn ask(
    generation: &Generation,
    action: &PreparedAction,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
    load: LoadFacts<'_>,
) -> Result<Asked, Failure> {
    let slice = entities::slice(subject, resource, facts, generation.prepared().types(), action.reads);
    let mut slice = slice.map_err(|error| error.to_string())?;
    complete(generation, action.reads, &action.strays, circumstances.member, &mut slice, load)?;
    let fits = action.fits(&slice.principal, &slice.resource, circumstances);
    // Of a context that is looked at by the schema, too, nothing may be missing but the address, which takes longer to
    // build than all else.
    let needed = if fits { action.reads.context } else { ContextParts::EVERYTHING };
    let client = circumstances.client.filter(|_| action.reads.context.intersects(ContextParts::CLIENT));
    let circumstances = Circumstances { client, ..*circumstances };
    let context = entities::context(subject, &circumstances, needed).map_err(|error| error.to_string())?;
    let extensions = Extensions::all_available();
    let request = Request::new_unchecked(
        known(slice.principal),
        known(Arc::clone(&action.uid)),
        known(slice.resource),
        Some(context),
    );
    if !fits {
        let schema: &ValidatorSchema = generation.schema().as_ref();
        schema.validate_request(&request, extensions).map_err(|error| error.to_string())?;
    }
    let all = slice.entities.into_iter().chain(action.entities.iter().cloned());
    // INVARIANT: a slice has the ancestors of each of its entities, and a schema those of its actions.
    let closed = TCComputation::AssumeAlreadyComputed;
    let entities = Entities::from_entities(all, None::<&NoEntitiesSchema>, closed, extensions);
    Ok(Asked { request, entities: entities.map_err(|error| error.to_string())? })
}

/// Adds what else may be looked at: the entities of files, what the policies that stray name, the member whom it concerns,
/// and what these lead to.
pub(super) fn complete(
    generation: &Generation,
    reads: Reads,
    strays: &Strays,
    member: Option<UserId>,
    slice: &mut Slice,
    load: LoadFacts<'_>,
) -> Result<(), Failure> {
    let filed = generation.filed();
    if strays.is_any() || filed.lead_to_store(filed.roots(&slice.resource, reads)) {
        // What the subject is in depends on all of it, so all is gathered together.
        let gathered = Gathering::all(generation, load, &slice.principal, &slice.resource, reads, strays, member);
        slice.entities = gathered.map_err(|error| match error {
            InquiryError::Store(error) => Failure::Store(error),
            InquiryError::Unfit(error) => Failure::Other(error.to_string()),
        })?;
        return Ok(());
    }
    if filed.is_empty() {
        return Ok(());
    }
    let reached = filed.reach(filed.roots(&slice.resource, reads));
    slice.entities.retain(|entity| filed.get(entity.uid()).is_none());
    slice.entities.extend(reached.into_iter().cloned());
    Ok(())
}

fn known(uid: Arc<EntityUID>) -> EntityUIDEntry {
    EntityUIDEntry::Known { euid: uid, loc: None }
}

/// A deny because of `error`.
pub(super) fn failed(generation: &Generation, facts: &Facts, error: String) -> Decision {
    Decision::new(generation.number(), false, facts.role(), Arc::new([]), Arc::new([error.into()]))
}

#[cfg(test)]
mod tests;
