//! Asking before something goes for good.

use std::fmt;
use std::io::{IsTerminal as _, stdin};

use anyhow::{Result, bail};
use clap::Args;

use super::failure::UsageError;
use super::output::printable;
use super::terminal;

/// How many names are told before the others are only counted.
const NAMED: usize = 10;

/// Whether it is certain already.
#[derive(Args)]
pub(super) struct Confirmation {
    /// Do it without asking; needed where standard input is no terminal
    #[arg(long)]
    yes: bool,
}

/// What goes, and what goes along with it.
pub(super) struct Loss {
    what: String,
    along: Vec<String>,
}

impl Loss {
    /// `what` completes the sentence "this …".
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), along: Vec::new() }
    }

    /// With these things, if there are any: each kind on a line of its own.
    pub(super) fn with<N: fmt::Display>(mut self, kind: &str, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<_> = names.into_iter().map(|name| name.to_string()).collect();
        if !names.is_empty() {
            let mut told = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            if names.len() > NAMED {
                told.push_str(&format!(" and {} more", names.len() - NAMED));
            }
            self.along.push(format!("{kind}: {told}"));
        }
        self
    }

    /// With so many things of a kind, if there are any.
    pub(super) fn with_number(mut self, number: usize, kind: &str) -> Self {
        if number > 0 {
            self.along.push(format!("{kind}: {number}"));
        }
        self
    }
}

/// On a line for what goes, and one for each kind of what goes along.
impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let colon = if self.along.is_empty() { "" } else { ", and with it:" };
        write!(f, "this {}{colon}", printable(&self.what))?;
        self.along.iter().try_for_each(|along| write!(f, "\n  {}", printable(along)))
    }
}

impl Confirmation {
    /// Asks whoever sits at the terminal. An error unless it is certain: what follows is not to be done.
    pub(super) fn obtain(&self, loss: impl FnOnce() -> Result<Loss>) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        let loss = loss()?;
        if !stdin().is_terminal() {
            let message = format!("there is no terminal to ask on, so this needs --yes: {loss}");
            return Err(UsageError::new(message).into());
        }
        let answer = terminal::line(&format!("{loss}\nGo on? [y/N]"))?;
        if !["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)) {
            bail!("nothing was changed");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_along_is_named_up_to_a_bound() {
        let alone = Loss::new("deletes the application lamp").with("devices", [""; 0]).with_number(0, "API keys");
        assert_eq!(alone.to_string(), "this deletes the application lamp");
        let names: Vec<_> = (1..=12).collect();
        let loss = Loss::new("deletes\u{1b}[2K ada").with("applications", names).with_number(3, "API keys");
        let text = loss.to_string();
        let lines: Vec<_> = text.lines().skip(1).collect();
        assert_eq!(lines, ["  applications: 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 more", "  API keys: 3"]);
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }
}
