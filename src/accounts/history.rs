//! The history: account events, for those whom they concern.

use std::collections::{BTreeMap, BTreeSet};

use super::{Accounts, Actor, Result, hide};
use crate::authz::Resource;
use crate::model::{ApplicationId, OrganizationId, UserId};
use crate::store::EventFilter;
pub use crate::store::StoredEvent as Event;

/// Whose history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// Everything that has happened.
    Everything,
    /// What an account did, and what was done to it.
    Of(UserId),
    /// What was done in an application.
    In(ApplicationId),
    /// What was done in an organization, or to it.
    InOrganization(OrganizationId),
}

/// What the things in events are called now. What is gone has no name.
#[derive(Debug, Default)]
pub struct Names {
    /// Usernames.
    pub users: BTreeMap<UserId, String>,
    /// Names of applications.
    pub applications: BTreeMap<ApplicationId, String>,
    /// Names of organizations.
    pub organizations: BTreeMap<OrganizationId, String>,
}

impl Accounts {
    /// Account events, newest first: those before the position `before`, `limit` at most.
    pub fn history(&self, actor: &Actor, of: History, before: Option<i64>, limit: u32) -> Result<Vec<Event>> {
        let store = &*self.store;
        let filter = match of {
            History::Everything => {
                self.authorize(store, actor, "ManageInstallation", &Resource::Installation)?;
                EventFilter::All
            }
            History::Of(user) => {
                self.authorize(store, actor, "ViewAudit", &Resource::User(user)).map_err(hide("user"))?;
                EventFilter::User(user)
            }
            History::In(application) => {
                self.visible_application(store, actor, application)?;
                self.authorize(store, actor, "ViewAudit", &Resource::Application(application))?;
                EventFilter::Application(application)
            }
            History::InOrganization(id) => {
                let organization = Resource::Organization(id);
                self.authorize(store, actor, "ManageOrganization", &organization).map_err(hide("organization"))?;
                EventFilter::Organization(id)
            }
        };
        Ok(store.events(filter, before, limit)?)
    }

    /// What the things in these events are called, for whoever may see all events.
    pub fn names(&self, actor: &Actor, events: &[Event]) -> Result<Names> {
        let store = &*self.store;
        self.authorize(store, actor, "ManageInstallation", &Resource::Installation)?;
        let users: BTreeSet<_> = events.iter().flat_map(|event| [event.actor, event.user]).flatten().collect();
        let applications: BTreeSet<_> = events.iter().filter_map(|event| event.application).collect();
        let organizations: BTreeSet<_> = events.iter().filter_map(|event| event.organization).collect();
        let mut names = Names::default();
        for id in users {
            names.users.extend(store.user(id)?.map(|user| (id, user.username.to_string())));
        }
        for id in applications {
            names.applications.extend(store.application(id)?.map(|application| (id, application.name.to_string())));
        }
        for id in organizations {
            names.organizations.extend(store.organization(id)?.map(|organization| (id, organization.name.to_string())));
        }
        Ok(names)
    }
}
