//! What operators ask: readiness and metrics.

use std::sync::Arc;

use serde_json::json;

use super::App;
use crate::gate::Probes;
use crate::telemetry::Metrics;

/// Answers from the parts.
pub(super) struct AppProbes(pub(super) Arc<App>);

impl Probes for AppProbes {
    fn ready(&self) -> (bool, serde_json::Value) {
        let App { engine, coherence, clock, .. } = &*self.0;
        let store = coherence.is_fresh(clock.now());
        let generation = engine.generation();
        let detail = json!({
            "ready": store,
            "store": if store { "reached" } else { "out of reach" },
            "policies": {
                "generation": generation.number(),
                "from": if generation.is_recorded() { "history" } else { "files" },
                "files": generation.files(),
                "last_reload_error": engine.last_reload_error().map(|error| error.to_string()),
            },
            "shadow": engine.candidates().map(|candidates| json!({
                "candidate": candidates.current().as_ref().map(|candidate| candidate.digest()),
                "last_reload_error": candidates.last_error().map(|error| error.to_string()),
            })),
        });
        (store, detail)
    }

    fn metrics(&self) -> (&'static str, String) {
        (Metrics::CONTENT_TYPE, self.0.metrics.render())
    }
}
