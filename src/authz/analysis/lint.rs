//! Whether policies, schema, routes and entities are right: all that keeps them from being loaded, and what is odd about
//! them although they could be.

mod attributes;
mod outcomes;
mod policies;
mod routes;
mod rule;

use cedar_policy_core::parser::Loc;

pub use self::rule::{Rule, Severity};
use crate::authz::entities;
use crate::authz::generation::files::SourceFile;
use crate::authz::generation::{self, Generation, Source};
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

/// Looks at all files of a generation.
pub fn lint(source: &Source) -> Report {
    let (files, loaded) = generation::load_with_files(source, &entities::samples());
    let mut findings: Vec<Finding> = match &loaded {
        Ok(generation) => Lint { generation, files: &files, findings: Vec::new() }.run(),
        Err(error) => error.problems().iter().map(|problem| Finding::of_load(problem, source)).collect(),
    };
    let place = |finding: &Finding| (finding.problem.clone(), finding.rule);
    findings.sort_by_cached_key(place);
    let count = |of: fn(&Generation) -> usize| loaded.as_ref().map(of).unwrap_or_default();
    Report {
        loads: loaded.is_ok(),
        policies: count(|generation| generation.policies().policies().count()),
        routes: count(|generation| generation.routes().as_slice().len()),
        files: files.into_iter().map(|file| file.name).collect(),
        findings,
    }
}

impl Report {
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
