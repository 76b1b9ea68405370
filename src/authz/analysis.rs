//! What can be told of policies beyond their decisions: why they decide, whether as expected, and what they come to.
//!
//! All of it asks the engine that decides requests. Nothing here prints or changes anything.

pub mod explain;
pub mod format;
pub mod lint;
pub mod matrix;
pub mod tests;

use super::entities;
use super::generation::{self, Generation, LoadError, Source};

/// Reads the files to look at, as generation 1 of a server that starts on them.
pub fn load(source: &Source) -> Result<Generation, LoadError> {
    generation::load(source, 1, &entities::samples())
}
