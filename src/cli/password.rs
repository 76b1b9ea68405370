//! Passwords and tokens on the command line: made, or read from standard input; never an argument, which other users
//! of the machine and the shell's history would see.

use std::io::{self, BufRead as _, Read as _};

use anyhow::{Context as _, Result, bail};
use rand::RngExt as _;
use zeroize::Zeroizing;

use crate::secret::Secret;

/// No password and no token is longer, in bytes.
const MAX_LEN: u64 = 16 * 1_024;

/// Letters and digits that nobody takes for one another; 32 of them, so each is worth five bits.
const READABLE: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

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
