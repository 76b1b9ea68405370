//! `gatepost audit`: who did what to whom.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::app::SeenRow;
use super::backend::{Backend, not_by_server};
use super::console::Console;
use super::lookup::Found;
use super::member;
use super::org::OrganizationRow;
use super::output::Shown;
use super::server::Server;
use super::settings::Settings;
use crate::accounts::{Event, History, Names};
use crate::model::{ApplicationId, EventId, OrganizationId, Timestamp, UserId};

/// How many events are read at a time.
const PAGE: u32 = 500;

/// Show account events, newest first: who did what to whom, when, from where and with which credential
///
/// On the database of this machine, all of them, those of a user, of an application or of an organization. Through a
/// server, your own, or those of an application that you administer. Names are those of today; what is deleted has none.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost audit --app thermostat --limit 20
  gatepost audit --organization acme
  gatepost audit --user devi --output json | jq '.[] | select(.action == \"api_key_created\")'")]
pub(super) struct Audit {
    #[command(flatten)]
    of: Whose,
    /// How many events to show at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Args)]
#[group(multiple = false)]
struct Whose {
    /// Of what this user did, and of what was done to it: username, address, or id, also of a user who is deleted
    #[arg(long, value_name = "LOGIN")]
    user: Option<String>,
    /// Of what was done in this application: its id, or its name if no other one has the same
    #[arg(long = "app", value_name = "ID")]
    application: Option<String>,
    /// Of what was done in or to this organization: its id, also of one that is deleted, or its name if no other one has
    /// the same
    #[arg(long, value_name = "ID")]
    organization: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct EventRow {
    id: EventId,
    at: Timestamp,
    actor: Option<UserId>,
    #[serde(default)]
    actor_name: Option<String>,
    credential_kind: String,
    credential_id: Option<String>,
    client: Option<String>,
    action: String,
    user: Option<UserId>,
    #[serde(default)]
    user_name: Option<String>,
    application: Option<ApplicationId>,
    #[serde(default)]
    application_name: Option<String>,
    organization: Option<OrganizationId>,
    #[serde(default)]
    organization_name: Option<String>,
    detail: Option<String>,
}

impl Shown for EventRow {
    const COLUMNS: &'static [&'static str] = &[
        "at",
        "action",
        "actor_name",
        "credential_kind",
        "client",
        "user_name",
        "application_name",
        "organization_name",
        "detail",
        "actor",
        "user",
        "application",
        "organization",
    ];
}

impl Audit {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let backend = Backend::open(settings)?;
        let Whose { user, application, organization } = &self.of;
        let application = application.as_deref().map(|text| backend.application(text)).transpose()?;
        let (mut events, names) = match &backend {
            Backend::Console(console) => {
                let of = if let Some(login) = user {
                    // An identifier beats a name.
                    History::Of(login.parse().or_else(|_| console.user(login).map(|user| user.id))?)
                } else if let Some(application) = &application {
                    History::In(application.id)
                } else if let Some(text) = organization {
                    let by_name = |_| backend.organization(text).map(|organization| organization.id);
                    History::InOrganization(text.parse().or_else(by_name)?)
                } else {
                    History::Everything
                };
                console.events(of, self.limit)?
            }
            Backend::Server(server) => {
                not_by_server(user.as_ref(), "--user")?;
                not_by_server(organization.as_ref(), "--organization")?;
                let path = match &application {
                    Some(application) => format!("/v1/audit?application={}", application.id),
                    None => "/v1/audit".to_owned(),
                };
                let events = server.list(&path, self.limit as usize)?;
                // A narrowed key may not ask for them, and events are events without.
                (events, server.names(&backend, application.as_ref()).unwrap_or_default())
            }
        };
        events.iter_mut().for_each(|event| event.name(&names));
        settings.output().list(&events)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Console {
    fn events(&self, of: History, most: u32) -> Result<(Vec<EventRow>, Names)> {
        let (mut events, mut left) = (Vec::<Event>::new(), most);
        while left > 0 {
            let (before, limit) = (events.last().map(|event| event.seq), left.min(PAGE));
            let page = self.accounts().history(&self.actor, of, before, limit).context("cannot show the events")?;
            let is_last = page.len() < limit as usize;
            events.extend(page);
            left -= limit;
            if is_last {
                break;
            }
        }
        let names = self.accounts().names(&self.actor, &events).context("cannot name what the events tell of")?;
        Ok((events.into_iter().map(EventRow::from).collect(), names))
    }
}

impl Server {
    /// The names that the caller may see anyway: its own, and those of its applications and organizations, or those of an
    /// application and its members.
    fn names(&self, backend: &Backend, application: Option<&Found<ApplicationId>>) -> Result<Names> {
        let (me, mut names) = (self.whoami()?, Names::default());
        names.users.insert(me.id, me.username);
        if let Some(Found { id, name, .. }) = application {
            names.applications.insert(*id, name.clone());
            let members = member::list(backend, &id.to_string())?;
            names.users.extend(members.into_iter().map(|member| (member.id, member.username)));
            return Ok(names);
        }
        let applications: Vec<SeenRow> = self.list("/v1/applications", usize::MAX)?;
        names.applications.extend(applications.into_iter().map(|each| (each.id, each.name)));
        let organizations: Vec<OrganizationRow> = self.list("/v1/organizations", usize::MAX)?;
        names.organizations.extend(organizations.into_iter().map(|each| (each.id, each.name)));
        Ok(names)
    }
}

impl EventRow {
    fn name(&mut self, Names { users, applications, organizations }: &Names) {
        self.actor_name = self.actor.and_then(|id| users.get(&id).cloned());
        self.user_name = self.user.and_then(|id| users.get(&id).cloned());
        self.application_name = self.application.and_then(|id| applications.get(&id).cloned());
        self.organization_name = self.organization.and_then(|id| organizations.get(&id).cloned());
    }
}

impl From<Event> for EventRow {
    fn from(event: Event) -> Self {
        let Event { id, at, actor, credential_kind, credential_id, client, user, application, .. } = event;
        let (action, organization, detail) = (event.action, event.organization, event.detail);
        let client = client.map(|client| client.to_string());
        Self {
            id,
            at,
            actor,
            actor_name: None,
            credential_kind,
            credential_id,
            client,
            action,
            user,
            user_name: None,
            application,
            application_name: None,
            organization,
            organization_name: None,
            detail,
        }
    }
}
