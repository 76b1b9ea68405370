//! What can be told of policies beyond their decisions: what a change of them changes, what holds whatever is asked, why a
//! request was answered as it was.
//!
//! Nothing here is part of a decision, and nothing here prints.

mod counterexample;
pub mod diff;
pub mod explain;
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
