//! Asking whoever sits at the terminal, whatever standard input and output are.

use std::fs::OpenOptions;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

use anyhow::{Context as _, Result};

use crate::secret::Secret;

const TERMINAL: &str = "/dev/tty";
/// No answer is longer, in bytes.
const MAX_LEN: u64 = 16 * 1_024;

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
