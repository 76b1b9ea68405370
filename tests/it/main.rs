//! The integration tests: one binary, real listeners, real programs.
//!
//! A test that needs a program which `tests/run.sh` installs is ignored by default and names the program.

#![expect(unreachable_pub, reason = "everything here is one binary")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets what it does not expect must fail"
)]

mod api;
mod cli;
mod gate;
mod layering;
mod proxies;
mod store;
mod support;
