//! `gatepost user`: accounts.

mod administration;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use self::administration::{Disable, Enable, ResetPassword, ResetTotp, SetAdmin};
use super::confirmation::{Confirmation, Loss};
use super::console::{Console, all};
use super::output::{Output, Shown};
use super::password;
use super::settings::Settings;
use crate::accounts::{NewAccount, Owned};
use crate::model::{self, Email, Timestamp, UserId, Username};

/// Add, list, disable and delete users, and reset what they log in with, on the database of this machine
///
/// A user is named by username or e-mail address. A server does none of this: --server is refused.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum User {
    Add(Add),
    /// List all users
    List,
    Disable(Disable),
    Enable(Enable),
    ResetPassword(ResetPassword),
    ResetTotp(ResetTotp),
    SetAdmin(SetAdmin),
    /// Delete a user with everything that it owns: its applications, and the organizations that only it administers
    ///
    /// Asks, and tells what goes along; without a terminal it needs --yes.
    Delete {
        /// Username or address
        login: String,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

/// Add a user, with a personal organization of the same name
///
/// Makes the database if there is none.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost user add ada --email ada@example.com --generate-password --admin
  printf '%s\\n' \"$PASSWORD\" | gatepost user add devi --email devi@example.com --password-stdin")]
pub(super) struct Add {
    /// 1 to 64 letters, digits, `-`, `_` or `.`
    username: String,
    /// E-mail address
    #[arg(long, value_name = "ADDRESS")]
    email: String,
    #[command(flatten)]
    password: Password,
    /// Let the user administer this installation: create users, and set the plans of organizations
    #[arg(long)]
    admin: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct Password {
    /// Read the password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Generate a password, and print it
    #[arg(long)]
    generate_password: bool,
    /// Add a user without password, who cannot log in and can use API keys
    #[arg(long)]
    no_password: bool,
}

impl User {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let output = settings.output();
        match self {
            Self::Add(add) => add.run(&Console::open_or_create(settings)?, output)?,
            Self::List => list(&Console::open(settings)?, output)?,
            Self::Disable(command) => command.run(&Console::open(settings)?, output)?,
            Self::Enable(command) => command.run(&Console::open(settings)?, output)?,
            Self::ResetPassword(command) => command.run(&Console::open(settings)?, output)?,
            Self::ResetTotp(command) => command.run(&Console::open(settings)?, output)?,
            Self::SetAdmin(command) => command.run(&Console::open(settings)?, output)?,
            Self::Delete { login, confirmation } => {
                delete(&Console::open(settings)?, output, &login, &confirmation)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct UserRow {
    id: UserId,
    username: Username,
    email: Email,
    installation_administrator: bool,
    created_at: Timestamp,
    disabled_at: Option<Timestamp>,
}

impl Shown for UserRow {
    const COLUMNS: &'static [&'static str] =
        &["id", "username", "email", "installation_administrator", "created_at", "disabled_at"];
}

impl From<model::User> for UserRow {
    fn from(user: model::User) -> Self {
        let model::User { id, username, email, installation_administrator, created_at, .. } = user;
        Self { id, username, email, installation_administrator, created_at, disabled_at: None }
    }
}

#[derive(Serialize)]
struct NewUserWithPassword<'a> {
    #[serde(flatten)]
    user: UserRow,
    password: &'a str,
}

impl Shown for NewUserWithPassword<'_> {
    const COLUMNS: &'static [&'static str] =
        &["id", "username", "email", "installation_administrator", "created_at", "password"];
}

impl Add {
    fn run(self, console: &Console, output: Output) -> Result<()> {
        let Self { username, email, password: how, admin } = self;
        let password = match how {
            Password { password_stdin: true, .. } => Some(password::from_stdin("password")?),
            Password { generate_password: true, .. } => Some(password::generate()),
            Password { .. } => None,
        };
        let account = NewAccount {
            username: &username,
            email: &email,
            password: password.as_ref(),
            installation_administrator: admin,
        };
        let added = console.accounts().add_user(&console.actor, &account);
        let user = UserRow::from(added.with_context(|| format!("cannot add the user `{username}`"))?);
        match password.filter(|_| how.generate_password) {
            Some(password) => output.one(&NewUserWithPassword { user, password: password.expose() }),
            None => output.one(&user),
        }
    }
}

fn list(console: &Console, output: Output) -> Result<()> {
    let users = all(|after, limit| console.accounts().users(&console.actor, after, limit), |user| user.id);
    let disabled = console.accounts().disabled_users(&console.actor);
    let disabled: BTreeMap<_, _> = disabled.context("cannot list the users")?.into_iter().collect();
    let users = users.context("cannot list the users")?.into_iter();
    let rows: Vec<UserRow> =
        users.map(|user| UserRow { disabled_at: disabled.get(&user.id).copied(), ..user.into() }).collect();
    output.list(&rows)
}

fn delete(console: &Console, output: Output, login: &str, confirmation: &Confirmation) -> Result<()> {
    let user = console.user(login)?;
    confirmation.obtain(|| loss(console, &user))?;
    let deleted = console.accounts().delete_user(&console.actor, user.id);
    deleted.with_context(|| format!("cannot delete the user `{login}`"))?;
    output.done(&json!({"deleted": user.id}), &format!("deleted the user {} ({})", user.username, user.id))
}

/// What goes with a user.
fn loss(console: &Console, user: &model::User) -> Result<Loss> {
    let accounts = console.accounts();
    let owned = accounts.owned(&console.actor, user.id);
    let Owned { applications, organizations } = owned.context("cannot tell what it owns")?;
    let keys = accounts.api_keys(&console.actor, user.id).context("cannot tell which keys it has")?;
    Ok(Loss::new(format!("deletes the user {} ({})", user.username, user.id))
        .with("organizations", organizations.iter().map(|organization| &organization.name))
        .with("applications, with their devices and members", applications.iter().map(|application| &application.name))
        .with("API keys", keys.iter().map(|key| &key.name))
        .with("rights", user.installation_administrator.then_some("the administration of this installation")))
}
