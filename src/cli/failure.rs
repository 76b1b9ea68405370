//! How failures are told: what went wrong, why, and what to do about it.

use std::borrow::Cow;
use std::error::Error;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use super::lookup::LookupError;
use super::output::printable;
use super::server::ServerError;
use super::{CONFLICT, FAILURE, FORBIDDEN, NOT_FOUND, UNAUTHENTICATED, USAGE};
use crate::accounts::AccountError;
use crate::app::AppError;
use crate::config::ConfigError;

/// The arguments are sound one by one and make no sense together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct UsageError(Cow<'static, str>);

impl UsageError {
    pub(super) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self(message.into())
    }

    /// What was asked of a server is done on the database of this machine only.
    pub(super) fn console_only() -> Self {
        Self::new(
            "this can be done on the database of this machine only: leave out --server, and unset GATEPOST_SERVER",
        )
    }
}

/// Tells what went wrong on standard error, and gives the code to exit with.
pub(super) fn report(error: &anyhow::Error) -> ExitCode {
    // Whoever read the output has had enough of it, and need not be told. It is no success: what else would have been
    // said is not known, least of all by a code.
    let is_unread = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe);
    if !is_unread {
        // There is no other place to tell that standard error is closed.
        let _ = io::stderr().lock().write_all(message(error).as_bytes());
    }
    error.chain().find_map(exit_code).unwrap_or(FAILURE).into()
}

/// Tells on standard error what is to be known although the command goes on.
pub(super) fn warn(text: &str) {
    let text: String = text.lines().map(|line| format!("{}\n", printable(line))).collect();
    let _ = io::stderr().lock().write_all(format!("warning: {text}").as_bytes());
}

/// The code to exit with because of this cause, if it is one that has a code of its own.
fn exit_code(cause: &(dyn Error + 'static)) -> Option<u8> {
    if cause.is::<UsageError>() {
        return Some(USAGE);
    }
    if let Some(error) = cause.downcast_ref::<ServerError>() {
        return Some(error.exit_code());
    }
    if let Some(error) = cause.downcast_ref::<LookupError>() {
        return Some(if error.is_ambiguous() { CONFLICT } else { NOT_FOUND });
    }
    Some(match cause.downcast_ref()? {
        AccountError::InvalidCredentials | AccountError::TotpRequired | AccountError::InvalidCode => UNAUTHENTICATED,
        AccountError::Denied { .. } | AccountError::SessionRequired | AccountError::SignUpClosed => FORBIDDEN,
        AccountError::NotFound(_) => NOT_FOUND,
        AccountError::Exists(_)
        | AccountError::Disabled
        | AccountError::Invalid { .. }
        | AccountError::InvalidLink
        | AccountError::LastAdministrator
        | AccountError::LastInstallationAdministrator
        | AccountError::NoMail
        | AccountError::PasswordRequired
        | AccountError::PersonalOrganization => CONFLICT,
        _ => FAILURE,
    })
}

fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    match error.downcast_ref::<ConfigError>() {
        Some(ConfigError { problems }) => problems.iter().for_each(|problem| add(&mut text, &problem.to_string())),
        None => add(&mut text, &chain(error)),
    }
    if let Some(help) = error.chain().find_map(help) {
        text.push_str(&format!("  help: {help}\n"));
    }
    text
}

fn add(text: &mut String, message: &str) {
    let mut lines = message.lines().map(printable);
    text.push_str(&format!("error: {}\n", lines.next().unwrap_or_default()));
    lines.for_each(|line| text.push_str(&format!("{line}\n")));
}

/// The error and its causes, but for those that it has told itself.
fn chain(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    text
}

/// What to do about it.
fn help(cause: &(dyn Error + 'static)) -> Option<&'static str> {
    if let Some(error) = cause.downcast_ref() {
        return help_with_account(error);
    }
    if let Some(error) = cause.downcast_ref::<ServerError>() {
        return error.help();
    }
    match cause.downcast_ref()? {
        AppError::Accounts(error) => help_with_account(error),
        AppError::Listen(_) => {
            Some("give other addresses with --listen and --portal-listen; port 0 lets the system choose one")
        }
        _ => None,
    }
}

fn help_with_account(error: &AccountError) -> Option<&'static str> {
    match error {
        AccountError::Denied { code } => Some(match code.as_str() {
            "role_not_available" => {
                "a role other than `developer` needs an application of type `standard` in an organization on the \
                 `paid` plan: see `gatepost org plan`"
            }
            "owner_cannot_be_removed" | "owner_cannot_be_demoted" => {
                "an application's owner is its administrator for good; only deleting the application ends that"
            }
            _ => "the policies in force do not permit this to the console: see the policy `console` in accounts.cedar",
        }),
        AccountError::NotFound(what) => match *what {
            "user" => Some("`gatepost user list` shows all users"),
            "api key" => Some("`gatepost key list --user LOGIN` shows a user's keys; nothing was revoked"),
            "organization" => Some("`gatepost org list` shows all organizations"),
            "application" => Some("`gatepost app list` shows all applications"),
            "member" => Some("`gatepost member list --app ID` shows the members of an application"),
            "device" => Some("`gatepost device list --app ID` shows the devices of an application"),
            _ => None,
        },
        AccountError::Disabled => Some("enable it first: `gatepost user enable LOGIN`"),
        AccountError::NoMail => Some("give --generate-password or --password-stdin, or configure `mail.smtp`"),
        AccountError::LastAdministrator => Some("add another one first: `gatepost org administrators add ID LOGIN`"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;
    use crate::config::{Config, LoadOptions};

    #[test]
    fn a_failure_says_what_why_and_what_to_do() {
        let error = Err::<(), _>(AccountError::NotFound("user")).context("cannot delete `nobody`").unwrap_err();
        assert_eq!(
            message(&error),
            "error: cannot delete `nobody`: there is no such user\n  help: `gatepost user list` shows all users\n"
        );
    }

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let cause = io::Error::other("disk full");
        let error = anyhow::Error::new(crate::store::StoreError::Failed(cause.into())).context("cannot list users");
        assert_eq!(message(&error), "error: cannot list users: the database failed: disk full\n");
    }

    #[test]
    fn each_problem_of_a_configuration_is_told() {
        let environment = ["GATEPOST_LOG_LEVEL", "GATEPOST_STORE_KEY"].map(|name| (name.into(), "\u{1b}x".into()));
        let problems = Config::load(LoadOptions { environment: environment.into(), ..LoadOptions::default() });
        let text = message(&problems.err().unwrap().into());
        assert_eq!(text.lines().filter(|line| line.starts_with("error: GATEPOST_")).count(), 2, "{text}");
        assert!(!text.contains('\u{1b}'));
    }
}
