//! A program that a test starts: killed when the test is over, with its output shown if the test has failed.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::http::{Connection, Reply, request};
use super::until;

/// A running program with a folder of its own.
pub struct Program {
    child: Child,
    name: String,
    folder: TempDir,
    has_children: bool,
}

impl Program {
    /// Starts `command` with its output going to a file in `folder`.
    pub fn start(mut command: Command, folder: TempDir) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = File::create(output(&folder)).unwrap();
        command.stdout(output.try_clone().unwrap()).stderr(output);
        let child = command.spawn().unwrap_or_else(|error| panic!("`{name}` does not start: {error}"));
        Self { child, name, folder, has_children: false }
    }

    /// It has processes of its own, so it is asked to end rather than killed.
    pub fn with_children(mut self) -> Self {
        self.has_children = true;
        self
    }

    /// Fails if the program has ended.
    fn assert_running(&mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            panic!("`{}` has ended: {status}", self.name);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if self.has_children && matches!(self.child.try_wait(), Ok(None)) {
            let _ = Command::new("sh").arg("-c").arg(format!("kill -TERM {}", self.child.id())).status();
        } else {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = std::fs::read_to_string(output(&self.folder)).unwrap_or_default();
            let last: Vec<_> = output.lines().rev().take(40).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            // The test's own message says what failed; this says what the program thought of it.
            #[expect(clippy::print_stderr, reason = "shown by the test runner with the failed test")]
            {
                eprintln!("---- the end of what `{}` said ----\n{}", self.name, last.join("\n"));
            }
        }
    }
}

fn output(folder: &TempDir) -> PathBuf {
    folder.path().join("output")
}

/// The program whose path `tests/run.sh` has put into the environment, or else one of `usual`.
pub fn find(variable: &str, usual: &[&str]) -> PathBuf {
    #[expect(clippy::disallowed_methods, reason = "where programs are is the test environment's to say")]
    let configured = std::env::var_os(variable).map(PathBuf::from);
    let usual = usual.iter().map(PathBuf::from).find(|path| path.exists());
    let path = configured.or(usual).unwrap_or_else(|| panic!("{variable} is not set: run tests/run.sh"));
    assert!(path.exists(), "{variable}: there is no `{}`", path.display());
    path
}

/// An address that nobody listens on, and that no other call gives.
///
/// Its port is below those that the system hands out, to outgoing connections and to who listens on port 0: any of these
/// could have a port of that range before the program that is told of it, and tests open many.
pub fn free_address() -> SocketAddr {
    const PORTS: Range<u32> = 10_000..32_000;
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let free = |port: &u16| TcpListener::bind((Ipv4Addr::UNSPECIFIED, *port)).is_ok();
    // Tests of several processes at a time begin at different places.
    let first = std::process::id() * 997;
    let mut ports = std::iter::repeat_with(|| {
        let port = first.wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS.len() as u32;
        u16::try_from(PORTS.start + port).unwrap()
    });
    (Ipv4Addr::LOCALHOST, ports.by_ref().take(PORTS.len()).find(free).expect("a free port")).into()
}

/// Waits until the program gives an answer that will do.
pub fn await_answer(program: &mut Program, address: SocketAddr, will_do: impl Fn(&Reply) -> bool) {
    until(Duration::from_secs(20), "an answer", || {
        program.assert_running();
        let stream = TcpStream::connect(address).ok()?;
        Connection::over(stream).try_send(&request("GET", "/", &[], "")).filter(|reply| will_do(reply))
    });
}

/// A file of `deploy/`, with some of its text replaced: each piece must be there.
pub fn deployed(file: &str, replace: &[(&str, String)]) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(file);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for (old, new) in replace {
        assert!(text.contains(old), "{file} has no `{old}` any more");
        text = text.replace(old, new);
    }
    text
}
