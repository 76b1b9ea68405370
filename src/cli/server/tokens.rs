//! The session tokens that `gatepost login` keeps, one for each server, in a file that only its owner can read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use zeroize::Zeroizing;

use super::ServerAddress;
use crate::cli::output::expose;
use crate::model::Timestamp;
use crate::secret::Secret;

/// A token and when it ends, as servers give them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::cli) struct Session {
    #[serde(serialize_with = "expose")]
    pub(in crate::cli) token: Secret,
    pub(in crate::cli) expires_at: Timestamp,
}

/// The file.
#[derive(Debug)]
pub(super) struct TokenFile {
    path: PathBuf,
}

type Sessions = BTreeMap<String, Session>;

impl TokenFile {
    /// In the folder of this user's configuration: `variable` gives what a variable of the environment holds.
    pub(super) fn locate(variable: impl Fn(&str) -> Option<String>) -> Result<Self> {
        // A relative path is not to be used (XDG Base Directory Specification).
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let folder = absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config")));
        let folder = folder.context("there is no place for tokens: set HOME or XDG_CONFIG_HOME, or GATEPOST_TOKEN")?;
        Ok(Self { path: folder.join("gatepost").join("tokens.json") })
    }

    /// The session at the server, if there is one.
    pub(super) fn get(&self, server: &ServerAddress) -> Result<Option<Session>> {
        Ok(self.read()?.remove(server.as_str()))
    }

    /// Keeps the session at the server in place of the one before.
    pub(super) fn put(&self, server: &ServerAddress, session: Session) -> Result<()> {
        self.change(|sessions| {
            sessions.insert(server.as_str().to_owned(), session);
        })
    }

    /// Forgets the session at the server; gives whether there was one.
    pub(super) fn remove(&self, server: &ServerAddress) -> Result<bool> {
        let mut was_there = false;
        if self.path.exists() {
            self.change(|sessions| was_there = sessions.remove(server.as_str()).is_some())?;
        }
        Ok(was_there)
    }

    fn read(&self) -> Result<Sessions> {
        let shown = self.path.display();
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Sessions::new()),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{shown}`")),
        };
        let mode = file.metadata().with_context(|| format!("cannot read `{shown}`"))?.mode();
        if mode & 0o077 != 0 {
            bail!("others can read the tokens in `{shown}`: remove it and log in again, or `chmod 600` it");
        }
        let mut text = Zeroizing::new(String::new());
        file.read_to_string(&mut text).with_context(|| format!("cannot read `{shown}`"))?;
        // The cause might quote a token.
        let Ok(sessions) = serde_json::from_str(&text) else {
            bail!("`{shown}` is not a file of tokens: remove it and log in again")
        };
        Ok(sessions)
    }

    /// Replaces the file as a whole; two of these at the same time take turns.
    fn change(&self, change: impl FnOnce(&mut Sessions)) -> Result<()> {
        let folder = self.path.parent().unwrap_or(Path::new("."));
        let failed = || format!("cannot write `{}`", self.path.display());
        DirBuilder::new().recursive(true).mode(0o700).create(folder).with_context(failed)?;
        let lock = File::open(folder).with_context(failed)?;
        lock.lock().with_context(failed)?;
        let mut sessions = self.read()?;
        change(&mut sessions);
        // Made for its owner alone (mode 0600).
        let mut file = NamedTempFile::new_in(folder).with_context(failed)?;
        let text = Zeroizing::new(serde_json::to_vec(&sessions)?);
        file.write_all(&text).and_then(|()| file.as_file().sync_all()).with_context(failed)?;
        file.persist(&self.path).with_context(failed)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn located(folder: &Path) -> TokenFile {
        let folder = folder.to_str().unwrap().to_owned();
        TokenFile::locate(|name| (name == "HOME").then(|| folder.clone())).unwrap()
    }

    fn session(token: &str) -> Session {
        Session { token: Secret::new(token.to_owned()), expires_at: Timestamp::from_secs(1_800_000_000) }
    }

    fn token(file: &TokenFile, server: &str) -> Option<String> {
        let session = file.get(&ServerAddress::parse(server, false).unwrap()).unwrap();
        session.map(|session| session.token.expose().to_owned())
    }

    #[test]
    fn each_server_has_its_own_token_in_a_file_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = located(folder.path());
        let [one, other] =
            ["https://one.example.com", "https://other.example.com"].map(|s| ServerAddress::parse(s, false).unwrap());
        assert_eq!(token(&file, one.as_str()), None);
        assert!(!file.remove(&one).unwrap());
        file.put(&one, session("a")).unwrap();
        file.put(&other, session("b")).unwrap();
        file.put(&one, session("c")).unwrap();
        assert_eq!(token(&file, one.as_str()).as_deref(), Some("c"));
        assert_eq!(token(&file, other.as_str()).as_deref(), Some("b"));
        assert_eq!(fs::metadata(&file.path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(file.path.parent().unwrap()).unwrap().mode() & 0o777, 0o700);
        assert!(file.remove(&one).unwrap());
        assert_eq!(token(&file, one.as_str()), None);
        assert_eq!(token(&file, other.as_str()).as_deref(), Some("b"));
    }

    #[test]
    fn a_file_that_others_can_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = located(folder.path());
        let server = ServerAddress::parse("https://example.com", false).unwrap();
        file.put(&server, session("a")).unwrap();
        fs::set_permissions(&file.path, Permissions::from_mode(0o640)).unwrap();
        assert!(file.get(&server).unwrap_err().to_string().contains("others can read"));
    }

    #[test]
    fn a_damaged_file_is_not_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let file = located(folder.path());
        let server = ServerAddress::parse("https://example.com", false).unwrap();
        file.put(&server, session("a")).unwrap();
        fs::write(&file.path, r#"{"https://example.com": "sesame"}"#).unwrap();
        let error = format!("{:?}", file.get(&server).unwrap_err());
        assert!(error.contains("not a file of tokens") && !error.contains("sesame"), "{error}");
    }

    #[test]
    fn a_relative_folder_does_not_count() {
        let variable = |name: &str| Some(if name == "HOME" { "/home/ada" } else { "relative" }.to_owned());
        let path = Path::new("/home/ada/.config/gatepost/tokens.json");
        assert_eq!(TokenFile::locate(variable).unwrap().path, path);
        assert!(TokenFile::locate(|_| None).is_err());
    }
}
