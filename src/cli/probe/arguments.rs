//! Arguments, one by one.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::cli::arguments;
use crate::cli::endpoint;
use crate::http::host::CanonicalHost;
use crate::http::path::CanonicalPath;
use crate::secret::Secret;

const LONGEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Credentials that some cases need besides the key.
#[derive(Args)]
pub(super) struct Others {
    /// Another user's key, in a file's first line: for cases with two
    #[arg(long, value_name = "FILE")]
    other_key_file: Option<PathBuf>,
    /// A session token of the key's user, in a file's first line: for cases with the session cookie
    #[arg(long, value_name = "FILE")]
    session_file: Option<PathBuf>,
    /// A session token of another user, in a file's first line
    #[arg(long, value_name = "FILE")]
    other_session_file: Option<PathBuf>,
    /// Send the key in queries as well, which end in logs
    #[arg(long)]
    pub(super) danger_key_in_query: bool,
}

impl Others {
    /// The key of another user, the session and the session of another user.
    pub(super) fn read(&self) -> Result<(Option<Secret>, Option<Secret>, Option<Secret>)> {
        let read = |path: &Option<PathBuf>| path.as_deref().map(endpoint::secret_in).transpose();
        Ok((read(&self.other_key_file)?, read(&self.session_file)?, read(&self.other_session_file)?))
    }
}

/// A path that is sent as it is, and followed by others.
pub(super) fn path(text: &str) -> Result<String, String> {
    let good = CanonicalPath::parse_text(text).is_ok_and(|path| path.as_str() == text);
    if good && text.len() > 1 && !text.ends_with('/') && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err("expected a path like /applications/019ab…, without query, percent-encoding and a slash at its end".to_owned())
}

/// What `Host` says.
pub(super) fn host(text: &str) -> Result<String, String> {
    let good = CanonicalHost::parse_text(text).is_ok();
    if good { Ok(text.to_owned()) } else { Err("expected a host, like app.example.com or 127.0.0.1:8000".to_owned()) }
}

/// How long to wait.
pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    let time = arguments::duration(text)?;
    if time.is_zero() || time > LONGEST_TIMEOUT {
        return Err("expected a minute at most, and not nothing".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_spelling() {
        assert_eq!(path("/applications/019AB-x_1.y").as_deref(), Ok("/applications/019AB-x_1.y"));
        for text in ["", "/", "/a/", "a", "/a?b", "/a/../b", "/%61", "/a//b", "/caf\u{e9}", "/a;b", "/a#b", "/a b"] {
            assert!(path(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_no_more_than_a_host() {
        assert_eq!(host("App.test:8443").as_deref(), Ok("App.test:8443"));
        for text in ["", "a.test/x", "a.test, b.test", "a.test\r\nX: y", "x@a.test", "a.test:0"] {
            assert!(host(text).is_err(), "{text}");
        }
    }
}
