//! Metrics, in the text format that Prometheus reads (OpenMetrics 1.0).
//!
//! Each counter is an atomic that is found at the start, so that counting takes neither a lock nor a look-up.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::cells::BusyCounter;
use super::{Outcome, ProofOutcome, ShadowResult};

/// The caches whose look-ups are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CacheName {
    /// Credentials that were verified.
    Credentials,
    /// API keys that do not exist.
    UnknownKeys,
    /// Users with their roles on an application.
    Standings,
    /// Decisions of the policies in force.
    Decisions,
}

impl CacheName {
    /// All caches, in the order of their definition.
    pub const ALL: [Self; 4] = [Self::Credentials, Self::UnknownKeys, Self::Standings, Self::Decisions];

    /// The cache's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::UnknownKeys => "unknown_keys",
            Self::Standings => "standings",
            Self::Decisions => "decisions",
        }
    }
}

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    decisions: [BusyCounter; 5],
    decision_errors: Counter,
    decision_log_dropped: Counter,
    decisions_shed: Counter,
    policy_generation: Gauge<u64, AtomicU64>,
    policy_reload_failures: Counter,
    shadow_decisions: [Counter; 5],
    shadow_dropped: Counter,
    shadow_log_dropped: Counter,
    shadow_candidate_loaded: Gauge<u64, AtomicU64>,
    shadow_reload_failures: Counter,
    cache_hits: [BusyCounter; 4],
    cache_misses: [BusyCounter; 4],
    log_ins: [Counter; 7],
    reauthentications: [Counter; 7],
}

impl Metrics {
    /// The media type of what [`Metrics::render`] gives.
    pub const CONTENT_TYPE: &'static str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Metrics that start at zero.
    pub fn new() -> Self {
        let mut registry = Registry::with_prefix("gatepost");
        let decisions = Family::<[(&str, &str); 1], BusyCounter>::default();
        registry.register("decisions", "Decisions, by how they ended", decisions.clone());
        let lookups = Family::<[(&str, &str); 2], BusyCounter>::default();
        registry.register("cache_lookups", "Look-ups in caches, by whether they found something", lookups.clone());
        let policy_generation = Gauge::<u64, AtomicU64>::default();
        registry.register("policy_generation", "Generation of the policies in force", policy_generation.clone());
        let shadow_decisions = Family::<[(&str, &str); 1], Counter>::default();
        registry.register(
            "shadow_decisions",
            "Decisions that a candidate was asked as well, by what it made of them",
            shadow_decisions.clone(),
        );
        let shadow_candidate_loaded = Gauge::<u64, AtomicU64>::default();
        registry.register(
            "shadow_candidate_loaded",
            "Whether there is a candidate that decisions are compared with",
            shadow_candidate_loaded.clone(),
        );
        let mut proofs = |name: &str, help: &str| {
            let family = Family::<[(&str, &str); 1], Counter>::default();
            registry.register(name, help, family.clone());
            ProofOutcome::ALL.map(|outcome| family.get_or_create_owned(&[("outcome", outcome.as_str())]))
        };
        let log_ins = proofs("log_ins", "Log-ins, by how they ended");
        let reauthentications = proofs("reauthentications", "Passwords given again for a change, by how that ended");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let cache = |result| {
            CacheName::ALL.map(|cache| lookups.get_or_create_owned(&[("cache", cache.as_str()), ("result", result)]))
        };
        Self {
            decisions: Outcome::ALL.map(|outcome| decisions.get_or_create_owned(&[("outcome", outcome.as_str())])),
            decision_errors: counter("decision_errors", "Decisions in which the evaluation of a policy failed"),
            decision_log_dropped: counter("decision_log_dropped", "Decisions that are missing from the decision log"),
            decisions_shed: counter("decisions_shed", "Decisions refused because too many were waiting for the store"),
            policy_generation,
            policy_reload_failures: counter(
                "policy_reload_failures",
                "Changes of the policies that could not be loaded",
            ),
            shadow_decisions: ShadowResult::ALL
                .map(|result| shadow_decisions.get_or_create_owned(&[("result", result.as_str())])),
            shadow_dropped: counter(
                "shadow_dropped",
                "Decisions not compared, as too many were waiting or the store failed",
            ),
            shadow_log_dropped: counter("shadow_log_dropped", "Disagreements that are missing from the shadow log"),
            shadow_candidate_loaded,
            shadow_reload_failures: counter(
                "shadow_reload_failures",
                "Changes of the candidate that could not be loaded",
            ),
            cache_hits: cache("hit"),
            cache_misses: cache("miss"),
            log_ins,
            reauthentications,
            registry,
        }
    }

