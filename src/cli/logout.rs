//! `gatepost logout`: the end of a session at a server.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::server::Server;
use super::settings::Settings;

/// Forget the session token that is stored for a server
#[derive(Args)]
pub(super) struct Logout {
    /// End all of your session tokens at the server as well, wherever they are; API keys stay
    #[arg(long)]
    everywhere: bool,
}

impl Logout {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let server = Server::named(settings)?;
        if self.everywhere {
            server.end_sessions()?;
        }
        let forgotten = server.forget()?;
        let address = server.address().as_str();
        let sentence = match (self.everywhere, forgotten) {
            (true, _) => format!("ended all of your session tokens at {address}"),
            (false, true) => format!("logged out of {address}"),
            (false, false) => format!("there was no session at {address}"),
        };
        let document = json!({"server": address, "forgotten": forgotten, "everywhere": self.everywhere});
        settings.output().done(&document, &sentence)?;
        Ok(ExitCode::SUCCESS)
    }
}
