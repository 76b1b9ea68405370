//! `gatepost account`: one's own account at a server.

mod totp;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use ureq::http::Method;

use self::totp::Totp;
use super::output::{Output, printable};
use super::password::Typed;
use super::server::Server;
use super::settings::Settings;
use super::terminal;
use crate::secret::Secret;

/// Change, export and delete your own account at a server
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
pub(super) enum Account {
    Password(Password),
    #[command(subcommand)]
    Totp(Totp),
    /// Replace your recovery codes by ten new ones, and print them; they cannot be shown again
    RecoveryCodes {
        #[command(flatten)]
        typed: Typed,
    },
    /// Print everything that the server holds about you, as JSON, without secrets
    Export,
    Delete(Delete),
}

/// Change your password, or set one if your account has none; all of your session tokens end
#[derive(Args)]
#[command(after_help = "\
Example:
  printf '%s\\n%s\\n' \"$OLD\" \"$NEW\" | gatepost account password --password-stdin")]
pub(super) struct Password {
    /// Read the present password, if your account has one, and the new one from the first lines of standard input
    #[arg(long)]
    password_stdin: bool,
}

/// Delete your account with everything that it owns: applications, their devices and members, keys
#[derive(Args)]
pub(super) struct Delete {
    #[command(flatten)]
    typed: Typed,
    /// A code of your authenticator, or a recovery code
    #[arg(long)]
    code: Option<Secret>,
}

/// What proves again who one is.
#[derive(Serialize)]
struct Proof<'a> {
    password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

impl<'a> Proof<'a> {
    fn new(password: &'a Secret) -> Self {
        Self { password: password.expose(), code: None }
    }
}

impl Account {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (server, output) = (Server::named(settings)?, settings.output());
        match self {
            Self::Password(command) => command.run(&server, output)?,
            Self::Totp(command) => command.run(&server, output)?,
            Self::RecoveryCodes { typed } => recovery_codes(&server, output, typed)?,
            Self::Export => {
                let everything: Value = server.get("/v1/account/export")?;
                output.json(&everything)?;
            }
            Self::Delete(command) => command.run(&server, output)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Password {
    fn run(self, server: &Server, output: Output) -> Result<()> {
        #[derive(Serialize)]
        struct Change<'a> {
            #[serde(skip_serializing_if = "Option::is_none")]
            current_password: Option<&'a str>,
            password: &'a str,
        }
        let has_password = server.whoami()?.has_password;
        let typed = Typed { password_stdin: self.password_stdin };
        let current = has_password.then(|| typed.password("Present password")).transpose()?;
        let password = typed.password("New password")?;
        if !self.password_stdin && terminal::secret("New password, again")?.expose() != password.expose() {
            bail!("the new passwords are not the same");
        }
        let change = Change { current_password: current.as_ref().map(Secret::expose), password: password.expose() };
        server.tell(Method::PUT, "/v1/account/password", &change)?;
        forget_ended(server)?;
        output.done(
            &json!({"changed": true}),
            "the password is changed, and all of your session tokens have ended: log in again",
        )
    }
}

impl Delete {
    fn run(self, server: &Server, output: Output) -> Result<()> {
        let me = server.whoami()?;
        let password = self.typed.password(&format!("Password, to delete `{}` for good", printable(&me.username)))?;
        let code = self.typed.code(self.code);
        code.or_ask(|code| {
            let proof = Proof { code: code.map(Secret::expose), ..Proof::new(&password) };
            server.tell(Method::DELETE, "/v1/account", &proof)
        })?;
        forget_ended(server)?;
        output.done(&json!({"deleted": me.id}), &format!("deleted the account {} ({})", me.username, me.id))
    }
}

fn recovery_codes(server: &Server, output: Output, typed: Typed) -> Result<()> {
    let password = typed.password("Password")?;
    let codes = server.send(Method::POST, "/v1/account/recovery-codes", &Proof::new(&password))?;
    show_recovery_codes(output, &codes)
}

/// Recovery codes, as servers give them.
#[derive(Serialize, Deserialize)]
struct RecoveryCodes {
    recovery_codes: Vec<String>,
}

fn show_recovery_codes(output: Output, codes: &RecoveryCodes) -> Result<()> {
    output.either(codes, || Ok(codes.recovery_codes.iter().map(|code| format!("{}\n", printable(code))).collect()))
}

/// Forgets the stored token after its end.
fn forget_ended(server: &Server) -> Result<()> {
    if !server.uses_environment_token() {
        server.forget()?;
    }
    Ok(())
}
