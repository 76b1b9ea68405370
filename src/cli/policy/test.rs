//! `gatepost policy test`: whether policies decide as they must, and what of them no test has exercised.

mod report;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;

use self::report::{Document, junit};
use crate::authz::analysis::tests::{FOLDER, Suite};
use crate::authz::analysis::{self};
use crate::authz::generation::{Origin, Source};
use crate::cli::FAILURE;
use crate::cli::settings::Settings;

/// Run the tests of the policies: expected decisions, held against the engine
///
/// They are files in the folder `tests` of the policies: tables in TOML (`[[test]]`, `[[table]]`), and the JSON of
/// `cedar run-tests`. A server runs them before it takes policies into force. Coverage tells which policies no question
/// has satisfied, and which conditions, down to each operand of `&&` and `||`, have not come out both as true and as
/// false. Exit code: 0 all as expected, 1 not all or failed, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy test
  gatepost policy test --policies candidate --coverage
  gatepost policy test --fail-uncovered --junit policy-tests.xml")]
pub(in crate::cli) struct Test {
    /// The folder with the tests [default: `tests` in the folder of the policies]
    #[arg(long, value_name = "FOLDER")]
    tests: Option<PathBuf>,
    /// List what no test has exercised
    #[arg(long)]
    coverage: bool,
    /// Fail if there is anything that no test has exercised
    #[arg(long)]
    fail_uncovered: bool,
    /// Write the results to this file as well, as JUnit's XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

impl Test {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, _) = settings.load(Vec::new())?;
        let policy = &config.policy;
        let source = Source { policies: policy.policies.clone(), schema: policy.schema.clone(), tests: false };
        let generation = analysis::load(&source)?;
        let folder = match &self.tests {
            Some(folder) => Some(folder.clone()),
            None if generation.policies_origin() == Origin::BuiltIn => None,
            None => source.policies.path().map(|folder| folder.join(FOLDER)),
        };
        let suite = match &folder {
            None => Suite::built_in(),
            Some(folder) => match Suite::read(folder) {
                Ok(Some(suite)) => suite,
                Ok(None) => bail!("there is no folder `{}`", folder.display()),
                Err(problems) => bail!(report::all(&problems)),
            },
        };
        let (report, coverage) = match suite.run_with_coverage(&generation) {
            Ok(run) => run,
            Err(problems) => bail!(report::all(&problems)),
        };
        ensure!(!report.results().is_empty(), "there is no test in {}", suite.files().collect::<Vec<_>>().join(", "));
        if let Some(file) = &self.junit {
            fs::write(file, junit(&report)).with_context(|| format!("cannot write `{}`", file.display()))?;
        }
        let document = Document::new(&suite, &report, &coverage);
        settings.output().either(&document, || Ok(document.text(self.coverage || self.fail_uncovered)))?;
        let failed = document.failed() || (self.fail_uncovered && !coverage.is_full());
        Ok(if failed { FAILURE.into() } else { ExitCode::SUCCESS })
    }
}
