//! Organizations, their administrators and their plans.

use super::administration::has_administrator_besides;
use super::{AccountError, Accounts, Actor, Result, hide, user_by_login};
use crate::audit;
use crate::authz::Resource;
use crate::model::{EventAction, Name, Organization, OrganizationId, Plan, User, UserId};
use crate::store::Read;

impl Accounts {
    /// Creates an organization, administered by `administrator`.
    pub fn create_organization(&self, actor: &Actor, name: &str, administrator: UserId) -> Result<Organization> {
        let name = Name::parse(name).map_err(AccountError::name("name"))?;
        let now = self.now();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "CreateOrganization", &Resource::Installation)?;
        // Whoever may not act for another account can make only itself an administrator.
        self.authorize(&*tx, actor, "ManageSignIn", &Resource::User(administrator)).map_err(hide("user"))?;
        tx.user(administrator)?.ok_or(AccountError::NotFound("user"))?;
        let id = OrganizationId::generate(now);
        let organization = Organization { id, name, plan: Plan::Free, personal_to: None, created_at: now };
        tx.insert_organization(&organization)?;
        tx.insert_administrator(id, administrator, now)?;
        let event = audit::event(&actor.author(), EventAction::OrganizationCreated, now);
        self.finish(tx, [event.organization(id).user(administrator)])?;
        Ok(organization)
    }

    /// The organizations that a user administers.
    pub fn organizations_of(&self, actor: &Actor, user: UserId) -> Result<Vec<Organization>> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        Ok(self.store.organizations_of(user)?)
    }

    /// All organizations after `after`, `limit` at most.
    pub fn organizations(&self, actor: &Actor, after: Option<OrganizationId>, limit: u32) -> Result<Vec<Organization>> {
        self.authorize(&*self.store, actor, "ManageInstallation", &Resource::Installation)?;
        Ok(self.store.organizations(after, limit)?)
    }

    /// An organization that the actor administers.
    pub fn organization(&self, actor: &Actor, id: OrganizationId) -> Result<Organization> {
        self.managed_organization(&*self.store, actor, id)
    }

    /// The administrators of an organization.
    pub fn administrators(&self, actor: &Actor, id: OrganizationId) -> Result<Vec<User>> {
        self.managed_organization(&*self.store, actor, id)?;
        Ok(self.store.administrators(id)?)
    }

    /// Makes the user whom `login` names an administrator.
    pub fn add_administrator(&self, actor: &Actor, id: OrganizationId, login: &str) -> Result<User> {
        let now = self.now();
        let mut tx = self.begin()?;
        self.managed_organization(&*tx, actor, id)?;
        let user = user_by_login(&*tx, login)?.ok_or(AccountError::NotFound("user"))?;
        tx.insert_administrator(id, user.id, now)?;
        let event = audit::event(&actor.author(), EventAction::AdministratorAdded, now);
        self.finish(tx, [event.organization(id).user(user.id)])?;
        Ok(user)
    }

    /// Takes a user's administration; never the last one's who is enabled.
    pub fn remove_administrator(&self, actor: &Actor, id: OrganizationId, user: UserId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin()?;
        let organization = self.managed_organization(&*tx, actor, id)?;
        let administrators = tx.administrators(id)?;
        if !administrators.iter().any(|administrator| administrator.id == user) {
            return Err(AccountError::NotFound("administrator"));
        }
        if organization.personal_to == Some(user) || !has_administrator_besides(&*tx, id, user)? {
            return Err(AccountError::LastAdministrator);
        }
        tx.delete_administrator(id, user)?;
        let event = audit::event(&actor.author(), EventAction::AdministratorRemoved, now);
        self.finish(tx, [event.organization(id).user(user)])
    }

    /// Sets what an organization pays for.
    pub fn set_plan(&self, actor: &Actor, id: OrganizationId, plan: Plan) -> Result<Organization> {
        let now = self.now();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "SetPlan", &Resource::Organization(id))?;
        tx.set_plan(id, plan)?;
        let organization = tx.organization(id)?.ok_or(AccountError::NotFound("organization"))?;
        let event = audit::event(&actor.author(), EventAction::PlanSet, now);
        self.finish(tx, [event.organization(id).detail(plan.as_str())])?;
        Ok(organization)
    }

    /// Deletes an organization with its applications. A personal one goes only with its account.
    pub fn delete_organization(&self, actor: &Actor, id: OrganizationId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin()?;
        let organization = self.managed_organization(&*tx, actor, id)?;
        if organization.personal_to.is_some() {
            return Err(AccountError::PersonalOrganization);
        }
        let author = actor.author();
        let mut events = Vec::new();
        for application in tx.applications_in(id)? {
            tx.delete_application(application.id)?;
            events.push(audit::event(&author, EventAction::ApplicationDeleted, now).application(application.id));
        }
        tx.delete_organization(id)?;
        events.push(audit::event(&author, EventAction::OrganizationDeleted, now).organization(id));
        self.finish(tx, events)
    }

    fn managed_organization(&self, store: &dyn Read, actor: &Actor, id: OrganizationId) -> Result<Organization> {
        self.authorize(store, actor, "ManageOrganization", &Resource::Organization(id))
            .map_err(hide("organization"))?;
        store.organization(id)?.ok_or(AccountError::NotFound("organization"))
    }
}
