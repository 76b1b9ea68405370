//! What a decision costs in figures that do not depend on the machine's mood: allocations and, where `valgrind` is
//! installed, instructions. `benches/README.md` tells the method.
//!
//!     cargo bench --profile counting --bench cost
//!     cargo bench --profile counting --bench cost -- --check benches/cost.toml
//!     cargo bench --profile counting --bench cost -- --bound benches/cost.toml
//!
//! The second fails where a case costs more than the file permits; the third writes the file anew.
//!
//! The allocator that counts is linked into this program only: it would slow the others down.

#[path = "cost/bounds.rs"]
mod bounds;
#[path = "decision/world.rs"]
mod world;

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use gatepost::gate::dialect::Dialect;

use crate::bounds::{Bounds, Cost};
use crate::world::{Ask, Caches, Log, Opened, World};

/// Given to this program when it is run by valgrind: only the decisions are made.
const UNDER_VALGRIND: &str = "--under-valgrind";

/// Something to measure.
struct Case<'a> {
    name: &'static str,
    ask: Ask,
    opened: &'a Opened,
    is_warm: bool,
}

impl Case<'_> {
    /// Prepares, then hands the decisions to `counter`. Gives how many there were.
    fn run(&self, counter: &mut dyn FnMut(&mut dyn FnMut())) -> Result<u64> {
        if self.is_warm {
            self.ask.warm(self.opened)?;
        } else {
            self.ask.check(self.ask.blocking(self.opened))?;
        }
        // Fewer than the decision log's queue holds, so that no record is dropped.
        let decisions = if self.is_warm { 2_000 } else { 200 };
        counter(&mut || {
            for _ in 0..decisions {
                let ask = black_box(&self.ask);
                black_box(if self.is_warm { ask.now(self.opened) } else { Some(ask.blocking(self.opened)) });
            }
        });
        Ok(decisions)
    }
}

fn main() -> Result<()> {
    let world = World::new()?;
    let warm = world.open(Log::Off, Caches::On)?;
    let logging = world.open(Log::File, Caches::On)?;
    let remembering = world.open(Log::Off, Caches::Remembered)?;
    let evaluating = world.open(Log::Off, Caches::Evaluated)?;
    let cold = world.open(Log::Off, Caches::Off)?;
    let case = |name, ask, opened, is_warm| Case { name, ask, opened, is_warm };
    let cases = [
        case("allow, API key", world.allowed()?, &warm, true),
        case("allow, session token", world.allowed_by_session()?, &warm, true),
        case("deny", world.denied(Dialect::Nginx)?, &warm, true),
        case("unknown key", world.unknown_key()?, &warm, true),
        case("anonymous", world.anonymous()?, &warm, true),
        case("malformed path", world.malformed()?, &warm, true),
        case("allow, API key, logged", world.allowed()?, &logging, true),
        case("allow, API key, remembered", world.allowed()?, &remembering, true),
        case("allow, API key, evaluated", world.allowed()?, &evaluating, false),
        case("allow, API key, cold", world.allowed()?, &cold, false),
        case("allow, session token, cold", world.allowed_by_session()?, &cold, false),
    ];
    if std::env::args().any(|argument| argument == UNDER_VALGRIND) {
        return cases.iter().try_for_each(|case| case.run(&mut |decide| counted(decide)).map(drop));
    }
    report(&cases)
}

/// Valgrind counts what is done within this function.
#[inline(never)]
fn counted(decide: &mut dyn FnMut()) {
    decide();
    // Something to do after it, or else it would be a jump and not a call.
    black_box(());
}

/// Counts, prints, and holds what was counted against the bounds or makes them.
fn report(cases: &[Case<'_>]) -> Result<()> {
    let mut counted = Vec::new();
    for case in cases {
        let mut info = allocation_counter::AllocationInfo::default();
        let decisions = case.run(&mut |decide| info = allocation_counter::measure(decide))?;
        counted.push((case.name, decisions, info));
    }
    // As Criterion does: without `--bench` it is a test, which measures nothing.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let instructions = instructions(cases.len())?;
    let costs: Vec<_> = counted
        .into_iter()
        .enumerate()
        .map(|(at, (case, decisions, info))| {
            let each = |total: u64| total as f64 / decisions as f64;
            let instructions = instructions.as_ref().and_then(|all| all.get(at)).map(|total| each(*total).round());
            Cost { case, allocations: each(info.count_total), bytes: each(info.bytes_total), instructions }
        })
        .collect();
    match (argument("--check"), argument("--bound")) {
        (Some(file), _) => Bounds::read(Path::new(&file))?.check(&costs),
        (None, Some(file)) => {
            print(&costs);
            Bounds::of(&costs)?.write(Path::new(&file))
        }
        (None, None) => {
            print(&costs);
            Ok(())
        }
    }
}

/// What follows `name` on the command line.
fn argument(name: &str) -> Option<String> {
    std::env::args().skip_while(|argument| argument != name).nth(1)
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn print(costs: &[Cost]) {
    if costs.iter().any(|cost| cost.instructions.is_none()) {
        println!("instructions are not counted: valgrind is not installed");
    }
    println!("{:<28} {:>12} {:>8} {:>14}", "for each decision", "allocations", "bytes", "instructions");
    for Cost { case, allocations, bytes, instructions } in costs {
        let instructions = instructions.map_or_else(|| "-".to_owned(), |count| count.to_string());
        println!("{case:<28} {allocations:>12.1} {bytes:>8.0} {instructions:>14}");
    }
    println!("{}", serde_json::json!({"bench": "cost", "cases": costs}));
}

/// The instructions of each case, as callgrind counts them; nothing if it is not installed.
fn instructions(cases: usize) -> Result<Option<Vec<u64>>> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("callgrind");
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--quiet", "--toggle-collect=cost::counted", "--dump-before=cost::counted"]);
    valgrind.arg(format!("--callgrind-out-file={}", out.display()));
    valgrind.arg(std::env::current_exe()?).arg(UNDER_VALGRIND).stdout(Stdio::null());
    let Ok(mut running) = valgrind.spawn() else { return Ok(None) };
    ensure!(running.wait()?.success(), "valgrind failed");
    // There is a file, numbered from 1, of what was before each case: nothing before the first. What came last is in
    // the file without a number.
    let parts = (2..=cases).map(|number| out.with_extension(number.to_string())).chain([out.clone()]);
    parts.map(|part| total(&part)).collect::<Result<_>>().map(Some)
}

fn total(part: &Path) -> Result<u64> {
    let text = fs::read_to_string(part)?;
    let total = text.lines().find_map(|line| line.strip_prefix("totals: "));
    total.context("callgrind's file has no totals")?.trim().parse().context("callgrind's total is no number")
}
