//! Decisions that nothing is remembered of: Cedar's answer, from the facts.

use std::sync::Arc;

use cedar_policy::Decision as Answer;
use cedar_policy_core::ast::{EntityUID, EntityUIDEntry, Request, RequestSchema};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::ValidatorSchema;

use super::decision::Decision;
use super::entities;
use super::facts::Facts;
use super::generation::Generation;
use super::index::Authorization;
use super::prepared::PreparedAction;
use super::question::{Circumstances, Resource, Subject};
use super::reads::ContextParts;

/// Asks Cedar. Whatever goes wrong is a deny that says what.
pub(super) fn evaluate(
    generation: &Generation,
    action: u16,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
) -> Decision {
    let Some(action) = generation.prepared().action(action) else {
        return failed(generation, facts, "the action is not one of this generation".to_owned());
    };
    match ask(generation, action, subject, resource, facts, circumstances) {
        Ok(Authorization { decision, reason, errors }) => {
            // An error makes Cedar skip the policy, which may be a `forbid`: so any error denies.
            let allowed = decision == Answer::Allow && errors.is_empty();
            let errors = errors.iter().map(|error| error.to_string().into()).collect();
            Decision::new(generation.number(), allowed, facts.role(), reason.into(), errors)
        }
        Err(error) => failed(generation, facts, error),
    }
}

fn ask(
    generation: &Generation,
    action: &PreparedAction,
    subject: &Subject<'_>,
    resource: &Resource,
    facts: &Facts,
    circumstances: &Circumstances<'_>,
) -> Result<Authorization, String> {
    let slice = entities::slice(subject, resource, facts, generation.prepared().types(), action.reads);
    let slice = slice.map_err(|error| error.to_string())?;
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
    let entities = entities.map_err(|error| error.to_string())?;
    Ok(generation.index().authorize_for(&action.keys, &request, &entities))
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
