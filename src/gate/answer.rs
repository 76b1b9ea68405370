//! What is answered, before it becomes a response.

use std::sync::Arc;

use crate::authn::Verified;
use crate::authz::{Decision, Permit};

/// The answer to a proxy.
pub enum Answer {
    /// The policies permit it.
    Allowed(Allowed),
    /// Nobody in particular may do this, and nobody in particular asked.
    Unauthenticated {
        /// Whether a credential was sent, which is not valid.
        invalid: Option<Invalid>,
        /// Where to send a browser to log in.
        log_in: Option<String>,
    },
    /// The policies do not permit it to this caller, or no route matches.
    Denied {
        /// Why, for the log only.
        cause: Option<&'static str>,
    },
    /// It cannot be said for sure what was asked, or who asked.
    Malformed {
        /// What is wrong with it.
        cause: String,
    },
    /// It cannot be decided at the moment.
    Unavailable {
        /// Why, for the log only.
        cause: String,
    },
}

/// A credential was sent, and is not valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Invalid;

/// A permitted request.
// INVARIANT: built by `Allowed::new` only, which wants the permit.
pub struct Allowed {
    decision: Arc<Decision>,
    verified: Option<Arc<Verified>>,
}

impl Allowed {
    /// The request of `verified`, or of nobody, that `decision` permits; nothing if it does not.
    pub(super) fn new(decision: Arc<Decision>, verified: Option<Arc<Verified>>) -> Option<Self> {
        decision.permit()?;
        Some(Self { decision, verified })
    }

    pub(super) fn permit(&self) -> Option<Permit<'_>> {
        self.decision.permit()
    }

    pub(super) fn verified(&self) -> Option<&Verified> {
        self.verified.as_deref()
    }
}
