//! All files of a state of the policies, written elsewhere as they are: to be edited, or looked at.

use std::fs;
use std::path::{Path, PathBuf};

use super::files::SourceFile;
use super::{Found, INVARIANTS, LoadError, Origin, RestoreError, Restored, Source, export};
use crate::authz::analysis::tests::{FOLDER as TESTS, Suite};
use crate::authz::entities;
use crate::authz::problem::Problem;

/// Writes the files that `source` is read from, built-in ones as well, to the folders `policies` and `schema` in `to`: policies,
/// schema, routes and entities, which must be right, and the tests and invariants beside the policies as they are.
///
/// # Errors
///
/// Nothing was written, except where the file system fails in the middle of it.
pub fn export_files(source: &Source, to: &Path) -> Result<Restored, RestoreError> {
    // What is wrong is told where it stands.
    let untested = Found::read(&Source { tests: false, ..source.clone() });
    let generation = untested.load(|_| 1, &entities::samples()).map_err(RestoreError::Invalid)?;
    let found = Found::read(&Source { tests: true, ..source.clone() });
    let refuse = |problems: Vec<Problem>| RestoreError::Invalid(LoadError { problems });
    let suite = match generation.policies_origin() {
        Origin::BuiltIn => Some(Suite::built_in()),
        Origin::Folder => found.tests.map_err(refuse)?,
    };
    let invariants = found.stated.map_err(refuse)?;
    let mut restored = export(&folders(to), generation.contents())?;
    let tests = suite.iter().flat_map(|suite| suite.texts()).map(|file| (TESTS, file));
    let invariants = invariants.iter().flat_map(|files| &files.cedar).map(|file| (INVARIANTS, file));
    for (folder, SourceFile { name, text, .. }) in tests.chain(invariants) {
        let name = Path::new(name).file_name().unwrap_or_default();
        restored.written.push(write(&to.join("policies").join(folder), Path::new(name), text)?);
    }
    Ok(restored)
}

/// The folders of a whole state in `to`.
pub fn folders(to: &Path) -> Source {
    Source { policies: to.join("policies").into(), schema: to.join("schema").into(), tests: false }
}

fn write(folder: &Path, name: &Path, text: &str) -> Result<PathBuf, RestoreError> {
    let target = folder.join(name);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&target, text));
    written.map_err(|source| RestoreError::Io { path: target.clone(), source })?;
    Ok(target)
}
