//! Why something is decided so, and from what.

use std::sync::Arc;

use serde_json::json;

use super::Engine;
use crate::authz::analysis::explain::{Explained, Reviewed};
use crate::authz::entities;
use crate::authz::evaluate::{self, Failure, complete, evaluate};
use crate::authz::facts::Facts;
use crate::authz::question::{Circumstances, Resource, Subject};
use crate::authz::reads::{Reads, Strays};
use crate::model::{Role, UserId};
use crate::store::{Read, StoreError};

impl Engine {
    /// [`Engine::decide_in`] with what held of the policies that decided, and what stood in the way of a permit: for explanations.
    pub fn explain_in(
        &self,
        store: &dyn Read,
        subject: &Subject<'_>,
        action: &str,
        resource: &Resource,
        circumstances: &Circumstances<'_>,
    ) -> Result<Explained, StoreError> {
        let (decision, generation) = self.decide_in(store, subject, action, resource, circumstances)?;
        let Some((index, _)) = generation.action_by_name(action) else {
            return Ok(Explained { decision, deciding: Vec::new(), misses: Vec::new(), least_role: None });
        };
        let facts = Facts::load(store, subject.user_id(), resource)?;
        let load = |user: Option<UserId>, resource: &Resource| Facts::load(store, user, resource).map(Arc::new);
        let asked = (subject, resource);
        let reviewed = evaluate::review(&decision, &generation, index, asked, &facts, circumstances, &load)?;
        let is_tried = decision.permit().is_none() && subject.user_id().is_some();
        let mut least_role = None;
        for role in Role::ALL.into_iter().rev().filter(|_| is_tried) {
            let Some(facts) = facts.with_role(role) else { break };
            let decision = evaluate(&generation, index, subject, resource, &facts, circumstances, &load)?;
            if decision.permit().is_some() {
                least_role = Some(role);
                break;
            }
        }
        let Reviewed { deciding, misses } = reviewed;
        Ok(Explained { decision, deciding, misses, least_role })
    }

    /// The entities that a decision is made from, as Cedar's JSON: for explanations.
    pub fn entities_json(
        &self,
        store: &dyn Read,
        subject: &Subject<'_>,
        resource: &Resource,
    ) -> Result<serde_json::Value, StoreError> {
        let facts = Facts::load(store, subject.user_id(), resource)?;
        let generation = self.generation();
        let (types, reads) = (generation.prepared().types(), Reads::EVERYTHING);
        let Ok(mut slice) = entities::slice(subject, resource, &facts, types, reads) else { return Ok(json!([])) };
        let load = |user: Option<UserId>, resource: &Resource| Facts::load(store, user, resource).map(Arc::new);
        if let Err(Failure::Store(error)) = complete(&generation, reads, &Strays::default(), None, &mut slice, &load) {
            return Err(error);
        }
        Ok(slice.entities.iter().filter_map(|entity| entity.to_json_value().ok()).collect())
    }
}
