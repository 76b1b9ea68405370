//! Tests of the program as a whole: everything put together as it runs, but for time, which the tests own.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod api;
mod support;
