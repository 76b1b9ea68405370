//! Reading the files of a generation, or the copies of them that the program carries.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;

use super::steady::Links;
use super::{Source, invariants};
use crate::authz::problem::Problem;
use crate::config::Folder;
use crate::model::{PolicyFile, PolicyFolder};

/// Where files came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// From the configured folder.
    Folder,
    /// From the program itself.
    BuiltIn,
}

/// What was read of one folder.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::authz) struct Files {
    pub(super) folder: String,
    pub(super) origin: Origin,
    /// Policies or schema, sorted by name.
    pub(super) cedar: Vec<SourceFile>,
    pub(super) routes: Option<SourceFile>,
    /// Entities, sorted by name; nothing if there is no folder for them.
    pub(super) entities: Option<Vec<SourceFile>>,
}

/// A file's name, for messages, and its content.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::authz) struct SourceFile {
    pub(in crate::authz) name: String,
    /// Its path within the folder.
    within: String,
    pub(in crate::authz) text: String,
}

impl SourceFile {
    /// A file that is no part of a generation.
    pub(in crate::authz) fn apart(name: impl Into<String>, text: impl Into<String>) -> Self {
        Self { name: name.into(), within: String::new(), text: text.into() }
    }
}

/// A folder that is not on this disk, such as one of an earlier revision, with the files that were in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Texts {
    /// What the folder is called in messages.
    pub folder: String,
    /// The content of each file, by its path in the folder, such as `matrix.cedar` or `entities/fleets.json`.
    pub files: BTreeMap<String, String>,
}

impl Texts {
    /// The policies in it: as of a folder, its `*.cedar` files.
    pub(super) fn policies(&self) -> Result<Files, Vec<Problem>> {
        let cedar = self.with_extension("", "cedar");
        if cedar.is_empty() {
            return Err(vec![Problem::with(&self.folder, "the folder has no `*.cedar` file")]);
        }
        Ok(Files { folder: self.folder.clone(), origin: Origin::Folder, cedar, routes: None, entities: None })
    }

    /// The schema in it, and the routes and entities, if there are any.
    pub(super) fn schema(&self) -> Result<Files, Vec<Problem>> {
        let cedar = self.with_extension("", "cedarschema");
        if cedar.is_empty() {
            return Err(vec![Problem::with(&self.folder, "the folder has no `*.cedarschema` file")]);
        }
        let routes = self.files.get("routes.toml").map(|text| self.file("routes.toml", text));
        let entities = Some(self.with_extension("entities/", "json")).filter(|files| !files.is_empty());
        Ok(Files { folder: self.folder.clone(), origin: Origin::Folder, cedar, routes, entities })
    }

    fn with_extension(&self, within: &str, extension: &str) -> Vec<SourceFile> {
        let of_folder = self.files.iter().filter(|(path, _)| {
            let name = path.strip_prefix(within).filter(|name| !name.contains('/') && !name.starts_with('.'));
            name.is_some_and(|name| Path::new(name).extension().is_some_and(|found| found == extension))
        });
        of_folder.map(|(path, text)| self.file(path, text)).collect()
    }

    fn file(&self, path: &str, text: &str) -> SourceFile {
        SourceFile { name: format!("{}/{path}", self.folder), within: path.to_owned(), text: text.to_owned() }
    }
}

impl Files {
    pub(super) fn all(&self) -> impl Iterator<Item = &SourceFile> {
        self.cedar.iter().chain(&self.routes).chain(self.entities.iter().flatten())
    }

    /// The files as they are kept, sorted.
    pub(super) fn kept(&self, folder: PolicyFolder) -> Vec<PolicyFile> {
        let kept = |file: &SourceFile| PolicyFile { folder, name: file.within.clone(), text: file.text.clone() };
        let mut files: Vec<PolicyFile> = self.all().map(kept).collect();
        files.sort();
        files
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.all().map(|file| file.name.as_str())
    }
}

/// The policies. `before` is where those of the generation before came from, if there is one.
pub(super) fn read_policies(links: &mut Links, source: &Source, before: Option<Origin>) -> Result<Files, Vec<Problem>> {
    let built_in = || Files {
        folder: source.policies.to_string(),
        origin: Origin::BuiltIn,
        cedar: vec![
            built_in("policies", "accounts.cedar", include_str!("../../../policies/accounts.cedar")),
            built_in("policies", "matrix.cedar", include_str!("../../../policies/matrix.cedar")),
            built_in("policies", "scopes.cedar", include_str!("../../../policies/scopes.cedar")),
        ],
        routes: None,
        entities: None,
    };
    read_folder(links, &source.policies, before, "cedar", built_in)
}

/// The schema, the routes and the entities; `before` as with the policies.
pub(super) fn read_schema(links: &mut Links, source: &Source, before: Option<Origin>) -> Result<Files, Vec<Problem>> {
    let routes = || built_in("schema", "routes.toml", include_str!("../../../schema/routes.toml"));
    let built_in = || Files {
        folder: source.schema.to_string(),
        origin: Origin::BuiltIn,
        cedar: vec![built_in("schema", "gatepost.cedarschema", include_str!("../../../schema/gatepost.cedarschema"))],
        routes: Some(routes()),
        entities: None,
    };
    let mut files = read_folder(links, &source.schema, before, "cedarschema", built_in)?;
    if let (Origin::Folder, Some(folder)) = (files.origin, source.schema.path()) {
        let routes = read_file(links, &folder.join("routes.toml"), "");
        let entities = read_entities(links, &folder.join("entities"));
        let (routes, entities) = match (routes, entities) {
            (Ok(routes), Ok(entities)) => (routes, entities),
            (routes, entities) => {
                return Err(routes.err().into_iter().chain(entities.err().into_iter().flatten()).collect());
            }
        };
        files.routes = Some(routes);
        files.entities = entities;
    }
    Ok(files)
}

