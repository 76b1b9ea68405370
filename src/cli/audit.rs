//! `gatepost audit`: who did what to whom.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Args;
use serde::{Deserialize, Serialize};

use super::backend::{Backend, not_by_server};
use super::console::Console;
use super::output::Shown;
use super::settings::Settings;
use crate::accounts::{Event, History};
use crate::model::{ApplicationId, EventId, OrganizationId, Timestamp, UserId};

/// How many events are read at a time.
const PAGE: u32 = 500;

/// Show account events, newest first: who did what to whom, when, from where and with which credential
///
/// On the database of this machine, all of them, those of a user, or those of an application. Through a server, your own,
/// or those of an application that you administer.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost audit --app thermostat --limit 20
  gatepost audit --user devi --output json | jq '.[] | select(.action == \"api_key_created\")'")]
pub(super) struct Audit {
    /// Of what this user did, and of what was done to it: username or address
    #[arg(long, value_name = "LOGIN", conflicts_with = "application")]
    user: Option<String>,
    /// Of what was done in this application: its id, or its name if no other one has the same
    #[arg(long = "app", value_name = "ID")]
    application: Option<String>,
    /// How many events to show at most
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    limit: u32,
}

#[derive(Serialize, Deserialize)]
struct EventRow {
    id: EventId,
    at: Timestamp,
    actor: Option<UserId>,
    credential_kind: String,
    credential_id: Option<String>,
    client: Option<String>,
    action: String,
    user: Option<UserId>,
    application: Option<ApplicationId>,
    organization: Option<OrganizationId>,
    detail: Option<String>,
}

impl Shown for EventRow {
    const COLUMNS: &'static [&'static str] =
        &["at", "action", "actor", "credential_kind", "client", "user", "application", "detail"];
}

impl Audit {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let backend = Backend::open(settings)?;
        let application = self.application.as_deref().map(|text| backend.application(text)).transpose()?;
        let application = application.map(|found| found.id);
        let events = match &backend {
            Backend::Console(console) => {
                let user = self.user.as_deref().map(|login| console.user(login)).transpose()?;
                let of = match (user, application) {
                    (Some(user), _) => History::Of(user.id),
                    (None, Some(application)) => History::In(application),
                    (None, None) => History::Everything,
                };
                console.events(of, self.limit)?
            }
            Backend::Server(server) => {
                not_by_server(self.user.as_ref(), "--user")?;
                let path = match application {
                    Some(application) => format!("/v1/audit?application={application}"),
                    None => "/v1/audit".to_owned(),
                };
                server.list(&path, self.limit as usize)?
            }
        };
        settings.output().list(&events)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Console {
    fn events(&self, of: History, most: u32) -> Result<Vec<EventRow>> {
        let (mut rows, mut before, mut left) = (Vec::new(), None, most);
        while left > 0 {
            let limit = left.min(PAGE);
            let page = self.accounts().history(&self.actor, of, before, limit).context("cannot show the events")?;
            before = page.last().map(|event| event.seq);
            let is_last = page.len() < limit as usize;
            rows.extend(page.into_iter().map(EventRow::from));
            left -= limit;
            if is_last {
                break;
            }
        }
        Ok(rows)
    }
}

impl From<Event> for EventRow {
    fn from(event: Event) -> Self {
        let Event { id, at, actor, credential_kind, credential_id, client, user, application, .. } = event;
        let (action, organization, detail) = (event.action, event.organization, event.detail);
        let client = client.map(|client| client.to_string());
        Self { id, at, actor, credential_kind, credential_id, client, action, user, application, organization, detail }
    }
}
