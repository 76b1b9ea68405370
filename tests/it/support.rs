//! What tests are built from: a running Gatepost with known people in it, and a client that sends exactly what it is
//! told to.

pub mod http;
pub mod world;

pub use http::{Reply, send};
pub use world::{Person, World};
