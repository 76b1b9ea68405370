//! What operators ask: readiness and metrics.

use std::sync::Arc;

use serde_json::json;

use super::App;
use crate::authz::Standing;
use crate::authz::generation::LoadError;
use crate::gate::Probes;
use crate::telemetry::Metrics;

/// Answers from the parts.
pub(super) struct AppProbes(pub(super) Arc<App>);

/// What is wrong, without saying that something was not loaded.
fn in_words(error: &LoadError) -> String {
    error.problems().iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

impl Probes for AppProbes {
    fn ready(&self) -> (bool, serde_json::Value) {
        let App { engine, coherence, clock, .. } = &*self.0;
        let store = coherence.is_fresh(clock.now());
        let (generation, tests) = (engine.generation(), engine.test_count());
        let detail = json!({
            "ready": store,
            "store": if store { "reached" } else { "out of reach" },
            "policies": {
                "generation": generation.number(),
                "from": if generation.is_recorded() { "history" } else { "files" },
                "files": generation.files(),
                "tests": tests.now,
                "tests_lost": tests.lost,
                "last_reload_error": engine.last_reload_error().map(|error| error.to_string()),
            },
            "shadow": engine.candidates().map(|candidates| {
                let standing = engine.candidate_standing();
                json!({
                    "candidate": candidates.current().as_ref().map(|candidate| candidate.digest()),
                    "last_reload_error": candidates.last_error().map(|error| error.to_string()),
                    "invariants": standing.as_str(),
                    "invariants_error": match &standing {
                        Standing::NotProved(error) => Some(in_words(error)),
                        Standing::Off | Standing::Pending | Standing::Proved => None,
                    },
                })
            }),
        });
        (store, detail)
    }

    fn metrics(&self) -> (&'static str, String) {
        (Metrics::CONTENT_TYPE, self.0.metrics.render())
    }
}
