//! `gatepost org`: organizations, their plans and their administrators.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::app::SeenRow;
use super::arguments;
use super::backend::{Backend, needed, not_by_server};
use super::confirmation::{Confirmation, Loss};
use super::console::all;
use super::lookup::Found;
use super::output::{Output, Shown};
use super::settings::Settings;
use crate::model::{Organization, OrganizationId, Plan, Timestamp, User, UserId};

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
        /// Its first administrator: username or address; through a server it is always you
        #[arg(long, value_name = "LOGIN")]
        administrator: Option<String>,
    },
    /// List all organizations; through a server, those that you administer
    List,
    /// Delete an organization with its applications
    ///
    /// Asks, and tells what goes along; without a terminal it needs --yes.
    Delete {
        /// Id or name
        #[arg(value_name = "ID")]
        organization: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
    /// Set what an organization pays for
    ///
    /// For administrators of the installation. On the `paid` plan all roles can be assigned on the organization's standard applications.
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
        let (backend, output) = (Backend::open(settings)?, settings.output());
        match self {
            Self::Create { name, administrator } => output.one(&create(&backend, &name, administrator.as_ref())?)?,
            Self::List => output.list(&list(&backend)?)?,
            Self::Delete { organization, confirmation } => delete(&backend, output, &organization, &confirmation)?,
            Self::Plan { organization, plan } => output.one(&set_plan(&backend, &organization, plan)?)?,
            Self::Administrators(command) => command.run(&backend, output)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct OrganizationRow {
    pub(super) id: OrganizationId,
    pub(super) name: String,
    pub(super) plan: Plan,
    pub(super) personal: bool,
    created_at: Timestamp,
}

impl Shown for OrganizationRow {
    const COLUMNS: &'static [&'static str] = &["id", "name", "plan", "personal", "created_at"];
}

impl From<Organization> for OrganizationRow {
    fn from(organization: Organization) -> Self {
        let Organization { id, name, plan, personal_to, created_at } = organization;
        Self { id, name: name.to_string(), plan, personal: personal_to.is_some(), created_at }
    }
}

#[derive(Serialize, Deserialize)]
struct AdministratorRow {
    id: UserId,
    username: String,
    /// Not told by servers.
    email: Option<String>,
}

impl Shown for AdministratorRow {
    const COLUMNS: &'static [&'static str] = &["id", "username", "email"];
}

impl From<User> for AdministratorRow {
    fn from(user: User) -> Self {
        Self { id: user.id, username: user.username.to_string(), email: Some(user.email.to_string()) }
    }
}

fn create(backend: &Backend, name: &str, administrator: Option<&String>) -> Result<OrganizationRow> {
    match backend {
        Backend::Console(console) => {
            let administrator = console.user(needed(administrator, "--administrator")?)?;
            let created = console.accounts().create_organization(&console.actor, name, administrator.id);
            Ok(created.with_context(|| format!("cannot create the organization `{name}`"))?.into())
        }
        Backend::Server(server) => {
            not_by_server(administrator, "--administrator")?;
            Ok(server.send(Method::POST, "/v1/organizations", &json!({"name": name}))?)
        }
    }
}

fn list(backend: &Backend) -> Result<Vec<OrganizationRow>> {
    match backend {
        Backend::Console(console) => {
            let (accounts, actor) = (console.accounts(), &console.actor);
            let organizations = all(|after, limit| accounts.organizations(actor, after, limit), |each| each.id);
            let organizations = organizations.context("cannot list the organizations")?;
            Ok(organizations.into_iter().map(OrganizationRow::from).collect())
        }
        Backend::Server(server) => Ok(server.list("/v1/organizations", usize::MAX)?),
    }
}

fn delete(backend: &Backend, output: Output, text: &str, confirmation: &Confirmation) -> Result<()> {
    let Found { id, name, .. } = backend.organization(text)?;
    confirmation.obtain(|| {
        Ok(Loss::new(format!("deletes the organization {name} ({id})"))
            .with("applications, with their devices and members", applications_in(backend, id)?))
    })?;
    match backend {
        Backend::Console(console) => {
            let deleted = console.accounts().delete_organization(&console.actor, id);
            deleted.with_context(|| format!("cannot delete the organization `{text}`"))?;
        }
        Backend::Server(server) => server.delete(&format!("/v1/organizations/{id}"))?,
    }
    output.done(&json!({"deleted": id}), &format!("deleted the organization {name} ({id})"))
}

