//! What there is to be found: entities of files, of the schema and of the store, and actions; in an order of their own, a
//! few at a time.

use std::collections::{BTreeSet, HashSet};

use cedar_policy_core::ast::{EntityType, EntityUID};
use cedar_policy_core::validator::{ValidatorEntityTypeKind, ValidatorSchema};

use super::{Inquiry, Sought};
use crate::authz::entities::own_types;
use crate::authz::generation::Generation;
use crate::model::{ApplicationId, DeviceId, OrganizationId, Role, UserId};
use crate::store::{Read, StoreError};

/// How many are fetched at a time.
const BATCH: u32 = 200;

/// A few candidates.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Batch {
    /// Each with its position in the order.
    pub(super) items: Vec<(String, String)>,
    /// The position that the next batch begins after; nothing if there is none.
    pub(super) next: Option<String>,
}

/// All candidates.
pub(super) struct Candidates<'c> {
    store: &'c dyn Read,
    from: From<'c>,
}

enum From<'c> {
    /// All are known: from files, from the schema.
    Memory(BTreeSet<&'c str>),
    Users,
    /// Users who are in one of these teams.
    Members(Vec<Team>),
    Organizations,
    Applications,
    Devices,
}

/// A team, which those are in who have a role.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Team {
    /// One user alone.
    Only(UserId),
    /// A role on an application.
    OfApplication(ApplicationId, Role),
    /// The administrators of an organization.
    OfOrganization(OrganizationId),
}

impl<'c> Candidates<'c> {
    /// What `sought` can be, all of it or what is one of `within` or in one of them. Nothing if there is no such type.
    pub(super) fn new(
        generation: &'c Generation,
        store: &'c dyn Read,
        sought: Sought,
        inquiry: &Inquiry<'_>,
        within: Option<HashSet<EntityUID>>,
    ) -> Option<Self> {
        let types = generation.prepared().types();
        let (subject, resource) = (types.get(inquiry.subject.entity_type)?, types.get(inquiry.resource.entity_type)?);
        let schema: &ValidatorSchema = generation.schema().as_ref();
        let sought = match sought {
            Sought::Subjects => subject,
            Sought::Resources => resource,
            Sought::Actions => {
                let applying: HashSet<_> = schema.actions_for_principal_and_resource(subject, resource).collect();
                let all = generation.actions().iter().filter(|action| applying.contains(action.uid().as_ref()));
                return Some(Self { store, from: From::Memory(all.map(|action| &**action.name()).collect()) });
            }
        };
        let own = own_types().ok()?;
        let from = if let ValidatorEntityTypeKind::Enum(ids) = &schema.get_entity_type(sought)?.kind {
            From::Memory(ids.iter().map(AsRef::as_ref).collect())
        } else if *sought == own.user {
            match within {
                Some(within) => From::Members(within.iter().flat_map(|uid| teams(&own.user, uid)).collect()),
                None => From::Users,
            }
        } else if *sought == own.organization {
            From::Organizations
        } else if *sought == own.application {
            From::Applications
        } else if *sought == own.device {
            From::Devices
        } else {
            From::Memory(filed(generation, sought, within.as_ref()))
        };
        Some(Self { store, from })
    }

    /// Those after a position, empty for the beginning. A position that is none has nothing after it.
    pub(super) fn after(&self, position: &str) -> Result<Batch, StoreError> {
        let is_beginning = position.is_empty();
        Ok(match &self.from {
            From::Memory(all) => {
                let rest = all.range::<str, _>((std::ops::Bound::Excluded(position), std::ops::Bound::Unbounded));
                // An identifier may be empty, and is then the first.
                let first = all.first().filter(|first| is_beginning && first.is_empty());
                let items = first.into_iter().chain(rest).map(|id| ((*id).to_owned(), (*id).to_owned()));
                Batch { items: items.collect(), next: None }
            }
            From::Users => match position.parse::<UserId>().ok() {
                None if !is_beginning => Batch::default(),
                after => listed(self.store.users(after, BATCH)?.into_iter().map(|user| user.id)),
            },
            From::Organizations => match position.parse::<OrganizationId>().ok() {
                None if !is_beginning => Batch::default(),
                after => listed(self.store.organizations(after, BATCH)?.into_iter().map(|found| found.id)),
            },
            From::Applications => match position.parse::<ApplicationId>().ok() {
                None if !is_beginning => Batch::default(),
                after => listed(self.store.applications(after, BATCH)?.into_iter().map(|found| found.id)),
            },
            From::Members(teams) => match position.parse::<UserId>().ok() {
                None if !is_beginning => Batch::default(),
                after => self.members(teams, after)?,
            },
            From::Devices => self.devices(position)?,
        })
    }

