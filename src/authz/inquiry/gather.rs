//! The entities of one question: those that it names, and all that these lead to.

use std::collections::{HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use cedar_policy_core::ast::{Entity, EntityUID};

use super::{Attributes, InquiryError, Unfit, fit};
use crate::authz::entities::{self, OwnTypes, Surroundings};
use crate::authz::facts::Facts;
use crate::authz::filed::references;
use crate::authz::generation::Generation;
use crate::authz::question::Resource;
use crate::authz::reads::Reads;
use crate::model::{ApplicationId, OrganizationId, Role, User, UserId};
use crate::store::StoreError;

/// Gives the facts of a user and a resource.
pub(in crate::authz) type LoadFacts<'l> = &'l dyn Fn(Option<UserId>, &Resource) -> Result<Arc<Facts>, StoreError>;

/// How often the store may be asked for one question: what is asked about leads to few things.
const MOST_LOOK_UPS: usize = 64;

/// Entities that are being gathered.
pub(in crate::authz) struct Gathering<'g> {
    generation: &'g Generation,
    load: LoadFacts<'g>,
    own: Rc<OwnTypes>,
    principal: Option<&'g EntityUID>,
    /// The account that the principal is, if it is one.
    user: Option<User>,
    entities: HashMap<EntityUID, Entity>,
    /// What the principal is in.
    teams: HashSet<EntityUID>,
    role: Option<Role>,
    /// What the store was asked for.
    asked: HashSet<Resource>,
}

impl<'g> Gathering<'g> {
    /// Of a question by this principal, if there is one.
    pub(in crate::authz) fn new(
        generation: &'g Generation,
        load: LoadFacts<'g>,
        principal: Option<&'g EntityUID>,
    ) -> Result<Self, InquiryError> {
        let own = entities::own_types().map_err(|error| Unfit(error.to_string()))?;
        let mut user = None;
        if let Some(principal) = principal.filter(|principal| *principal.entity_type() == own.user)
            && let Ok(id) = AsRef::<str>::as_ref(principal.eid()).parse::<UserId>()
            && let Facts::User(Some(known)) = &*load(None, &Resource::User(id))?
        {
            user = Some(known.clone());
        }
        let (entities, teams, asked) = (HashMap::new(), HashSet::new(), HashSet::new());
        Ok(Self { generation, load, own, principal, user, entities, teams, role: None, asked })
    }

    /// All entities of a question about this resource, of which nothing more is said.
    pub(in crate::authz) fn of_roots(
        generation: &'g Generation,
        load: LoadFacts<'g>,
        principal: &'g EntityUID,
        resource: &EntityUID,
        reads: Reads,
    ) -> Result<Vec<Entity>, InquiryError> {
        let mut gathering = Self::new(generation, load, Some(principal))?;
        gathering.add_party(principal, None)?;
        gathering.add_party(resource, None)?;
        gathering.follow(generation.filed().roots(resource, reads).cloned())?;
        Ok(gathering.finish()?.0)
    }

    /// Adds the principal or the resource, and what it leads to. `said` counts if Gatepost does not own its type.
    pub(in crate::authz) fn add_party(
        &mut self,
        uid: &EntityUID,
        said: Option<&Attributes>,
    ) -> Result<(), InquiryError> {
        if !self.own.include(uid.entity_type()) {
            let entity = fit::entity(self.generation, uid, said)?;
            if self.entities.get(uid).is_some_and(|other| !other.deep_eq(&entity)) {
                return Err(Unfit(format!("`{uid}` is subject and resource, and not the same is said of both")).into());
            }
            self.take(entity)?;
        }
        self.follow([uid.clone()])
    }

    /// Adds these, and what they lead to.
    pub(in crate::authz) fn follow(&mut self, uids: impl IntoIterator<Item = EntityUID>) -> Result<(), InquiryError> {
        let mut waiting: Vec<EntityUID> = uids.into_iter().collect();
        while let Some(uid) = waiting.pop() {
            if self.entities.contains_key(&uid) || (self.user.is_some() && Some(&uid) == self.principal) {
                continue;
            }
            if self.own.include(uid.entity_type()) {
                waiting.extend(self.add_own(uid)?);
            } else if let Some(filed) = self.generation.filed().get(&uid) {
                waiting.extend(references(filed));
                self.entities.insert(uid, filed.clone());
            }
        }
        Ok(())
    }

