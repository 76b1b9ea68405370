//! Running the program in a folder of its own.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A folder, in which the program is run.
pub struct Program {
    folder: TempDir,
    variables: BTreeMap<String, String>,
}

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Program {
    /// In an empty folder.
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: BTreeMap::new() }
    }

    /// With a database in which ada and devi are, and ada's application `thermostat` in `acme`.
    pub fn with_application() -> Self {
        let program = Self::new();
        for name in ["ada", "devi", "olga"] {
            program.json(&["user", "add", name, "--email", &format!("{name}@example.com"), "--no-password"]);
        }
        program.json(&["org", "create", "acme", "--administrator", "ada"]);
        program.json(&["app", "create", "thermostat", "--organization", "acme", "--owner", "ada"]);
        program
    }

    /// Sets a variable of the environment.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.insert(variable.to_owned(), value.to_owned());
    }

    /// Takes a variable out of the environment.
    pub fn unset(&mut self, variable: &str) {
        self.variables.remove(variable);
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
        // Nothing of whoever runs the tests takes part.
        command.args(arguments).current_dir(self.folder()).env_clear().envs(&self.variables);
        command
    }

    /// Runs it with nothing on standard input.
    pub fn run(&self, arguments: &[&str]) -> Run {
        self.run_with(arguments, "")
    }

    /// Runs it on a terminal on which `typed` is typed; all that is printed is in `out`. Of the shell's arguments, none
    /// has quotes.
    pub fn on_terminal(&self, arguments: &[&str], typed: &str) -> Run {
        let line = format!("'{}' {}", env!("CARGO_BIN_EXE_gatepost"), arguments.join(" "));
        let mut script = Command::new("/usr/bin/script");
        script.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
        script.current_dir(self.folder()).env_clear().envs(&self.variables);
        Self::run_command(script, typed)
    }

    /// Runs it with this text on standard input.
    pub fn run_with(&self, arguments: &[&str], input: &str) -> Run {
        Self::run_command(self.command(arguments), input)
    }

    fn run_command(mut command: Command, input: &str) -> Run {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A program that does not read its input may have closed it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let output = child.wait_with_output().unwrap();
        Run {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it with `--output json`; it must succeed and print one document, on one line.
    pub fn json(&self, arguments: &[&str]) -> Value {
        let run = self.run(&[arguments, &["--output", "json"]].concat());
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{arguments:?}");
        run.json()
    }

    /// Runs it; it must fail, though not for wrong usage, print nothing, and say why. Gives what it says.
    pub fn failure(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert!(!matches!(run.code, 0 | 2 | 3) && run.out.is_empty(), "{arguments:?}: {run:?}");
        assert!(run.err.starts_with("error: "), "{run:?}");
        run.err
    }

    /// Starts it as a server on free ports, with `--output json`.
    pub fn serve(&self, arguments: &[&str]) -> Server {
        self.start(&[&["--output", "json"], arguments].concat(), "}")
    }

    /// Starts it as a server on free ports, and waits until it has printed a line that contains `last`.
    pub fn start(&self, arguments: &[&str], last: &str) -> Server {
        let own = ["serve", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0"];
        let mut command = self.command(&[&own, arguments].concat());
        command.stdin(Stdio::null());
        self.await_line(command, last)
    }

    /// Starts it as a server with this socket handed over as systemd does: proxies ask there.
    pub fn serve_on(&self, socket: OwnedFd) -> Server {
        self.await_line(self.command_on(socket, "fd:3"), "}")
    }

    /// Why it does not serve with this socket handed over, where proxies ask at `listen`.
    pub fn refused_on(&self, socket: OwnedFd, listen: &str) -> String {
        let output = self.command_on(socket, listen).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.success(), output.stdout.as_slice()), (false, &b""[..]), "{error}");
        error
    }

    fn command_on(&self, socket: OwnedFd, listen: &str) -> Command {
        let serve = ["serve", "--listen", listen, "--portal-listen", "127.0.0.1:0", "--output", "json"];
        let served = self.command(&serve);
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&0", "sh"]).arg(served.get_program());
        command.args(served.get_args()).current_dir(self.folder()).env_clear().envs(&self.variables);
        command.stdin(Stdio::from(socket));
        command
    }

    fn await_line(&self, mut command: Command, last: &str) -> Server {
        let log = self.folder().join("serve.log");
        command.stdout(Stdio::piped()).stderr(File::create(&log).unwrap());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut server = Server { printed: String::new(), child, out };
        while !server.printed.lines().next_back().is_some_and(|line| line.contains(last)) {
            let read = server.out.read_line(&mut server.printed).unwrap();
            assert_ne!(read, 0, "{}", std::fs::read_to_string(&log).unwrap());
        }
        server
    }
}

impl Run {
    /// What it has printed: one document on one line.
    pub fn json(&self) -> Value {
        assert_eq!(self.out.lines().count(), 1, "{self:?}");
        serde_json::from_str(&self.out).unwrap()
    }
}

/// The names of an object's members, sorted.
pub fn members(value: &Value) -> Vec<&str> {
    let mut names: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

/// A running server. It is killed when this is dropped, unless it has ended.
pub struct Server {
    /// What it has printed at its start.
    pub printed: String,
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Server {
    /// What it has printed at its start, as JSON on one line.
    pub fn document(&self) -> Value {
        assert_eq!(self.printed.lines().count(), 1, "{}", self.printed);
        serde_json::from_str(&self.printed).unwrap()
    }

    /// Where proxies ask.
    pub fn decision(&self) -> SocketAddr {
        self.document()["decision"].as_str().unwrap().strip_prefix("http://").unwrap().parse().unwrap()
    }

    /// Sends it a signal, by its name: `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
    }

    /// Waits until it ends; gives how, and what else it has printed.
    pub fn wait(mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        (status, rest)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only if it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
