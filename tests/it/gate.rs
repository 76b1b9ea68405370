//! The decision listener, asked directly.

mod matrix;
