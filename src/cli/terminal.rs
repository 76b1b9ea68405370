//! Asking whoever sits at the terminal, whatever standard input and output are, and showing them how far work is.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, IsTerminal as _, Read as _, Write as _, stderr};

use anyhow::{Context as _, Result};
use indicatif::{ProgressBar, ProgressStyle};

use crate::secret::Secret;

const TERMINAL: &str = "/dev/tty";
/// No answer is longer, in bytes.
const MAX_LEN: u64 = 16 * 1_024;

/// Shows how much of `length` is done, in the form of this template of indicatif's; nothing if standard error is no terminal.
pub(super) fn progress(length: u64, template: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template(template);
    ProgressBar::new(length).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Asks for something secret, which is not shown while it is typed.
pub(super) fn secret(what: &str) -> Result<Secret> {
    let typed = rpassword::prompt_password(format!("{what}: "));
    typed.map(Secret::new).with_context(|| format!("there is no terminal to ask on: {what}"))
}

/// Asks for a line.
pub(super) fn line(what: &str) -> Result<String> {
    let ask = || -> io::Result<String> {
        let mut terminal = OpenOptions::new().read(true).write(true).open(TERMINAL)?;
        write!(terminal, "{what}: ")?;
        terminal.flush()?;
        let mut line = String::new();
        BufReader::new(terminal.take(MAX_LEN)).read_line(&mut line)?;
        Ok(line.trim().to_owned())
    };
    ask().with_context(|| format!("there is no terminal to ask on: {what}"))
}
