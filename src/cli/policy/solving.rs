//! The solver that proofs need, and how long it may take.

use std::ffi::OsStr;
use std::time::Duration;

use anyhow::Result;
use clap::Args;

use crate::authz::analysis::solver::Solver;
use crate::config;

/// What to do where there is no solver.
pub(super) const HOW_TO_INSTALL: &str =
    "install cvc5 (Debian: `apt install cvc5`), so that it is on the PATH, or name it in the variable CVC5";

#[derive(Args)]
pub(super) struct Solving {
    /// How long the solver may take for each question; what it cannot tell by then is told as unknown
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

impl Solving {
    /// The solver, if one is installed: the one that the variable `CVC5` names, or else the one on the PATH.
    pub(super) fn solver(&self) -> Result<Option<Solver>> {
        let environment = config::environment();
        let variable =
            |name: &str| environment.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_os_str());
        let (named, path): (Option<&OsStr>, Option<&OsStr>) = (variable("CVC5"), variable("PATH"));
        let program = Solver::find(named, path);
        Ok(program.map(|program| Solver::start(&program, Duration::from_secs(self.timeout))).transpose()?)
    }
}
