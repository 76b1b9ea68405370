//! `gatepost whoami`: who one is to a server.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;
use serde::{Deserialize, Serialize};

use super::output::{Shown, members};
use super::server::{Server, ServerError};
use super::settings::Settings;
use crate::model::{Timestamp, UserId};

/// Show whose token a server sees, and of which kind it is
#[derive(Args)]
pub(super) struct WhoAmI {}

/// The caller's account, as the server gives it.
#[derive(Serialize, Deserialize)]
pub(super) struct Me {
    pub(super) id: UserId,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) totp_enabled: bool,
    pub(super) has_password: bool,
    credential: Credential,
}

#[derive(Serialize, Deserialize)]
struct Credential {
    kind: String,
    id: String,
    expires_at: Option<Timestamp>,
}

/// The same for people.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    me: &'a Me,
    credential_kind: &'a str,
    credential_id: &'a str,
    credential_expires_at: Option<Timestamp>,
}

impl Shown for Row<'_> {
    const COLUMNS: &'static [&'static str] = &[
        "id",
        "username",
        "email",
        "has_password",
        "totp_enabled",
        "credential_kind",
        "credential_id",
        "credential_expires_at",
    ];
}

impl WhoAmI {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let me = Server::named(settings)?.whoami()?;
        settings.output().either(&me, || {
            let Credential { kind, id, expires_at } = &me.credential;
            let row = Row { me: &me, credential_kind: kind, credential_id: id, credential_expires_at: *expires_at };
            members(Row::COLUMNS, &row)
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Server {
    pub(super) fn whoami(&self) -> Result<Me, ServerError> {
        self.get("/v1/whoami")
    }
}
