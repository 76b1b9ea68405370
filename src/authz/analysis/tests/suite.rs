//! The files of a folder of tests, read and run.

use std::path::Path;
use std::sync::Arc;

use super::coverage::Coverage;
use super::{Case, Failure, Report, TestResult, cedar, table};
use crate::authz::generation::{Generation, Links, SourceFile, read_existing, settled, unsettled};
use crate::authz::problem::Problem;

/// Files with expected decisions.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    files: Vec<SourceFile>,
}

impl Suite {
    /// Reads the `*.toml` and `*.json` files of the folder; nothing if it does not exist.
    pub fn read(folder: &Path) -> Result<Option<Self>, Vec<Problem>> {
        let suite = settled(|links| Self::read_once(links, folder));
        suite.unwrap_or_else(|| Err(vec![unsettled(&folder.display().to_string())]))
    }

    /// The same of files that count only if they are found again.
    pub(in crate::authz) fn read_once(links: &mut Links, folder: &Path) -> Result<Option<Self>, Vec<Problem>> {
        let Some(tables) = read_existing(links, folder, "toml", "")? else { return Ok(None) };
        let Some(cedar) = read_existing(links, folder, "json", "")? else { return Ok(None) };
        let mut files = tables;
        files.extend(cedar);
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Some(Self { files }))
    }

    /// The tests of the built-in policies.
    pub fn built_in() -> Self {
        let file = |name: &str, text: &str| SourceFile::apart(format!("built-in policies/tests/{name}"), text);
        Self {
            files: vec![
                file("accounts.toml", include_str!("../../../../policies/tests/accounts.toml")),
                file("cedar.json", include_str!("../../../../policies/tests/cedar.json")),
                file("matrix.toml", include_str!("../../../../policies/tests/matrix.toml")),
                file("scopes.toml", include_str!("../../../../policies/tests/scopes.toml")),
            ],
        }
    }

    /// The files' names.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }

    /// The files.
    pub(in crate::authz) fn texts(&self) -> &[SourceFile] {
        &self.files
    }

    /// Runs the tests. An error tells everything that is wrong with the files.
    pub fn run(&self, generation: &Generation) -> Result<Report, Vec<Problem>> {
        self.run_each(generation, |_, _| {})
    }

    /// The same, and what of the policies the tests have exercised.
    pub fn run_with_coverage(&self, generation: &Generation) -> Result<(Report, Coverage), Vec<Problem>> {
        let mut coverage = Coverage::new(generation);
        let report = self.run_each(generation, |action, asked| coverage.add(generation, action, asked))?;
        Ok((report, coverage))
    }

    fn run_each(
        &self,
        generation: &Generation,
        mut observe: impl FnMut(u16, &super::Asked),
    ) -> Result<Report, Vec<Problem>> {
        let (mut report, mut problems) = (Report::default(), Vec::new());
        for file in &self.files {
            let name: Arc<str> = file.name.as_str().into();
            for case in self.cases(file, generation, &mut problems) {
                let (decision, asked) = case.decide(generation);
                if let Some((action, asked)) = asked {
                    observe(action, &asked);
                }
                let place = || Problem::at(&file.name, &file.text, case.span.clone(), "");
                let failure = case.expected.missed(&decision).map(|(expected, came)| {
                    let message = format!("{}: expected {expected}, came {came}", case.name);
                    let problem = Problem::at(&file.name, &file.text, case.span.clone(), message);
                    let (policies, errors) = (decision.policies().to_vec(), decision.errors().to_vec());
                    Failure { expected, came, policies, errors, problem }
                });
                let line = place().line().unwrap_or(1);
                report.results.push(TestResult { file: Arc::clone(&name), line, name: case.name, failure });
            }
        }
        problems.sort();
        problems.dedup();
        if problems.is_empty() { Ok(report) } else { Err(problems) }
    }

    fn cases(&self, file: &SourceFile, generation: &Generation, problems: &mut Vec<Problem>) -> Vec<Case> {
        if Path::new(&file.name).extension().is_some_and(|extension| extension == "toml") {
            return table::read(file, generation, problems);
        }
        let beside = |name: &str| {
            let found = self.files.iter().find(|file| Path::new(&file.name).file_name().is_some_and(|own| own == name));
            found.map(|file| file.text.as_str())
        };
        cedar::read(file, generation, beside, problems)
    }
}

#[cfg(test)]
mod tests;
