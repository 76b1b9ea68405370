//! Accounts: created, listed, deleted.

use super::reauthentication::SecondFactor;
use super::{AccountError, Accounts, Actor, Result, hide, user_by_login};
use crate::audit;
use crate::authn::Attempt;
use crate::authz::Resource;
use crate::model::{
    Application, Email, EventAction, Name, NewUser, Organization, OrganizationId, Plan, Timestamp, User, UserId,
    Username,
};
use crate::secret::Secret;
use crate::store::{Read, Transaction};
use crate::telemetry::ProofOutcome;

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

/// What is deleted with an account.
#[derive(Debug)]
pub struct Owned {
    /// The applications that it created, and those of its organizations.
    pub applications: Vec<Application>,
    /// Its personal organization, and those that have no other administrator.
    pub organizations: Vec<Organization>,
}

impl Accounts {
    /// Creates an account, with a personal organization of which it is the administrator.
    pub fn add_user(&self, actor: &Actor, new: &NewAccount<'_>) -> Result<User> {
        let username = Username::parse(new.username).map_err(AccountError::name("username"))?;
        let email = Email::parse(new.email).map_err(AccountError::name("email"))?;
        // Hashing takes long, so it is done before other writers are excluded.
        let password_hash = new.password.map(|password| self.passwords.hash(password)).transpose()?;
        let now = self.now();
        let user =
            User { installation_administrator: new.installation_administrator, ..new_user(username, email, now) };
        let mut tx = self.begin()?;
        self.authorize(&*tx, actor, "CreateUser", &Resource::Installation)?;
        let organization = insert_account(&mut *tx, &NewUser { user: user.clone(), password_hash })?;
        let event = audit::event(&actor.author(), EventAction::UserCreated, now);
        self.finish(tx, [event.user(user.id).organization(organization)])?;
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

    /// What is deleted if the account is.
    pub fn owned(&self, actor: &Actor, user: UserId) -> Result<Owned> {
        self.authorize(&*self.store, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        owned(&*self.store, user)
    }

    /// Deletes an account with all that it owns: the applications that it created, its personal organization, and the
    /// organizations that have no other administrator, each with its applications. What its account events tell of the
    /// person is removed from them.
    pub fn delete_user(&self, actor: &Actor, user: UserId) -> Result<()> {
        let tx = self.begin()?;
        self.authorize(&*tx, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        self.delete(tx, actor, user)
    }

    /// The same for the actor's own account, which needs its password, and its second factor if it has one.
    pub fn delete_own_account(&self, actor: &Actor, password: &Secret, code: Option<&Secret>) -> Result<()> {
        let user = actor.user_id().ok_or(AccountError::InvalidCredentials)?;
        let proof = self.reauthenticate(actor, user, "DeleteAccount", password)?;
        let mut attempt = Attempt::new(proof.user.username.as_str(), actor.origin().client);
        let mut tx = self.begin()?;
        proof.still_holds(&*tx)?;
        let client = actor.origin().client;
        match self.second_factor(&mut *tx, user, code, &mut attempt)? {
            SecondFactor::NotEnabled | SecondFactor::Code | SecondFactor::RecoveryCode => {}
            SecondFactor::Missing => return Err(AccountError::TotpRequired),
            SecondFactor::MustWait(retry_after) => {
                self.reauthentication_ended(ProofOutcome::Throttled, user, client);
                return Err(AccountError::TooManyAttempts { retry_after });
            }
            SecondFactor::Wrong => {
                self.finish(tx, [])?;
                self.reauthentication_ended(ProofOutcome::WrongCode, user, client);
                return Err(AccountError::InvalidCode);
            }
        }
        self.delete(tx, actor, user)
    }

    fn delete<'a>(&'a self, mut tx: Box<dyn Transaction + 'a>, actor: &Actor, user: UserId) -> Result<()> {
        let now = self.now();
        self.authorize(&*tx, actor, "DeleteAccount", &Resource::User(user))?;
        let author = actor.author();
        let Owned { applications, organizations } = owned(&*tx, user)?;
        let mut events = Vec::new();
        for application in applications {
            tx.delete_application(application.id)?;
            events.push(audit::event(&author, EventAction::ApplicationDeleted, now).application(application.id));
        }
        for organization in organizations {
            tx.delete_organization(organization.id)?;
            events.push(audit::event(&author, EventAction::OrganizationDeleted, now).organization(organization.id));
        }
        events.push(audit::event(&author, EventAction::UserDeleted, now).user(user));
        // Recorded before the person is forgotten: these tell of the person too.
        for event in events {
            tx.record(&event.finish())?;
        }
        tx.forget_person(user)?;
        tx.delete_user(user)?;
        self.finish(tx, [])
    }
}

/// A new account, before it is stored.
pub(super) fn new_user(username: Username, email: Email, now: Timestamp) -> User {
    User {
        id: UserId::generate(now),
        username,
        email,
        installation_administrator: false,
        tokens_not_before: Timestamp::from_micros(0),
        created_at: now,
    }
}

/// Stores an account and its personal organization, of which it is the administrator.
pub(super) fn insert_account(tx: &mut dyn Transaction, new: &NewUser) -> Result<OrganizationId> {
    tx.insert_user(new)?;
    let User { id, username, created_at, .. } = &new.user;
    let organization = Organization {
        id: OrganizationId::generate(*created_at),
        name: Name::parse(username.as_str()).map_err(AccountError::name("username"))?,
        plan: Plan::Free,
        personal_to: Some(*id),
        created_at: *created_at,
    };
    tx.insert_organization(&organization)?;
    tx.insert_administrator(organization.id, *id, *created_at)?;
    Ok(organization.id)
}

/// What is deleted with an account.
fn owned(store: &dyn Read, user: UserId) -> Result<Owned> {
    const PAGE: u32 = 500;
    let (mut applications, mut after): (Vec<Application>, _) = (Vec::new(), None);
    loop {
        let page = store.applications_of(user, after, PAGE)?;
        let last = page.last().filter(|_| page.len() == PAGE as usize).map(|(application, _)| application.id);
        applications.extend(page.into_iter().map(|(application, _)| application).filter(|each| each.owner == user));
        match last {
            Some(last) => after = Some(last),
            None => break,
        }
    }
    let mut organizations = Vec::new();
    for organization in store.organizations_of(user)? {
        let only = store.administrators(organization.id)?.iter().all(|administrator| administrator.id == user);
        if organization.personal_to == Some(user) || only {
            let others = store.applications_in(organization.id)?.into_iter().filter(|each| each.owner != user);
            applications.extend(others);
            organizations.push(organization);
        }
    }
    Ok(Owned { applications, organizations })
}
