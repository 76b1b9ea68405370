//! Questions in the words of the schema: any principal, action and resource, with what the asker says of them.
//!
//! Whoever asks so enforces the answer, and is believed about what Gatepost does not know: attributes of entities, and
//! the context. Never about what the store knows: entities of types that Gatepost owns come from there alone, whatever
//! is said of them. Entities of files come with the generation; what is said of one goes before what its file says.
//!
//! What does not fit the schema is not asked of policies, and is denied: these were validated for entities and contexts
//! that do.

mod candidates;
mod fit;
mod gather;
mod prospect;
mod search;

use std::sync::Arc;

use cedar_policy::Decision as Answer;
use cedar_policy_core::ast::{Context, EntityUID, EntityUIDEntry, Request, RequestSchema};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::validator::ValidatorSchema;

pub(super) use self::gather::{Gathering, LoadFacts};
pub(super) use self::search::search;
pub use self::search::{Found, Page, Sought};
use super::decision::Decision;
use super::entities::own_types;
use super::generation::Generation;
use super::prepared::PreparedAction;
use crate::model::UserId;
use crate::store::StoreError;

/// Attributes, as they were sent.
pub type Attributes = serde_json::Map<String, serde_json::Value>;

/// A question in the words of the schema.
#[derive(Debug, Clone, Copy)]
pub struct Inquiry<'a> {
    /// Who.
    pub subject: Party<'a>,
    /// The action's name, as in [`Generation::action_by_name`].
    pub action: &'a str,
    /// What is said of the action. Actions have no attributes in Cedar, so policies see it as `context.action`.
    pub action_properties: Option<&'a Attributes>,
    /// On what.
    pub resource: Party<'a>,
    /// Under which circumstances.
    pub context: Option<&'a Attributes>,
}

/// An entity, and what is said of it.
#[derive(Debug, Clone, Copy)]
pub struct Party<'a> {
    /// Its type's name in the schema.
    pub entity_type: &'a str,
    /// Its identifier. Those of users, applications, devices and organizations are the store's, never names: a name is
    /// chosen by whoever has it, and could be the identifier of somebody else.
    pub id: &'a str,
    /// Its attributes. Those that the schema does not know cannot matter to policies, and are left out; of what Gatepost
    /// owns, all are.
    pub properties: Option<&'a Attributes>,
}

/// A question does not fit the schema: a text for whoever asked, in which all that is repeated is what they said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(pub(super) String);

/// Why a question is not answered by the policies.
#[derive(Debug, thiserror::Error)]
pub enum InquiryError {
    /// It does not fit the schema. That is a deny.
    #[error(transparent)]
    Unfit(#[from] Unfit),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether an account is disabled.
pub(super) type IsDisabled<'a> = &'a dyn Fn(UserId) -> Result<bool, StoreError>;

/// The decision by this generation, from facts that `load` gives. Nobody may do anything as a user who `is_disabled`.
pub(super) fn decide(
    generation: &Generation,
    is_disabled: IsDisabled<'_>,
    load: LoadFacts<'_>,
    inquiry: &Inquiry<'_>,
) -> Result<Decision, InquiryError> {
    let action = action(generation, inquiry.action)?;
    let principal = subject(generation, &inquiry.subject)?;
    if let Some(user) = user_of(&principal)?
        && is_disabled(user)?
    {
        return Err(Unfit("the subject's account is disabled".to_owned()).into());
    }
    let resource = fit::uid(generation, &inquiry.resource)?;
    let context = fit::context(generation, &action.uid, inquiry.context, inquiry.action_properties)?;
    let request = Request::new_unchecked(
        known(&principal),
        EntityUIDEntry::Known { euid: Arc::clone(&action.uid), loc: None },
        known(&resource),
        Some(Context::Value(Arc::clone(&context))),
    );
    let schema: &ValidatorSchema = generation.schema().as_ref();
    schema.validate_request(&request, Extensions::all_available()).map_err(|error| Unfit(error.to_string()))?;

    let mut gathering = Gathering::new(generation, load, Some(&principal))?;
    gathering.add_party(&principal, inquiry.subject.properties)?;
    gathering.add_party(&resource, inquiry.resource.properties)?;
    gathering.follow(context.values().flat_map(|value| value.all_literal_uids()))?;
    if action.reads.follows_literals {
        gathering.follow(generation.filed().named().iter().cloned())?;
    }
    gathering.follow_named(&action.strays)?;
    let (entities, role) = gathering.finish()?;
    let all = entities.into_iter().chain(action.entities.iter().cloned());
    // INVARIANT: each entity has all its ancestors: those of files and of the store were found with it, and others have
    // none. A user's are the teams of all that was gathered and of all that policies name; no others can be asked about.
    let closed = TCComputation::AssumeAlreadyComputed;
    let entities = Entities::from_entities(all, None::<&NoEntitiesSchema>, closed, Extensions::all_available());
    let entities = entities.map_err(|error| Unfit(error.to_string()))?;
    let answer = generation.index().authorize_for(&action.keys, &request, &entities);
    // An error makes Cedar skip the policy, which may be a `forbid`: so any error denies.
    let allowed = answer.decision == Answer::Allow && answer.errors.is_empty();
    let errors = answer.errors.iter().map(|error| error.to_string().into()).collect();
    Ok(Decision::new(generation.number(), allowed, role, answer.reason.into(), errors))
}

fn known(uid: &EntityUID) -> EntityUIDEntry {
    EntityUIDEntry::Known { euid: Arc::new(uid.clone()), loc: None }
}

fn action<'g>(generation: &'g Generation, name: &str) -> Result<&'g PreparedAction, Unfit> {
    let found = generation.action_by_name(name).and_then(|(index, _)| generation.prepared().action(index));
    found.ok_or_else(|| Unfit(format!("the schema has no action `{name}`")))
}

/// The user that this is, if it can be one.
fn user_of(principal: &EntityUID) -> Result<Option<UserId>, Unfit> {
    let own = own_types().map_err(|error| Unfit(error.to_string()))?;
    let id: &str = principal.eid().as_ref();
    Ok(id.parse().ok().filter(|_| *principal.entity_type() == own.user))
}

/// The principal. Whoever runs the command line is none that could ask from elsewhere.
fn subject(generation: &Generation, party: &Party<'_>) -> Result<EntityUID, Unfit> {
    let uid = fit::uid(generation, party)?;
    let own = own_types().map_err(|error| Unfit(error.to_string()))?;
    if *uid.entity_type() == own.console {
        return Err(Unfit("`Console` is whoever runs the command line, and nobody asks on their behalf".to_owned()));
    }
    Ok(uid)
}

#[cfg(test)]
mod tests;
