//! More policies: how long they take to load, what a decision costs, and how much memory they take.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::json;
use tempfile::TempDir;

use crate::child::Child;
use crate::rules::{self, Kind};
use crate::statistics::{median, ratio};
use crate::world::{Caches, World};

/// Of each measurement, in milliseconds.
const WARM_MS: u32 = 10;
const COLD_MS: u32 = 20;

/// One number of policies.
struct Size {
    policies: usize,
    open_ms: f64,
    reload_ms: f64,
    memory_mib: f64,
    warm: Child,
    cold: Child,
    warm_ns: Vec<f64>,
    cold_ns: Vec<f64>,
    _folder: TempDir,
}

/// Measures each kind at each of the sizes.
pub(crate) fn measure(sizes: &[usize], rounds: usize) -> Result<()> {
    for kind in Kind::ALL {
        let world = World::new()?;
        let ask = rules::ask(kind, &world)?;
        let mut measured = Vec::new();
        for policies in sizes.iter().copied() {
            let folder = tempfile::tempdir()?;
            for file in ["gatepost.db", "gatepost.key"] {
                fs::copy(world.folder.path().join(file), folder.path().join(file))?;
            }
            rules::write(folder.path(), kind, policies, &world)?;
            let mut warm = Child::start(folder.path(), Some(&ask), Caches::On)?;
            let open_ms = warm.number("opened")?;
            warm.number(&format!("warm {WARM_MS}"))?;
            let memory_mib = warm.number("memory")?;
            let reload_ms = warm.number("reload")?;
            let cold = Child::start(folder.path(), Some(&ask), Caches::Off)?;
            let (warm_ns, cold_ns, _folder) = (Vec::new(), Vec::new(), folder);
            measured.push(Size { policies, open_ms, reload_ms, memory_mib, warm, cold, warm_ns, cold_ns, _folder });
        }
        for _ in 0..rounds {
            for size in &mut measured {
                size.warm_ns.push(size.warm.number(&format!("warm {WARM_MS}"))?);
            }
            for size in &mut measured {
                size.cold_ns.push(size.cold.number(&format!("cold {COLD_MS}"))?);
            }
        }
        report(kind, &measured)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(kind: Kind, sizes: &[Size]) -> Result<()> {
    println!(
        "\n{:<26} {:>9} {:>10} {:>11} {:>9} {:>9} {:>26} {:>26}",
        format!("policies about {}", kind.name()),
        "open ms",
        "reload ms",
        "memory MiB",
        "warm ns",
        "cold µs",
        "warm, times the fewest",
        "cold"
    );
    let base = sizes.first().context("there are no sizes")?;
    let mut lines = Vec::new();
    for size in sizes {
        let (warm, cold) = (ratio(&size.warm_ns, &base.warm_ns), ratio(&size.cold_ns, &base.cold_ns));
        let (warm_ns, cold_ns) = (median(&size.warm_ns), median(&size.cold_ns));
        let Size { policies, open_ms, reload_ms, memory_mib, .. } = size;
        println!(
            "{policies:<26} {open_ms:>9.0} {reload_ms:>10.0} {memory_mib:>11.1} {warm_ns:>9.0} {:>9.1} {:>26} {:>26}",
            cold_ns / 1e3,
            warm.to_string(),
            cold.to_string()
        );
        lines.push(json!({
            "bench": "growth/policies", "kind": kind.name(), "policies": policies, "open_ms": open_ms,
            "reload_ms": reload_ms, "memory_mib": memory_mib, "warm_ns": warm_ns, "cold_ns": cold_ns,
            "base": base.policies, "warm_ratio": warm.json(), "cold_ratio": cold.json(),
        }));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}
