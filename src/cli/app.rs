//! `gatepost app`: applications.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::arguments;
use super::console::{Console, all};
use super::output::Shown;
use super::settings::Settings;
use crate::accounts::SeenApplication;
use crate::model::{Application, ApplicationId, ApplicationType, Name, OrganizationId, Role, Timestamp, UserId};

/// Create, list and delete applications
///
/// An application is given by its id, or by its name if no other one has the same.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum App {
    Create(Create),
    /// List all applications, or those on which a user holds a role
    List {
        /// Username or address
        #[arg(long, value_name = "LOGIN")]
        user: Option<String>,
    },
    /// Delete an application with its devices and members
    Delete {
        /// Id or name
        #[arg(value_name = "ID")]
        application: String,
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
    /// The owner, its administrator for good: username or address
    #[arg(long, value_name = "LOGIN")]
    owner: String,
    /// A starter application has no other role than that of developers, besides its owner
    #[arg(long = "type", value_name = "TYPE", default_value = "standard", value_parser = arguments::application_type())]
    application_type: ApplicationType,
}

impl App {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        match self {
            Self::Create(create) => create.run(&console)?,
            Self::List { user } => list(&console, user.as_deref())?,
            Self::Delete { application } => delete(&console, &application)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct ApplicationRow {
    id: ApplicationId,
    name: Name,
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
        Self { id, name, application_type, organization, owner, created_at }
    }
}

/// An application, as the user sees it whose applications are listed.
#[derive(Serialize)]
struct SeenRow {
    #[serde(flatten)]
    application: ApplicationRow,
    role: Option<Role>,
    shared: bool,
}

impl Shown for SeenRow {
    const COLUMNS: &'static [&'static str] =
        &["id", "name", "type", "role", "shared", "organization", "owner", "created_at"];
}

impl From<SeenApplication> for SeenRow {
    fn from(seen: SeenApplication) -> Self {
        let SeenApplication { application, role, shared } = seen;
        Self { application: application.into(), role, shared }
    }
}

impl Create {
    fn run(self, console: &Console) -> Result<()> {
        let Self { name, organization, owner, application_type } = self;
        let organization = console.organization(&organization)?.id;
        let owner = console.user(&owner)?.id;
        let created =
            console.accounts().create_application(&console.actor, organization, owner, &name, application_type);
        let application = created.with_context(|| format!("cannot create the application `{name}`"))?;
        let seen_by_owner = SeenApplication { application, role: Some(Role::Administrator), shared: false };
        console.output.one(&SeenRow::from(seen_by_owner))
    }
}

fn list(console: &Console, login: Option<&str>) -> Result<()> {
    let (accounts, actor) = (console.accounts(), &console.actor);
    match login {
        Some(login) => {
            let user = console.user(login)?.id;
            let seen = all(|after, limit| accounts.applications_of(actor, user, after, limit), |s| s.application.id);
            let seen = seen.with_context(|| format!("cannot list the applications of `{login}`"))?;
            console.output.list(&seen.into_iter().map(SeenRow::from).collect::<Vec<_>>())
        }
        None => {
            let applications = all(|after, limit| accounts.applications(actor, after, limit), |each| each.id);
            let applications = applications.context("cannot list the applications")?;
            console.output.list(&applications.into_iter().map(ApplicationRow::from).collect::<Vec<_>>())
        }
    }
}

fn delete(console: &Console, text: &str) -> Result<()> {
    let Application { id, name, .. } = console.application(text)?;
    let deleted = console.accounts().delete_application(&console.actor, id);
    deleted.with_context(|| format!("cannot delete the application `{text}`"))?;
    console.output.done(&json!({"deleted": id}), &format!("deleted the application {name} ({id})"))
}
