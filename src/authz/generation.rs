//! A generation: one state of policies, schema and routes, which decisions are made by as a whole.
//!
//! What is loaded was read, parsed and validated strictly, down to the last warning. Whatever is wrong, there is no
//! generation, and [`LoadError`] tells all that could be found out at once.

mod contents;
pub(super) mod depth;
mod entities;
mod export;
pub(super) mod files;
mod found;
mod invariants;
pub(super) mod policies;
mod proofs;
mod restore;
mod schema;
mod steady;
mod validation;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use cedar_policy::{Entity, PolicyId, PolicySet, Schema};
use cedar_policy_core::ast;
use serde::Serialize;

pub use self::contents::Contents;
pub use self::export::{export_files, folders as export_folders};
use self::files::Files;
pub use self::files::{Origin, Texts};
pub(super) use self::files::{SourceFile, read_existing};
pub use self::found::Found;
pub(super) use self::found::Tests;
pub(super) use self::invariants::Stated;
pub use self::invariants::{FOLDER as INVARIANTS, Invariant, load_invariants};
pub use self::proofs::Proofs;
pub use self::restore::{RestoreError, Restored, export, failing_tests, restore};
pub(super) use self::steady::{Links, settled, unsettled};
use super::actions::{Action, Actions};
use super::analysis::tests::Report;
use super::filed::Filed;
use super::index::PolicyIndex;
use super::prepared::Prepared;
use super::problem::Problem;
use super::routes::Routes;
use super::table::Tables;
use crate::config::Folder;
use crate::model::PolicyFolder;

/// Where a generation is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The folder with the policies: all its `*.cedar` files, not those of folders within.
    pub policies: Folder,
    /// The folder with the schema, all its `*.cedarschema` files, and the routes, `routes.toml`. Within it may be a folder
    /// `entities` with `*.json` files: entities of types that Gatepost does not own, in Cedar's format.
    pub schema: Folder,
    /// Whether the expected decisions in the policies' folder `tests`, if there is one, must hold.
    pub tests: bool,
}

/// Policies, schema and routes that fit each other.
// INVARIANT: built by `load_files` only, and never changed.
#[derive(Debug)]
pub struct Generation {
    number: u64,
    policies: PolicySet,
    policy_files: HashMap<PolicyId, Arc<str>>,
    index: PolicyIndex,
    schema: Schema,
    routes: Routes,
    actions: Actions,
    prepared: Prepared,
    tables: Tables,
    filed: Filed,
    policies_origin: Origin,
    schema_origin: Origin,
    has_entities: bool,
    files: Vec<String>,
    contents: Contents,
    tests: Option<u32>,
    /// Whether it was kept, and not read from files.
    is_recorded: bool,
}

/// Where a policy stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PolicyPlace {
    /// The name of the file.
    pub file: String,
    /// The line in which it begins, counted from 1.
    pub line: usize,
}

impl fmt::Display for PolicyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Why there is no generation: everything that is wrong with the files, each with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadError {
    problems: Vec<Problem>,
}

/// Reads and validates a generation, to be known by `number`, as [`Found::load`] does.
pub fn load(source: &Source, number: u64, built: &[Entity]) -> Result<Generation, LoadError> {
    Found::read(source).load(|_| number, built)
}

/// Reads and validates a generation as [`load`] does, where `policies` and `schema`, if given, stand in for the folders of
/// `source`.
pub fn load_with(
    source: &Source,
    policies: Option<&Texts>,
    schema: Option<&Texts>,
    number: u64,
    built: &[Entity],
) -> Result<Generation, LoadError> {
    let of_policies =
        |links: &mut Links| policies.map_or_else(|| files::read_policies(links, source, None), Texts::policies);
    let of_schema = |links: &mut Links| schema.map_or_else(|| files::read_schema(links, source, None), Texts::schema);
    Found::settle(source, of_policies, of_schema).load(|_| number, built)
}

/// Validates a generation that was kept, to be known by the number that it had. No tests are run.
pub fn load_kept(contents: &Contents, number: u64) -> Result<Generation, LoadError> {
    let texts = |folder: PolicyFolder| contents.texts(folder, format!("generation:{number}:{}", folder.as_str()));
    let (policies, schema) = (texts(PolicyFolder::Policies).policies(), texts(PolicyFolder::Schema).schema());
    let found = Found {
        policies,
        schema,
        contents: Some(contents.clone()),
        tests: Ok(None),
        is_tested: false,
        stated: Ok(None),
    };
    let kept = found.load(|_| number, &crate::authz::entities::samples())?;
    Ok(Generation { is_recorded: true, ..kept })
}

