//! What can be said of policies before a request comes: what a change of them changes, and what holds whatever is asked.
//!
//! Nothing here is part of a decision, and nothing here prints.

mod counterexample;
pub mod diff;
pub mod prove;
mod scope;
pub mod solver;

use super::entities;
use super::generation::{self, Generation, LoadError, Source, Texts};

pub use counterexample::{Counterexample, Outcome};

/// Reads and validates policies, schema and routes as the server does. `policies` and `schema`, if given, stand in for the
/// folders of `source`.
pub fn load(source: &Source, policies: Option<&Texts>, schema: Option<&Texts>) -> Result<Generation, LoadError> {
    generation::load_with(source, policies, schema, 1, &entities::samples())
}
