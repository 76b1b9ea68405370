//! Questions about all requests at once, put to the SMT solver cvc5.

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use cedar_policy_symcc::err::Error;
use cedar_policy_symcc::solver::{LocalSolver, WriterSolver};
use cedar_policy_symcc::term::Term;
use cedar_policy_symcc::{CedarSymCompiler, Env, WellFormedAsserts};
use tokio::process::Command;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::time;

use crate::authz::problem::with_causes;
use crate::config;

/// What to do where there is no solver.
pub const HOW_TO_INSTALL: &str =
    "install cvc5 (Debian: `apt install cvc5`), so that it is on the PATH, or name it in the variable CVC5";

/// How much longer than it was told the solver may take, before it is ended.
const GRACE: Duration = Duration::from_secs(1);

/// A solver, which answers one question after the other, each within a time. Its process does not outlive this.
///
/// Neither this nor what is done with it has a place on a thread that runs asynchronous tasks.
pub struct Solver {
    program: PathBuf,
    version: String,
    timeout: Duration,
    runtime: Runtime,
    running: Option<CedarSymCompiler<LocalSolver>>,
    /// After how many questions in a row without an answer nothing more is asked.
    patience: Option<u32>,
    /// How many questions in a row got none.
    unanswered: u32,
    /// Becomes `true` when nothing more is to be asked.
    stop: watch::Receiver<bool>,
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
    /// The solver of this machine: the one that the variable `CVC5` names, or else the one on the PATH.
    pub fn installed() -> Option<PathBuf> {
        let environment = config::environment();
        let variable =
            |name: &str| environment.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_os_str());
        Self::find(variable("CVC5"), variable("PATH"))
    }

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
        let runtime = Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let told = runtime.block_on(async {
            let mut command = Command::new(program);
            command.arg("--version").stdin(Stdio::null()).kill_on_drop(true);
            time::timeout(timeout.saturating_add(GRACE), command.output()).await
        });
        let out_of_time = |_| io::Error::new(io::ErrorKind::TimedOut, "it does not tell its version");
        let told = told.map_err(out_of_time).flatten().map_err(failed)?;
        let told = String::from_utf8_lossy(&told.stdout).into_owned();
        let version = told.split("version ").nth(1).and_then(|rest| rest.split_whitespace().next());
        Ok(Self {
            program: program.to_owned(),
            version: version.unwrap_or("of unknown version").to_owned(),
            timeout,
            runtime,
            running: None,
            patience: None,
            unanswered: 0,
            stop: watch::channel(false).1,
        })
    }

    /// The same, which is asked nothing more when it has given no answer to so many questions in a row, or `stop` becomes
    /// `true`: what is asked then is unknown.
    #[must_use]
    pub(in crate::authz) fn with_limits(mut self, patience: u32, stop: watch::Receiver<bool>) -> Self {
        (self.patience, self.stop) = (Some(patience), stop);
        self
    }

    /// Whether a request is possible for which all of this holds.
    pub(super) fn ask(&mut self, asserts: &WellFormedAsserts<'_>) -> Answer {
        if is_settled(asserts) {
            return self.settle(asserts);
        }
        if self.patience.is_some_and(|patience| self.unanswered >= patience) {
            return Answer::Unknown("not asked, as the solver has not answered before".to_owned());
        }
        let running = self.running.take().map_or_else(|| self.launch(), Ok);
        let mut compiler = match running {
            Ok(compiler) => compiler,
            Err(error) => {
                self.unanswered = self.unanswered.saturating_add(1);
                return Answer::Unknown(error);
            }
        };
        let limit = self.timeout.saturating_add(GRACE);
        let stop = &mut self.stop;
        let answer = self.runtime.block_on(async {
            tokio::select! {
                biased;
                // If nobody is left who could stop it, it goes on.
                Ok(_) = stop.wait_for(|stop| *stop) => None,
                answer = time::timeout(limit, compiler.check_sat(asserts)) => Some(answer),
            }
        });
        let because = match answer {
            Some(Ok(Ok(found))) => {
                self.running = Some(compiler);
                self.unanswered = 0;
                return found.map_or(Answer::Never, |found| Answer::Sometimes(Box::new(found)));
            }
            Some(Err(time::error::Elapsed { .. }) | Ok(Err(Error::SolverUnknown))) => {
                format!("the solver gave no answer within {:?}", self.timeout)
            }
            Some(Ok(Err(error))) => with_causes(&error),
            None => "interrupted".to_owned(),
        };
        self.unanswered = self.unanswered.saturating_add(1);
        // The process may still say something to this question: the next one is put to another.
        self.end(compiler);
        Answer::Unknown(because)
    }

    /// The answer to a question for which no solver is needed.
    fn settle(&self, asserts: &WellFormedAsserts<'_>) -> Answer {
        let mut compiler = match CedarSymCompiler::new(WriterSolver { w: tokio::io::sink() }) {
            Ok(compiler) => compiler,
            Err(error) => return Answer::Unknown(with_causes(&error)),
        };
        match self.runtime.block_on(compiler.check_sat(asserts)) {
            Ok(found) => found.map_or(Answer::Never, |found| Answer::Sometimes(Box::new(found))),
            Err(error) => Answer::Unknown(with_causes(&error)),
        }
    }

    /// Ends the process, and waits until it is gone.
    fn end(&self, mut compiler: CedarSymCompiler<LocalSolver>) {
        // It is killed; where that fails, so it is when it is dropped.
        let _ = self.runtime.block_on(async { time::timeout(GRACE, compiler.solver_mut().clean_up()).await });
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

/// Whether the answer shows already: compiling the policies has found that it cannot be, or that it is always so.
fn is_settled(asserts: &WellFormedAsserts<'_>) -> bool {
    let is = |value: bool| move |assert: &Term| *assert == Term::from(value);
    asserts.asserts().iter().any(is(false)) || asserts.asserts().iter().all(is(true))
}

impl Drop for Solver {
    fn drop(&mut self) {
        if let Some(compiler) = self.running.take() {
            self.end(compiler);
        }
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