/// Reads and validates a generation, and gives the files that were read as well: what is found out of it can then be told
/// with its place.
pub(super) fn load_with_files(source: &Source, built: &[Entity]) -> (Vec<SourceFile>, Result<Generation, LoadError>) {
    let found = Found::read(source);
    let read = found.policies.iter().chain(&found.schema).flat_map(Files::all).cloned().collect();
    (read, found.load(|_| 1, built))
}

/// Finds out whether the generation decides as the tests expect; gives how many there are.
fn test(generation: &Generation, tests: &Tests) -> Result<u32, LoadError> {
    let suite = tests.as_ref().map_err(Clone::clone);
    let report = suite.and_then(|suite| suite.as_ref().map(|suite| suite.run(generation)).transpose());
    let count: usize = report.iter().flatten().map(|report| report.results().len()).sum();
    let problems = match report {
        Ok(report) => report.iter().flat_map(Report::problems).cloned().collect(),
        Err(problems) => problems,
    };
    if problems.is_empty() { Ok(u32::try_from(count).unwrap_or(u32::MAX)) } else { Err(LoadError { problems }) }
}

fn load_files(
    found: Found,
    holds: impl FnOnce(&Generation, &Stated) -> Result<(), LoadError>,
    number: impl FnOnce(&Generation) -> u64,
    built: &[Entity],
) -> Result<Generation, LoadError> {
    let mut problems = Vec::new();
    let mut keep = |files: Result<Files, Vec<Problem>>| files.map_err(|found| problems.extend(found)).ok();
    let (policy_files, schema_files) = (keep(found.policies), keep(found.schema));
    let parsed = policy_files.as_ref().map(|files| policies::parse(files, &mut problems));
    let schema = schema_files.as_ref().and_then(|files| schema::parse(files, &mut problems));
    if let (Some(files), Some(schema)) = (&schema_files, &schema) {
        schema::check_built_entities(files, schema, built, &mut problems);
    }
    let filed = match (&schema_files, &schema) {
        (Some(files), Some(schema)) => entities::parse(files, schema, &mut problems),
        _ => Filed::default(),
    };
    let validated = match (parsed, &schema) {
        (Some(parsed), Some(schema)) => Some(parsed.validate(schema, &mut problems)),
        _ => None,
    };
    let (Some(policy_files), Some(schema_files), Some(contents), Some(schema), Some((policies, files_of_policies))) =
        (policy_files, schema_files, found.contents, schema, validated)
    else {
        return Err(LoadError { problems });
    };
    let actions = match Actions::new(&schema) {
        Ok(actions) => actions,
        Err(error) => {
            problems.push(Problem::with(&schema_files.folder, error));
            return Err(LoadError { problems });
        }
    };
    let routes = schema_files.routes.as_ref().map(|file| Routes::parse(&file.name, &file.text, &schema, &actions));
    let routes = routes.unwrap_or_else(|| Ok(Routes::default()));
    let routes = routes.unwrap_or_else(|found| {
        problems.extend(found);
        Routes::default()
    });
    if !problems.is_empty() {
        return Err(LoadError { problems });
    }
    let index = PolicyIndex::new(&policies, &schema);
    let prepared = Prepared::new(actions.as_slice(), &schema, &index);
    let mut generation = Generation {
        number: 0,
        tables: Tables::default(),
        routes,
        prepared,
        actions,
        schema,
        filed: filed.named_by(&index),
        index,
        policies,
        policy_files: files_of_policies,
        has_entities: schema_files.entities.is_some(),
        policies_origin: policy_files.origin,
        schema_origin: schema_files.origin,
        files: policy_files.names().chain(schema_files.names()).map(str::to_owned).collect(),
        contents,
        tests: None,
        is_recorded: false,
    };
    generation.tests = Some(test(&generation, &found.tests)?).filter(|_| found.is_tested);
    holds(&generation, &found.stated)?;
    // Only what is in force is known by a number, and only that has tables.
    generation.number = number(&generation);
    generation.tables = Tables::new(generation.number, &generation.prepared, &generation.index);
    Ok(generation)
}

