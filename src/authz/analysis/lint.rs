//! Whether policies, schema, routes and entities are right: all that keeps them from being loaded, and what is odd about
//! them although they could be.

mod attributes;
mod outcomes;
mod policies;
mod routes;
mod rule;

use cedar_policy_core::parser::Loc;

pub use self::rule::{Rule, Severity};
use super::tests::{FOLDER, Suite};
use crate::authz::entities;
use crate::authz::generation::files::SourceFile;
use crate::authz::generation::{self, Generation, Origin, Source};
use crate::authz::problem::Problem;

/// What was found.
#[derive(Debug)]
pub struct Report {
    /// The files that were looked at.
    pub files: Vec<String>,
    /// Whether they could be loaded. If not, there are only errors: what else is odd cannot be told yet.
    pub loads: bool,
    /// How many policies they have, if they could be loaded.
    pub policies: usize,
    /// How many routes they have, if they could be loaded.
    pub routes: usize,
    /// How many expected decisions were tried, if any were to be.
    pub tests: Option<usize>,
    /// The findings, by file and line.
    pub findings: Vec<Finding>,
}

/// Something that is wrong or odd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule that says so.
    pub rule: Rule,
    /// Where and what.
    pub problem: Problem,
}

/// Looks at all files of a generation, and runs the tests beside its policies if a server with this source would.
pub fn lint(source: &Source) -> Report {
    // They are run below: a test that fails keeps nothing else from being told.
    let untested = Source { tests: false, ..source.clone() };
    let (files, loaded) = generation::load_with_files(&untested, &entities::samples());
    let mut findings: Vec<Finding> = match &loaded {
        Ok(generation) => Lint { generation, files: &files, findings: Vec::new() }.run(),
        Err(error) => error.problems().iter().map(|problem| Finding::of_load(problem, source)).collect(),
    };
    let tests = loaded.as_ref().ok().and_then(|generation| test(generation, source, &mut findings));
    let place = |finding: &Finding| (finding.problem.clone(), finding.rule);
    findings.sort_by_cached_key(place);
    let count = |of: fn(&Generation) -> usize| loaded.as_ref().map(of).unwrap_or_default();
    Report {
        loads: loaded.is_ok(),
        policies: count(|generation| generation.policies().policies().count()),
        routes: count(|generation| generation.routes().as_slice().len()),
        tests,
        files: files.into_iter().map(|file| file.name).collect(),
        findings,
    }
}

/// Runs the tests; gives how many there are, unless there is nothing to run.
fn test(generation: &Generation, source: &Source, findings: &mut Vec<Finding>) -> Option<usize> {
    let is_tested = source.tests && generation.policies_origin() == Origin::Folder;
    let folder = source.policies.path().filter(|_| is_tested)?.join(FOLDER);
    let find = |problem| Finding { rule: Rule::TestFailed, problem };
    let report = Suite::read(&folder).and_then(|suite| suite.map(|suite| suite.run(generation)).transpose());
    match report {
        Ok(None) => None,
        Ok(Some(report)) => {
            findings.extend(report.problems().cloned().map(find));
            Some(report.results().len()).filter(|count| *count > 0)
        }
        Err(problems) => {
            findings.extend(problems.into_iter().map(find));
            None
        }
    }
}

impl Report {
    /// Adds that the tests are gone, if the generation `number` went by so many, and there are none beside the policies of
    /// `source`, although a server would run them.
    pub fn compare_tests(&mut self, source: &Source, number: u64, before: Option<u32>) {
        let Some((before, folder)) = before.filter(|&before| before > 0).zip(source.policies.path()) else { return };
        if source.tests && self.loads && self.tests.is_none() && self.count(Severity::Error) == 0 {
            let message = format!("there is no test, and generation {number} went by {before}");
            let problem = Problem::with(&folder.join(FOLDER).display().to_string(), message);
            let problem =
                problem.help("nothing holds policies any more to what they were held to: bring the tests back");
            self.findings.push(Finding { rule: Rule::TestsGone, problem });
        }
    }

    /// How many findings are of this severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.rule.severity() == severity).count()
    }
}

impl Finding {
    /// What keeps files from being loaded. Which kind of file it is says which rule it is.
    fn of_load(problem: &Problem, source: &Source) -> Self {
        let file = problem.file();
        let is_folder = [&source.policies, &source.schema].iter().any(|folder| folder.to_string() == file);
        let rule = match file.rsplit_once('.') {
            _ if is_folder => Rule::FolderInvalid,
            Some((_, "cedar")) => Rule::PolicyInvalid,
            Some((_, "cedarschema")) => Rule::SchemaInvalid,
            Some((_, "toml")) => Rule::RouteInvalid,
            Some((_, "json")) => Rule::EntityInvalid,
            _ => Rule::FolderInvalid,
        };
        Self { rule, problem: problem.clone() }
    }
}

/// Looks at a generation that could be loaded.
struct Lint<'a> {
    generation: &'a Generation,
    files: &'a [SourceFile],
    findings: Vec<Finding>,
}

impl Lint<'_> {
    fn run(mut self) -> Vec<Finding> {
        let outcomes = outcomes::Outcomes::of(self.generation);
        self.policies(&outcomes);
        self.actions(&outcomes);
        self.unreached_routes();
        self.unread_attributes();
        self.findings
    }

    fn find(&mut self, rule: Rule, problem: Problem) {
        self.findings.push(Finding { rule, problem });
    }

    /// The problem at the place that Cedar has noted while it parsed.
    fn at(&self, place: Option<&Loc>, message: impl std::fmt::Display) -> Problem {
        let found = place.and_then(|loc| Some((self.files.iter().find(|file| *file.text == *loc.src)?, loc)));
        match found {
            Some((file, loc)) => Problem::at(&file.name, &file.text, loc.start()..loc.end(), message),
            None => Problem::with("policies", message),
        }
    }
}

#[cfg(test)]
mod tests;