    /// The members of several teams, in the order of their identifiers.
    fn members(&self, teams: &[Team], after: Option<UserId>) -> Result<Batch, StoreError> {
        let mut all = BTreeSet::new();
        // Of teams with more members than were read, nothing is known beyond the last of these.
        let mut known_until: Option<UserId> = None;
        for team in teams {
            match team {
                Team::Only(user) => all.extend(self.store.user(*user)?.map(|user| user.id)),
                Team::OfOrganization(organization) => {
                    all.extend(self.store.administrators(*organization)?.into_iter().map(|user| user.id));
                }
                Team::OfApplication(application, role) => {
                    let members = self.store.members(*application, after, BATCH)?;
                    if members.len() >= BATCH as usize {
                        let last = members.last().map(|(user, _)| user.id);
                        known_until = known_until.into_iter().chain(last).min();
                    }
                    let with_role = members.into_iter().filter(|(_, membership)| membership.role == *role);
                    all.extend(with_role.map(|(user, _)| user.id));
                }
            }
        }
        let is_next =
            |user: &UserId| after.is_none_or(|after| after < *user) && known_until.is_none_or(|until| *user <= until);
        let items = all.into_iter().filter(is_next).map(|user| (user.to_string(), user.to_string())).collect();
        Ok(Batch { items, next: known_until.map(|until| until.to_string()) })
    }

    /// Devices, by their applications. A position is `<application>/<device>`, or `<application>/` behind all of its.
    fn devices(&self, position: &str) -> Result<Batch, StoreError> {
        let mut behind = None;
        if !position.is_empty() {
            let Some((application, device)) = position.split_once('/') else { return Ok(Batch::default()) };
            let Ok(application) = application.parse::<ApplicationId>() else { return Ok(Batch::default()) };
            if !device.is_empty() {
                let Ok(device) = device.parse::<DeviceId>() else { return Ok(Batch::default()) };
                return self.devices_of(application, Some(device));
            }
            behind = Some(application);
        }
        match self.store.applications(behind, 1)?.pop() {
            Some(application) => self.devices_of(application.id, None),
            None => Ok(Batch::default()),
        }
    }

    fn devices_of(&self, application: ApplicationId, after: Option<DeviceId>) -> Result<Batch, StoreError> {
        let devices = self.store.devices(application, after, BATCH)?;
        let is_last = devices.len() < BATCH as usize;
        let item = |id: DeviceId| (id.to_string(), format!("{application}/{id}"));
        let items: Vec<_> = devices.into_iter().map(|device| item(device.id)).collect();
        let last = items.last().map(|(_, position)| position.clone()).filter(|_| !is_last);
        Ok(Batch { items, next: Some(last.unwrap_or_else(|| format!("{application}/"))) })
    }
}

/// A list as the store gives it: full, unless nothing more follows.
fn listed<I: ToString>(ids: impl Iterator<Item = I>) -> Batch {
    let items: Vec<_> = ids.map(|id| (id.to_string(), id.to_string())).collect();
    let is_last = items.len() < BATCH as usize;
    let next = items.last().map(|(_, position)| position.clone()).filter(|_| !is_last);
    Batch { items, next }
}

fn filed<'c>(
    generation: &'c Generation,
    sought: &EntityType,
    within: Option<&HashSet<EntityUID>>,
) -> BTreeSet<&'c str> {
    let is_within = |id: &&str| {
        let Some(within) = within else { return true };
        let uid = EntityUID::from_components(sought.clone(), cedar_policy_core::ast::Eid::new(*id), None);
        let entity = generation.filed().get(&uid);
        within.contains(&uid) || entity.is_some_and(|entity| entity.ancestors().any(|uid| within.contains(uid)))
    };
    generation.filed().ids(sought).filter(is_within).collect()
}

/// What users are in if they are in this: teams are named by what they are of, and by the role.
fn teams(user_type: &EntityType, uid: &EntityUID) -> Vec<Team> {
    let id: &str = uid.eid().as_ref();
    if uid.entity_type() == user_type {
        return id.parse().ok().map(Team::Only).into_iter().collect();
    }
    let Some((of, _)) = id.split_once('/') else { return Vec::new() };
    let role = Role::ALL.into_iter().find(|role| id.strip_prefix(of) == Some(&format!("/{}", team_name(*role))));
    let application = of.parse().ok().zip(role).map(|(application, role)| Team::OfApplication(application, role));
    let organization = of.parse().ok().filter(|_| role == Some(Role::Administrator)).map(Team::OfOrganization);
    application.into_iter().chain(organization).collect()
}

/// What the team of those who have a role is called, as an attribute of what it is of.
fn team_name(role: Role) -> &'static str {
    crate::authz::reads::Attribute::team(role).name()
}
