//! `gatepost login`: a session at a server.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::password::Typed;
use super::server::Server;
use super::settings::Settings;
use super::terminal;
use crate::secret::Secret;

/// Sign in to a server, and store the session token for the commands to come
///
/// Asks for what is not given. The token is stored in `gatepost/tokens.json` in $XDG_CONFIG_HOME (or ~/.config), readable
/// for you alone, one for each server. GATEPOST_TOKEN, where it is set, is used in its place.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost login --server https://gatepost.example.com ada
  printf '%s\\n' \"$PASSWORD\" | gatepost login ada --password-stdin --code 123456")]
pub(super) struct Login {
    /// Username or address
    login: Option<String>,
    #[command(flatten)]
    typed: Typed,
    /// A code of your authenticator, or a recovery code
    #[arg(long)]
    code: Option<Secret>,
}

impl Login {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let server = Server::named(settings)?;
        let login = match self.login {
            Some(login) => login,
            None => terminal::line("Username or address")?,
        };
        let password = self.typed.password("Password")?;
        let code = self.typed.code(self.code);
        let session = code.or_ask(|code| server.log_in(&login, &password, code))?;
        let (address, expires_at) = (server.address().as_str(), session.expires_at);
        server.store(session)?;
        let document = json!({"server": address, "login": login, "expires_at": expires_at});
        settings.output().done(&document, &format!("logged in at {address} as {login} until {expires_at}"))?;
        Ok(ExitCode::SUCCESS)
    }
}
