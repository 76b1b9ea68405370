//! `gatepost device`: the devices of an application.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::console::{Console, all};
use super::member::Of;
use super::output::Shown;
use super::settings::Settings;
use crate::model::{self, ApplicationId, DeviceId, Name, Timestamp};

/// Register, list and remove the devices of an application
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Example:
  gatepost device add --app thermostat hallway")]
pub(super) enum Device {
    /// Register a device with an application
    Add {
        #[command(flatten)]
        of: Of,
        name: String,
        /// The device's own identifier [default: a new one]
        #[arg(long, value_name = "UUID")]
        id: Option<DeviceId>,
    },
    /// List the devices of an application
    List {
        #[command(flatten)]
        of: Of,
    },
    /// Remove a device from its application
    Remove {
        #[command(flatten)]
        of: Of,
        /// Id, as `gatepost device list` shows it
        id: DeviceId,
    },
}

impl Device {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let console = Console::open(settings)?;
        match self {
            Self::Add { of, name, id } => add(&console, of.application(), &name, id)?,
            Self::List { of } => list(&console, of.application())?,
            Self::Remove { of, id } => remove(&console, of.application(), id)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct DeviceRow {
    id: DeviceId,
    name: Name,
    application: ApplicationId,
    created_at: Timestamp,
}

impl Shown for DeviceRow {
    const COLUMNS: &'static [&'static str] = &["id", "name", "application", "created_at"];
}

impl From<model::Device> for DeviceRow {
    fn from(device: model::Device) -> Self {
        let model::Device { id, name, application, created_at } = device;
        Self { id, name, application, created_at }
    }
}

fn add(console: &Console, application: &str, name: &str, id: Option<DeviceId>) -> Result<()> {
    let application_id = console.application_id(application)?;
    let device = console.accounts().add_device(&console.actor, application_id, id, name);
    let device = device.with_context(|| format!("cannot register `{name}` with `{application}`"))?;
    console.output.one(&DeviceRow::from(device))
}

fn list(console: &Console, application: &str) -> Result<()> {
    let id = console.application_id(application)?;
    let devices = all(|after, limit| console.accounts().devices(&console.actor, id, after, limit), |each| each.id);
    let devices = devices.with_context(|| format!("cannot list the devices of `{application}`"))?;
    console.output.list(&devices.into_iter().map(DeviceRow::from).collect::<Vec<_>>())
}

fn remove(console: &Console, application: &str, id: DeviceId) -> Result<()> {
    let application_id = console.application_id(application)?;
    let removed = console.accounts().remove_device(&console.actor, application_id, id);
    removed.with_context(|| format!("cannot remove the device `{id}` from `{application}`"))?;
    console.output.done(&json!({"removed": id}), &format!("removed the device {id}"))
}
