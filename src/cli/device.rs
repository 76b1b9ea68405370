//! `gatepost device`: the devices of an application.

use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::{Deserialize, Serialize};
use serde_json::json;
use ureq::http::Method;

use super::backend::Backend;
use super::confirmation::{Confirmation, Loss};
use super::console::all;
use super::lookup::Found;
use super::member::Of;
use super::output::{Output, Shown};
use super::settings::Settings;
use crate::model::{self, ApplicationId, DeviceId, Timestamp};

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
    ///
    /// Asks; without a terminal it needs --yes.
    Remove {
        #[command(flatten)]
        of: Of,
        /// Id, as `gatepost device list` shows it
        id: DeviceId,
        #[command(flatten)]
        confirmation: Confirmation,
    },
}

impl Device {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (backend, output) = (Backend::open(settings)?, settings.output());
        match self {
            Self::Add { of, name, id } => output.one(&add(&backend, of.application(), &name, id)?)?,
            Self::List { of } => output.list(&list(&backend, of.application())?)?,
            Self::Remove { of, id, confirmation } => remove(&backend, output, of.application(), id, &confirmation)?,
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct DeviceRow {
    id: DeviceId,
    name: String,
    /// Servers take it as known.
    application: Option<ApplicationId>,
    created_at: Timestamp,
}

impl Shown for DeviceRow {
    const COLUMNS: &'static [&'static str] = &["id", "name", "application", "created_at"];
}

impl From<model::Device> for DeviceRow {
    fn from(device: model::Device) -> Self {
        let model::Device { id, name, application, created_at } = device;
        Self { id, name: name.to_string(), application: Some(application), created_at }
    }
}

fn add(backend: &Backend, text: &str, name: &str, id: Option<DeviceId>) -> Result<DeviceRow> {
    let application = backend.application(text)?.id;
    match backend {
        Backend::Console(console) => {
            let device = console.accounts().add_device(&console.actor, application, id, name);
            Ok(device.with_context(|| format!("cannot register `{name}` with `{text}`"))?.into())
        }
        Backend::Server(server) => {
            let new = json!({"id": id, "name": name});
            let row = server.send(Method::POST, &format!("/v1/applications/{application}/devices"), &new)?;
            Ok(DeviceRow { application: Some(application), ..row })
        }
    }
}

pub(super) fn list(backend: &Backend, text: &str) -> Result<Vec<DeviceRow>> {
    let application = backend.application(text)?.id;
    match backend {
        Backend::Console(console) => {
            let (accounts, actor) = (console.accounts(), &console.actor);
            let devices = all(|after, limit| accounts.devices(actor, application, after, limit), |each| each.id);
            let devices = devices.with_context(|| format!("cannot list the devices of `{text}`"))?;
            Ok(devices.into_iter().map(DeviceRow::from).collect())
        }
        Backend::Server(server) => {
            let rows = server.list(&format!("/v1/applications/{application}/devices"), usize::MAX)?;
            Ok(rows.into_iter().map(|row| DeviceRow { application: Some(application), ..row }).collect())
        }
    }
}

fn remove(backend: &Backend, output: Output, text: &str, id: DeviceId, confirmation: &Confirmation) -> Result<()> {
    let Found { id: application, name, .. } = backend.application(text)?;
    confirmation.obtain(|| {
        let devices = list(backend, &application.to_string())?;
        let device = devices.iter().find(|device| device.id == id).map_or("", |device| &device.name);
        Ok(Loss::new(format!("removes the device {device} ({id}) from the application {name}")))
    })?;
    match backend {
        Backend::Console(console) => {
            let removed = console.accounts().remove_device(&console.actor, application, id);
            removed.with_context(|| format!("cannot remove the device `{id}` from `{text}`"))?;
        }
        Backend::Server(server) => server.delete(&format!("/v1/applications/{application}/devices/{id}"))?,
    }
    output.done(&json!({"removed": id}), &format!("removed the device {id}"))
}
