//! `gatepost org`: organizations, their plans and their administrators.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::arguments;
use super::console::{Console, all};
use super::output::Shown;
use super::settings::Settings;
use super::user::UserRow;
use crate::model::{Name, Organization, OrganizationId, Plan, Timestamp};

/// Create, list and delete organizations; set their plans and administrators
///
/// An organization is given by its id, or by its name if no other one has the same.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  gatepost org create acme --administrator ada
  gatepost org plan acme paid")]
pub(super) enum Org {
    /// Create an organization
    Create {
        name: String,
        /// Its first administrator: username or address
        #[arg(long, value_name = "LOGIN")]
        administrator: String,
    },
    /// List all organizations
    List,
    /// Delete an organization with its applications
    Delete {
        /// Id or name
        #[arg(value_name = "ID")]
        organization: String,
    },
    /// Set what an organization pays for
    ///
    /// On the `paid` plan all roles can be assigned on the organization's standard applications.
    Plan {
        /// Id or name
        #[arg(value_name = "ID")]
        organization: String,
        #[arg(value_parser = arguments::plan())]
        plan: Plan,
    },
    #[command(subcommand)]
    Administrators(Administrators),
}

/// List, add and remove the administrators of an organization, who create applications in it
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Administrators {
    /// List the administrators of an organization
    List {
        /// Id or name
        #[arg(value_name = "ID")]
        organization: String,
    },
    /// Make a user an administrator of an organization
    Add {
        /// Id or name
        #[arg(value_name = "ID")]
        organization: String,
        /// Username or address
        login: String,
    },
    /// Take a user's administration of an organization; never the last one's
    Remove {
        /// Id or name
        #[arg(value_name = "ID")]
        organization: String,
        /// Username or address
        login: String,
    },
}

impl Org {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        match self {
            Self::Create { name, administrator } => create(&console, &name, &administrator)?,
            Self::List => list(&console)?,
            Self::Delete { organization } => delete(&console, &organization)?,
            Self::Plan { organization, plan } => set_plan(&console, &organization, plan)?,
            Self::Administrators(command) => command.run(&console)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct OrganizationRow {
    id: OrganizationId,
    name: Name,
    plan: Plan,
    personal: bool,
    created_at: Timestamp,
}

impl Shown for OrganizationRow {
    const COLUMNS: &'static [&'static str] = &["id", "name", "plan", "personal", "created_at"];
}

impl From<Organization> for OrganizationRow {
    fn from(organization: Organization) -> Self {
        let Organization { id, name, plan, personal_to, created_at } = organization;
        Self { id, name, plan, personal: personal_to.is_some(), created_at }
    }
}

fn create(console: &Console, name: &str, login: &str) -> Result<()> {
    let administrator = console.user(login)?;
    let created = console.accounts().create_organization(&console.actor, name, administrator.id);
    let organization = created.with_context(|| format!("cannot create the organization `{name}`"))?;
    console.output.one(&OrganizationRow::from(organization))
}

fn list(console: &Console) -> Result<()> {
    let organizations = all(|after, limit| console.accounts().organizations(&console.actor, after, limit), |o| o.id);
    let organizations = organizations.context("cannot list the organizations")?;
    console.output.list(&organizations.into_iter().map(OrganizationRow::from).collect::<Vec<_>>())
}

fn delete(console: &Console, text: &str) -> Result<()> {
    let Organization { id, name, .. } = console.organization(text)?;
    let deleted = console.accounts().delete_organization(&console.actor, id);
    deleted.with_context(|| format!("cannot delete the organization `{text}`"))?;
    console.output.done(&json!({"deleted": id}), &format!("deleted the organization {name} ({id})"))
}

fn set_plan(console: &Console, text: &str, plan: Plan) -> Result<()> {
    let id = console.organization(text)?.id;
    let organization = console.accounts().set_plan(&console.actor, id, plan);
    let organization = organization.with_context(|| format!("cannot set the plan of `{text}`"))?;
    console.output.one(&OrganizationRow::from(organization))
}

impl Administrators {
    fn run(self, console: &Console) -> Result<()> {
        let (accounts, actor) = (console.accounts(), &console.actor);
        match self {
            Self::List { organization } => {
                let id = console.organization(&organization)?.id;
                let users = accounts.administrators(actor, id);
                let users = users.with_context(|| format!("cannot list the administrators of `{organization}`"))?;
                console.output.list(&users.into_iter().map(UserRow::from).collect::<Vec<_>>())
            }
            Self::Add { organization, login } => {
                let id = console.organization(&organization)?.id;
                let user = accounts.add_administrator(actor, id, &login);
                let user =
                    user.with_context(|| format!("cannot make `{login}` an administrator of `{organization}`"))?;
                console.output.one(&UserRow::from(user))
            }
            Self::Remove { organization, login } => {
                let id = console.organization(&organization)?.id;
                let user = console.user(&login)?;
                let removed = accounts.remove_administrator(actor, id, user.id);
                removed
                    .with_context(|| format!("cannot remove `{login}` from the administrators of `{organization}`"))?;
                let sentence = format!("{} is no longer an administrator of {organization}", user.username);
                console.output.done(&json!({"removed": user.id}), &sentence)
            }
        }
    }
}
