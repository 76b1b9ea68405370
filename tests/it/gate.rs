//! The decision listener, asked directly.

mod assertions;
mod caches;
pub mod cases;
mod credentials;
mod envoy;
pub mod matrix;
mod peers;
mod policies;
mod readers;
