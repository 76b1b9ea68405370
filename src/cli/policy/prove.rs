//! `gatepost policy prove`: whether what must hold of the policies does.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::{Context as _, Result, ensure};
use clap::Args;
use serde::Serialize;

use super::solving::{ProofBar, Solving};
use crate::authz::analysis;
use crate::authz::analysis::prove::{Conclusion, Proved, prove};
use crate::authz::analysis::solver::HOW_TO_INSTALL;
use crate::authz::generation::{Source, load_invariants};
use crate::cli::FAILURE;
use crate::cli::output::printable;
use crate::cli::settings::Settings;

/// Prove that what must hold of the policies does, for all requests
///
/// The folder `invariants` within that of the policies has them, as policies that take no part in decisions: a `forbid`
/// says what must never be permitted, a `permit` what must always be; `@id` names it, `@description` says it in words. Each is
/// proved by the solver cvc5 for all requests that the schema takes, or refuted by a request to which the engine has given the
/// wrong answer. Exit code: 0 all are proved, 1 one is not, or failed, 2 wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy prove
  gatepost policy prove observers-change-nothing
  gatepost policy prove --policies /etc/gatepost/policies --output json")]
pub(in crate::cli) struct Prove {
    /// The names of those to prove [default: all]
    #[arg(value_name = "INVARIANT")]
    invariants: Vec<String>,
    #[command(flatten)]
    solving: Solving,
}

#[derive(Serialize)]
struct Report {
    solver: String,
    invariants: Vec<Proved>,
}

impl Prove {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, _) = settings.load(Vec::new())?;
        let source = Source { policies: config.policy.policies, schema: config.policy.schema, tests: false };
        let generation = analysis::load(&source)?;
        let (mut invariants, _) = load_invariants(&source, &generation)?;
        for name in &self.invariants {
            let is_known = invariants.iter().any(|invariant| invariant.id == *name);
            let known =
                || invariants.iter().map(|invariant| format!("`{}`", invariant.id)).collect::<Vec<_>>().join(", ");
            ensure!(is_known, "there is no invariant `{name}`, but {}", known());
        }
        if !self.invariants.is_empty() {
            invariants.retain(|invariant| self.invariants.contains(&invariant.id));
        }
        let solver = self.solving.solver()?;
        let mut solver = solver.with_context(|| format!("no solver is installed: {HOW_TO_INSTALL}"))?;
        let bar = ProofBar::new();
        let invariants = prove(&generation, &invariants, &mut solver, &mut |progress| bar.show(progress));
        drop(bar);
        let report = Report { solver: solver.to_string(), invariants };
        settings.output().either(&report, || Ok(report.text()))?;
        Ok(if report.is_good() { ExitCode::SUCCESS } else { FAILURE.into() })
    }
}

impl Report {
    fn is_good(&self) -> bool {
        self.invariants.iter().all(|proved| matches!(proved.result, Conclusion::Proved))
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Proved { invariant, description, result } in &self.invariants {
            let verdict = match result {
                Conclusion::Proved => "proved",
                Conclusion::Refuted(_) => "REFUTED",
                Conclusion::Unknown { .. } => "UNKNOWN",
            };
            let description = description.as_ref().map(|words| format!(": {}", printable(words))).unwrap_or_default();
            let _ = writeln!(text, "{verdict:8} {}{description}", printable(invariant));
            let lines = match result {
                Conclusion::Proved => Vec::new(),
                Conclusion::Unknown { because } => because.lines().map(str::to_owned).collect(),
                Conclusion::Refuted(refutation) => {
                    let outcome = &refutation.outcome;
                    let by = if outcome.policies.is_empty() {
                        String::new()
                    } else {
                        format!(" by {}", outcome.policies.join(", "))
                    };
                    let answer = if outcome.allowed { "permitted" } else { "denied" };
                    let request = refutation.request.to_string();
                    request.lines().map(str::to_owned).chain([format!("{answer}{by}")]).collect()
                }
            };
            lines.iter().for_each(|line| {
                let _ = writeln!(text, "         {}", printable(line));
            });
        }
        let proved = self.invariants.iter().filter(|proved| matches!(proved.result, Conclusion::Proved)).count();
        let _ = writeln!(text, "{proved} of {} proved for all requests by {}", self.invariants.len(), self.solver);
        text
    }
}
