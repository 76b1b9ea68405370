//! May they: which action on which resource a request is, and what the policies say to it.
//!

pub mod actions;
pub mod problem;
pub mod routes;
