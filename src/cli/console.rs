//! The account system, opened on this machine's database for a single command.

use std::sync::Arc;

use anyhow::{Result, bail};

use super::failure::warn;
use super::settings::Settings;
use crate::accounts::{AccountError, Accounts, Actor};
use crate::app::App;
use crate::clock::SystemClock;
use crate::config::{Config, DecisionTarget, OnError, Prove};
use crate::telemetry::log;

/// How many things are read at a time.
const PAGE: u32 = 500;

/// The account system and who uses it here.
pub(super) struct Console {
    pub(super) app: App,
    pub(super) actor: Actor,
}

impl Console {
    /// Opens an existing database. A mistyped path, or another working folder, makes no new one.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        Self::open_with(settings, |_| {})
    }

    /// The same to explain decisions: tests that fail keep nobody from learning why.
    pub(super) fn open_to_explain(settings: &Settings) -> Result<Self> {
        Self::open_with(settings, |config| config.policy.tests = false)
    }

    fn open_with(settings: &Settings, change: impl FnOnce(&mut Config)) -> Result<Self> {
        settings.must_name_no_server()?;
        let (mut config, _) = settings.load(Vec::new())?;
        change(&mut config);
        if matches!(config.store.path.try_exists(), Ok(false)) {
            bail!(
                "there is no database `{}`: name it with --store or in the configuration; `gatepost serve` and \
                 `gatepost user add` make a new one",
                config.store.path.display()
            );
        }
        Self::start(settings, config)
    }

    /// Opens a database, which is made if it does not exist.
    pub(super) fn open_or_create(settings: &Settings) -> Result<Self> {
        settings.must_name_no_server()?;
        let (config, _) = settings.load(Vec::new())?;
        Self::start(settings, config)
    }

    /// A file that somebody is in the middle of editing, or a test that fails, keeps nobody from revoking a key: the newest
    /// generation that a server has recorded decides then. Policies that the command line names are never replaced.
    fn start(settings: &Settings, mut config: Config) -> Result<Self> {
        log::init(log::Format::Text, "warn")?;
        // Nothing is decided for a proxy here, and the file may be the server's own.
        config.log.decisions = DecisionTarget::Off;
        // Nothing comes into force here either: the server proves what it takes up.
        config.policy.prove = Prove::Off;
        config.policy.shadow = None;
        config.policy.on_error = if settings.names_policies() { OnError::Refuse } else { OnError::LastGood };
        let app = App::open(&config, Arc::new(SystemClock))?;
        if let Some(error) = app.engine.last_reload_error() {
            let first = error.problems().first().map(ToString::to_string).unwrap_or_default();
            warn(&format!(
                "generation {}, the newest that is recorded, decides in place of the files, which cannot be loaded: {}\n  \
                 help: `gatepost policy check` tells all that is wrong with them",
                app.engine.generation().number(),
                first.lines().next().unwrap_or_default(),
            ));
        }
        Ok(Self { app, actor: Actor::console() })
    }

    pub(super) fn accounts(&self) -> &Accounts {
        &self.app.accounts
    }
}

/// Reads all pages of a list; `page` gives the things after one, and `key` what a thing is known by.
pub(super) fn all<T, K>(
    mut page: impl FnMut(Option<K>, u32) -> std::result::Result<Vec<T>, AccountError>,
    key: impl Fn(&T) -> K,
) -> std::result::Result<Vec<T>, AccountError> {
    let mut things: Vec<T> = Vec::new();
    loop {
        let more = page(things.last().map(&key), PAGE)?;
        let is_last = more.len() < PAGE as usize;
        things.extend(more);
        if is_last {
            return Ok(things);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pages_are_read() {
        for count in [0, 1, 499, 500, 501, 1_000, 1_234] {
            let page = |after: Option<u32>, limit| {
                let first = after.map_or(0, |after| after + 1);
                Ok((first..count).take(limit as usize).collect())
            };
            assert_eq!(all(page, |number| *number).unwrap(), (0..count).collect::<Vec<_>>());
        }
    }
}
