//! `gatepost policy diff`: what changes if other policies come into force.

mod report;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::report::Report;
use super::side::Side;
use super::solving::{ProofBar, Solving};
use crate::authz::analysis::diff;
use crate::authz::analysis::solver::HOW_TO_INSTALL;
use crate::authz::generation::Source;
use crate::cli::FAILURE;
use crate::cli::settings::Settings;

/// Tell what changes if other policies come into force
///
/// The engine is asked about every kind of request that Gatepost knows, by the old policies and by the new: those answered
/// otherwise are told. Where the solver cvc5 is installed, it is proved for each action, over all requests that the
/// schema takes, whether the new policies permit anything that the old ones do not, and the other way round; if so, a
/// request is shown, to which the engine has given both answers. Exit code: 0 done, 1 --fail-on applies, or failed, 2
/// wrong usage.
#[derive(Args)]
#[command(after_help = "\
Examples:
  gatepost policy diff HEAD:policies policies         what is not committed yet
  gatepost policy diff git:v1.4 git:HEAD              policies and schema of two revisions
  gatepost policy diff generation:newest policies     what an edit changes, against what was last in force
  gatepost policy diff generation:12 generation:14    what changed between two generations of the history
  gatepost policy diff built-in policies              what differs from what Gatepost comes with
  gatepost policy diff git:origin/main policies --fail-on wider --require-proof
  gatepost policy diff git:origin/main policies --markdown >> \"$GITHUB_STEP_SUMMARY\"")]
pub(in crate::cli) struct Diff {
    /// The old policies: a folder, `REVISION:FOLDER` or `git:REVISION` for those that git knows, `generation:NUMBER` or
    /// `generation:newest` for those that `policy history` shows, or `built-in`. Generations, and folders that have folders
    /// `policies` and `schema`, bring their own schema; else the configured one is used
    #[arg(value_name = "OLD")]
    old: String,
    /// The new policies, in the same forms
    #[arg(value_name = "NEW")]
    new: String,
    /// Exit with 1 if the new policies permit more, permit less, or either; also if that cannot be told
    #[arg(long, value_enum, value_name = "CHANGE")]
    fail_on: Option<FailOn>,
    /// Fail where no solver is installed, and where it cannot tell
    #[arg(long, conflicts_with = "no_proof")]
    require_proof: bool,
    /// Do not ask the solver
    #[arg(long)]
    no_proof: bool,
    /// Print Markdown, such as for a comment on a proposed change
    #[arg(long)]
    markdown: bool,
    #[command(flatten)]
    solving: Solving,
}

/// What is not to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Wider,
    Narrower,
    Any,
}

impl Diff {
    pub(in crate::cli) fn run(self, settings: &Settings) -> Result<ExitCode> {
        let (config, _) = settings.load(Vec::new())?;
        let configured = Source { policies: config.policy.policies, schema: config.policy.schema, tests: false };
        let old = Side::read(&self.old, &configured, settings)?;
        let new = Side::read(&self.new, &configured, settings)?;
        let mut solver = if self.no_proof { None } else { self.solving.solver()? };
        if self.require_proof && solver.is_none() {
            bail!("no solver is installed: {HOW_TO_INSTALL}");
        }
        let (old, new) = (old.load()?, new.load()?);
        let bar = ProofBar::new();
        let diff = diff::diff(&old, &new, solver.as_mut(), &mut |progress| bar.show(progress));
        drop(bar);
        let report = Report { old: self.old, new: self.new, diff, was_asked: !self.no_proof };
        let output = settings.output();
        if self.markdown {
            output.text(&report.markdown())?;
        } else {
            output.either(&report, || Ok(report.text()))?;
        }
        let is_bad = match self.fail_on {
            None => false,
            Some(FailOn::Wider) => report.may_be_wider(),
            Some(FailOn::Narrower) => report.may_be_narrower(),
            Some(FailOn::Any) => report.may_be_wider() || report.may_be_narrower(),
        };
        let lacks_proof = self.require_proof && report.lacks_proof();
        Ok(if is_bad || lacks_proof { FAILURE.into() } else { ExitCode::SUCCESS })
    }
}
