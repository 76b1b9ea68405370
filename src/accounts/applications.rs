//! Applications: created, seen, deleted.

use super::{AccountError, Accounts, Actor, Result, hide};
use crate::audit;
use crate::authz::Resource;
use crate::model::{
    Application, ApplicationId, ApplicationType, EventAction, Membership, Name, OrganizationId, Role, UserId,
};
use crate::store::Read;

/// An application, as somebody sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenApplication {
    /// The application.
    pub application: Application,
    /// The role that they hold on it, if any.
    pub role: Option<Role>,
    /// Whether somebody else shared it with them.
    pub shared: bool,
}

impl Accounts {
    /// Creates an application in an organization. `owner` becomes its administrator for good.
    pub fn create_application(
        &self,
        actor: &Actor,
        organization: OrganizationId,
        owner: UserId,
        name: &str,
        application_type: ApplicationType,
    ) -> Result<Application> {
        let name = Name::parse(name).map_err(AccountError::name("name"))?;
        let now = self.now();
        let mut tx = self.begin()?;
        let resource = Resource::Organization(organization);
        self.authorize(&*tx, actor, "ManageOrganization", &resource).map_err(hide("organization"))?;
        self.authorize(&*tx, actor, "CreateApplication", &resource)?;
        // Whoever may not act for another account can make only itself the owner.
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(owner)).map_err(hide("user"))?;
        tx.organization(organization)?.ok_or(AccountError::NotFound("organization"))?;
        let id = ApplicationId::generate(now);
        let application = Application { id, name, application_type, organization, owner, created_at: now };
        tx.insert_application(&application)?;
        let role = Role::Administrator;
        tx.insert_membership(&Membership { application: id, user: owner, role, created_at: now })?;
        let event = audit::event(&actor.author(), EventAction::ApplicationCreated, now);
        self.finish(tx, [event.application(id).organization(organization).user(owner)])?;
        Ok(application)
    }

    /// All applications after `after`, `limit` at most.
    pub fn applications(&self, actor: &Actor, after: Option<ApplicationId>, limit: u32) -> Result<Vec<Application>> {
        self.authorize(&*self.store, actor, "ManageInstallation", &Resource::Installation)?;
        Ok(self.store.applications(after, limit)?)
    }

    /// The applications on which a user holds a role, after `after`, `limit` at most.
    pub fn applications_of(
        &self,
        actor: &Actor,
        user: UserId,
        after: Option<ApplicationId>,
        limit: u32,
    ) -> Result<Vec<SeenApplication>> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        let seen = |(application, role): (Application, Role)| {
            let shared = application.owner != user;
            SeenApplication { application, role: Some(role), shared }
        };
        Ok(self.store.applications_of(user, after, limit)?.into_iter().map(seen).collect())
    }

    /// An application, as the actor sees it.
    pub fn application(&self, actor: &Actor, id: ApplicationId) -> Result<SeenApplication> {
        let application = self.visible_application(&*self.store, actor, id)?;
        let role = match actor.user_id() {
            Some(user) => self.store.role(id, user)?,
            None => None,
        };
        let shared = actor.user_id().is_some_and(|user| user != application.owner);
        Ok(SeenApplication { application, role, shared })
    }

    /// Deletes an application with its devices and memberships.
    pub fn delete_application(&self, actor: &Actor, id: ApplicationId) -> Result<()> {
        let mut tx = self.begin()?;
        let application = self.visible_application(&*tx, actor, id)?;
        self.authorize(&*tx, actor, "DeleteApplication", &Resource::Application(id))?;
        tx.delete_application(id)?;
        let event = audit::event(&actor.author(), EventAction::ApplicationDeleted, self.now());
        self.finish(tx, [event.application(id).organization(application.organization)])
    }

    /// The application, if it exists and the actor may see it.
    pub(super) fn visible_application(
        &self,
        store: &dyn Read,
        actor: &Actor,
        id: ApplicationId,
    ) -> Result<Application> {
        self.authorize(store, actor, "View", &Resource::Application(id)).map_err(hide("application"))?;
        store.application(id)?.ok_or(AccountError::NotFound("application"))
    }
}
