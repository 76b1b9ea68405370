//! What was measured, for people and for programs.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use hyper::StatusCode;
use serde::Serialize;

use super::client::Failure;
use super::load::{Outcome, Plan};
use super::question::Question;
use crate::cli::endpoint::Target;
use crate::cli::output::aligned;

/// What was measured.
#[derive(Serialize)]
pub(super) struct Report {
    target: String,
    dialect: Option<&'static str>,
    /// Method, and what a proxy asks about.
    question: String,
    #[serde(rename = "loop")]
    kind: &'static str,
    connections: u32,
    threads: u32,
    rate: Option<u32>,
    warm_up_s: f64,
    duration_s: f64,
    /// Answers that came within the duration.
    requests_per_s: f64,
    /// Requests that were due, or were sent, within the duration.
    requests: u64,
    expected: u16,
    unexpected: u64,
    statuses: BTreeMap<u16, u64>,
    errors: Errors,
    latency_us: Latency,
    /// How late the sender itself was.
    late_us: Option<Late>,
    connections_opened: u64,
    bytes_read: u64,
    bytes_written: u64,
}

/// Requests without an answer.
#[derive(Serialize)]
struct Errors {
    not_connected: u64,
    broken: u64,
    timed_out: u64,
    not_sent: u64,
}

/// Microseconds.
#[derive(Serialize)]
struct Latency {
    mean: f64,
    p50: f64,
    p90: f64,
    p99: f64,
    p99_9: f64,
    max: f64,
}

/// Microseconds.
#[derive(Serialize)]
struct Late {
    p50: f64,
    p99: f64,
    max: f64,
}

impl Report {
    pub(super) fn new(
        target: &Target,
        question: &Question,
        plan: &Plan,
        expected: StatusCode,
        outcome: &Outcome,
    ) -> Self {
        let Outcome { tally, traffic } = outcome;
        let failed = |failure| tally.failures.get(&failure).copied().unwrap_or_default();
        let errors = Errors {
            not_connected: failed(Failure::NotConnected),
            broken: failed(Failure::Broken),
            timed_out: failed(Failure::TimedOut),
            not_sent: tally.not_sent,
        };
        let expected = expected.as_u16();
        let answers: u64 = tally.statuses.values().sum();
        let at = |histogram: &Histogram<u64>, percentile| micros(histogram.value_at_percentile(percentile) as f64);
        Self {
            target: target.to_string(),
            dialect: question.about.as_ref().map(|(dialect, _)| dialect.name()),
            question: question.about.as_ref().map_or_else(|| question.method.to_string(), |(_, about)| about.clone()),
            kind: if plan.rate.is_some() { "open" } else { "closed" },
            connections: plan.connections,
            threads: plan.threads,
            rate: plan.rate,
            warm_up_s: plan.warm_up.as_secs_f64(),
            duration_s: plan.duration.as_secs_f64(),
            requests_per_s: tally.in_time as f64 / plan.duration.as_secs_f64(),
            requests: answers + errors.total(),
            expected,
            unexpected: answers - tally.statuses.get(&expected).copied().unwrap_or_default(),
            statuses: tally.statuses.clone(),
            errors,
            latency_us: Latency {
                mean: micros(tally.latency.mean()),
                p50: at(&tally.latency, 50.0),
                p90: at(&tally.latency, 90.0),
                p99: at(&tally.latency, 99.0),
                p99_9: at(&tally.latency, 99.9),
                max: at(&tally.latency, 100.0),
            },
            late_us: (!tally.late.is_empty()).then(|| Late {
                p50: at(&tally.late, 50.0),
                p99: at(&tally.late, 99.0),
                max: at(&tally.late, 100.0),
            }),
            connections_opened: traffic.connections,
            bytes_read: traffic.read,
            bytes_written: traffic.written,
        }
    }

    /// Whether there were answers, and every one was the expected one.
    pub(super) fn is_as_expected(&self) -> bool {
        self.unexpected == 0 && self.errors.total() == 0 && !self.statuses.is_empty()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut lines: Vec<Vec<String>> = Vec::new();
        let mut line = |name: &str, value: String| lines.push(vec![format!("{name}:"), value]);
        line("target", self.target.clone());
        line(
            "question",
            format!("{}{}", self.question, self.dialect.map(|name| format!(" ({name})")).unwrap_or_default()),
        );
        line("load", self.load());
        line("requests", format!("{}, {:.0} per second", self.requests, self.requests_per_s));
        let statuses = self.statuses.iter().map(|(status, count)| format!("{count} of {status}"));
        line("answers", or_none(statuses.collect()));
        line("errors", or_none(self.errors.told()));
        let per_second = |bytes: u64| bytes as f64 / self.duration_s / 1e6;
        let (read, written) = (per_second(self.bytes_read), per_second(self.bytes_written));
        line("bytes", format!("{read:.2} MB/s read, {written:.2} MB/s written"));
        let Latency { mean, p50, p90, p99, p99_9, max } = &self.latency_us;
        let latencies = [("mean", mean), ("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p99_9), ("max", max)];
        for (name, value) in latencies {
            line(name, millis(*value));
        }
        let notes = self.notes().into_iter().map(|note| format!("\n{note}\n"));
        std::iter::once(aligned(&lines)).chain(notes).collect()
    }

    fn load(&self) -> String {
        let Self { connections, threads, duration_s, warm_up_s, .. } = self;
        let pace = match self.rate {
            Some(rate) => format!("{rate} requests per second due over {connections} connections"),
            None => format!("closed loop of {connections} connections"),
        };
        let threads = if *threads == 1 { String::new() } else { format!(" and {threads} threads") };
        format!("{pace}{threads}, {duration_s} s after {warm_up_s} s of warm-up")
    }

    /// What to know about the figures.
    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.rate.is_none() {
            let unseen = "Closed loop: while the server stalls, nothing more is asked, so latencies miss what would have \
                          waited. Measure them with --rate.";
            notes.push(unseen.to_owned());
        }
        if let Some(late) = &self.late_us {
            let (median, high) = (millis(late.p50), millis(late.p99));
            notes.push(format!("Sent late by {median} (median) and {high} (p99), which latencies include."));
        }
        if self.unexpected > 0 {
            notes.push(format!("{} answers were not {}.", self.unexpected, self.expected));
        }
        notes
    }
}

impl Errors {
    fn total(&self) -> u64 {
        self.not_connected + self.broken + self.timed_out + self.not_sent
    }

    fn told(&self) -> Vec<String> {
        let all = [
            (self.not_connected, "not connected"),
            (self.broken, "broken off"),
            (self.timed_out, "timed out"),
            (self.not_sent, "due and never sent"),
        ];
        all.into_iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

fn or_none(parts: Vec<String>) -> String {
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

/// In microseconds, with a tenth where it says something.
fn micros(nanos: f64) -> f64 {
    (nanos / 100.0).round() / 10.0
}

fn millis(micros: f64) -> String {
    format!("{:.3} ms", micros / 1_000.0)
}
