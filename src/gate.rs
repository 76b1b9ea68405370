//! The way of one request.

pub mod dialect;
pub mod presented;
