//! Writing the files of a generation back into their folders.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{Contents, Found, Generation, LoadError, Source};
use crate::authz::analysis::tests::{FOLDER as TESTS, Suite};
use crate::authz::entities;
use crate::authz::problem::Problem;
use crate::model::{PolicyFile, PolicyFolder};

/// The mode of new files, less what the process's mask takes.
const MODE: u32 = 0o666;

/// What was done to the folders.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// The files that were written; those that said the same before are not among them.
    pub written: Vec<PathBuf>,
    /// The files that were removed: policies, schema and entities that the generation did not have.
    pub removed: Vec<PathBuf>,
}

/// Why the files were not written.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The files no longer fit this program.
    #[error("this version of Gatepost would not load them, nothing was changed: {0}")]
    Invalid(LoadError),
    /// There is no folder to write to.
    #[error("the {} in force are to be the built-in ones, nothing was changed", .0.as_str())]
    BuiltIn(PolicyFolder),
    /// Something else has put the files there, and would put them there again.
    #[error("`{0}` is a symbolic link, nothing was changed")]
    Link(PathBuf),
    /// No file of a generation has such a name.
    #[error("the name `{0}` leads out of the folder, nothing was changed")]
    Name(String),
    /// The file system.
    #[error("cannot write `{path}`")]
    Io {
        /// The file or the folder.
        path: PathBuf,
        /// What failed.
        source: io::Error,
    },
}

/// Makes the folders say what `contents` does. Each file is replaced at once; nothing is replaced before all are written.
/// Files that no generation is read from are left alone, and so is a folder that does not exist where what is built in is
/// the same.
///
/// # Errors
///
/// Nothing has changed, except where the file system fails in the middle of it.
pub fn restore(source: &Source, contents: &Contents) -> Result<Restored, RestoreError> {
    write(source, contents, Some(&Found::read(source)))
}

/// The same with folders that nothing is loaded from yet: all files are written.
///
/// # Errors
///
/// As with [`restore`].
pub fn export(folders: &Source, contents: &Contents) -> Result<Restored, RestoreError> {
    write(folders, contents, None)
}

/// What the tests that are in the folder now would find wrong with `contents`, if tests are to pass: they are no part of a
/// generation, so those of its time may be others. Nothing is written.
///
/// # Errors
///
/// What would not load cannot be tested.
pub fn failing_tests(source: &Source, contents: &Contents) -> Result<Vec<Problem>, RestoreError> {
    let Some(folder) = source.policies.path().filter(|_| source.tests).map(|folder| folder.join(TESTS)) else {
        return Ok(Vec::new());
    };
    let generation = validate(contents)?;
    Ok(super::test(&generation, &Suite::read(&folder)).err().map(|error| error.problems).unwrap_or_default())
}

/// `current` is what is loaded from the folders.
fn write(source: &Source, contents: &Contents, current: Option<&Found>) -> Result<Restored, RestoreError> {
    validate(contents)?;
    let mut changes = Changes::default();
    for (folder, target) in [(PolicyFolder::Policies, &source.policies), (PolicyFolder::Schema, &source.schema)] {
        let wanted: Vec<PolicyFile> = contents.of_folder(folder).cloned().collect();
        if current.and_then(|current| current.files(folder)).is_none_or(|current| current != wanted) {
            let path = target.path().ok_or(RestoreError::BuiltIn(folder))?;
            changes.add(folder, path, &wanted)?;
        }
    }
    changes.make()
}

/// Loads the files from a folder of their own, as they would be loaded from theirs.
fn validate(contents: &Contents) -> Result<Generation, RestoreError> {
    let failed = |source: io::Error| RestoreError::Io { path: std::env::temp_dir(), source };
    let trial = tempfile::tempdir().map_err(failed)?;
    let (policies, schema) = (trial.path().join("policies"), trial.path().join("schema"));
    for file in contents.files() {
        let folder = match file.folder {
            PolicyFolder::Policies => &policies,
            PolicyFolder::Schema => &schema,
        };
        let path = folder.join(checked(&file.name)?);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(&path, &file.text));
        written.map_err(failed)?;
    }
    let source = Source { policies: policies.into(), schema: schema.into(), tests: false };
    Found::read(&source).load(|_| 1, &entities::samples()).map_err(RestoreError::Invalid)
}

