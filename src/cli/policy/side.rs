//! What is compared: policies, and a schema if one comes with them. They are named by where they are.

mod revision;

use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

use self::revision::Revision;
use super::history;
use crate::authz::analysis;
use crate::authz::generation::{Generation, Source, Texts};
use crate::cli::settings::Settings;
use crate::config::Folder;
use crate::model::{PolicyFolder, PolicyGeneration};

/// Names the policies that Gatepost comes with.
const BUILT_IN: &str = "built-in";
/// Stands for the number of the newest generation. It need not be the one in force: a server may not have taken it yet.
const NEWEST: &str = "newest";

/// The folders of a whole state.
const POLICIES: &str = "policies";
const SCHEMA: &str = "schema";

/// Where one of the two states is read from: folders, or texts in place of them.
pub(super) struct Side {
    name: String,
    source: Source,
    policies: Option<Texts>,
    schema: Option<Texts>,
}

impl Side {
    /// Finds what `name` says. What it has no schema of its own for is held against the configured one.
    pub(super) fn read(name: &str, configured: &Source, settings: &Settings) -> Result<Self> {
        let side = |source, policies, schema| Self { name: name.to_owned(), source, policies, schema };
        if name == BUILT_IN {
            let built_in = Source { policies: Folder::BuiltIn, schema: Folder::BuiltIn, tests: false };
            return Ok(side(built_in, None, None));
        }
        if let Some(number) = name.strip_prefix("generation:") {
            let generation = generation(number, settings)?;
            let texts = |folder| Some(texts(&generation, folder));
            return Ok(side(configured.clone(), texts(PolicyFolder::Policies), texts(PolicyFolder::Schema)));
        }
        if let Some(revision) = name.strip_prefix("git:") {
            let (revision, folder) = match revision.split_once(':') {
                Some((revision, folder)) => (revision, Some(folder)),
                None => (revision, None),
            };
            return Self::of_revision(name, revision, folder, configured);
        }
        if Path::new(name).is_dir() {
            let folder = Path::new(name);
            let is_whole = folder.join(POLICIES).is_dir();
            let policies = if is_whole { folder.join(POLICIES) } else { folder.to_owned() };
            let schema = Some(folder.join(SCHEMA)).filter(|schema| is_whole && schema.is_dir());
            let schema = schema.map_or_else(|| configured.schema.clone(), Folder::from);
            let source = Source { policies: policies.into(), schema, tests: false };
            return Ok(side(source, None, None));
        }
        let named = name.split_once(':').with_context(|| {
            format!(
                "there is no folder `{name}`; other forms are `git:REVISION`, `REVISION:FOLDER`, `generation:NUMBER`, \
                 `generation:{NEWEST}` and `{BUILT_IN}`"
            )
        });
        let (revision, folder) = named?;
        Self::of_revision(name, revision, Some(folder), configured)
    }

    fn of_revision(name: &str, revision: &str, folder: Option<&str>, configured: &Source) -> Result<Self> {
        ensure!(!revision.is_empty(), "`{name}` names no revision, as in `git:HEAD~1`");
        let (policies, schema) = match folder {
            Some(folder) => {
                let revision = Revision::open(Path::new("."), revision)?;
                let folder = folder.trim_end_matches('/');
                let within = |part: &str| if folder.is_empty() { part.to_owned() } else { format!("{folder}/{part}") };
                match revision.folder(&within(POLICIES))? {
                    Some(policies) => (Some(policies), revision.folder(&within(SCHEMA))?),
                    None => (revision.folder(folder)?, None),
                }
            }
            None => {
                let policies = configured.policies.path().context(
                    "the configured policies are the built-in ones, which are in no revision: name a folder, as in \
                     `REVISION:FOLDER`",
                )?;
                let schema = configured.schema.path().map(|schema| of_configured(revision, schema)).transpose()?;
                (of_configured(revision, policies)?, schema.flatten())
            }
        };
        let policies = policies.with_context(|| {
            let folder = folder.map_or_else(|| configured.policies.to_string(), str::to_owned);
            format!("the revision `{revision}` has no folder `{folder}`")
        })?;
        Ok(Self { name: name.to_owned(), source: configured.clone(), policies: Some(policies), schema })
    }

    /// Reads and validates it.
    pub(super) fn load(&self) -> Result<Generation> {
        let loaded = analysis::load_with(&self.source, self.policies.as_ref(), self.schema.as_ref());
        loaded.with_context(|| format!("`{}` cannot be compared", self.name))
    }
}

/// What follows `generation:`, for an option that takes nothing else.
pub(super) fn after_generation(name: &str) -> Result<String> {
    let number = name.strip_prefix("generation:").map(str::to_owned);
    number.with_context(|| format!("expected `generation:NUMBER` or `generation:{NEWEST}`"))
}

/// The generation of the history that is meant by its number, or by `newest`.
pub(super) fn generation(number: &str, settings: &Settings) -> Result<PolicyGeneration> {
    let (_, history) = history::open(settings)?;
    let number = match number {
        NEWEST => {
            let newest = history.newest(1).context("cannot read the history")?.pop();
            return newest.context("there is no generation in the history yet: a server keeps what it starts with");
        }
        number => number.parse().ok(),
    };
    match number {
        Some(number) => Ok(history::find(&history, number)?.0),
        None => bail!("expected the number of a generation, as in `generation:12`, or `generation:{NEWEST}`"),
    }
}

/// A folder as a generation has it.
fn texts(generation: &PolicyGeneration, folder: PolicyFolder) -> Texts {
    let files = generation.files.iter().filter(|file| file.folder == folder);
    Texts {
        folder: format!("generation:{}:{}", generation.number, folder.as_str()),
        files: files.map(|file| (file.name.clone(), file.text.clone())).collect(),
    }
}

/// A configured folder as the revision has it, in the repository that the folder is in.
fn of_configured(revision: &str, folder: &Path) -> Result<Option<Texts>> {
    let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = folder.file_name().and_then(|name| name.to_str()).context("the folder has no name")?;
    Revision::open(parent, revision)?.folder(&format!("./{name}"))
}
