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
use crate::authz::reads::{Reads, Strays};
use crate::model::{ApplicationId, OrganizationId, Role, User, UserId};
use crate::store::StoreError;

/// Gives the facts of a user and a resource.
pub(in crate::authz) type LoadFacts<'l> = &'l dyn Fn(Option<UserId>, &Resource) -> Result<Arc<Facts>, StoreError>;

/// How often the store may be asked for one question, besides what policies name: what is asked about leads to few things.
const MOST_LOOK_UPS: usize = 64;
/// How often it may be asked where users stand who are led to.
const MOST_STANDINGS: usize = 256;

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
    most_look_ups: usize,
    /// What has teams, of all that was gathered.
    with_teams: HashMap<EntityUID, Resource>,
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
            user = Some((**known).clone());
        }
        Ok(Self {
            generation,
            load,
            own,
            principal,
            user,
            entities: HashMap::new(),
            teams: HashSet::new(),
            role: None,
            asked: HashSet::new(),
            most_look_ups: MOST_LOOK_UPS,
            with_teams: HashMap::new(),
        })
    }

    /// All entities of a question about this resource, and this member, of whom nothing more is said.
    pub(in crate::authz) fn all(
        generation: &'g Generation,
        load: LoadFacts<'g>,
        principal: &'g EntityUID,
        resource: &EntityUID,
        reads: Reads,
        strays: &Strays,
        member: Option<UserId>,
    ) -> Result<Vec<Entity>, InquiryError> {
        let mut gathering = Self::new(generation, load, Some(principal))?;
        gathering.add_party(principal, None)?;
        gathering.add_party(resource, None)?;
        gathering.follow(generation.filed().roots(resource, reads).cloned())?;
        gathering.follow(member.map(|member| entities::user_uid(&gathering.own, member)))?;
        gathering.follow_named(strays)?;
        Ok(gathering.finish()?.0)
    }

    /// Adds what policies name, and what that leads to.
    pub(in crate::authz) fn follow_named(&mut self, strays: &Strays) -> Result<(), InquiryError> {
        // A team's name may be of an application or of an organization.
        self.most_look_ups += 2 * strays.named().len();
        self.follow(strays.named().iter().cloned())
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
        if matches!(*facts, Facts::Application(Some(_)) | Facts::Device(Some(_)) | Facts::Organization(Some(_))) {
            self.with_teams.insert(uid, resource);
        }
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
        let Some((of, _)) = team.split_once('/') else { return Ok(()) };
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
        if both.iter().any(|(uid, _)| self.entities.contains_key(uid) || self.with_teams.contains_key(uid)) {
            return Ok(());
        }
        for (uid, resource) in both {
            let facts = self.facts(&resource)?;
            let user = self.user.as_ref().map(|user| user.id);
            self.teams.extend(entities::surroundings(user, &resource, &uid, &facts).map_err(unfit)?.teams);
            if matches!(*facts, Facts::Application(Some(_)) | Facts::Organization(Some(_))) {
                self.with_teams.insert(uid, resource);
            }
        }
        Ok(())
    }

    /// Finds out which teams the users are in who are not the principal.
    fn join_others(&mut self) -> Result<(), InquiryError> {
        let principal = self.user.as_ref().map(|user| user.id);
        let users = self.entities.iter_mut().filter(|(uid, _)| *uid.entity_type() == self.own.user);
        let others = users.filter_map(|(uid, entity)| Some((AsRef::<str>::as_ref(uid.eid()).parse().ok()?, entity)));
        let mut standings = 0;
        for (id, entity) in others.filter(|(id, _)| Some(*id) != principal) {
            for (uid, resource) in &self.with_teams {
                standings += 1;
                if standings > MOST_STANDINGS {
                    return Err(Unfit("what is asked about leads to too many users and teams".to_owned()).into());
                }
                let facts = (self.load)(Some(id), resource)?;
                let around = entities::surroundings(Some(id), resource, uid, &facts);
                let teams = around.map_err(|error| Unfit(error.to_string()))?.teams;
                teams.into_iter().for_each(|team| entity.add_parent(team));
            }
        }
        Ok(())
    }

    fn facts(&mut self, resource: &Resource) -> Result<Arc<Facts>, InquiryError> {
        // Of what cannot be registered nothing is known, and nothing is remembered.
        if matches!(resource, Resource::Unregistered { .. }) {
            return Ok(Arc::new(Facts::Nothing));
        }
        if self.asked.len() >= self.most_look_ups {
            let message =
                format!("what is asked about leads to more than {} things that the store knows", self.most_look_ups);
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
        self.join_others()?;
        if let (Some(user), Some(principal)) = (&self.user, self.principal) {
            let teams = std::mem::take(&mut self.teams);
            let entity = entities::user(user, principal.clone(), teams).map_err(|error| Unfit(error.to_string()))?;
            self.entities.insert(principal.clone(), entity);
        }
        Ok((self.entities.into_values().collect(), self.role))
    }
}
