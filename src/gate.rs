//! The way of one request: what was asked, who sent it, which route, which decision, which answer.
//!
//! Anything that is not an explicit permit is a refusal: every path through here that does not hold a `Permit` ends in
//! 400, 401, 403 or 503.

mod answer;
mod check;
pub mod dialect;
mod framing;
mod lines;
pub mod presented;
mod readers;
mod respond;
mod service;

pub use answer::{Answer, Invalid};
pub use check::{Gate, NeedsStore};
pub use lines::Lines;
pub use readers::Readers;
pub use respond::{LogIn, Respond, Response};
pub use service::{DecisionService, Probes};
