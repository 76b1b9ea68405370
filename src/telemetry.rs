//! What Gatepost tells about itself: the log, the decision log, the shadow log, and metrics.
//!
//! Nothing here may delay a decision, and nothing here may be given a secret.

mod cells;
pub mod decision_log;
pub mod line_log;
pub mod log;
pub mod metrics;
mod outcome;
mod proof;
mod queue;
mod shadow_log;

pub use decision_log::{AskerRecord, DecisionLog, DecisionRecord, RequestRecord, RouteRecord};
pub use line_log::{LogError, Output};
pub use metrics::{CacheName, Metrics};
pub use outcome::Outcome;
pub use proof::ProofOutcome;
pub use queue::Queue;
pub use shadow_log::{ShadowDecision, ShadowLog, ShadowRecord, ShadowResource, ShadowResult};
