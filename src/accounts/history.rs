//! The history: account events, for those whom they concern.

use super::{Accounts, Actor, Result, hide};
use crate::authz::Resource;
use crate::model::{ApplicationId, UserId};
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
        };
        Ok(store.events(filter, before, limit)?)
    }
}