fn built_in(folder: &str, name: &str, text: &str) -> SourceFile {
    SourceFile { name: format!("built-in {folder}/{name}"), within: name.to_owned(), text: text.to_owned() }
}

/// The invariants in the folder `invariants` within that of the policies, which came from `policies`; nothing if it does
/// not exist.
pub(super) fn read_invariants(
    links: &mut Links,
    source: &Source,
    policies: Origin,
) -> Result<Option<Files>, Vec<Problem>> {
    let files = |folder: String, origin, cedar| Files { folder, origin, cedar, routes: None, entities: None };
    if let Some(path) = source.policies.path().map(|folder| folder.join(invariants::FOLDER)) {
        if let Some(cedar) = read_existing(links, &path, "cedar", "")? {
            return Ok(Some(files(path.display().to_string(), Origin::Folder, cedar)));
        }
        if policies == Origin::Folder {
            return Ok(None);
        }
    }
    let shipped = built_in(
        "policies/invariants",
        "invariants.cedar",
        include_str!("../../../policies/invariants/invariants.cedar"),
    );
    Ok(Some(files("built-in policies/invariants".to_owned(), Origin::BuiltIn, vec![shipped])))
}

/// The files of a folder with this extension; hidden files and folders within are not looked at. `built_in` stands in
/// for a folder that nobody has named and that does not exist, and for nothing else: one that cannot be read, or is empty,
/// is a problem. So is one that is gone since the generation `before` was read from it, or else removing it for a moment
/// would put the built-in policies into force.
fn read_folder(
    links: &mut Links,
    from: &Folder,
    before: Option<Origin>,
    extension: &str,
    built_in: impl Fn() -> Files,
) -> Result<Files, Vec<Problem>> {
    let Some(path) = from.path() else { return Ok(built_in()) };
    let folder = path.display().to_string();
    let problem = match (read_existing(links, path, extension, "")?, before, from) {
        (Some(cedar), _, _) if !cedar.is_empty() => {
            return Ok(Files { folder, origin: Origin::Folder, cedar, routes: None, entities: None });
        }
        (Some(_), _, _) => Problem::with(&folder, format_args!("the folder has no `*.{extension}` file")),
        (None, Some(Origin::Folder), _) => return Err(vec![Problem::with(&folder, "the folder is gone")]),
        (None, _, Folder::Named { .. }) => Problem::with(&folder, "there is no such folder"),
        (None, _, Folder::Usual(_) | Folder::BuiltIn) => return Ok(built_in()),
    };
    Err(vec![match from {
        Folder::Named { by: Some(by), .. } => {
            problem.help(format_args!("{by} names it: say `built-in` there to use what is built in, or leave it out"))
        }
        Folder::Named { by: None, .. } => problem,
        Folder::Usual(_) | Folder::BuiltIn => problem.help("remove the folder to use what is built in"),
    }])
}

/// The files with entities: none if there is no such folder, or nothing in it.
fn read_entities(links: &mut Links, path: &Path) -> Result<Option<Vec<SourceFile>>, Vec<Problem>> {
    read_existing(links, path, "json", "entities/")
}

/// The files of a folder with this extension, sorted; nothing if the folder does not exist. Their paths within begin with
/// `prefix`.
pub(in crate::authz) fn read_existing(
    links: &mut Links,
    path: &Path,
    extension: &str,
    prefix: &str,
) -> Result<Option<Vec<SourceFile>>, Vec<Problem>> {
    let folder = path.display().to_string();
    let unreadable = |error: io::Error| {
        vec![match error.kind() {
            io::ErrorKind::NotADirectory => Problem::with(&folder, "this is no folder"),
            _ => Problem::with(&folder, format_args!("cannot read the folder: {error}")),
        }]
    };
    let is_absent = || fs::symlink_metadata(path).is_err_and(|error| error.kind() == io::ErrorKind::NotFound);
    let resolved = match links.resolve(path) {
        Ok(resolved) => resolved,
        // A link that leads nowhere is not absence.
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_absent() => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(resolved).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name();
        let hidden = name.as_encoded_bytes().first() == Some(&b'.');
        if !hidden && Path::new(&name).extension().is_some_and(|found| found == extension) {
            paths.push(path.join(name));
        }
    }
    paths.sort();
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for path in paths {
        match read_file(links, &path, prefix) {
            Ok(file) => files.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(Some(files)) } else { Err(problems) }
}

fn read_file(links: &mut Links, path: &Path, prefix: &str) -> Result<SourceFile, Problem> {
    let name = path.display().to_string();
    let within = format!("{prefix}{}", path.file_name().unwrap_or_default().to_string_lossy());
    let resolved = links.resolve(path).map_err(|error| unreadable(&name, &error))?;
    let text = read_named(&resolved, &name)?;
    Ok(SourceFile { name, within, text })
}

/// The content of a file that people edit. What is no file is not read: a pipe, say, would be waited for.
pub(in crate::authz) fn read_text(path: &Path) -> Result<String, Problem> {
    read_named(path, &path.display().to_string())
}

fn read_named(path: &Path, name: &str) -> Result<String, Problem> {
    let failed = |error: io::Error| unreadable(name, &error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Problem::with(name, "this is no file"));
    }
    String::from_utf8(fs::read(path).map_err(failed)?).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        Problem::at(name, &text, valid..valid, "the file is not UTF-8")
    })
}

fn unreadable(name: &str, error: &io::Error) -> Problem {
    Problem::with(name, format_args!("cannot read the file: {error}"))
}