    fn take(&mut self, entity: Entity) -> Result<(), InquiryError> {
        let references = references(&entity);
        self.entities.insert(entity.uid().clone(), entity);
        self.follow(references)
    }

    /// Adds what the store knows of an entity; gives what it leads to.
    fn add_own(&mut self, uid: EntityUID) -> Result<HashSet<EntityUID>, InquiryError> {
        let (entity_type, id) = (uid.entity_type(), AsRef::<str>::as_ref(uid.eid()));
        if *entity_type == self.own.team {
            self.join(id)?;
            return Ok(HashSet::new());
        }
        let resource = Resource::from_parts(&entity_type.to_string(), id);
        let facts = self.facts(&resource)?;
        let user = self.user.as_ref().map(|user| user.id);
        let around = entities::surroundings(user, &resource, &uid, &facts).map_err(|error| Unfit(error.to_string()))?;
        let Surroundings { entities, teams } = around;
        self.teams.extend(teams);
        let mut leads_to = HashSet::new();
        for entity in entities {
            if !self.entities.contains_key(entity.uid()) {
                leads_to.extend(references(&entity));
                self.entities.insert(entity.uid().clone(), entity);
            }
        }
        Ok(leads_to)
    }

    /// Finds out whether the principal is in this team, whose name begins with what it is of.
    // INVARIANT: with an application or an organization of the store, the principal's teams there were found.
    fn join(&mut self, team: &str) -> Result<(), InquiryError> {
        let (Some(user), Some((of, _))) = (self.user.as_ref().map(|user| user.id), team.split_once('/')) else {
            return Ok(());
        };
        let application = of.parse::<ApplicationId>().map(Resource::Application);
        let organization = of.parse::<OrganizationId>().map(Resource::Organization);
        let (Ok(application), Ok(organization)) = (application, organization) else { return Ok(()) };
        let types = self.generation.prepared().types();
        let unfit = |error: entities::BuildError| Unfit(error.to_string());
        let both = [application, organization].map(|resource| {
            let uid = entities::of_resource(&self.own, types, &resource);
            uid.map(|uid| (uid, resource))
        });
        let both = both.into_iter().collect::<Result<Vec<_>, _>>().map_err(unfit)?;
        if both.iter().any(|(uid, _)| self.entities.contains_key(uid)) {
            return Ok(());
        }
        for (uid, resource) in both {
            let facts = self.facts(&resource)?;
            self.teams.extend(entities::surroundings(Some(user), &resource, &uid, &facts).map_err(unfit)?.teams);
        }
        Ok(())
    }

    fn facts(&mut self, resource: &Resource) -> Result<Arc<Facts>, InquiryError> {
        // Of what cannot be registered nothing is known, and nothing is remembered.
        if matches!(resource, Resource::Unregistered { .. }) {
            return Ok(Arc::new(Facts::Nothing));
        }
        if self.asked.len() >= MOST_LOOK_UPS {
            let message = format!("what is asked about leads to more than {MOST_LOOK_UPS} things that the store knows");
            return Err(Unfit(message).into());
        }
        self.asked.insert(resource.clone());
        let facts = (self.load)(self.user.as_ref().map(|user| user.id), resource)?;
        // The role that is told is the one on what is asked about, which comes first.
        self.role = self.role.or(facts.role());
        Ok(facts)
    }

    /// All of them, and the principal's role.
    pub(in crate::authz) fn finish(mut self) -> Result<(Vec<Entity>, Option<Role>), InquiryError> {
        if let (Some(user), Some(principal)) = (&self.user, self.principal) {
            let teams = std::mem::take(&mut self.teams);
            let entity = entities::user(user, principal.clone(), teams).map_err(|error| Unfit(error.to_string()))?;
            self.entities.insert(principal.clone(), entity);
        }
        Ok((self.entities.into_values().collect(), self.role))
    }
}
