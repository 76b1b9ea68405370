//! What becomes of decisions, memory and the start as there is more: policies, keys with their users and memberships, and
//! applications. `benches/README.md` tells the method.
//!
//!     cargo bench --bench growth                      all of it
//!     cargo bench --bench growth -- policies          of `policies`, `keys`, `start` and `commands` only the first
//!     cargo bench --bench growth -- keys --keys 1000,100000 --zipf 1.2
//!
//! Each size is measured in a process of its own, all of which are alive at once and take turns, so that what slows the
//! machine down slows all sizes.

#[path = "growth/child.rs"]
mod child;
#[path = "growth/commands.rs"]
mod commands;
#[path = "growth/keys.rs"]
mod keys;
#[path = "growth/people.rs"]
mod people;
#[path = "growth/policies.rs"]
mod policies;
#[path = "growth/rules.rs"]
mod rules;
#[path = "growth/start.rs"]
mod start;
#[path = "growth/statistics.rs"]
mod statistics;
#[path = "decision/world.rs"]
#[expect(dead_code, reason = "other benches use the rest")]
mod world;

use anyhow::{Context as _, Result, ensure};

/// What there is to measure.
const PARTS: [&str; 4] = ["policies", "keys", "start", "commands"];

/// What to measure.
struct Arguments {
    parts: Vec<String>,
    policies: Vec<usize>,
    keys: Vec<usize>,
    zipf: Vec<f64>,
    rounds: usize,
}

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if given.first().is_some_and(|first| first == child::FLAG) {
        return child::run(given.get(1..).unwrap_or_default());
    }
    let arguments = Arguments::read(&given)?;
    // As Criterion does: without `--bench` it is a test, which measures nothing.
    if !given.iter().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let is_wanted = |part: &str| arguments.parts.is_empty() || arguments.parts.iter().any(|wanted| wanted == part);
    if is_wanted("policies") {
        policies::measure(&arguments.policies, arguments.rounds)?;
    }
    if is_wanted("keys") || is_wanted("start") {
        let installations = people::seed(&arguments.keys)?;
        if is_wanted("keys") {
            keys::measure(&installations, &arguments.zipf, arguments.rounds)?;
        }
        if is_wanted("start") {
            start::measure(&installations, &arguments.policies, arguments.rounds)?;
        }
    }
    if is_wanted("commands") {
        commands::measure(&arguments.policies, arguments.rounds)?;
    }
    Ok(())
}

impl Arguments {
    fn read(given: &[String]) -> Result<Self> {
        let mut arguments = Self {
            parts: Vec::new(),
            policies: vec![10, 100, 1_000, 10_000],
            keys: vec![1_000, 10_000, 100_000, 1_000_000],
            zipf: vec![1.0],
            rounds: 9,
        };
        let mut given = given.iter();
        while let Some(argument) = given.next() {
            let mut value = || given.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--bench" => {}
                "--policies" => arguments.policies = list(value()?)?,
                "--keys" => arguments.keys = list(value()?)?,
                "--zipf" => arguments.zipf = list(value()?)?,
                "--rounds" => arguments.rounds = value()?.parse()?,
                part => {
                    ensure!(PARTS.contains(&part), "`{part}` is nothing that can be measured");
                    arguments.parts.push(part.to_owned());
                }
            }
        }
        Ok(arguments)
    }
}

/// Numbers, smallest first.
fn list<T: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static> + PartialOrd>(
    text: &str,
) -> Result<Vec<T>> {
    let mut numbers: Vec<T> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
    numbers.sort_by(|one, other| one.partial_cmp(other).unwrap_or(std::cmp::Ordering::Equal));
    Ok(numbers)
}
