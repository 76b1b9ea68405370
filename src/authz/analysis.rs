//! What can be told of policies before they are in force.
//!
//! Everything here is computed from files, and nothing is printed, decided or changed.

pub mod format;
pub mod lint;
