//! The export: everything that is held about an account, without secrets.

use super::{AccountError, Accounts, Actor, Event, Result, hide};
use crate::audit;
use crate::authz::Resource;
use crate::model::{ApiKey, Application, ApplicationId, EventAction, Organization, Role, Timestamp, User, UserId};
use crate::store::EventFilter;

/// How many events are read at a time.
const PAGE: u32 = 500;

/// What is held about an account.
#[derive(Debug)]
pub struct Export {
    /// The account.
    pub user: User,
    /// Whether it has a password.
    pub has_password: bool,
    /// Since when it has a second factor.
    pub totp_enabled_at: Option<Timestamp>,
    /// How many recovery codes are left.
    pub recovery_codes_left: u32,
    /// Its API keys.
    pub api_keys: Vec<ApiKey>,
    /// The organizations that it administers.
    pub organizations: Vec<Organization>,
    /// The applications on which it holds a role.
    pub applications: Vec<(Application, Role)>,
    /// The applications that it has left.
    pub left: Vec<ApplicationId>,
    /// What it did, and what was done to it, newest first.
    pub events: Vec<Event>,
}

impl Accounts {
    /// Everything that is held about an account.
    pub fn export(&self, actor: &Actor, user: UserId) -> Result<Export> {
        let tx = self.begin()?;
        self.authorize(&*tx, actor, "ViewAccount", &Resource::User(user)).map_err(hide("user"))?;
        let mut events: Vec<Event> = Vec::new();
        loop {
            let before = events.last().map(|event| event.seq);
            let page = tx.events(EventFilter::User(user), before, PAGE)?;
            let more = page.len() == PAGE as usize;
            events.extend(page);
            if !more {
                break;
            }
        }
        let export = Export {
            user: tx.user(user)?.ok_or(AccountError::NotFound("user"))?,
            has_password: tx.password_hash(user)?.is_some(),
            totp_enabled_at: tx.totp(user)?.and_then(|totp| totp.enabled_at),
            recovery_codes_left: tx.recovery_codes_left(user)?,
            api_keys: tx.api_keys(user)?,
            organizations: tx.organizations_of(user)?,
            applications: tx.applications_of(user, None, u32::MAX)?,
            left: tx.departures_of(user)?,
            events,
        };
        self.finish(tx, [audit::event(&actor.author(), EventAction::AccountExported, self.now()).user(user)])?;
        Ok(export)
    }
}
