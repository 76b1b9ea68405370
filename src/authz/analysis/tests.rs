//! Expected decisions: files that say what policies must decide, held against the engine.
//!
//! They lie in the folder `tests` beside the policies: tables in TOML, and the tests of Cedar's command line, in JSON.

mod case;
mod cedar;
mod coverage;
mod suite;
mod table;

use std::ops::Range;
use std::sync::Arc;

use self::case::Question;
pub use self::coverage::{Condition, ConditionKind, Coverage, PolicyCoverage};
pub use self::suite::Suite;
use super::super::decision::Decision;
use super::super::evaluate::{Asked, conclude, failed};
use super::super::facts::Facts;
use super::super::generation::Generation;
use super::super::problem::Problem;

/// The folder with the tests, in that of the policies.
pub const FOLDER: &str = "tests";

/// What came of the tests.
#[derive(Debug, Default)]
pub struct Report {
    results: Vec<TestResult>,
}

/// What came of one expected decision.
#[derive(Debug)]
pub struct TestResult {
    /// The file.
    pub file: Arc<str>,
    /// The line on which the test begins, from 1.
    pub line: usize,
    /// What is asked, or the name that the test has in its file.
    pub name: String,
    /// What is not as expected, if anything is.
    pub failure: Option<Failure>,
}

/// A decision that is not as expected.
#[derive(Debug)]
pub struct Failure {
    /// What was expected.
    pub expected: String,
    /// What came.
    pub came: String,
    /// The policies that decided.
    pub policies: Vec<Arc<str>>,
    /// What went wrong in policies.
    pub errors: Vec<Arc<str>>,
    /// All of it, with the place.
    pub problem: Problem,
}

impl Report {
    /// Each expected decision, in the order of the files.
    pub fn results(&self) -> &[TestResult] {
        &self.results
    }

    /// Those that are not as expected.
    pub fn failures(&self) -> impl Iterator<Item = (&TestResult, &Failure)> {
        self.results.iter().filter_map(|result| Some((result, result.failure.as_ref()?)))
    }

    /// The same, as problems of the files.
    pub fn problems(&self) -> impl Iterator<Item = &Problem> {
        self.failures().map(|(_, failure)| &failure.problem)
    }
}

/// A question, and what it must be answered.
struct Case {
    name: String,
    /// Where it stands in its file.
    span: Range<usize>,
    body: Body,
    expected: Expected,
}

enum Body {
    /// In the words of the account system.
    Told(Box<Question>),
    /// In Cedar's, about the action with this index.
    Cedar { action: u16, asked: Box<Asked> },
}

struct Expected {
    outcome: Outcome,
    because: Because,
    /// How many policies fail, if that is told.
    errors: Option<usize>,
}

/// Which policies must have decided.
enum Because {
    Untold,
    /// These and no others.
    Exactly(Vec<String>),
    /// These, and maybe others.
    Among(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Allow,
    Deny,
    /// A policy failed, or the question does not fit the schema: a deny that nobody wanted.
    Error,
}

impl Outcome {
    const ALL: [Self; 3] = [Self::Allow, Self::Deny, Self::Error];

    fn of(decision: &Decision) -> Self {
        match (decision.permit(), decision.errors().is_empty()) {
            (Some(_), _) => Self::Allow,
            (None, true) => Self::Deny,
            (None, false) => Self::Error,
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Error => "error",
        }
    }
}

impl Case {
    /// What the policies say, and of what, unless it could not be asked.
    fn decide(&self, generation: &Generation) -> (Decision, Option<(u16, Asked)>) {
        let (index, asked) = match &self.body {
            Body::Told(question) => (question.action, question.ask(generation)),
            Body::Cedar { action, asked } => {
                let Asked { request, entities } = &**asked;
                (*action, Ok(Asked { request: request.clone(), entities: entities.clone() }))
            }
        };
        let action = generation.prepared().action(index).ok_or("the action is not one of this generation");
        match asked.and_then(|asked| Ok((action?, asked))) {
            Ok((action, asked)) => (conclude(generation, action, &asked, None), Some((index, asked))),
            Err(error) => (failed(generation, &Facts::Nothing, error), None),
        }
    }
}

impl Expected {
    /// What is not as expected of the decision: both, in words.
    fn missed(&self, decision: &Decision) -> Option<(String, String)> {
        let outcome = Outcome::of(decision);
        let came: Vec<&str> = decision.policies().iter().map(|policy| &**policy).collect();
        if outcome != self.outcome {
            return Some((self.outcome.as_str().to_owned(), told(outcome, &came, decision)));
        }
        let (expected, holds) = match &self.because {
            Because::Untold => (Vec::new(), true),
            Because::Exactly(policies) => {
                let mut expected: Vec<&str> = policies.iter().map(String::as_str).collect();
                expected.sort_unstable();
                expected.dedup();
                let holds = expected == came;
                (expected, holds)
            }
            Because::Among(policies) => {
                let expected: Vec<&str> = policies.iter().map(String::as_str).collect();
                let holds = expected.iter().all(|policy| came.contains(policy));
                (expected, holds)
            }
        };
        if !holds {
            let expected = format!("{} because of {}", self.outcome.as_str(), list(&expected));
            return Some((expected, told(outcome, &came, decision)));
        }
        let (expected, came) = (self.errors?, decision.errors().len());
        (expected != came).then(|| (format!("{expected} policies that fail"), format!("{came}")))
    }
}

/// An outcome with what decided it.
fn told(outcome: Outcome, policies: &[&str], decision: &Decision) -> String {
    match (outcome, policies) {
        (Outcome::Error, _) => {
            let errors: Vec<&str> = decision.errors().iter().map(|error| &**error).collect();
            format!("error: {}", errors.join("; "))
        }
        (Outcome::Deny, []) => "deny, since no policy permits it".to_owned(),
        _ => format!("{} because of {}", outcome.as_str(), list(policies)),
    }
}

fn list(policies: &[&str]) -> String {
    if policies.is_empty() {
        return "no policy".to_owned();
    }
    policies.iter().map(|policy| format!("`{policy}`")).collect::<Vec<_>>().join(", ")
}
