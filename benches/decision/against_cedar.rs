//! A warm decision against Cedar's own evaluator, in interleaved rounds, so that what slows the machine down slows both.
//!
//! Gatepost goes the whole way, from a proxy's headers to the response. Cedar gets the same request, the same entities
//! and the whole policy set, through its public interface: once with request and entities made ahead of time, which no
//! server can do, and once making both for each decision, from values that are there already.

use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use cedar_policy::Decision;

use crate::asked::{ACTION, Asked};
use crate::cedar::{Cedar, Question};
use crate::world::{Caches, Log, World};

const ROUNDS: usize = 101;

/// Makes sure that both sides give the same answer; then compares, and prints a table and a line of JSON.
#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
pub(crate) fn compare(world: &World, is_measuring: bool) -> Result<()> {
    let opened = world.open(Log::Off, Caches::On)?;
    let ask = world.allowed()?;
    ask.warm(&opened)?;
    let cedar = Cedar::new(world, &opened)?;
    let asked = Asked::by_operator(world, &opened)?;
    let (user, application, path) = (asked.user().to_string(), world.application.to_string(), world.restart_target());
    let (action, _) = cedar.generation().action_by_name(ACTION).context("the action was to be there")?;
    let question = Question {
        user: &user,
        credential_id: asked.credential_id(),
        credential_age_secs: 1,
        action,
        application: &application,
        method: "POST",
        host: "app.example.com",
        path: &path,
        client: Some([192, 0, 2, 1].into()),
    };
    let (request, entities) = cedar.prepare(question)?;
    for response in [cedar.evaluate(&request, &entities), cedar.ask(question)?] {
        let determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
        let is_right = response.decision() == Decision::Allow && determining == ["operator"];
        ensure!(is_right, "expected `operator` to allow it, got {determining:?}");
    }
    if !is_measuring {
        return Ok(());
    }
    let [mut gatepost, mut evaluation, mut whole] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        gatepost.push(nanos_each(4_000, || {
            black_box(black_box(&ask).now(&opened));
        }));
        evaluation.push(nanos_each(400, || drop(black_box(cedar.evaluate(black_box(&request), &entities)))));
        whole.push(nanos_each(200, || drop(black_box(cedar.ask(black_box(question))))));
    }
    ask.warm(&opened)?;

    let against = |other: &[f64]| sorted(other.iter().zip(&gatepost).map(|(other, own)| other / own).collect());
    let (to_evaluation, to_whole) = (against(&evaluation), against(&whole));
    let [gatepost, evaluation, whole] = [gatepost, evaluation, whole].map(sorted);
    println!("\n{:<44} {:>10} {:>22}", "one decision, warm", "median ns", "times Gatepost's");
    println!("{:<44} {:>10.0}", "Gatepost: from headers to response", at(&gatepost, 50));
    for (name, nanos, ratio) in [
        ("Cedar: evaluation alone", &evaluation, &to_evaluation),
        ("Cedar: request and entities made as well", &whole, &to_whole),
    ] {
        let (low, median, high) = (at(ratio, 25), at(ratio, 50), at(ratio, 75));
        println!("{name:<44} {:>10.0} {median:>8.1} ({low:.1} to {high:.1})", at(nanos, 50));
    }
    let line = serde_json::json!({
        "bench": "decision/against-cedar", "rounds": ROUNDS, "gatepost_ns": at(&gatepost, 50),
        "cedar_evaluation_ns": at(&evaluation, 50), "cedar_whole_ns": at(&whole, 50),
        "ratio_evaluation": at(&to_evaluation, 50), "ratio_whole": at(&to_whole, 50),
    });
    println!("{line}");
    Ok(())
}

fn nanos_each(times: u32, mut what: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        what();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The value below which so many hundredths of them are.
fn at(sorted: &[f64], hundredths: usize) -> f64 {
    sorted.get(sorted.len() * hundredths / 100).copied().unwrap_or(f64::NAN)
}