/// The names of an organization's applications: through a server, of those on which the caller holds a role.
fn applications_in(backend: &Backend, id: OrganizationId) -> Result<Vec<String>> {
    match backend {
        Backend::Console(console) => {
            let (accounts, actor) = (console.accounts(), &console.actor);
            let everything = all(|after, limit| accounts.applications(actor, after, limit), |each| each.id);
            let everything = everything.context("cannot tell which applications it has")?.into_iter();
            Ok(everything.filter(|each| each.organization == id).map(|each| each.name.to_string()).collect())
        }
        Backend::Server(server) => {
            let everything: Vec<SeenRow> = server.list("/v1/applications", usize::MAX)?;
            Ok(everything.into_iter().filter(|each| each.organization == id).map(|each| each.name).collect())
        }
    }
}

fn set_plan(backend: &Backend, text: &str, plan: Plan) -> Result<OrganizationRow> {
    match backend {
        Backend::Console(console) => {
            let id = backend.organization(text)?.id;
            let organization = console.accounts().set_plan(&console.actor, id, plan);
            Ok(organization.with_context(|| format!("cannot set the plan of `{text}`"))?.into())
        }
        Backend::Server(server) => {
            // Who sets plans need not administer the organization, and then it is in no list.
            let id: OrganizationId = match text.parse() {
                Ok(id) => id,
                Err(_) => backend.organization(text)?.id,
            };
            Ok(server.send(Method::PUT, &format!("/v1/organizations/{id}/plan"), &json!({"plan": plan}))?)
        }
    }
}

impl Administrators {
    fn run(self, backend: &Backend, output: Output) -> Result<()> {
        match self {
            Self::List { organization } => output.list(&administrators(backend, &organization)?),
            Self::Add { organization, login } => output.one(&add(backend, &organization, &login)?),
            Self::Remove { organization, login } => remove(backend, output, &organization, &login),
        }
    }
}

fn administrators(backend: &Backend, text: &str) -> Result<Vec<AdministratorRow>> {
    let id = backend.organization(text)?.id;
    match backend {
        Backend::Console(console) => {
            let users = console.accounts().administrators(&console.actor, id);
            let users = users.with_context(|| format!("cannot list the administrators of `{text}`"))?;
            Ok(users.into_iter().map(AdministratorRow::from).collect())
        }
        Backend::Server(server) => Ok(server.list(&format!("/v1/organizations/{id}/administrators"), usize::MAX)?),
    }
}

fn add(backend: &Backend, text: &str, login: &str) -> Result<AdministratorRow> {
    let id = backend.organization(text)?.id;
    match backend {
        Backend::Console(console) => {
            let user = console.accounts().add_administrator(&console.actor, id, login);
            Ok(user.with_context(|| format!("cannot make `{login}` an administrator of `{text}`"))?.into())
        }
        Backend::Server(server) => {
            let path = format!("/v1/organizations/{id}/administrators");
            Ok(server.send(Method::POST, &path, &json!({"login": login}))?)
        }
    }
}

fn remove(backend: &Backend, output: Output, text: &str, login: &str) -> Result<()> {
    let Found { id, name, .. } = backend.organization(text)?;
    let (user, username) = match backend {
        Backend::Console(console) => {
            let user = console.user(login)?;
            let removed = console.accounts().remove_administrator(&console.actor, id, user.id);
            removed.with_context(|| format!("cannot remove `{login}` from the administrators of `{text}`"))?;
            (user.id, user.username.to_string())
        }
        Backend::Server(server) => {
            let known = administrators(backend, text)?.into_iter().map(|each| (each.id, each.username));
            let (user, username) = server.user_among(login, known, "administrator")?;
            server.delete(&format!("/v1/organizations/{id}/administrators/{user}"))?;
            (user, username)
        }
    };
    let sentence = format!("{username} is no longer an administrator of {name}");
    output.done(&json!({"removed": user}), &sentence)
}