/// A file's name, if it stays in the folder: nothing but what was read there is ever written there.
fn checked(name: &str) -> Result<&str, RestoreError> {
    let file = name.strip_prefix("entities/").unwrap_or(name);
    if file.is_empty() || file.starts_with('.') || file.contains(['/', '\0']) {
        return Err(RestoreError::Name(name.to_owned()));
    }
    Ok(name)
}

/// What is to be done, in its order.
#[derive(Default)]
struct Changes {
    written: Vec<(NamedTempFile, PathBuf)>,
    removed: Vec<PathBuf>,
}

impl Changes {
    /// Writes what is new under hidden names, which nobody reads.
    fn add(&mut self, folder: PolicyFolder, path: &Path, wanted: &[PolicyFile]) -> Result<(), RestoreError> {
        for file in wanted {
            let target = path.join(checked(&file.name)?);
            let old = match fs::symlink_metadata(&target) {
                Ok(found) if found.is_symlink() => return Err(RestoreError::Link(target)),
                found => found.ok(),
            };
            if old.is_some() && fs::read(&target).is_ok_and(|old| old == file.text.as_bytes()) {
                continue;
            }
            let mode = old.map_or(MODE, |old| old.permissions().mode());
            let written = write_hidden(&target, &file.text, mode);
            self.written.push((written.map_err(|source| RestoreError::Io { path: target.clone(), source })?, target));
        }
        let readable = match folder {
            PolicyFolder::Policies => vec![(path.to_owned(), "cedar")],
            PolicyFolder::Schema => vec![(path.to_owned(), "cedarschema"), (path.join("entities"), "json")],
        };
        for (within, extension) in readable {
            let found = listed(&within, extension).map_err(|source| RestoreError::Io { path: within, source })?;
            for path_found in found {
                if wanted.iter().any(|file| path.join(&file.name) == path_found) {
                    continue;
                }
                if fs::symlink_metadata(&path_found).is_ok_and(|found| found.is_symlink()) {
                    return Err(RestoreError::Link(path_found));
                }
                self.removed.push(path_found);
            }
        }
        Ok(())
    }

    fn make(self) -> Result<Restored, RestoreError> {
        let mut restored = Restored::default();
        for (hidden, target) in self.written {
            hidden
                .persist(&target)
                .map_err(|failed| RestoreError::Io { path: target.clone(), source: failed.error })?;
            restored.written.push(target);
        }
        for path in self.removed {
            fs::remove_file(&path).map_err(|source| RestoreError::Io { path: path.clone(), source })?;
            restored.removed.push(path);
        }
        for folder in restored.written.iter().chain(&restored.removed).filter_map(|path| path.parent()) {
            let synced = File::open(folder).and_then(|folder| folder.sync_all());
            synced.map_err(|source| RestoreError::Io { path: folder.to_owned(), source })?;
        }
        Ok(restored)
    }
}

fn write_hidden(target: &Path, text: &str, mode: u32) -> io::Result<NamedTempFile> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let mut hidden =
        tempfile::Builder::new().prefix(".gatepost-").permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    hidden.write_all(text.as_bytes())?;
    hidden.as_file().sync_all()?;
    Ok(hidden)
}

