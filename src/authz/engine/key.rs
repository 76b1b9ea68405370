//! What decisions are remembered under.

use std::net::IpAddr;

use super::Question;
use crate::authz::generation::Generation;
use crate::authz::prepared::PreparedAction;
use crate::authz::question::{Resource, SubjectKey};
use crate::authz::reads::ContextParts;

/// The longest identifier of a resource, in bytes, that a key may hold. Whoever asks may choose it, and what is remembered is
/// bounded by the number of entries: so each of them must be bounded too. The method and the host are by what they are.
const MAX_ID_LEN: usize = 256;

/// Everything that a cached decision depends on, but for what its stamp covers. Of the context it has what policies on
/// the action can read.
#[derive(PartialEq, Eq, Hash)]
pub(super) struct DecisionKey {
    generation: u64,
    subject: SubjectKey,
    action: u16,
    resource: Resource,
    client: Option<IpAddr>,
    method: Option<Box<str>>,
    host: Option<Box<str>>,
}

/// What of the context a key can hold. All that may be read of the credential follows from its digest.
const IN_KEY: ContextParts =
    ContextParts::CREDENTIAL.with(ContextParts::CLIENT).with(ContextParts::METHOD).with(ContextParts::HOST);

impl DecisionKey {
    /// What the decision on a question may be kept under; nothing if it depends on more than the key and its stamp hold,
    /// or if the key would be too long.
    // INVARIANT: a decision is a function of the generation, the action, the facts and the parts of the context that
    // policies on the action can read. The first two are in the key, the facts follow from subject and resource, which
    // are in the key, at the time of the stamp, and so do the entities of files unless they lead to others of the store,
    // for which there is no key, as there is none where policies look at others by themselves; and each part of the
    // context that can be read is in the key, or follows from the credential's digest, or there is no key.
    pub(super) fn of(generation: &Generation, question: &Question<'_>) -> Option<Self> {
        let Question { subject, action, resource, circumstances, .. } = question;
        let PreparedAction { reads, strays, .. } = generation.prepared().action(*action)?;
        if strays.is_any() || generation.filed().may_lead_to_store(resource, *reads) {
            return None;
        }
        if !resource.has_id_within(MAX_ID_LEN) {
            return None;
        }
        let mut read = reads.context;
        if !circumstances.tells_member() {
            // What is not there is the same for all.
            read = read.without(ContextParts::MEMBER);
        }
        if !read.is_within(IN_KEY) {
            return None;
        }
        let text = |part, text: &str| read.intersects(part).then(|| text.into());
        Some(Self {
            generation: generation.number(),
            subject: subject.cache_key(read.intersects(ContextParts::CREDENTIAL))?,
            action: *action,
            resource: (*resource).clone(),
            client: circumstances.client.filter(|_| read.intersects(ContextParts::CLIENT)),
            method: text(ContextParts::METHOD, circumstances.method),
            host: text(ContextParts::HOST, circumstances.host),
        })
    }
}
