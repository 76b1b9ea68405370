//! Configuration: from a file, the environment and flags to values that need no further check.
//!
//! Each key is defined once, in its section's file. What the sources say about it is gathered as a [`RawConfig`], each
//! value with its [`Origin`], and then resolved to a [`Config`]. A flag beats the environment, which beats the file, which
//! beats the default; a value that is beaten must be a good one all the same. All problems are reported at once.
//!
//! This is the only reader of the environment.

mod authzen;
mod cache;
mod decision;
mod fastcgi;
mod file;
mod key;
mod log;
mod mail;
mod policy;
mod portal;
mod problem;
mod raw;
mod reader;
mod reference;
mod session;
mod store;
mod tls;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

pub use authzen::AuthZen;
pub use cache::Cache;
pub use decision::{Decision, IdentityHeaders};
pub use key::{Key, SECTIONS, Section, Shape};
pub use log::{DecisionTarget, Log, LogFormat};
pub use policy::{Folder, OnError, Policy, Prove};
pub use portal::{Portal, PortalUrl};
pub use problem::{ConfigError, Problem};
pub use raw::{Origin, RawConfig, Setting, Value};
pub use reference::reference;
pub use session::Session;
pub use store::{Store, StoreKey};
pub use tls::Tls;

use reader::Reader;

use crate::model::{ListenAddress, SmtpSettings};

/// The file that is read when none is named, if it exists.
const FILE: &str = "gatepost.toml";

/// Everything that can be configured, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The listener for proxies, and how they are answered.
    pub decision: Decision,
    /// The AuthZEN Authorization API.
    pub authzen: AuthZen,
    /// Where web servers ask by FastCGI, if they do.
    pub fastcgi: Option<ListenAddress>,
    /// The listener for people and programs.
    pub portal: Portal,
    /// The mail server; without one, no mail is sent.
    pub mail: Option<SmtpSettings>,
    /// Where the data is.
    pub store: Store,
    /// Where the policies are.
    pub policy: Policy,
    /// What session tokens say.
    pub session: Session,
    /// How much is remembered.
    pub cache: Cache,
    /// What is told, and where.
    pub log: Log,
}

/// What a configuration is read from. It may hold secrets, so it cannot be printed.
#[derive(Clone, Default)]
pub struct LoadOptions {
    /// The file; without one, that which `GATEPOST_CONFIG` names, and otherwise `./gatepost.toml` if it exists.
    pub file: Option<PathBuf>,
    /// The environment, as [`environment`] reads it.
    pub environment: Vec<(OsString, OsString)>,
    /// The flags that stand for keys.
    pub flags: Vec<FlagValue>,
}

/// A flag on the command line that stands for a key.
#[derive(Clone)]
pub struct FlagValue {
    /// The key, as `section.name`.
    pub key: &'static str,
    /// The flag, as it is written: `--listen`.
    pub flag: &'static str,
    /// Its value, in the form that an environment variable has.
    pub value: String,
}

impl Config {
    /// Reads the configuration, and gives it with what it was made from; or all problems that there are.
    pub fn load(options: LoadOptions) -> Result<(Self, RawConfig), ConfigError> {
        let mut raw = RawConfig::defaults();
        let mut problems = Vec::new();
        let named = options.file.or_else(|| raw::named_file(&options.environment));
        match named {
            Some(path) => file::read(&path, &mut raw, &mut problems),
            None if matches!(Path::new(FILE).try_exists(), Ok(false)) => {}
            None => file::read(Path::new(FILE), &mut raw, &mut problems),
        }
        raw.add_environment(&options.environment, &mut problems);
        raw.add_flags(options.flags, &mut problems);
        Self::resolve(&raw, problems).map(|config| (config, raw))
    }

    /// The configuration when nothing is configured.
    #[expect(clippy::expect_used, reason = "the defaults are constants, and a test shows that they are good")]
    pub fn defaults() -> Self {
        Self::resolve(&RawConfig::defaults(), Vec::new()).expect("the defaults are good")
    }

    fn resolve(raw: &RawConfig, problems: Vec<Problem>) -> Result<Self, ConfigError> {
        let mut reader = Reader::new(raw, problems);
        let decision = Decision::resolve(&mut reader);
        let authzen = AuthZen::resolve(&mut reader);
        let fastcgi = fastcgi::resolve(&mut reader, decision.as_ref());
        let portal = Portal::resolve(&mut reader);
        let mail = mail::resolve(&mut reader, portal.as_ref());
        let store = Store::resolve(&mut reader);
        let policy = Policy::resolve(&mut reader);
        let session = Session::resolve(&mut reader);
        let cache = Cache::resolve(&mut reader);
        let log = Log::resolve(&mut reader);
        let config = || {
            Some(Self {
                decision: decision?,
                authzen: authzen?,
                fastcgi: fastcgi?,
                portal: portal?,
                mail: mail?,
                store: store?,
                policy: policy?,
                session: session?,
                cache: cache?,
                log: log?,
            })
        };
        match (config(), reader.into_problems()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(ConfigError::new(problems)),
        }
    }
}

/// This process's environment.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the environment")]
pub fn environment() -> Vec<(OsString, OsString)> {
    std::env::vars_os().collect()
}

#[cfg(test)]
mod tests;
