//! `gatepost user`: accounts.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use super::console::{Console, all};
use super::output::Shown;
use super::password;
use super::settings::Settings;
use crate::accounts::NewAccount;
use crate::model::{self, Email, Timestamp, UserId, Username};

/// Add, list and delete users
///
/// A user is named by username or e-mail address.
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum User {
    Add(Add),
    /// List all users
    List,
    /// Delete a user with everything that it owns: its applications, and the organizations that only it administers
    Delete {
        /// Username or address
        login: String,
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
        match self {
            Self::Add(add) => add.run(&Console::open_or_create(settings)?)?,
            Self::List => list(&Console::open(settings)?)?,
            Self::Delete { login } => delete(&Console::open(settings)?, &login)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A user, as it is printed.
#[derive(Serialize)]
pub(super) struct UserRow {
    id: UserId,
    username: Username,
    email: Email,
    installation_administrator: bool,
    created_at: Timestamp,
}

impl Shown for UserRow {
    const COLUMNS: &'static [&'static str] = &["id", "username", "email", "installation_administrator", "created_at"];
}

impl From<model::User> for UserRow {
    fn from(user: model::User) -> Self {
        let model::User { id, username, email, installation_administrator, created_at, .. } = user;
        Self { id, username, email, installation_administrator, created_at }
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
    fn run(self, console: &Console) -> Result<()> {
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
            Some(password) => console.output.one(&NewUserWithPassword { user, password: password.expose() }),
            None => console.output.one(&user),
        }
    }
}

fn list(console: &Console) -> Result<()> {
    let users = all(|after, limit| console.accounts().users(&console.actor, after, limit), |user| user.id);
    let rows: Vec<UserRow> = users.context("cannot list the users")?.into_iter().map(UserRow::from).collect();
    console.output.list(&rows)
}

fn delete(console: &Console, login: &str) -> Result<()> {
    let user = console.user(login)?;
    let deleted = console.accounts().delete_user(&console.actor, user.id);
    deleted.with_context(|| format!("cannot delete the user `{login}`"))?;
    console.output.done(&json!({"deleted": user.id}), &format!("deleted the user {} ({})", user.username, user.id))
}
