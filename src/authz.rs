//! May they: which action on which resource a request is, and what the policies say to it.
//!
//! Policies, schema and routes are files that a security team edits. They are read as one [`generation::Generation`],
//! which is either valid as a whole or not loaded at all. Nothing here knows how a request arrives or how an answer is
//! sent.

pub mod actions;
pub mod analysis;
mod candidate;
mod decision;
mod engine;
mod entities;
mod evaluate;
mod facts;
mod filed;
pub mod generation;
pub mod index;
pub mod inquiry;
mod prepared;
pub mod problem;
mod question;
mod reads;
pub mod routes;
mod table;

pub use candidate::{Candidate, Candidates, Compared, Disagreement, Opinion, Standing};
pub use decision::{Decision, Permit};
pub use engine::{Engine, EngineCapacity, Question, Reloaded, TestCount};
pub use question::{Circumstances, Credential, Resource, Subject};
