//! The files of a generation as they are on disk at one time.

use cedar_policy::Entity;

use super::files::{self, Files, Origin};
use super::invariants::Stated;
use super::steady::{Links, settled, unsettled};
use super::{Contents, Generation, LoadError, Source, load_files};
use crate::authz::analysis::tests::{FOLDER, Suite};
use crate::authz::problem::Problem;
use crate::model::{PolicyFile, PolicyFolder};

/// The tests beside policies as they were read; nothing if there is no folder for them, or none are to be run.
pub(in crate::authz) type Tests = Result<Option<Suite>, Vec<Problem>>;

/// The files of a generation as they are on disk at one time, not parsed yet.
#[derive(PartialEq)]
pub struct Found {
    pub(super) policies: Result<Files, Vec<Problem>>,
    pub(super) schema: Result<Files, Vec<Problem>>,
    pub(super) contents: Option<Contents>,
    /// The tests that must pass.
    pub(super) tests: Tests,
    /// Whether there should be any.
    pub(super) is_tested: bool,
    /// The invariants.
    pub(super) stated: Stated,
}

impl Found {
    /// Reads the files.
    pub fn read(source: &Source) -> Self {
        Self::settle(
            source,
            |links| files::read_policies(links, source, None),
            |links| files::read_schema(links, source, None),
        )
    }

    /// Reads the files of the generation that is to follow `previous`. A folder that `previous` was read from must still
    /// exist, or else removing it for a moment would put the built-in policies into force.
    pub fn read_next(source: &Source, previous: &Generation) -> Self {
        let policies = |links: &mut Links| files::read_policies(links, source, Some(previous.policies_origin));
        let schema = |links: &mut Links| {
            let files = files::read_schema(links, source, Some(previous.schema_origin))?;
            if previous.has_entities && files.entities.is_none() {
                let problem = Problem::with(&format!("{}/entities", files.folder), "the folder is gone");
                return Err(vec![problem.help("to go on without its entities, leave it empty")]);
            }
            Ok(files)
        };
        Self::settle(source, policies, schema)
    }

    /// Reads the policies of a candidate. They are held against the schema of `live`, whatever is in its folder by now. Where
    /// there are no invariants beside them, those beside the policies of `live` count, which are in `live_source`.
    pub fn read_candidate(source: &Source, live: &Generation, live_source: &Source) -> Self {
        let schema = live.contents.texts(PolicyFolder::Schema, source.schema.to_string());
        let found = Self::settle(source, |links| files::read_policies(links, source, None), |_| schema.schema());
        if found.stated != Ok(None) {
            return found;
        }
        let stated = settled(|links| files::read_invariants(links, live_source, live.policies_origin));
        let stated = stated.unwrap_or_else(|| Err(vec![unsettled(&live_source.policies.to_string())]));
        Self { stated, ..found }
    }

    /// Reads all of it, until it is the same twice.
    pub(super) fn settle(
        source: &Source,
        policies: impl Fn(&mut Links) -> Result<Files, Vec<Problem>>,
        schema: impl Fn(&mut Links) -> Result<Files, Vec<Problem>>,
    ) -> Self {
        let found = settled(|links| {
            let (policies, schema) = (policies(links), schema(links));
            let origin = policies.as_ref().ok().map(|files| files.origin);
            // What is built in is tested where it is built.
            let tested = source.policies.path().filter(|_| source.tests && origin == Some(Origin::Folder));
            let tests = tested.map_or(Ok(None), |folder| Suite::read_once(links, &folder.join(FOLDER)));
            // They are held against what stands in for policies that cannot be read, too.
            let stated = files::read_invariants(links, source, origin.unwrap_or(Origin::Folder));
            Self { policies, schema, contents: None, tests, is_tested: tested.is_some(), stated }
        });
        let mut found = found.unwrap_or_else(|| {
            let problem = unsettled(&source.policies.to_string());
            let (policies, schema) = (Err(vec![problem]), Err(Vec::new()));
            Self { policies, schema, contents: None, tests: Ok(None), is_tested: false, stated: Ok(None) }
        });
        if let (Ok(policies), Ok(schema)) = (&found.policies, &found.schema) {
            found.contents = Some(Contents::of(policies, schema));
        }
        found
    }

    /// The files of one folder as they are kept, sorted, if they could be read.
    pub fn files(&self, folder: PolicyFolder) -> Option<Vec<PolicyFile>> {
        let files = match folder {
            PolicyFolder::Policies => &self.policies,
            PolicyFolder::Schema => &self.schema,
        };
        files.as_ref().ok().map(|files| files.kept(folder))
    }

    /// What was read, if all of it could be.
    pub fn contents(&self) -> Option<&Contents> {
        self.contents.as_ref()
    }

    /// Where policies and schema come from: what could not be read is in a folder.
    pub(in crate::authz) fn origins(&self) -> [Origin; 2] {
        [&self.policies, &self.schema].map(|files| files.as_ref().map_or(Origin::Folder, |files| files.origin))
    }

    /// The tests that were read.
    pub(in crate::authz) fn tests(&self) -> &Tests {
        &self.tests
    }

    /// Finds out whether these tests hold for `generation`; gives how many there are, if any are to be run.
    pub(in crate::authz) fn test(&self, generation: &Generation) -> Result<Option<u32>, LoadError> {
        super::test(generation, &self.tests).map(|count| Some(count).filter(|_| self.is_tested))
    }

    /// The invariants that were read.
    pub(in crate::authz) fn stated(&self) -> &Stated {
        &self.stated
    }

    /// Parses and validates what was read. The generation is known by the number that `number` gives, which is asked
    /// last, when nothing can fail any more.
    ///
    /// `built` are samples of the entities that Gatepost itself builds, one at least of each type: a schema may leave out
    /// their types, but what it says of them must fit.
    pub fn load(self, number: impl FnOnce(&Generation) -> u64, built: &[Entity]) -> Result<Generation, LoadError> {
        self.load_if(|_, _| Ok(()), number, built)
    }

    /// The same, if `holds` finds nothing wrong with the generation, in which all else is right.
    pub(in crate::authz) fn load_if(
        self,
        holds: impl FnOnce(&Generation, &Stated) -> Result<(), LoadError>,
        number: impl FnOnce(&Generation) -> u64,
        built: &[Entity],
    ) -> Result<Generation, LoadError> {
        load_files(self, holds, number, built)
    }
}
