//! What is known of a subject and a resource: everything that policies can read of either, and nothing more.

use super::question::Resource;
use crate::model::{Application, ApplicationId, Change, DeviceId, Organization, OrganizationId, Role, User, UserId};
use crate::store::{Read, StoreError};

/// What the store says of a resource, and of where a user stands towards it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Facts {
    Application(Option<ApplicationFacts>),
    /// With the facts of the application that the device is registered with.
    Device(Option<ApplicationFacts>),
    Organization(Option<OrganizationFacts>),
    User(Option<User>),
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ApplicationFacts {
    pub(super) application: Application,
    pub(super) organization: OrganizationFacts,
    pub(super) role: Option<Role>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OrganizationFacts {
    pub(super) organization: Organization,
    pub(super) is_administrator: bool,
}

impl Facts {
    /// The user's role on the resource's application.
    pub(super) fn role(&self) -> Option<Role> {
        match self {
            Self::Application(Some(facts)) | Self::Device(Some(facts)) => facts.role,
            _ => None,
        }
    }

    /// Reads the facts. `before` is told of everything that is about to be read, so that it can be stamped.
    pub(super) fn load(
        store: &dyn Read,
        user: Option<UserId>,
        resource: &Resource,
        before: &mut dyn FnMut(Change),
    ) -> Result<Self, StoreError> {
        let mut loader = Loader { store, user, before };
        Ok(match *resource {
            Resource::Application(id) => Self::Application(loader.application(id)?),
            Resource::Device(id) => Self::Device(loader.device(id)?),
            Resource::Organization(id) => Self::Organization(loader.organization(id)?),
            Resource::User(id) => {
                (loader.before)(Change::User(id));
                Self::User(store.user(id)?)
            }
            Resource::Installation | Resource::Unregistered { .. } => Self::Nothing,
        })
    }
}

struct Loader<'a> {
    store: &'a dyn Read,
    user: Option<UserId>,
    before: &'a mut dyn FnMut(Change),
}

impl Loader<'_> {
    fn device(&mut self, id: DeviceId) -> Result<Option<ApplicationFacts>, StoreError> {
        (self.before)(Change::Device(id));
        match self.store.device(id)? {
            Some(device) => self.application(device.application),
            None => Ok(None),
        }
    }

    fn application(&mut self, id: ApplicationId) -> Result<Option<ApplicationFacts>, StoreError> {
        (self.before)(Change::Application(id));
        let Some(application) = self.store.application(id)? else { return Ok(None) };
        let Some(organization) = self.organization(application.organization)? else { return Ok(None) };
        let role = match self.user {
            Some(user) => {
                (self.before)(Change::Membership(user, id));
                self.store.role(id, user)?
            }
            None => None,
        };
        Ok(Some(ApplicationFacts { application, organization, role }))
    }

    fn organization(&mut self, id: OrganizationId) -> Result<Option<OrganizationFacts>, StoreError> {
        (self.before)(Change::Organization(id));
        let Some(organization) = self.store.organization(id)? else { return Ok(None) };
        let is_administrator = match self.user {
            Some(user) => self.store.is_administrator(id, user)?,
            None => false,
        };
        Ok(Some(OrganizationFacts { organization, is_administrator }))
    }
}
