//! What came of a corpus.

use std::fmt::Display;

use cedar_policy::Decision;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::output::printable;

/// An answer to a request, expected or given.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) decision: Decision,
    /// The policies that determined it.
    pub(super) reason: Vec<String>,
    /// The policies that failed.
    pub(super) errors: Vec<String>,
    /// How they failed.
    pub(super) messages: Vec<String>,
}

impl Answer {
    /// Lists that differ in their order only are the same.
    pub(super) fn sort(&mut self) {
        [&mut self.reason, &mut self.errors, &mut self.messages].into_iter().for_each(|list| list.sort());
    }

    fn decision(&self) -> &'static str {
        match self.decision {
            Decision::Allow => "allow",
            Decision::Deny => "deny",
        }
    }
}

/// What was run, and what was not as it should be.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    pub(super) tests: usize,
    pub(super) requests: usize,
    differences: Vec<Difference>,
}

/// Something that is not as it should be.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub(super) enum Difference {
    /// What is expected, what Cedar says and what the index says is not the same.
    Answer {
        file: String,
        request: String,
        part: &'static str,
        #[serde(flatten)]
        said: Box<Said>,
    },
    /// The policies fit the schema, or do not, against what is expected.
    Validation { file: String, expected: bool, cedar: bool },
    /// A test, or one of its requests, cannot be run.
    Unreadable { file: String, request: Option<String>, error: String },
}

/// The same part of each answer.
#[derive(Debug, Serialize)]
pub(super) struct Said {
    expected: Value,
    cedar: Value,
    index: Value,
}

impl Difference {
    pub(super) fn unreadable(file: &str, request: Option<&str>, error: &anyhow::Error) -> Self {
        Self::Unreadable { file: file.to_owned(), request: request.map(str::to_owned), error: format!("{error:#}") }
    }

    fn text(&self) -> String {
        match self {
            Self::Answer { file, request, part, said } => {
                let Said { expected, cedar, index } = &**said;
                format!("{file}: {request}: {part}: expected {expected}, Cedar says {cedar}, the index says {index}")
            }
            Self::Validation { file, expected, cedar } => {
                let told = |fits| if fits { "fit" } else { "do not fit" };
                format!("{file}: the policies {} the schema, expected was that they {}", told(*cedar), told(*expected))
            }
            Self::Unreadable { file, request: Some(request), error } => format!("{file}: {request}: {error}"),
            Self::Unreadable { file, request: None, error } => format!("{file}: {error}"),
        }
    }
}

impl Report {
    pub(super) fn is_empty(&self) -> bool {
        self.tests == 0 && self.differences.is_empty()
    }

    pub(super) fn is_good(&self) -> bool {
        self.differences.is_empty()
    }

    pub(super) fn add(&mut self, difference: Difference) {
        self.differences.push(difference);
    }

    /// Adds each part in which the answers are not all the same. How a policy fails is not expected, but Cedar and the
    /// index must say the same.
    pub(super) fn compare(&mut self, file: &str, request: &str, expected: &Answer, cedar: &Answer, index: &Answer) {
        let mut compare = |part, of: fn(&Answer) -> Value, expected: &Answer| {
            let said = Said { expected: of(expected), cedar: of(cedar), index: of(index) };
            if said.expected != said.cedar || said.cedar != said.index {
                let (file, request, said) = (file.to_owned(), request.to_owned(), Box::new(said));
                self.add(Difference::Answer { file, request, part, said });
            }
        };
        compare("decision", |answer| json!(answer.decision()), expected);
        compare("reason", |answer| json!(answer.reason), expected);
        compare("errors", |answer| json!(answer.errors), expected);
        compare("messages", |answer| json!(answer.messages), cedar);
    }

    /// One line for each difference, and one that sums up.
    pub(super) fn text(&self) -> String {
        let differences = match self.differences.len() {
            0 => "no difference".to_owned(),
            some => counted(some, "difference"),
        };
        let sum = format!("{}, {}: {differences}", counted(self.tests, "test"), counted(self.requests, "request"));
        let lines = self.differences.iter().map(Difference::text).chain([sum]);
        lines.map(|line| printable(&line) + "\n").collect()
    }
}

fn counted(count: usize, what: impl Display) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
