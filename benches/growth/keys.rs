//! More keys, users, memberships and applications: what a decision costs when many of them ask, some more than others or
//! all alike, and how much memory that takes.

use anyhow::{Context as _, Result};
use serde_json::json;

use crate::child::Child;
use crate::people::Installation;
use crate::statistics::{median, ratio};
use crate::world::Caches;

/// Questions of a round.
const COUNT: usize = 10_000;
/// Questions before the first round where there are more keys than the caches hold, so that these are as they stay.
const WARM_UP: usize = 200_000;
/// What the caches hold by default.
const CACHED: usize = 200_000;

/// Who asks, measured at one number of keys.
struct Mix {
    nanos: Vec<f64>,
    missed: Vec<f64>,
}

/// Measures each mix at each of the sizes.
pub(crate) fn measure(installations: &[Installation], exponents: &[f64], rounds: usize) -> Result<()> {
    let mixes = exponents.iter().map(|exponent| (format!("Zipf {exponent}"), format!("zipf {exponent}")));
    for (name, command) in mixes.chain([("uniform".to_owned(), "uniform".to_owned())]) {
        let mut children = Vec::new();
        for installation in installations {
            let mut child = Child::start(installation.folder.path(), None, Caches::On)?;
            let at_rest = child.number("memory")?;
            // All that fits will be there sooner or later; the rest depends on who asks.
            if installation.keys <= CACHED {
                child.ask("everybody")?;
            } else {
                child.ask(&format!("{command} {WARM_UP}"))?;
            }
            children.push((child, at_rest, Mix { nanos: Vec::new(), missed: Vec::new() }));
        }
        for _ in 0..rounds {
            for (child, _, mix) in &mut children {
                let answer = child.ask(&format!("{command} {COUNT}"))?;
                let [nanos, missed] = answer[..] else { anyhow::bail!("expected two numbers") };
                mix.nanos.push(nanos);
                mix.missed.push(missed);
            }
        }
        report(&name, installations, &mut children)?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
fn report(name: &str, installations: &[Installation], children: &mut [(Child, f64, Mix)]) -> Result<()> {
    println!(
        "\n{:<26} {:>12} {:>12} {:>8} {:>12} {:>12} {:>30}",
        format!("keys, asking {name}"),
        "applications",
        "ns/decision",
        "missed",
        "at rest MiB",
        "after MiB",
        "decisions/s, times the fewest"
    );
    let base = children.first().map(|(_, _, mix)| mix.nanos.clone()).context("there are no sizes")?;
    let fewest = installations.first().map(|installation| installation.keys);
    let mut lines = Vec::new();
    for (installation, (child, at_rest, mix)) in installations.iter().zip(children) {
        let after = child.number("memory")?;
        let (nanos, missed) = (median(&mix.nanos), median(&mix.missed));
        // Of throughputs: so the other way round.
        let times = ratio(&base, &mix.nanos);
        let Installation { keys, applications, .. } = installation;
        println!(
            "{keys:<26} {applications:>12} {nanos:>12.0} {:>7.1}% {at_rest:>12.1} {after:>12.1} {:>30}",
            missed * 100.0,
            times.to_string()
        );
        lines.push(json!({
            "bench": "growth/keys", "mix": name, "keys": keys, "applications": applications, "ns": nanos,
            "missed": missed, "at_rest_mib": at_rest, "after_mib": after, "base": fewest,
            "throughput_ratio": times.json(),
        }));
    }
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}
