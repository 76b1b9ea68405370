//! What came of the tests, as it is shown.

use serde::Serialize;

use crate::authz::analysis::tests::{ConditionKind, Coverage, Report, Suite};
use crate::authz::problem::Problem;
use crate::cli::output::printable;

/// All of it.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    files: usize,
    tests: usize,
    failures: Vec<Failed>,
    coverage: Covered,
}

#[derive(Debug, Serialize)]
struct Failed {
    file: String,
    line: usize,
    name: String,
    expected: String,
    came: String,
    policies: Vec<String>,
    errors: Vec<String>,
    #[serde(skip)]
    problem: String,
}

#[derive(Debug, Serialize)]
struct Covered {
    policies: usize,
    policies_covered: usize,
    conditions: usize,
    conditions_covered: usize,
    uncovered: Vec<Uncovered>,
}

/// Something that was not exercised, or one way only.
#[derive(Debug, Serialize)]
struct Uncovered {
    file: String,
    line: usize,
    column: usize,
    policy: String,
    /// Absent if no question has satisfied the policy.
    condition: Option<String>,
    never: &'static str,
}

impl Document {
    pub(super) fn new(suite: &Suite, report: &Report, coverage: &Coverage) -> Self {
        let failures = report.failures().map(|(result, failure)| Failed {
            file: result.file.to_string(),
            line: result.line,
            name: result.name.clone(),
            expected: failure.expected.clone(),
            came: failure.came.clone(),
            policies: failure.policies.iter().map(ToString::to_string).collect(),
            errors: failure.errors.iter().map(ToString::to_string).collect(),
            problem: failure.problem.to_string(),
        });
        Self {
            files: suite.files().count(),
            tests: report.results().len(),
            failures: failures.collect(),
            coverage: Covered::new(coverage),
        }
    }

    pub(super) fn failed(&self) -> bool {
        !self.failures.is_empty()
    }

    /// Each failure, what is not covered if that is wanted, and a line that sums up.
    pub(super) fn text(&self, with_uncovered: bool) -> String {
        let mut text = String::new();
        for failure in &self.failures {
            failure.problem.lines().for_each(|line| text.push_str(&format!("{}\n", printable(line))));
        }
        for uncovered in self.coverage.uncovered.iter().filter(|_| with_uncovered) {
            text.push_str(&format!("{}\n", printable(&uncovered.text())));
        }
        let came = match self.failures.len() {
            0 => "all as expected".to_owned(),
            some => format!("{some} not as expected"),
        };
        let (tests, files) = (counted(self.tests, "test"), counted(self.files, "file"));
        text.push_str(&format!("{tests} in {files}: {came}\n"));
        let Covered { policies, policies_covered, conditions, conditions_covered, .. } = &self.coverage;
        text.push_str(&format!(
            "covered: {policies_covered} of {policies} policies, {conditions_covered} of {conditions} conditions\n"
        ));
        text
    }
}

impl Covered {
    fn new(coverage: &Coverage) -> Self {
        let mut covered =
            Self { policies: 0, policies_covered: 0, conditions: 0, conditions_covered: 0, uncovered: Vec::new() };
        for policy in coverage.policies() {
            covered.policies += 1;
            covered.policies_covered += usize::from(policy.satisfied);
            let uncovered = |line, column, condition, never| Uncovered {
                file: policy.file.clone(),
                line,
                column,
                policy: policy.id.clone(),
                condition,
                never,
            };
            if !policy.satisfied {
                covered.uncovered.push(uncovered(policy.line, 1, None, "satisfied"));
            }
            for condition in &policy.conditions {
                covered.conditions += 1;
                covered.conditions_covered += usize::from(condition.is_covered());
                let never = match (condition.was_true, condition.was_false) {
                    (true, true) => continue,
                    (false, false) => "evaluated",
                    (false, true) => "true",
                    (true, false) => "false",
                };
                let text = match condition.kind {
                    ConditionKind::Clause => format!("the condition `{}`", condition.text),
                    ConditionKind::Operand => format!("`{}`", condition.text),
                };
                covered.uncovered.push(uncovered(condition.line, condition.column, Some(text), never));
            }
        }
        covered
    }
}

impl Uncovered {
    fn text(&self) -> String {
        let Self { file, line, column, policy, condition, never } = self;
        match condition {
            Some(condition) => format!("{file}:{line}:{column}: `{policy}`: {condition} was never {never}"),
            None => format!("{file}:{line}:{column}: `{policy}` was never {never}"),
        }
    }
}

/// The results as JUnit's XML: a suite for each file.
pub(super) fn junit(report: &Report) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in report.results().chunk_by(|a, b| a.file == b.file) {
        let Some(first) = suite.first() else { continue };
        let failures = suite.iter().filter(|result| result.failure.is_some()).count();
        let (file, tests) = (escaped(&first.file), suite.len());
        text.push_str(&format!("  <testsuite name=\"{file}\" tests=\"{tests}\" failures=\"{failures}\">\n"));
        for result in suite {
            let (name, line) = (escaped(&result.name), result.line);
            text.push_str(&format!(
                "    <testcase classname=\"{file}\" name=\"{name}\" file=\"{file}\" line=\"{line}\""
            ));
            match &result.failure {
                None => text.push_str("/>\n"),
                Some(failure) => {
                    let message = escaped(&format!("expected {}, came {}", failure.expected, failure.came));
                    text.push_str(&format!("><failure message=\"{message}\"/></testcase>\n"));
                }
            }
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// The text within XML. What XML cannot hold is left out.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(' '),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}

/// All problems, one below the other.
pub(super) fn all(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    format!("the tests cannot be run\n{}", all.join("\n"))
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
