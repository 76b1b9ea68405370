//! The start: from the call of `gatepost serve` to the first 200 of `/readyz`, and the memory that it has then.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::child::{memory_mib, millis};
use crate::people::Installation;
use crate::rules::{self, Kind};
use crate::statistics::median;
use crate::world::World;

/// How long a server that listens may take to be ready.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is started.
struct Case {
    name: String,
    /// Has the database, and the policies if they are not the built-in ones.
    folder: PathBuf,
    ready_ms: Vec<f64>,
    memory_mib: Vec<f64>,
}

/// Ends the process when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts each installation with the shipped policies, and a small one with each number of policies.
pub(crate) fn measure(installations: &[Installation], policies: &[usize], rounds: usize) -> Result<()> {
    let case =
        |name, folder: &Path| Case { name, folder: folder.to_owned(), ready_ms: Vec::new(), memory_mib: Vec::new() };
    let of = |installation: &Installation| case(format!("{} keys", installation.keys), installation.folder.path());
    let mut cases: Vec<Case> = installations.iter().map(of).collect();
    let world = World::new()?;
    let mut folders: Vec<TempDir> = Vec::new();
    for count in policies.iter().copied() {
        let folder = tempfile::tempdir()?;
        for file in ["gatepost.db", "gatepost.key"] {
            fs::copy(world.folder.path().join(file), folder.path().join(file))?;
        }
        rules::write(folder.path(), Kind::Applications, count, &world)?;
        cases.push(case(format!("{count} policies more"), folder.path()));
        folders.push(folder);
    }
    for _ in 0..rounds {
        for case in &mut cases {
            let (ready, memory) = start(&case.folder)?;
            case.ready_ms.push(ready);
            case.memory_mib.push(memory);
        }
    }
    report(&cases);
    Ok(())
}

/// Milliseconds until it is ready, and its memory then.
fn start(folder: &Path) -> Result<(f64, f64)> {
    let began = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.args(["serve", "--listen", "127.0.0.1:0", "--portal-listen", "127.0.0.1:0", "--output", "json"]);
    command.args(["--store", "gatepost.db"]).current_dir(folder).env_clear();
    let mut child = Running(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?);
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().context("it has a standard output")?).read_line(&mut line)?;
    let document: Value = serde_json::from_str(&line).context("the server has said nothing: it did not start")?;
    let address = document
        .get("decision")
        .and_then(Value::as_str)
        .and_then(|url| url.strip_prefix("http://"))
        .context("no address")?;
    let mut answer = ask(address)?;
    // Caches that are too old to be believed, because reading the policies took long, are looked through again at once.
    while answer.starts_with("HTTP/1.1 503") && began.elapsed() < PATIENCE {
        answer = ask(address)?;
    }
    let ready = millis(began.elapsed());
    ensure!(answer.starts_with("HTTP/1.1 200"), "it is not ready: {answer}");
    let memory = memory_mib(&child.0.id().to_string())?;
    Ok((ready, memory))
}

/// What `/readyz` says.
fn ask(address: &str) -> Result<String> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(cases: &[Case]) {
    println!("\n{:<26} {:>9} {:>12}", "the start", "ready ms", "memory MiB");
    for Case { name, ready_ms, memory_mib, .. } in cases {
        println!("{name:<26} {:>9.0} {:>12.1}", median(ready_ms), median(memory_mib));
    }
    for Case { name, ready_ms, memory_mib, .. } in cases {
        let line = json!({
            "bench": "growth/start", "case": name, "ready_ms": median(ready_ms), "memory_mib": median(memory_mib),
        });
        println!("{line}");
    }
}
