//! The options that all commands share, and the configuration that follows from them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::output::{Format, Output};
use crate::config::{self, Config, FlagValue, LoadOptions, Origin, RawConfig};

/// The name of the key file beside a database that is named on the command line.
const KEY_FILE: &str = "gatepost.key";

/// The options that all commands share.
#[derive(Args)]
#[command(next_help_heading = "Common options")]
pub(super) struct Settings {
    /// The configuration file [default: gatepost.toml, if it exists]
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    config: Option<PathBuf>,
    /// The database [default: gatepost-data/gatepost.db]. Unless configured, the key file is `gatepost.key` beside it
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    store: Option<String>,
    /// The folder of the policies [default: policies, or the built-in ones where it does not exist]
    #[arg(long, global = true, value_name = "FOLDER", hide_short_help = true)]
    policies: Option<String>,
    /// The folder of the schema and the routes [default: schema, or the built-in ones where it does not exist]
    #[arg(long, global = true, value_name = "FOLDER", hide_short_help = true)]
    schema: Option<String>,
    /// How results are printed: for people, or as one JSON document
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl Settings {
    /// Where results go.
    pub(super) fn output(&self) -> Output {
        Output::new(self.output)
    }

    /// Whether a database is named on the command line.
    pub(super) fn names_store(&self) -> bool {
        self.store.is_some()
    }

    /// The configuration, and what it was made from. `flags` are those of the command itself.
    pub(super) fn load(&self, flags: Vec<FlagValue>) -> Result<(Config, RawConfig)> {
        let own = [
            ("store.path", "--store", &self.store),
            ("policy.policies", "--policies", &self.policies),
            ("policy.schema", "--schema", &self.schema),
        ];
        let own = own.into_iter().filter_map(|(key, flag, value)| Some(FlagValue { key, flag, value: value.clone()? }));
        let mut options = LoadOptions {
            file: self.config.clone(),
            environment: config::environment(),
            flags: own.chain(flags).collect(),
        };
        let loaded = Config::load(options.clone())?;
        let Some(store) = self.store.as_deref().filter(|_| !is_configured(&loaded.1, "store.key_file")) else {
            return Ok(loaded);
        };
        let value = Path::new(store).with_file_name(KEY_FILE);
        let value = value.into_os_string().into_string().ok().context("the path of the database is not UTF-8")?;
        options.flags.push(FlagValue { key: "store.key_file", flag: "--store", value });
        Ok(Config::load(options)?)
    }
}

fn is_configured(raw: &RawConfig, name: &str) -> bool {
    let setting = raw.effective().find(|(key, _)| key.name == name).and_then(|(_, setting)| setting);
    setting.is_some_and(|setting| setting.origin != Origin::Default)
}
