//! What tests are built from: a running Gatepost with known people in it, and a client that sends exactly what it is
//! told to.

pub mod http;
pub mod smtpd;
pub mod world;

pub use http::{Reply, send};
pub use smtpd::MailServer;
pub use world::{Person, World};

/// The program that `tests/run.sh` names in this variable.
pub fn program(variable: &str) -> std::ffi::OsString {
    let environment = gatepost::config::environment();
    let found = environment.into_iter().find(|(name, _)| name == variable);
    found.unwrap_or_else(|| panic!("{variable} is not set: tests/run.sh sets it")).1
}
