//! Accounts: created, listed, deleted.

use super::{AccountError, Accounts, Actor, Result, hide, user_by_login};
use crate::audit;
use crate::authz::Resource;
use crate::model::{
    ApplicationId, Email, EventAction, Name, NewUser, Organization, OrganizationId, Plan, Timestamp, User, UserId,
    Username,
};
use crate::secret::Secret;
use crate::store::Transaction;

/// What a new account is made from.
#[derive(Debug)]
pub struct NewAccount<'a> {
    /// Its name.
    pub username: &'a str,
    /// Its address.
    pub email: &'a str,
    /// Its password; an account may have none.
    pub password: Option<&'a Secret>,
    /// Whether it administers this installation.
    pub installation_administrator: bool,
}

impl Accounts {
    /// Creates an account, with a personal organization of which it is the administrator.
    pub fn add_user(&self, actor: &Actor, new: &NewAccount<'_>) -> Result<User> {
        let username = Username::parse(new.username).map_err(AccountError::name("username"))?;
        let email = Email::parse(new.email).map_err(AccountError::name("email"))?;
        // Hashing takes long, so it is done before other writers are excluded.
        let password_hash = new.password.map(|password| self.passwords.hash(password)).transpose()?;
        let now = self.now();
        let user = User {
            id: UserId::generate(now),
            username,
            email,
            installation_administrator: new.installation_administrator,
            tokens_not_before: Timestamp::from_micros(0),
            created_at: now,
        };
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "CreateUser", &Resource::Installation)?;
        tx.insert_user(&NewUser { user: user.clone(), password_hash })?;
        let organization = Organization {
            id: OrganizationId::generate(now),
            name: Name::parse(user.username.as_str()).map_err(AccountError::name("username"))?,
            plan: Plan::Free,
            personal_to: Some(user.id),
            created_at: now,
        };
        tx.insert_organization(&organization)?;
        tx.insert_administrator(organization.id, user.id, now)?;
        let event = audit::event(&actor.author(), EventAction::UserCreated, now);
        self.finish(tx, [event.user(user.id).organization(organization.id)])?;
        Ok(user)
    }

    /// All accounts after `after`, `limit` at most.
    pub fn users(&self, actor: &Actor, after: Option<UserId>, limit: u32) -> Result<Vec<User>> {
        self.authorize(&*self.store, actor, "ManageInstallation", &Resource::Installation)?;
        Ok(self.store.users(after, limit)?)
    }

    /// The account that `login`, a username or an address, names, if the actor may see it.
    pub fn user_by_login(&self, actor: &Actor, login: &str) -> Result<User> {
        let user = user_by_login(&*self.store, login)?.ok_or(AccountError::NotFound("user"))?;
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user.id)).map_err(hide("user"))?;
        Ok(user)
    }

    /// Whether the account has a password.
    pub fn has_password(&self, actor: &Actor, user: UserId) -> Result<bool> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        Ok(self.store.password_hash(user)?.is_some())
    }

    /// Deletes an account with all that it owns: the applications that it created, its personal organization, and the
    /// organizations that have no other administrator, each with its applications.
    pub fn delete_user(&self, actor: &Actor, user: UserId) -> Result<()> {
        let now = self.now();
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        self.authorize(&*tx, actor, "DeleteAccount", &Resource::User(user))?;
        let author = actor.author();
        let mut events = Vec::new();
        for application in owned_applications(&*tx, user)? {
            tx.delete_application(application)?;
            events.push(audit::event(&author, EventAction::ApplicationDeleted, now).application(application));
        }
        for organization in tx.organizations_of(user)? {
            let only = tx.administrators(organization.id)?.iter().all(|administrator| administrator.id == user);
            if organization.personal_to != Some(user) && !only {
                continue;
            }
            for application in tx.applications_in(organization.id)? {
                tx.delete_application(application.id)?;
                events.push(audit::event(&author, EventAction::ApplicationDeleted, now).application(application.id));
            }
            tx.delete_organization(organization.id)?;
            events.push(audit::event(&author, EventAction::OrganizationDeleted, now).organization(organization.id));
        }
        tx.delete_user(user)?;
        events.push(audit::event(&author, EventAction::UserDeleted, now).user(user));
        self.finish(tx, events)
    }
}

fn owned_applications(tx: &dyn Transaction, user: UserId) -> Result<Vec<ApplicationId>> {
    const PAGE: u32 = 500;
    let (mut owned, mut after) = (Vec::new(), None);
    loop {
        let page = tx.applications_of(user, after, PAGE)?;
        owned.extend(page.iter().filter(|(application, _)| application.owner == user).map(|(a, _)| a.id));
        match page.last() {
            Some((last, _)) if page.len() == PAGE as usize => after = Some(last.id),
            _ => return Ok(owned),
        }
    }
}
