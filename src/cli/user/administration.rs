//! `gatepost user disable|enable|reset-password|reset-totp|set-admin`: what needs no password of the account.

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Serialize;
use serde_json::json;

use crate::accounts::{AccountError, Disabled};
use crate::cli::confirmation::{Confirmation, Loss};
use crate::cli::console::Console;
use crate::cli::failure::warn;
use crate::cli::output::{Output, printable};
use crate::cli::password;
use crate::model::{Email, OrganizationId, Timestamp, UserId};

/// Disable a user: from the next request on, none of its session tokens and API keys counts, and it cannot log in
///
/// In force at once; on servers on this database within one second. Session tokens and mailed links end for good. API keys,
/// roles and organizations stay as they are, and count again after `enable`. A log-in is answered as one with a wrong
/// password is, also with the right one. It is not refused for an organization's last administrator: it warns.
#[derive(Args)]
#[command(after_help = "\
Example:
  gatepost user disable devi")]
pub(in crate::cli) struct Disable {
    /// Username or address
    login: String,
}

/// Enable a user who is disabled: API keys count again, and it can log in
#[derive(Args)]
pub(in crate::cli) struct Enable {
    /// Username or address
    login: String,
}

/// Reset a user's password, and end all of its sessions
///
/// Without an option, its password is taken, and a link that sets a new one is mailed to it: for that, mail must be
/// configured. API keys stay (`gatepost key list --user LOGIN`), and so does two-factor authentication.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost user reset-password devi
  gatepost user reset-password devi --generate-password")]
pub(in crate::cli) struct ResetPassword {
    /// Username or address
    login: String,
    #[command(flatten)]
    new: NewPassword,
}

#[derive(Args)]
#[group(multiple = false)]
struct NewPassword {
    /// Read the new password from the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// Generate a new password, and print it
    #[arg(long)]
    generate_password: bool,
}

/// Take a user's second factor with its recovery codes, and end all of its sessions
///
/// For somebody who has lost both: a log-in then needs the password alone.
#[derive(Args)]
pub(in crate::cli) struct ResetTotp {
    /// Username or address
    login: String,
}

/// Make a user an administrator of this installation, or take that
///
/// Administrators create users and set the plans of organizations.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost user set-admin devi
  gatepost user set-admin devi --revoke")]
pub(in crate::cli) struct SetAdmin {
    /// Username or address
    login: String,
    /// Take it. Asks if nobody would be left
    #[arg(long)]
    revoke: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

#[derive(Serialize)]
struct Unadministered {
    id: OrganizationId,
    name: String,
}

impl Disable {
    pub(super) fn run(&self, console: &Console, output: Output) -> Result<()> {
        let user = console.user(&self.login)?;
        let disabled = console.accounts().disable_user(&console.actor, user.id);
        let Disabled { at, unadministered, leaves_installation } =
            disabled.with_context(|| format!("cannot disable `{}`", self.login))?;
        let unadministered = unadministered.into_iter();
        let unadministered: Vec<_> =
            unadministered.map(|each| Unadministered { id: each.id, name: each.name.to_string() }).collect();
        let document = json!({
            "disabled": user.id,
            "disabled_at": at,
            "organizations_without_administrator": unadministered,
            "installation_without_administrator": leaves_installation,
        });
        let name = &user.username;
        let sentence = format!(
            "{name} is disabled: its sessions have ended, and its API keys are refused until `gatepost user enable {name}`"
        );
        output.done(&document, &sentence)?;
        for Unadministered { id, name } in &unadministered {
            warn(&format!(
                "nobody who is enabled administers the organization {}: `gatepost org administrators add {id} LOGIN`",
                printable(name)
            ));
        }
        if leaves_installation {
            warn("nobody who is enabled administers this installation: `gatepost user set-admin LOGIN`");
        }
        Ok(())
    }
}

impl Enable {
    pub(super) fn run(&self, console: &Console, output: Output) -> Result<()> {
        let user = console.user(&self.login)?;
        let enabled = console.accounts().enable_user(&console.actor, user.id);
        let was_disabled = enabled.with_context(|| format!("cannot enable `{}`", self.login))?;
        let sentence = match was_disabled {
            true => format!("{} is enabled: its API keys count again", user.username),
            false => format!("{} was not disabled", user.username),
        };
        output.done(&json!({"enabled": user.id, "was_disabled": was_disabled}), &sentence)
    }
}

#[derive(Serialize)]
struct Reset<'a> {
    reset: UserId,
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mailed_to: Option<&'a Email>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link_expires_at: Option<Timestamp>,
}

impl ResetPassword {
    pub(super) fn run(&self, console: &Console, output: Output) -> Result<()> {
        let Self { login, new: NewPassword { password_stdin, generate_password } } = self;
        let user = console.user(login)?;
        let name = &user.username;
        let (accounts, cannot) = (console.accounts(), || format!("cannot reset the password of `{login}`"));
        let done = Reset { reset: user.id, password: None, mailed_to: None, link_expires_at: None };
        if !password_stdin && !generate_password {
            let expires_at = accounts.mail_password_reset(&console.actor, user.id).with_context(cannot)?;
            let done = Reset { mailed_to: Some(&user.email), link_expires_at: Some(expires_at), ..done };
            let sentence = format!(
                "the password of {name} is taken, and its sessions have ended; a link that sets a new one until {expires_at} \
                 is mailed to {} by the server that runs on this database",
                user.email
            );
            return output.done(&done, &sentence);
        }
        let password = if *password_stdin { password::from_stdin("password")? } else { password::generate() };
        accounts.reset_password(&console.actor, user.id, &password).with_context(cannot)?;
        let sentence = format!("{name} has a new password, and its sessions have ended");
        match generate_password {
            true => {
                let done = Reset { password: Some(password.expose()), ..done };
                output.done(&done, &format!("{sentence}: {}", password.expose()))
            }
            false => output.done(&done, &sentence),
        }
    }
}

impl ResetTotp {
    pub(super) fn run(&self, console: &Console, output: Output) -> Result<()> {
        let user = console.user(&self.login)?;
        let reset = console.accounts().reset_totp(&console.actor, user.id);
        reset.with_context(|| format!("cannot take the second factor of `{}`", self.login))?;
        let sentence = format!("{} has no second factor any more, and its sessions have ended", user.username);
        output.done(&json!({"reset": user.id}), &sentence)
    }
}

impl SetAdmin {
    pub(super) fn run(&self, console: &Console, output: Output) -> Result<()> {
        let (user, admin) = (console.user(&self.login)?, !self.revoke);
        let name = &user.username;
        let set = |even_the_last| {
            console.accounts().set_installation_administrator(&console.actor, user.id, admin, even_the_last)
        };
        let changed = match set(false) {
            Err(AccountError::LastInstallationAdministrator) => {
                self.confirmation.obtain(|| {
                    Ok(Loss::new(format!(
                        "leaves nobody who administers this installation: {name} is the last one who is enabled"
                    )))
                })?;
                set(true)
            }
            changed => changed,
        };
        let changed = changed.with_context(|| format!("cannot make this of `{}`", self.login))?;
        let sentence = match (admin, changed) {
            (true, true) => format!("{name} administers this installation"),
            (true, false) => format!("{name} administers this installation already"),
            (false, true) => format!("{name} no longer administers this installation"),
            (false, false) => format!("{name} does not administer this installation"),
        };
        output.done(&json!({"user": user.id, "installation_administrator": admin, "changed": changed}), &sentence)
    }
}
