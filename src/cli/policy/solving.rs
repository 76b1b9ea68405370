//! The solver that proofs need, how long it may take, and how far it is.

use std::time::Duration;

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;

use crate::authz::analysis::progress::Progress;
use crate::authz::analysis::solver::Solver;
use crate::cli::output::printable;
use crate::cli::terminal;

#[derive(Args)]
pub(super) struct Solving {
    /// How long the solver may take for each question; what it cannot tell by then is told as unknown
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Solving {
    /// The solver, if one is installed.
    pub(super) fn solver(&self) -> Result<Option<Solver>> {
        let timeout = Duration::from_secs(self.timeout);
        Ok(Solver::installed().map(|program| Solver::start(&program, timeout)).transpose()?)
    }
}

/// Shows how far a proof is, on a terminal only. What it has shown is gone when it is dropped.
pub(super) struct ProofBar(ProgressBar);

impl ProofBar {
    pub(super) fn new() -> Self {
        Self(terminal::progress(0, "{wide_bar} {pos}/{len} {msg}"))
    }

    pub(super) fn show(&self, Progress { done, of, what }: Progress<'_>) {
        let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
        self.0.set_message(printable(what));
        self.0.set_length(count(of));
        self.0.set_position(count(done));
    }
}

impl Drop for ProofBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
