//! Where a command is done: on the database of this machine, or by a server.

use anyhow::Result;

use super::console::Console;
use super::failure::UsageError;
use super::server::Server;
use super::settings::Settings;

/// One of both. What a command gives is the same from either.
pub(super) enum Backend {
    Console(Box<Console>),
    Server(Box<Server>),
}

impl Backend {
    /// The server, if one is named.
    pub(super) fn open(settings: &Settings) -> Result<Self> {
        Ok(match settings.server()? {
            Some(server) => Self::Server(Box::new(server)),
            None => Self::Console(Box::new(Console::open(settings)?)),
        })
    }
}

impl Server {
    /// The server that is named; there must be one.
    pub(super) fn named(settings: &Settings) -> Result<Self> {
        let missing = || UsageError::new("this asks a server: name it with --server URL, or in GATEPOST_SERVER");
        Ok(settings.server()?.ok_or_else(missing)?)
    }
}

/// What an option names that the console, which is nobody, cannot do without.
pub(super) fn needed<'a>(option: Option<&'a String>, name: &str) -> Result<&'a str, UsageError> {
    let missing = || UsageError::new(format!("on the database of this machine this needs {name}"));
    option.map(String::as_str).ok_or_else(missing)
}

/// An error if the option is given: to a server everybody is whoever the token belongs to.
pub(super) fn not_by_server<T>(option: Option<&T>, name: &str) -> Result<(), UsageError> {
    match option {
        Some(_) => {
            Err(UsageError::new(format!("a server does this for whoever the token belongs to: leave out {name}")))
        }
        None => Ok(()),
    }
}
