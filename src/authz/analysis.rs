//! What can be told of policies beyond their decisions: why they decide, whether as expected, what they come to, what a
//! change of them changes, and what holds whatever is asked.
//!
//! All of it asks the engine that decides requests. Nothing here prints or changes anything.

mod counterexample;
pub mod diff;
pub mod explain;
pub mod format;
pub mod lint;
pub mod matrix;
pub mod progress;
pub mod prove;
mod scope;
pub mod solver;
pub mod tests;

use super::entities;
use super::generation::{self, Generation, LoadError, Source, Texts};

pub use counterexample::{Counterexample, Outcome};

/// Reads the files to look at, as generation 1 of a server that starts on them.
pub fn load(source: &Source) -> Result<Generation, LoadError> {
    load_with(source, None, None)
}

/// The same, where `policies` and `schema`, if given, stand in for the folders of `source`.
pub fn load_with(source: &Source, policies: Option<&Texts>, schema: Option<&Texts>) -> Result<Generation, LoadError> {
    generation::load_with(source, policies, schema, 1, &entities::samples())
}
