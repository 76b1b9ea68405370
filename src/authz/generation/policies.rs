//! From the texts of policies to one validated set.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::thread::available_parallelism;

use cedar_policy::{ParseErrors, Policy, PolicyId, PolicySet, Schema, ValidationError, ValidationMode, Validator};
use miette::Diagnostic;

use super::depth;
use super::files::{Files, SourceFile};
use super::validation::Glance;
use crate::authz::problem::Problem;

/// Policies that are in order by themselves, and where each was found.
pub(super) struct Parsed<'a> {
    set: PolicySet,
    places: HashMap<PolicyId, Place<'a>>,
}

#[derive(Clone)]
struct Place<'a> {
    file: &'a SourceFile,
    span: Range<usize>,
}

impl Place<'_> {
    fn problem(&self, message: impl std::fmt::Display) -> Problem {
        Problem::at(&self.file.name, &self.file.text, self.span.clone(), message)
    }

    fn line(&self) -> usize {
        self.problem("").line().unwrap_or(1)
    }
}

/// Parses each file by itself, so that a problem is found in the file that has it.
pub(super) fn parse<'a>(files: &'a Files, problems: &mut Vec<Problem>) -> Parsed<'a> {
    let before = problems.len();
    let mut parsed = Parsed { set: PolicySet::new(), places: HashMap::new() };
    let bytes: usize = files.cedar.iter().map(|file| file.text.len()).sum();
    let least = if bytes < 64 * 1024 { files.cedar.len() } else { 1 };
    let read: Vec<Result<PolicySet, Vec<Problem>>> =
        in_parallel(&files.cedar, least, |files| files.iter().map(parse_file).collect());
    for (file, read) in files.cedar.iter().zip(read) {
        match read {
            Ok(set) => parsed.add_file(file, &set, problems),
            Err(found) => problems.extend(found),
        }
    }
    if parsed.set.is_empty() && problems.len() == before {
        let problem =
            Problem::with(&files.folder, "there is no policy in any of the files: everything would be denied");
        problems.push(problem.help("to deny everything on purpose, write `forbid (principal, action, resource);`"));
    }
    parsed
}

/// The policies of one file.
pub(in crate::authz) fn parse_file(file: &SourceFile) -> Result<PolicySet, Vec<Problem>> {
    depth::check(file).map_err(|problem| vec![problem])?;
    let parsed: Result<PolicySet, ParseErrors> = file.text.parse();
    parsed.map_err(|errors| errors.iter().map(|error| diagnosed(file, error, 0..0)).collect())
}

impl<'a> Parsed<'a> {
    fn add_file(&mut self, file: &'a SourceFile, set: &PolicySet, problems: &mut Vec<Problem>) {
        for template in set.templates() {
            let place = Place { file, span: find(&file.text, &template.to_cedar(), 0) };
            let problem = place.problem("a template with slots (`?principal`, `?resource`) is not a policy");
            problems.push(problem.help("write a policy for each principal or resource, or test membership in a group"));
        }
        let stem = Path::new(&file.name).file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
        let mut end = 0;
        for (policy, number) in in_order(set).into_iter().zip(1..) {
            let span = find(&file.text, &policy.to_cedar().unwrap_or_default(), end);
            end = span.end;
            let place = Place { file, span };
            match policy.annotation("id") {
                Some("") => problems.push(place.problem("the policy's `@id` is empty")),
                Some(id) => self.add(policy.new_id(PolicyId::new(id)), place, problems),
                None => self.add(policy.new_id(PolicyId::new(format!("{stem}#{number}"))), place, problems),
            }
        }
    }

    fn add(&mut self, policy: Policy, place: Place<'a>, problems: &mut Vec<Problem>) {
        let id = policy.id().clone();
        if let Some(first) = self.places.get(&id) {
            let message = format!("a second policy has the id `{id}`");
            let help = format!("the first is at {}:{}", first.file.name, first.line());
            problems.push(place.problem(message).help(help));
            return;
        }
        match self.set.add(policy) {
            Ok(()) => drop(self.places.insert(id, place)),
            Err(error) => problems.push(place.problem(error)),
        }
    }

    /// Where each policy stands: a problem that has no message yet.
    pub(super) fn places(&self) -> HashMap<PolicyId, Problem> {
        self.places.iter().map(|(id, place)| (id.clone(), place.problem(""))).collect()
    }