    /// Counts a decision.
    pub fn decided(&self, outcome: Outcome) {
        if let Some(counter) = self.decisions.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Counts a decision in which the evaluation of a policy failed.
    pub fn evaluation_failed(&self) {
        self.decision_errors.inc();
    }

    /// Counts a decision that was refused because too many were waiting for the store.
    pub fn shed(&self) {
        self.decisions_shed.inc();
    }

    /// Counts a look-up in a cache.
    pub fn looked_up(&self, cache: CacheName, is_hit: bool) {
        let counters = if is_hit { &self.cache_hits } else { &self.cache_misses };
        if let Some(counter) = counters.get(cache as usize) {
            counter.inc();
        }
    }

    /// Counts a log-in.
    pub fn logged_in(&self, outcome: ProofOutcome) {
        if let Some(counter) = self.log_ins.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Counts a password, or a code, that was given again.
    pub fn reauthenticated(&self, outcome: ProofOutcome) {
        if let Some(counter) = self.reauthentications.get(outcome as usize) {
            counter.inc();
        }
    }

    /// Tells which generation of the policies is in force.
    pub fn set_policy_generation(&self, generation: u64) {
        self.policy_generation.set(generation);
    }

    /// Counts a change of the policies that could not be loaded.
    pub fn reload_failed(&self) {
        self.policy_reload_failures.inc();
    }

    /// Counts a decision that a candidate was asked as well.
    pub fn shadowed(&self, result: ShadowResult) {
        if let Some(counter) = self.shadow_decisions.get(result as usize) {
            counter.inc();
        }
    }

    /// Counts a decision that was to be compared, and was not.
    pub fn shadow_dropped(&self) {
        self.shadow_dropped.inc();
    }

    /// Tells whether there is a candidate.
    pub fn set_candidate_loaded(&self, is_loaded: bool) {
        self.shadow_candidate_loaded.set(is_loaded.into());
    }

    /// Counts a change of the candidate that could not be loaded.
    pub fn candidate_failed(&self) {
        self.shadow_reload_failures.inc();
    }

    /// All metrics as text, of the type [`Metrics::CONTENT_TYPE`].
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = text::encode(&mut text, &self.registry);
        text
    }

    /// The counter of decisions that are missing from the decision log.
    pub(super) fn decision_log_dropped(&self) -> Counter {
        self.decision_log_dropped.clone()
    }

    /// The counter of disagreements that are missing from the shadow log.
    pub(super) fn shadow_log_dropped(&self) -> Counter {
        self.shadow_log_dropped.clone()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        let metrics = Metrics::new();
        metrics.decided(Outcome::Unavailable);
        metrics.decided(Outcome::Allow);
        metrics.decided(Outcome::Allow);
        metrics.evaluation_failed();
        metrics.looked_up(CacheName::Decisions, false);
        metrics.looked_up(CacheName::Credentials, true);
        metrics.set_policy_generation(3);
        metrics.reload_failed();
        metrics.decision_log_dropped().inc();
        metrics.shadowed(ShadowResult::Loses);
        metrics.set_candidate_loaded(true);
        metrics.logged_in(ProofOutcome::WrongCode);
        metrics.reauthenticated(ProofOutcome::Throttled);
        let text = metrics.render();
        for line in [
            "# TYPE gatepost_decisions counter",
            r#"gatepost_log_ins_total{outcome="wrong_code"} 1"#,
            r#"gatepost_log_ins_total{outcome="wrong_credentials"} 0"#,
            r#"gatepost_reauthentications_total{outcome="throttled"} 1"#,
            r#"gatepost_decisions_total{outcome="allow"} 2"#,
            r#"gatepost_decisions_total{outcome="deny"} 0"#,
            r#"gatepost_decisions_total{outcome="unavailable"} 1"#,
            "gatepost_decision_errors_total 1",
            "gatepost_decision_log_dropped_total 1",
            "gatepost_policy_generation 3",
            "gatepost_policy_reload_failures_total 1",
            r#"gatepost_shadow_decisions_total{result="loses"} 1"#,
            r#"gatepost_shadow_decisions_total{result="stale"} 0"#,
            "gatepost_shadow_candidate_loaded 1",
            "gatepost_shadow_dropped_total 0",
            "gatepost_shadow_log_dropped_total 0",
            "gatepost_shadow_reload_failures_total 0",
            r#"gatepost_cache_lookups_total{cache="decisions",result="miss"} 1"#,
            r#"gatepost_cache_lookups_total{cache="decisions",result="hit"} 0"#,
            r#"gatepost_cache_lookups_total{cache="credentials",result="hit"} 1"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
