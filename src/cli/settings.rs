//! The options that all commands share, and the configuration that follows from them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use clap::Args;

use super::failure::UsageError;
use super::output::{Format, Output};
use super::server::{Server, ServerAddress};
use crate::config::{self, Config, FlagValue, LoadOptions, Origin, RawConfig};

/// The name of the key file beside a database that is named on the command line.
const KEY_FILE: &str = "gatepost.key";

/// Names the server, where no option does.
const SERVER_VARIABLE: &str = "GATEPOST_SERVER";

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
    /// The folder of the policies, or `built-in` [default: policies, or the built-in ones where it does not exist]
    #[arg(long, global = true, value_name = "FOLDER", hide_short_help = true)]
    policies: Option<String>,
    /// The folder of the schema and the routes, or `built-in` [default: schema, or the built-in ones where it does not
    /// exist]
    #[arg(long, global = true, value_name = "FOLDER", hide_short_help = true)]
    schema: Option<String>,
    /// Ask this server, as the user whose token GATEPOST_TOKEN holds or `gatepost login` has stored, and not the database
    /// of this machine [env: GATEPOST_SERVER]
    #[arg(long, global = true, value_name = "URL")]
    server: Option<String>,
    /// The authorities that the server's certificate may be from, as PEM, in place of the public ones
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    ca_file: Option<PathBuf>,
    /// Send passwords and tokens unencrypted, over http://, to a server that is not this machine
    #[arg(long, global = true, hide_short_help = true)]
    danger_plain_http: bool,
    /// How results are printed: for people, or as one JSON document
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    output: Format,
}

impl Settings {
    /// Where results go.
    pub(super) fn output(&self) -> Output {
        Output::new(self.output)
    }

    /// How results are printed.
    pub(super) fn format(&self) -> Format {
        self.output
    }

    /// Whether a database is named on the command line.
    pub(super) fn names_store(&self) -> bool {
        self.store.is_some()
    }

    /// The authorities that certificates may be from, in place of the public ones.
    pub(super) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// Whether secrets may be sent unencrypted over a network.
    pub(super) fn permits_plain_http(&self) -> bool {
        self.danger_plain_http
    }

    /// The server to ask, if one is named.
    pub(super) fn server(&self) -> Result<Option<Server>> {
        let address = self.server_address()?;
        address.map(|address| Server::open(address, self.ca_file.as_deref())).transpose()
    }

    /// Named by the option, or by the environment unless other options name a database.
    fn server_address(&self) -> Result<Option<ServerAddress>, UsageError> {
        let names_console =
            self.store.is_some() || self.config.is_some() || self.policies.is_some() || self.schema.is_some();
        let address = match &self.server {
            Some(_) if names_console => {
                return Err(UsageError::new(
                    "--server asks a server, which has its own configuration: leave out --config, --store, --policies \
                     and --schema",
                ));
            }
            Some(address) => Some(address.clone()),
            None if names_console => None,
            None => server_variable(),
        };
        let Some(address) = address else { return Ok(None) };
        let address = ServerAddress::parse(&address, self.danger_plain_http);
        address.map(Some).map_err(|error| UsageError::new(error.to_string()))
    }

    /// An error if a server is named: what follows is done on the database of this machine.
    pub(super) fn must_name_no_server(&self) -> Result<(), UsageError> {
        match self.server_address()? {
            Some(_) => Err(UsageError::console_only()),
            None => Ok(()),
        }
    }

    /// An error if the option names a server: what follows asks none, whatever the environment names.
    pub(super) fn must_have_no_server_option(&self) -> Result<(), UsageError> {
        match &self.server {
            Some(_) => Err(UsageError::new("this asks no server: leave out --server")),
            None => Ok(()),
        }
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

fn server_variable() -> Option<String> {
    let (_, value) = config::environment().into_iter().find(|(name, _)| name == SERVER_VARIABLE)?;
    Some(value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

fn is_configured(raw: &RawConfig, name: &str) -> bool {
    let setting = raw.effective().find(|(key, _)| key.name == name).and_then(|(_, setting)| setting);
    setting.is_some_and(|setting| setting.origin != Origin::Default)
}