/// The files in a folder that a generation is read from; none if there is no folder.
fn listed(folder: &Path, extension: &str) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let is_hidden = entry.file_name().as_encoded_bytes().first() == Some(&b'.');
        if !is_hidden && entry.path().extension().is_some_and(|found| found == extension) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;
    use crate::config::Folder;

    /// The usual folders, and their paths.
    fn source(folder: &TempDir) -> (Source, PathBuf, PathBuf) {
        let (policies, schema) = (folder.path().join("policies"), folder.path().join("schema"));
        let usual = |path: &PathBuf| Folder::Usual(path.clone());
        (Source { policies: usual(&policies), schema: usual(&schema), tests: false }, policies, schema)
    }

    /// What is built in, with one more policy.
    fn contents(policy: &str) -> Contents {
        let built_in = Found::read(&Source { policies: Folder::BuiltIn, schema: Folder::BuiltIn, tests: false });
        let mut files = built_in.contents().unwrap().files().to_vec();
        if !policy.is_empty() {
            let (folder, name) = (PolicyFolder::Policies, "own.cedar".to_owned());
            files.push(PolicyFile { folder, name, text: policy.to_owned() });
        }
        Contents::new(files)
    }

    #[test]
    fn the_folders_say_afterwards_what_the_generation_did() {
        let folder = tempfile::tempdir().unwrap();
        let (source, policies, schema) = source(&folder);
        // What is built in need not be written, unless it is to be looked at.
        assert_eq!(restore(&source, &contents("")).unwrap(), Restored::default());
        assert!(!policies.exists());
        let (a, b) = (folder.path().join("a/policies"), folder.path().join("a/schema"));
        let elsewhere = Source { policies: a.into(), schema: b.into(), tests: false };
        assert_eq!(export(&elsewhere, &contents("")).unwrap().written.len(), 5);

        let own = contents("@id(\"own\") forbid (principal, action, resource);");
        let restored = restore(&source, &own).unwrap();
        let names = ["accounts.cedar", "matrix.cedar", "own.cedar", "scopes.cedar"];
        assert_eq!(restored.written, names.map(|name| policies.join(name)));
        assert!(!schema.exists());
        assert_eq!(Found::read(&source).contents(), Some(&own));

        fs::write(policies.join("README.md"), "ours").unwrap();
        fs::write(policies.join("other.cedar"), "// not part of it").unwrap();
        fs::set_permissions(policies.join("own.cedar"), Permissions::from_mode(0o640)).unwrap();
        let other = contents("@id(\"own\") forbid (principal is Anonymous, action, resource);");
        let restored = restore(&source, &other).unwrap();
        assert_eq!(restored.written, [policies.join("own.cedar")]);
        assert_eq!(restored.removed, [policies.join("other.cedar")]);
        assert_eq!(fs::metadata(policies.join("own.cedar")).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(Found::read(&source).contents(), Some(&other));
        let left: Vec<_> = fs::read_dir(&policies).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left.len(), 5, "{left:?}");
    }

    #[test]
    fn what_would_not_load_or_leads_elsewhere_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let (source, policies, _) = source(&folder);
        let invalid = restore(&source, &contents("nonsense")).unwrap_err();
        assert!(invalid.to_string().contains("own.cedar:1:9"), "{invalid}");
        let mut files = contents("").files().to_vec();
        for name in ["../x.cedar", ".x.cedar", "entities/../x.json", "a/b.cedar", ""] {
            files[0].name = name.to_owned();
            let refused = restore(&source, &Contents::new(files.clone())).unwrap_err();
            assert!(matches!(refused, RestoreError::Name(_)), "{name}: {refused}");
        }
        assert!(!policies.exists());
        let built_in = Source { policies: Folder::BuiltIn, ..source.clone() };
        assert_eq!(restore(&built_in, &contents("")).unwrap(), Restored::default());
        let refused = restore(&built_in, &contents("// changed")).unwrap_err();
        assert!(matches!(refused, RestoreError::BuiltIn(PolicyFolder::Policies)), "{refused}");

        fs::create_dir(&policies).unwrap();
        fs::write(folder.path().join("target"), "").unwrap();
        symlink("../target", policies.join("own.cedar")).unwrap();
        let refused = restore(&source, &contents("// changed")).unwrap_err();
        assert!(matches!(refused, RestoreError::Link(_)), "{refused}");
        assert_eq!(fs::read_to_string(folder.path().join("target")).unwrap(), "");
        assert_eq!(fs::read_dir(&policies).unwrap().count(), 1);
    }
}
