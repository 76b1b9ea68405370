//! The most that a decision may cost: a file that is committed, so that a change which makes decisions dearer says so.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};

/// A bound is so many times what was counted: compilers and libraries differ, and what is looked for is a slip, such as a
/// cache that no longer hits.
const ROOM: f64 = 1.5;

const HEAD: &str = "\
# The most that a decision may cost, held by `.ci/run`; instructions as callgrind counts them in the profile `counting`.
# Whoever makes decisions dearer on purpose writes this anew, and says why:
#     cargo bench --profile counting --bench cost -- --bound benches/cost.toml
";

/// What a decision was counted to cost.
#[derive(Serialize)]
pub(crate) struct Cost {
    pub(crate) case: &'static str,
    pub(crate) allocations: f64,
    pub(crate) bytes: f64,
    pub(crate) instructions: Option<f64>,
}

/// The most that each case may cost.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Bounds(BTreeMap<String, Bound>);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    instructions: u64,
    allocations: u64,
}

impl Bounds {
    /// With room above what was counted.
    pub(crate) fn of(costs: &[Cost]) -> Result<Self> {
        let bound = |cost: &Cost| {
            let instructions = cost.instructions.context("instructions were not counted: install valgrind")?;
            let most = |count: f64| (count * ROOM).ceil() as u64;
            // In hundreds, which is fine enough and easier to read.
            let instructions = most(instructions).next_multiple_of(100);
            anyhow::Ok((cost.case.to_owned(), Bound { instructions, allocations: most(cost.allocations) }))
        };
        costs.iter().map(bound).collect::<Result<_>>().map(Self)
    }

    pub(crate) fn read(file: &Path) -> Result<Self> {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read `{}`", file.display()))?;
        toml::from_str(&text).with_context(|| format!("`{}` is not understood", file.display()))
    }

    pub(crate) fn write(&self, file: &Path) -> Result<()> {
        let mut text = HEAD.to_owned();
        for (case, bound) in &self.0 {
            text.push_str(&format!("\n[\"{case}\"]\n{}", toml::to_string(bound)?));
        }
        fs::write(file, text).with_context(|| format!("cannot write `{}`", file.display()))
    }

    /// Prints each case beside its bound; fails where one is exceeded, or a case or a bound stands alone.
    #[expect(clippy::print_stdout, reason = "a bench prints its figures")]
    pub(crate) fn check(&self, costs: &[Cost]) -> Result<()> {
        println!("{:<28} {:>14} {:>14} {:>12} {:>8}", "each decision, at most", "instructions", "", "allocations", "");
        let mut exceeded = 0;
        for Cost { case, allocations, instructions, .. } in costs {
            let bound = self.0.get(*case).with_context(|| format!("`{case}` has no bound"))?;
            let instructions = instructions.context("instructions were not counted: install valgrind")?;
            let is_held = instructions <= bound.instructions as f64 && *allocations <= bound.allocations as f64;
            exceeded += usize::from(!is_held);
            println!(
                "{case:<28} {instructions:>14} {:>14} {allocations:>12.1} {:>8} {}",
                format!("<= {}", bound.instructions),
                format!("<= {}", bound.allocations),
                if is_held { "" } else { "EXCEEDED" },
            );
        }
        let is_measured = |case: &&String| costs.iter().any(|cost| cost.case == case.as_str());
        let alone: Vec<_> = self.0.keys().filter(|case| !is_measured(case)).collect();
        ensure!(alone.is_empty(), "there are bounds of what is not measured: {alone:?}");
        ensure!(exceeded == 0, "{exceeded} of {} cases cost more than they may", costs.len());
        Ok(())
    }
}
