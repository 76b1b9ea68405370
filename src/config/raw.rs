//! What the sources say, before it is resolved: each value as text, with its origin.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::FlagValue;
use super::key::{Key, SECTIONS, Shape, keys};
use super::problem::{Problem, listed};
use crate::secret::Secret;

const PREFIX: &str = "GATEPOST_";

/// Names the file; it is no key, because it says where keys are.
const CONFIG_VARIABLE: &str = "GATEPOST_CONFIG";

/// Variables that begin as those of keys do, and are read by the command line.
const OTHER_VARIABLES: [&str; 6] =
    ["GATEPOST_TOKEN", CONFIG_VARIABLE, "GATEPOST_SERVER", "GATEPOST_LOG", "GATEPOST_BENCH_KEY", "GATEPOST_PROBE_KEY"];

/// Whether Kubernetes sets the variable by itself for each pod beside a service called `gatepost`.
fn is_service_link(variable: &str) -> bool {
    variable == "GATEPOST_PORT" || ["GATEPOST_PORT_", "GATEPOST_SERVICE_"].iter().any(|link| variable.starts_with(link))
}

/// Where a value comes from; the later ones beat the earlier ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// Nothing was configured.
    Default,
    /// The file.
    File {
        /// The file's path, as it was given.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// The environment.
    Environment {
        /// The variable's name.
        variable: String,
    },
    /// The command line.
    Flag {
        /// The flag, as it is written.
        flag: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { variable } => f.write_str(variable),
            Self::Flag { flag } => f.write_str(flag),
        }
    }
}

/// What a source says about a key.
#[derive(Debug, Clone)]
pub enum Value {
    /// A string, or a whole number in decimal.
    Text(String),
    /// A string that is never shown.
    Secret(Secret),
    /// A list of strings.
    List(Vec<String>),
}

impl Value {
    /// Reads what an environment variable or a flag says, or a default; nothing if a value that must not be empty is.
    fn from_text(key: &Key, text: String) -> Option<Self> {
        match key.shape {
            Shape::List(_) if text.trim().is_empty() => Some(Self::List(Vec::new())),
            Shape::List(_) => Some(Self::List(text.split(',').map(|item| item.trim().to_owned()).collect())),
            _ if text.is_empty() => None,
            Shape::Secret(_) => Some(Self::Secret(Secret::new(text))),
            Shape::Text(_) | Shape::Number(_) | Shape::Flag => Some(Self::Text(text)),
        }
    }
}

/// A value, the key that it is for, and its origin.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The key.
    pub key: &'static Key,
    /// What the source says.
    pub value: Value,
    /// The source.
    pub origin: Origin,
}

impl Setting {
    /// The value as it would be written in the file, or a placeholder for a secret.
    pub fn shown(&self) -> String {
        match (&self.value, &self.key.shape) {
            (Value::Secret(_), _) => "(hidden)".to_owned(),
            (Value::Text(bare), Shape::Number(_) | Shape::Flag) => bare.clone(),
            (Value::Text(text), _) => toml::Value::from(text.as_str()).to_string(),
            (Value::List(items), _) => toml::Value::from(items.clone()).to_string(),
        }
    }
}

/// Everything that the sources say, those that beat others behind them.
#[derive(Debug, Clone)]
pub struct RawConfig(Vec<Setting>);

impl RawConfig {
    /// Each key with the setting that is in force; none for a key without a default that nobody has set.
    pub fn effective(&self) -> impl Iterator<Item = (&'static Key, Option<&Setting>)> {
        keys().map(|key| (key, self.of(key).next_back()))
    }

    /// What is said about a key, the setting that is in force last.
    pub(super) fn of(&self, key: &'static Key) -> impl DoubleEndedIterator<Item = &Setting> {
        self.0.iter().filter(move |setting| setting.key.name == key.name)
    }

    /// The defaults.
    pub(super) fn defaults() -> Self {
        let setting = |key: &'static Key| {
            let value = Value::from_text(key, key.default?.to_owned())?;
            Some(Setting { key, value, origin: Origin::Default })
        };
        Self(keys().filter_map(setting).collect())
    }

    /// Adds a setting that beats those that are there.
    pub(super) fn push(&mut self, setting: Setting) {
        self.0.push(setting);
    }

    /// Adds what the environment says. Variables of other programs are left alone.
    pub(super) fn add_environment(&mut self, environment: &[(OsString, OsString)], problems: &mut Vec<Problem>) {
        for (variable, value) in environment {
            let variable = variable.to_string_lossy().into_owned();
            let other = OTHER_VARIABLES.contains(&variable.as_str()) || is_service_link(&variable);
            if !variable.starts_with(PREFIX) || other {
                continue;
            }
            let key = keys().find(|key| key.variable() == variable);
            let origin = Origin::Environment { variable: variable.clone() };
            match (key, value.to_str()) {
                (None, _) => problems.push(Problem::new(origin, variable.clone(), unknown_variable(&variable))),
                (Some(key), None) => {
                    problems.push(Problem::new(
                        origin,
                        key.name,
                        format!("expected {}, found no UTF-8", key.expected()),
                    ));
                }
                (Some(key), Some(text)) => self.add_text(key, text.to_owned(), origin, problems),
            }
        }
    }

    /// Adds what the command line says.
    pub(super) fn add_flags(&mut self, flags: Vec<FlagValue>, problems: &mut Vec<Problem>) {
        for FlagValue { key: name, flag, value } in flags {
            let origin = Origin::Flag { flag };
            match keys().find(|key| key.name == name) {
                Some(key) => self.add_text(key, value, origin, problems),
                None => problems.push(Problem::new(origin, name, format!("there is no key `{name}`"))),
            }
        }
    }

    fn add_text(&mut self, key: &'static Key, text: String, origin: Origin, problems: &mut Vec<Problem>) {
        match Value::from_text(key, text) {
            Some(value) => self.push(Setting { key, value, origin }),
            None => problems.push(Problem::value(key, &origin, "")),
        }
    }
}

/// The file that the environment names.
pub(super) fn named_file(environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    environment.iter().find(|(variable, _)| variable == CONFIG_VARIABLE).map(|(_, path)| path.into())
}

/// What could have been meant by a variable that stands for no key.
fn unknown_variable(variable: &str) -> String {
    let in_section = |name: &str| variable.starts_with(&format!("{PREFIX}{}_", name.to_uppercase()));
    match SECTIONS.iter().find(|section| in_section(section.name)) {
        Some(section) => {
            format!("no key has this name, expected one of {}", listed(section.keys.iter().map(|key| key.variable())))
        }
        None => format!(
            "no section has this name, expected {PREFIX}<SECTION>_<KEY> with one of the sections {}",
            listed(SECTIONS.iter().map(|section| section.name.to_uppercase()))
        ),
    }
}
