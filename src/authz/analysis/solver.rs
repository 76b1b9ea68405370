//! Questions about all requests at once, put to the SMT solver cvc5.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::LocalSolver;
use cedar_policy_symcc::{CedarSymCompiler, Env, WellFormedAsserts};
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::time;

use crate::authz::problem::with_causes;

/// How much longer than it was told the solver may take, before it is ended.
const GRACE: Duration = Duration::from_secs(1);

/// A solver, which answers one question after the other, each within a time.
pub struct Solver {
    program: PathBuf,
    version: String,
    timeout: Duration,
    runtime: Runtime,
    running: Option<CedarSymCompiler<LocalSolver>>,
}

/// The solver does not start.
#[derive(Debug, thiserror::Error)]
#[error("cannot run the solver `{}`", program.display())]
pub struct StartError {
    program: PathBuf,
    #[source]
    cause: io::Error,
}

/// What the solver says.
pub(super) enum Answer {
    /// There is no such request.
    Never,
    /// There is one: this.
    Sometimes(Box<Env>),
    /// It cannot tell, because of this.
    Unknown(String),
}

impl Solver {
    /// The solver to use: the one that is `named`, or else `cvc5` in one of the folders of `path`, a list as in `PATH`.
    pub fn find(named: Option<&OsStr>, path: Option<&OsStr>) -> Option<PathBuf> {
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            return Some(named.into());
        }
        let folders = path.into_iter().flat_map(std::env::split_paths).filter(|folder| !folder.as_os_str().is_empty());
        folders.map(|folder| folder.join("cvc5")).find(|program| program.is_file())
    }

    /// Makes sure that the program runs. Each question may take as long as `timeout`.
    pub fn start(program: &Path, timeout: Duration) -> Result<Self, StartError> {
        let failed = |cause| StartError { program: program.to_owned(), cause };
        let told = std::process::Command::new(program).arg("--version").output().map_err(failed)?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.split("version ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        Ok(Self {
            program: program.to_owned(),
            version: version.unwrap_or("of unknown version").to_owned(),
            timeout,
            runtime,
            running: None,
        })
    }

    /// Whether a request is possible for which all of this holds.
    pub(super) fn ask(&mut self, asserts: &WellFormedAsserts<'_>) -> Answer {
        let running = self.running.take().map_or_else(|| self.launch(), Ok);
        let mut compiler = match running {
            Ok(compiler) => compiler,
            Err(error) => return Answer::Unknown(error),
        };
        let limit = self.timeout.saturating_add(GRACE);
        let answer = self.runtime.block_on(async { time::timeout(limit, compiler.check_sat(asserts)).await });
        let out_of_time = || Answer::Unknown(format!("the solver gave no answer within {:?}", self.timeout));
        // Whatever went wrong, the next question is put to a new process.
        let (answer, is_usable) = match answer {
            Ok(Ok(None)) => (Answer::Never, true),
            Ok(Ok(Some(found))) => (Answer::Sometimes(Box::new(found)), true),
            Ok(Err(Error::SolverUnknown)) => (out_of_time(), false),
            Ok(Err(error)) => (Answer::Unknown(with_causes(&error)), false),
            Err(time::error::Elapsed { .. }) => (out_of_time(), false),
        };
        self.running = is_usable.then_some(compiler);
        answer
    }

    fn launch(&self) -> Result<CedarSymCompiler<LocalSolver>, String> {
        let milliseconds = self.timeout.as_millis().max(1);
        let mut command = Command::new(&self.program);
        command.args(["--lang", "smt", &format!("--tlimit-per={milliseconds}")]).kill_on_drop(true);
        // Starting a process needs the runtime.
        let _within = self.runtime.enter();
        let solver = LocalSolver::from_command(&mut command).map_err(|error| with_causes(&error))?;
        CedarSymCompiler::new(solver).map_err(|error| with_causes(&error))
    }
}

impl fmt::Display for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cvc5 {}", self.version)
    }
}

impl fmt::Debug for Solver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Solver").field("program", &self.program).field("version", &self.version).finish_non_exhaustive()
    }
}
