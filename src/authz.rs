//! May they: which action on which resource a request is, and what the policies say to it.
//!
//! Policies, schema and routes are files that a security team edits. They are read as one [`Generation`], which is
//! either valid as a whole or not loaded at all. Nothing here knows how a request arrives or how an answer is sent.
//!
//! [`Generation`]: generation::Generation

pub mod actions;
pub mod generation;
pub mod problem;
pub mod routes;
