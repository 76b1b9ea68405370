//! `gatepost member`: who holds which role on an application.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::arguments;
use super::backend::Backend;
use super::output::{Output, Shown};
use super::server::Server;
use super::settings::Settings;
use crate::accounts;
use crate::model::{ApplicationId, Role, Timestamp, UserId};

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
    /// Remove a member, or leave; never the owner
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
        let (backend, output) = (Backend::open(settings)?, settings.output());
        match self {
            Self::Add { of, login, role } => output.one(&add(&backend, of.application(), &login, role)?)?,
            Self::SetRole { of, login, role } => output.one(&set_role(&backend, of.application(), &login, role)?)?,
            Self::Remove { of, login } => remove(&backend, output, of.application(), &login)?,
            Self::List { of } => output.list(&list(&backend, of.application())?)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct MemberRow {
    pub(super) id: UserId,
    pub(super) username: String,
    /// Not told by servers.
    email: Option<String>,
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
            username: user.username.to_string(),
            email: Some(user.email.to_string()),
            role: membership.role,
            created_at: membership.created_at,
        }
    }
}

impl Server {
    fn member(&self, application: ApplicationId, login: &str) -> Result<(UserId, String)> {
        let known = self.members(application)?.into_iter().map(|member| (member.id, member.username));
        self.user_among(login, known, "member")
    }

    fn members(&self, application: ApplicationId) -> Result<Vec<MemberRow>> {
        Ok(self.list(&format!("/v1/applications/{application}/members"), usize::MAX)?)
    }
}

fn add(backend: &Backend, application: &str, login: &str, role: Role) -> Result<MemberRow> {
    let id = backend.application(application)?.id;
    match backend {
        Backend::Console(console) => {
            let member = console.accounts().add_member(&console.actor, id, login, role);
            Ok(member.with_context(|| format!("cannot make `{login}` {role} of `{application}`"))?.into())
        }
        Backend::Server(server) => {
            let new = json!({"login": login, "role": role});
            Ok(server.send(Method::POST, &format!("/v1/applications/{id}/members"), &new)?)
        }
    }
}

fn set_role(backend: &Backend, application: &str, login: &str, role: Role) -> Result<MemberRow> {
    let id = backend.application(application)?.id;
    let (user, members) = match backend {
        Backend::Console(console) => {
            let user = console.user(login)?.id;
            let (accounts, actor) = (console.accounts(), &console.actor);
            let changed = accounts.set_role(actor, id, user, role).and_then(|()| accounts.members(actor, id));
            let members = changed.with_context(|| format!("cannot make `{login}` {role} of `{application}`"))?;
            (user, members.into_iter().map(MemberRow::from).collect())
        }
        Backend::Server(server) => {
            let (user, _) = server.member(id, login)?;
            server.tell(Method::PATCH, &format!("/v1/applications/{id}/members/{user}"), &json!({"role": role}))?;
            (user, server.members(id)?)
        }
    };
    let member = members.into_iter().find(|member| member.id == user);
    member.with_context(|| format!("`{login}` was removed at the same time"))
}

fn remove(backend: &Backend, output: Output, application: &str, login: &str) -> Result<()> {
    let id = backend.application(application)?.id;
    let (user, username) = match backend {
        Backend::Console(console) => {
            let user = console.user(login)?;
            let removed = console.accounts().remove_member(&console.actor, id, user.id);
            removed.with_context(|| format!("cannot remove `{login}` from `{application}`"))?;
            (user.id, user.username.to_string())
        }
        Backend::Server(server) => {
            let (user, username) = server.member(id, login)?;
            server.delete(&format!("/v1/applications/{id}/members/{user}"))?;
            (user, username)
        }
    };
    output.done(&json!({"removed": user}), &format!("{username} is no longer a member of {application}"))
}

pub(super) fn list(backend: &Backend, application: &str) -> Result<Vec<MemberRow>> {
    let id = backend.application(application)?.id;
    match backend {
        Backend::Console(console) => {
            let members = console.accounts().members(&console.actor, id);
            let members = members.with_context(|| format!("cannot list the members of `{application}`"))?;
            Ok(members.into_iter().map(MemberRow::from).collect())
        }
        Backend::Server(server) => server.members(id),
    }
}
