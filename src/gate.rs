//! The way of one request: what was asked, who sent it, which route, which decision, which answer.
//!
//! Anything that is not an explicit permit is a refusal: every path through here that does not hold a `Permit` ends in
//! 400, 401, 403 or 503.

mod answer;
mod asked;
mod assertions;
mod authzen;
mod check;
mod decider;
pub mod dialect;
mod envoy;
pub mod ext_authz;
mod fastcgi;
mod framing;
mod lines;
mod peer;
pub mod presented;
mod question;
mod readers;
mod respond;
mod service;
mod shadow;

pub use answer::{Answer, Invalid};
pub use asked::{Asked, AskedError};
pub use assertions::Assertions;
pub use authzen::AuthZen;
pub use check::{Gate, NeedsStore};
pub use decider::Decider;
pub use fastcgi::serve_fastcgi;
pub use lines::{Fields, Lines};
pub use peer::{PEER_TOKEN, Trust};
pub use question::{Question, Source, Told};
pub use readers::Readers;
pub use respond::{LogIn, Respond, Response};
pub use service::{AnswerBody, DecisionService, Probes, others};
pub use shadow::Shadow;