impl Generation {
    /// Its number: grows with each generation of this process.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The policies. The identifier of each is its `@id`, or else `<file>#<position>`.
    pub fn policies(&self) -> &PolicySet {
        &self.policies
    }

    /// The name of the file that has the policy.
    pub fn policy_file(&self, policy: &PolicyId) -> Option<&str> {
        self.policy_files.get(policy).map(|name| &**name)
    }

    /// Where the policy with this identifier stands, if it is one of these.
    pub fn policy_place(&self, policy: &str) -> Option<PolicyPlace> {
        let id = PolicyId::new(policy);
        let file = self.policy_file(&id)?.to_owned();
        let policy: &ast::Policy = self.policies.policy(&id)?.as_ref();
        let before = policy.loc().and_then(|loc| loc.src.get(..loc.start()));
        let line = before.map_or(1, |before| 1 + before.bytes().filter(|&byte| byte == b'\n').count());
        Some(PolicyPlace { file, line })
    }

    /// The same policies, as they are asked.
    pub fn index(&self) -> &PolicyIndex {
        &self.index
    }

    /// The schema.
    pub fn schema(&self) -> &Schema {
        &self.schema
    }

    /// The routes.
    pub fn routes(&self) -> &Routes {
        &self.routes
    }

    /// The schema's actions; the position of each is its index, as in [`Route::action_index`].
    ///
    /// [`Route::action_index`]: super::routes::Route::action_index
    pub fn actions(&self) -> &[Action] {
        self.actions.as_slice()
    }

    /// The action with this index.
    pub fn action(&self, index: u16) -> Option<&Action> {
        self.actions.get(index)
    }

    /// The index and the action with this name, such as `View`.
    pub fn action_by_name(&self, name: &str) -> Option<(u16, &Action)> {
        self.actions.find(name)
    }

    /// What is decided ahead of time.
    pub(super) fn tables(&self) -> &Tables {
        &self.tables
    }

    /// What of requests is made ahead of time.
    pub(super) fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// The entities that are told in files.
    pub(super) fn filed(&self) -> &Filed {
        &self.filed
    }

    /// The policy's annotation `@code`: the stable code that a caller sees whom this policy has denied.
    pub fn code(&self, policy: &str) -> Option<&str> {
        self.policies.annotation(&PolicyId::new(policy), "code")
    }

    /// Whether the policies are those of the folder or the built-in copies.
    pub fn policies_origin(&self) -> Origin {
        self.policies_origin
    }

    /// Whether schema and routes are those of the folder or the built-in copies.
    pub fn schema_origin(&self) -> Origin {
        self.schema_origin
    }

    /// The files that it was read from, for the log.
    pub fn files(&self) -> &[String] {
        &self.files
    }

    /// What it was made from.
    pub fn contents(&self) -> &Contents {
        &self.contents
    }

    /// The same, followed by what is read from where these files came from.
    pub(super) fn in_place_of(self, [policies_origin, schema_origin]: [Origin; 2]) -> Self {
        Self { policies_origin, schema_origin, ..self }
    }

    /// How many tests it went by, if any were to be run and that is known.
    pub fn tests(&self) -> Option<u32> {
        self.tests
    }

    /// The same, known to have passed so many tests.
    #[must_use]
    pub fn that_passed(self, tests: Option<u32>) -> Self {
        Self { tests, ..self }
    }

    /// Whether it is from the history, and not read from files.
    pub fn is_recorded(&self) -> bool {
        self.is_recorded
    }
}

impl LoadError {
    /// Why the generation with this number, the newest in the history, does not stand in for files that cannot be taken.
    pub fn of_recorded(number: u64, problems: &[Problem]) -> Self {
        let what = "this is the newest in the history, and cannot stand in for the files either";
        let first = Problem::with(&format!("generation:{number}"), what);
        Self { problems: [&[first], problems].concat() }
    }

    /// This, and what else is wrong.
    #[must_use]
    pub(super) fn and(mut self, more: Self) -> Self {
        self.problems.extend(more.problems);
        self
    }

    /// Everything that is wrong: at least one problem.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the policies were not loaded")?;
        self.problems.iter().try_for_each(|problem| write!(f, "\n{problem}"))
    }
}

impl std::error::Error for LoadError {}

#[cfg(test)]
mod tests;
