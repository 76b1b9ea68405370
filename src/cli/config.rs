//! `gatepost config`: what is configured, and what can be.

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;

use super::output::Shown;
use super::settings::Settings;
use crate::config::{Key, SECTIONS, Setting, Shape, Value, reference};

/// Show and check the configuration
#[derive(Subcommand)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  gatepost config reference > gatepost.toml
  gatepost config check --config gatepost.toml")]
pub(super) enum Config {
    /// Show all keys with the values in force, and where each comes from; secrets are hidden
    Show,
    /// Print a configuration file with all keys, their meaning, and their defaults
    Reference,
    /// Check the configuration, and tell all problems that it has
    Check,
}

impl Config {
    pub(super) fn run(self, settings: &Settings) -> Result<ExitCode> {
        settings.must_have_no_server_option()?;
        let output = settings.output();
        match self {
            Self::Show => {
                let (_, raw) = settings.load(Vec::new())?;
                output
                    .list(&raw.effective().map(|(key, setting)| SettingRow::new(key, setting)).collect::<Vec<_>>())?;
            }
            Self::Reference => {
                let keys = SECTIONS.iter().flat_map(|section| section.keys).map(|key| KeyRow::new(key));
                output.either(&keys.collect::<Vec<_>>(), || Ok(reference()))?;
            }
            Self::Check => {
                settings.load(Vec::new())?;
                output.done(&json!({"good": true}), "the configuration is good")?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Serialize)]
struct SettingRow {
    key: &'static str,
    value: serde_json::Value,
    origin: Option<String>,
}

impl Shown for SettingRow {
    const COLUMNS: &'static [&'static str] = &["key", "value", "origin"];
}

impl SettingRow {
    fn new(key: &Key, setting: Option<&Setting>) -> Self {
        let origin = setting.map(|setting| setting.origin.to_string());
        let value = setting.map_or(serde_json::Value::Null, |setting| match (&setting.value, &key.shape) {
            (Value::Text(text), Shape::Flag) => json!(text == "true"),
            (Value::Text(text), Shape::Number(_)) => text.parse::<u64>().map_or_else(|_| json!(text), |n| json!(n)),
            (Value::Text(text), _) => json!(text),
            (Value::List(items), _) => json!(items),
            (Value::Secret(_), _) => json!(setting.shown()),
        });
        Self { key: key.name, value, origin }
    }
}

#[derive(Serialize)]
struct KeyRow {
    key: &'static str,
    variable: String,
    expected: String,
    default: Option<&'static str>,
    doc: &'static str,
}

impl KeyRow {
    fn new(key: &'static Key) -> Self {
        let Key { name, default, doc, .. } = key;
        Self { key: name, variable: key.variable(), expected: key.expected().into_owned(), default: *default, doc }
    }
}
