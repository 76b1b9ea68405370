//! Passwords and tokens on the command line: made, asked for, or read from standard input; never an argument, which
//! other users of the machine and the shell's history would see.

use std::io::{self, BufRead as _, Read as _};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rand::RngExt as _;
use zeroize::Zeroizing;

use super::server::ServerError;
use super::terminal;
use crate::secret::Secret;

/// No password and no token is longer, in bytes.
const MAX_LEN: u64 = 16 * 1_024;

/// Letters and digits that nobody takes for one another; 32 of them, so each is worth five bits.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// How one's own password is given.
#[derive(Args)]
pub(super) struct Typed {
    /// Read the password from the first line of standard input, and ask for nothing
    #[arg(long)]
    pub(super) password_stdin: bool,
}

impl Typed {
    /// The password; `what` is what it is asked for as.
    pub(super) fn password(&self, what: &str) -> Result<Secret> {
        if self.password_stdin { from_stdin("password") } else { terminal::secret(what) }
    }

    /// The code that goes with it, if one is needed.
    pub(super) fn code(&self, given: Option<Secret>) -> Code {
        Code { may_ask: given.is_none() && !self.password_stdin, given }
    }
}

/// A second factor, given or asked for.
pub(super) struct Code {
    given: Option<Secret>,
    may_ask: bool,
}

impl Code {
    /// Does `work` with the code that was given; if the server wants one and none was given, asks for one and tries again.
    pub(super) fn or_ask<T>(self, work: impl Fn(Option<&Secret>) -> Result<T, ServerError>) -> Result<T> {
        match work(self.given.as_ref()) {
            Err(error) if self.may_ask && error.has_code("totp_required") => {
                let code = terminal::secret("Code of your authenticator, or a recovery code")?;
                Ok(work(Some(&code))?)
            }
            done => Ok(done?),
        }
    }
}

/// A new password: 20 random characters in groups of five, 100 bits.
pub(super) fn generate() -> Secret {
    let mut rng = rand::rng();
    let mut text = String::with_capacity(23);
    for position in 0..20 {
        if position > 0 && position % 5 == 0 {
            text.push('-');
        }
        let digit = READABLE.get(rng.random_range(0..READABLE.len())).copied().unwrap_or(b'a');
        text.push(char::from(digit));
    }
    Secret::new(text)
}

/// The first line of standard input, without its end.
pub(super) fn from_stdin(what: &str) -> Result<Secret> {
    let mut line = Zeroizing::new(String::new());
    let mut limited = io::stdin().lock().take(MAX_LEN);
    limited.read_line(&mut line).with_context(|| format!("cannot read the {what} from standard input"))?;
    let text = line.strip_suffix('\n').unwrap_or(&line);
    let text = text.strip_suffix('\r').unwrap_or(text);
    if text.is_empty() {
        bail!("expected the {what} on standard input, found nothing");
    }
    Ok(Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_password_is_random_and_readable() {
        let (one, other) = (generate(), generate());
        assert_ne!(one.expose(), other.expose());
        assert_eq!(one.expose().split('-').map(str::len).collect::<Vec<_>>(), [5, 5, 5, 5]);
        assert!(one.expose().bytes().all(|byte| byte == b'-' || READABLE.contains(&byte)));
    }
}
