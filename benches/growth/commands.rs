//! What a security team waits for: the commands about the policies, as processes of their own, at each number of policies.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use gatepost::config::environment;
use serde_json::json;
use tempfile::TempDir;

use crate::child::millis;
use crate::rules::{self, Kind};
use crate::statistics::median;
use crate::world::World;

/// The commands, and the exit codes that each may have: some of the generated policies break an invariant.
const COMMANDS: [(&[&str], &[i32]); 6] = [
    (&["check"], &[0]),
    (&["test"], &[0]),
    (&["matrix"], &[0]),
    (&["diff", "policies", "edited", "--no-proof"], &[0]),
    (&["diff", "policies", "edited", "--require-proof"], &[0]),
    (&["prove"], &[0, 1]),
];

/// A folder with `policies`, `schema`, and `edited`, the same policies with two more.
struct Case {
    name: String,
    folder: TempDir,
    millis: [Vec<f64>; COMMANDS.len()],
}

/// Measures the shipped policies, and each kind of policies at each of the sizes on top of them.
pub(crate) fn measure(sizes: &[usize], rounds: usize) -> Result<()> {
    let world = World::new()?;
    let mut cases = vec![case("shipped".to_owned(), Kind::Applications, 0, &world)?];
    for kind in Kind::ALL {
        for count in sizes.iter().copied() {
            cases.push(case(format!("{count} about {}", kind.name()), kind, count, &world)?);
        }
    }
    for _ in 0..rounds {
        for case in &mut cases {
            for ((words, codes), millis) in COMMANDS.iter().zip(&mut case.millis) {
                millis.push(run(case.folder.path(), words, codes)?);
            }
        }
    }
    report(&cases);
    Ok(())
}

fn case(name: String, kind: Kind, count: usize, world: &World) -> Result<Case> {
    let folder = tempfile::tempdir()?;
    rules::write(folder.path(), kind, count, world)?;
    rules::write_tests(folder.path(), count)?;
    rules::write_edited(folder.path())?;
    Ok(Case { name, folder, millis: Default::default() })
}

/// Milliseconds from its start to its end.
fn run(folder: &Path, words: &[&str], codes: &[i32]) -> Result<f64> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatepost"));
    command.arg("policy").args(words).current_dir(folder).env_clear().stdin(Stdio::null());
    command.envs(environment().into_iter().filter(|(name, _)| ["PATH", "CVC5"].iter().any(|kept| name == kept)));
    let began = Instant::now();
    let output = command.output()?;
    let elapsed = millis(began.elapsed());
    let told = || {
        let words: Vec<OsString> = command.get_args().map(OsString::from).collect();
        format!("{words:?}: {}", String::from_utf8_lossy(&output.stderr))
    };
    ensure!(codes.contains(&output.status.code().with_context(told)?), "{}", told());
    Ok(elapsed)
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(cases: &[Case]) {
    let name = |words: &[&str]| match words {
        ["diff", .., "--require-proof"] => "diff, proved".to_owned(),
        [first, ..] => (*first).to_owned(),
        [] => String::new(),
    };
    let heads: Vec<String> = COMMANDS.iter().map(|(words, _)| format!("{:>13}", name(words))).collect();
    println!("\n{:<26} {}", "policies, ms", heads.join(" "));
    for Case { name, millis, .. } in cases {
        let figures: Vec<String> = millis.iter().map(|millis| format!("{:>13.0}", median(millis))).collect();
        println!("{name:<26} {}", figures.join(" "));
    }
    for Case { name: case, millis, .. } in cases {
        for ((words, _), millis) in COMMANDS.iter().zip(millis) {
            println!(
                "{}",
                json!({ "bench": "growth/commands", "case": case, "command": name(words), "ms": median(millis) })
            );
        }
    }
}
