//! `gatepost openapi`: the description of the management API.

use std::process::ExitCode;

use anyhow::Result;
use clap::Args;

use super::settings::Settings;
use crate::api;

/// Print the description of the management API: OpenAPI 3.1, as JSON
///
/// The same as a server gives at `/openapi.json`.
#[derive(Args)]
pub(super) struct OpenApi {}

impl OpenApi {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        settings.output().text(&api::openapi())?;
        Ok(ExitCode::SUCCESS)
    }
}
