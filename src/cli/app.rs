//! `gatepost app`: applications.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::backend::{Backend, needed, not_by_server};
use super::confirmation::{Confirmation, Loss};
use super::console::all;
use super::lookup::Found;
use super::output::{Output, Shown};
use super::settings::Settings;
use super::{arguments, device, member};
use crate::accounts::SeenApplication;
use crate::model::{Application, ApplicationId, ApplicationType, OrganizationId, Role, Timestamp, UserId};

/// Create, list and delete applications
///
/// An application is given by its id, or by its name if no other one has the same.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum App {
    Create(Create),
    /// List all applications, or those on which a user holds a role; through a server, those on which you do
    List {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
    /// Delete an application with its devices and members
    ///
    /// Asks, and tells what goes along; without a terminal it needs --yes.
    Delete {
        /// Id or name
        #[arg(value_name = "ID")]
        application: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Create an application in an organization
#[derive(Args)]
#[command(after_help = "\
Example:
  gatepost app create thermostat --organization acme --owner ada")]
pub(super) struct Create {
    /// Unique within the organization
    name: String,
    /// Id or name
    #[arg(long, value_name = "ID")]
    organization: String,
    /// The owner, its administrator for good: username or address; through a server it is always you
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    /// A starter application has no other role than that of developers, besides its owner
    #[arg(long = "type", value_name = "TYPE", default_value = "standard", value_parser = arguments::application_type())]
    application_type: ApplicationType,
}

impl App {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (backend, output) = (Backend::open(settings)?, settings.output());
        match self {
            Self::Create(create) => output.one(&create.run(&backend)?)?,
            Self::List { user } => list(&backend, output, user.as_ref())?,
            Self::Delete { application, confirmation } => delete(&backend, output, &application, &confirmation)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// An application, as nobody in particular sees it.
#[derive(Serialize)]
struct ApplicationRow {
    id: ApplicationId,
    name: String,
    #[serde(rename = "type")]
    application_type: ApplicationType,
    organization: OrganizationId,
    owner: UserId,
    created_at: Timestamp,
}

impl Shown for ApplicationRow {
    const COLUMNS: &'static [&'static str] = &["id", "name", "type", "organization", "owner", "created_at"];
}

impl From<Application> for ApplicationRow {
    fn from(application: Application) -> Self {
        let Application { id, name, application_type, organization, owner, created_at } = application;
        Self { id, name: name.to_string(), application_type, organization, owner, created_at }
    }
}

/// An application, as the user sees it whose applications are listed.
#[derive(Serialize, Deserialize)]
pub(super) struct SeenRow {
    pub(super) id: ApplicationId,
    pub(super) name: String,
    #[serde(rename = "type")]
    application_type: ApplicationType,
    pub(super) organization: OrganizationId,
    owner: UserId,
    role: Option<Role>,
    shared: bool,
    /// Not told by servers.
    created_at: Option<Timestamp>,
}

impl Shown for SeenRow {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "type", "role", "shared", "organization", "owner", "created_at"];
}

impl From<SeenApplication> for SeenRow {
    fn from(seen: SeenApplication) -> Self {
        let SeenApplication { application, role, shared } = seen;
        let Application { id, name, application_type, organization, owner, created_at } = application;
        let (name, created_at) = (name.to_string(), Some(created_at));
        Self { id, name, application_type, organization, owner, role, shared, created_at }
    }
}

impl Create {
    fn run(&self, backend: &Backend) -> Result<SeenRow> {
        let Self { name, organization, owner, application_type } = self;
        match backend {
            Backend::Console(console) => {
                let owner = needed(owner.as_ref(), "--owner")?;
                let organization = backend.organization(organization)?.id;
                let owner = console.user(owner)?.id;
                let (accounts, actor) = (console.accounts(), &console.actor);
                let created = accounts.create_application(actor, organization, owner, name, *application_type);
                let application = created.with_context(|| format!("cannot create the application `{name}`"))?;
                // As its owner sees it.
                Ok(SeenApplication { application, role: Some(Role::Administrator), shared: false }.into())
            }
            Backend::Server(server) => {
                not_by_server(owner.as_ref(), "--owner")?;
                let organization = backend.organization(organization)?.id;
                let new = json!({"organization": organization, "name": name, "type": application_type});
                Ok(server.send(Method::POST, "/v1/applications", &new)?)
            }
        }
    }
}

fn list(backend: &Backend, output: Output, user: Option<&String>) -> Result<()> {
    let console = match backend {
        Backend::Console(console) => console,
        Backend::Server(server) => {
            not_by_server(user, "--user")?;
            return output.list(&server.list::<SeenRow>("/v1/applications", usize::MAX)?);
        }
    };
    let (accounts, actor) = (console.accounts(), &console.actor);
    match user {
        Some(login) => {
            let user = console.user(login)?.id;
            let seen = all(|after, limit| accounts.applications_of(actor, user, after, limit), |s| s.application.id);
            let seen = seen.with_context(|| format!("cannot list the applications of `{login}`"))?;
            output.list(&seen.into_iter().map(SeenRow::from).collect::<Vec<_>>())
        }
        None => {
            let applications = all(|after, limit| accounts.applications(actor, after, limit), |each| each.id);
            let applications = applications.context("cannot list the applications")?;
            output.list(&applications.into_iter().map(ApplicationRow::from).collect::<Vec<_>>())
        }
    }
}

fn delete(backend: &Backend, output: Output, text: &str, confirmation: &Confirmation) -> Result<()> {
    let Found { id, name, .. } = backend.application(text)?;
    confirmation.obtain(|| {
        let id_text = id.to_string();
        Ok(Loss::new(format!("deletes the application {name} ({id})"))
            .with_number(device::list(backend, &id_text)?.len(), "devices")
            .with("members", member::list(backend, &id_text)?.into_iter().map(|member| member.username)))
    })?;
    match backend {
        Backend::Console(console) => {
            let deleted = console.accounts().delete_application(&console.actor, id);
            deleted.with_context(|| format!("cannot delete the application `{text}`"))?;
        }
        Backend::Server(server) => server.delete(&format!("/v1/applications/{id}"))?,
    }
    output.done(&json!({"deleted": id}), &format!("deleted the application {name} ({id})"))
}
