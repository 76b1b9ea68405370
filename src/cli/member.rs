//! `gatepost member`: who holds which role on an application.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::arguments;
use super::console::Console;
use super::output::Shown;
use super::settings::Settings;
use crate::accounts;
use crate::model::{Email, Role, Timestamp, UserId, Username};

/// Add, change, remove and list the members of an application
///
/// A role other than `developer` needs a standard application in an organization on the paid plan.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  gatepost member add --app thermostat devi developer
  gatepost member list --app thermostat")]
pub(super) enum Member {
    /// Make a user a member of an application
    Add {
        #[command(flatten)]
        of: Of,
        /// Username or address
        login: String,
        #[arg(value_parser = arguments::role())]
        role: Role,
    },
    /// Change the role of a member
    SetRole {
        #[command(flatten)]
        of: Of,
        /// Username or address
        login: String,
        #[arg(value_parser = arguments::role())]
        role: Role,
    },
    /// Remove a member; never the owner
    Remove {
        #[command(flatten)]
        of: Of,
        /// Username or address
        login: String,
    },
    /// List the members of an application
    List {
        #[command(flatten)]
        of: Of,
    },
}

#[derive(Args)]
pub(super) struct Of {
    /// The application: its id, or its name if no other one has the same
    #[arg(long = "app", value_name = "ID")]
    application: String,
}

impl Of {
    /// The identifier or name that was given.
    pub(super) fn application(&self) -> &str {
        &self.application
    }
}

impl Member {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        match self {
            Self::Add { of, login, role } => add(&console, of.application(), &login, role)?,
            Self::SetRole { of, login, role } => set_role(&console, of.application(), &login, role)?,
            Self::Remove { of, login } => remove(&console, of.application(), &login)?,
            Self::List { of } => list(&console, of.application())?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct MemberRow {
    id: UserId,
    username: Username,
    email: Email,
    role: Role,
    created_at: Timestamp,
}

impl Shown for MemberRow {
    const COLUMNS: &'static [&'static str] = &["id", "username", "email", "role", "created_at"];
}

impl From<accounts::Member> for MemberRow {
    fn from(member: accounts::Member) -> Self {
        let accounts::Member { user, membership } = member;
        Self {
            id: user.id,
            username: user.username,
            email: user.email,
            role: membership.role,
            created_at: membership.created_at,
        }
    }
}

fn add(console: &Console, application: &str, login: &str, role: Role) -> Result<()> {
    let id = console.application_id(application)?;
    let member = console.accounts().add_member(&console.actor, id, login, role);
    let member = member.with_context(|| format!("cannot make `{login}` {role} of `{application}`"))?;
    console.output.one(&MemberRow::from(member))
}

fn set_role(console: &Console, application: &str, login: &str, role: Role) -> Result<()> {
    let id = console.application_id(application)?;
    let user = console.user(login)?;
    let (accounts, actor) = (console.accounts(), &console.actor);
    let changed = accounts.set_role(actor, id, user.id, role).and_then(|()| accounts.members(actor, id));
    let members = changed.with_context(|| format!("cannot make `{login}` {role} of `{application}`"))?;
    let member = members.into_iter().find(|member| member.user.id == user.id);
    let member = member.with_context(|| format!("`{login}` was removed at the same time"))?;
    console.output.one(&MemberRow::from(member))
}

fn remove(console: &Console, application: &str, login: &str) -> Result<()> {
    let id = console.application_id(application)?;
    let user = console.user(login)?;
    let removed = console.accounts().remove_member(&console.actor, id, user.id);
    removed.with_context(|| format!("cannot remove `{login}` from `{application}`"))?;
    console
        .output
        .done(&json!({"removed": user.id}), &format!("{} is no longer a member of {application}", user.username))
}

fn list(console: &Console, application: &str) -> Result<()> {
    let id = console.application_id(application)?;
    let members = console.accounts().members(&console.actor, id);
    let members = members.with_context(|| format!("cannot list the members of `{application}`"))?;
    console.output.list(&members.into_iter().map(MemberRow::from).collect::<Vec<_>>())
}