    /// Holds the policies against the schema, strictly: a warning is a problem, too. Gives the set, which is to be used
    /// only if no problem was found, and the name of each policy's file.
    pub(super) fn validate(
        self,
        schema: &Schema,
        problems: &mut Vec<Problem>,
    ) -> (PolicySet, HashMap<PolicyId, Arc<str>>) {
        let policies: Vec<&Policy> = self.set.policies().collect();
        let (glance, validator) = (Glance::new(schema.as_ref()), Validator::new(schema.clone()));
        // Each policy is validated by itself, which takes most of the time of loading. Cedar says what is wrong.
        let doubtful = in_parallel(&policies, 64, |policies| {
            let in_doubt = |policy: &&&Policy| {
                let policy: &cedar_policy_core::ast::Policy = (**policy).as_ref();
                !glance.is_beyond_doubt(policy.template())
            };
            policies.iter().filter(in_doubt).copied().collect()
        });
        let found = in_parallel(&doubtful, 64, |policies| {
            match PolicySet::from_policies(policies.iter().map(|policy| (*policy).clone())) {
                Ok(set) => self.found(&validator, &set),
                Err(error) => vec![Problem::with("policies", error)],
            }
        });
        // One mistake is found again for each action and type that the policy is for.
        problems.extend(Problem::one_per_place(found));
        let files = self.places.into_iter().map(|(id, place)| (id, place.file.name.as_str().into()));
        (self.set, files.collect())
    }

    fn found(&self, validator: &Validator, policies: &PolicySet) -> Vec<Problem> {
        let result = validator.validate(policies, ValidationMode::Strict);
        let failed: HashSet<&PolicyId> = result.validation_errors().map(ValidationError::policy_id).collect();
        let errors = result.validation_errors().map(|error| (error.policy_id(), error as &dyn Diagnostic));
        // What else is odd about a policy that has an error mostly follows from the error.
        let warnings = result.validation_warnings().filter(|warning| !failed.contains(warning.policy_id()));
        let warnings = warnings.map(|warning| (warning.policy_id(), warning as &dyn Diagnostic));
        let problem = |(id, error): (&PolicyId, &dyn Diagnostic)| match self.places.get(id) {
            Some(place) => diagnosed(place.file, error, place.span.clone()),
            None => Problem::with("policies", error),
        };
        let found: Vec<Problem> = errors.chain(warnings).map(problem).collect();
        if found.is_empty() && !result.validation_passed_without_warnings() {
            return vec![Problem::with("policies", "the policies do not fit the schema")];
        }
        found
    }
}

/// What `work` gives for all items, which are given to it in as many parts as there are processors, but for fewer than
/// `least`, which are not worth a thread.
pub(in crate::authz) fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    least: usize,
    work: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let parts = available_parallelism().map_or(1, usize::from);
    let size = items.len().div_ceil(parts).max(least);
    let Some((first, others)) = items.split_at_checked(size) else { return work(items) };
    std::thread::scope(|scope| {
        let others: Vec<_> = others.chunks(size).map(|part| scope.spawn(|| work(part))).collect();
        let mut all = work(first);
        for other in others {
            match other.join() {
                Ok(more) => all.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

/// The policies in the order of their file.
fn in_order(set: &PolicySet) -> Vec<&Policy> {
    // The parser numbers them: `policy0`, `policy1`, and so on.
    let number = |policy: &&Policy| {
        let id: &str = policy.id().as_ref();
        id.strip_prefix("policy").and_then(|number| number.parse::<usize>().ok())
    };
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(number);
    policies
}

fn find(text: &str, policy: &str, from: usize) -> Range<usize> {
    let at = text.get(from..).and_then(|rest| rest.find(policy)).map_or(from, |at| from + at);
    at..at + policy.len()
}

/// A problem that Cedar has found in `file`, at the place that it marks, or else at `fallback`.
pub(in crate::authz) fn diagnosed(file: &SourceFile, error: &dyn Diagnostic, fallback: Range<usize>) -> Problem {
    let label = error.labels().and_then(|mut labels| labels.next());
    let span = label.as_ref().map_or(fallback, |label| label.offset()..label.offset() + label.len());
    let problem = Problem::at(&file.name, &file.text, span, error);
    let hint = label.as_ref().and_then(|label| label.label()).map(str::to_owned);
    match (hint, error.help()) {
        (Some(hint), Some(help)) => problem.help(format_args!("{hint}; {help}")),
        (Some(hint), None) => problem.help(hint),
        (None, Some(help)) => problem.help(help),
        (None, None) => problem,
    }
}
