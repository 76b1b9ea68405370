//! The decision listener, asked directly.

pub mod matrix;

