//! What is answered, before it becomes a response.

use std::sync::Arc;

use hyper::header::HeaderValue;

use crate::authn::Verified;
use crate::authz::{Decision, Permit};
use crate::model::{DecisionId, Timestamp};

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

/// An answer, and the identifier under which it is known.
pub(super) struct Answered {
    pub(super) answer: Answer,
    pub(super) id: DecisionId,
    /// When it was asked.
    pub(super) at: Timestamp,
    /// What an allow takes along for the application, if that is configured.
    pub(super) assertion: Option<HeaderValue>,
}

/// What was decided, and about whom.
#[derive(Default)]
pub(super) struct Decided {
    /// What the policies say, if they were asked.
    pub(super) decision: Option<Arc<Decision>>,
    /// Whose credential it was; nobody's in particular, if there is none.
    pub(super) verified: Option<Arc<Verified>>,
}

/// A permitted request.
// INVARIANT: built by `Allowed::new` only, which wants the permit.
pub struct Allowed(Decided);

impl Allowed {
    /// The permitted request, if what was decided permits it.
    pub(super) fn new(decided: Decided) -> Result<Self, Decided> {
        let is_permitted = decided.decision.as_ref().is_some_and(|decision| decision.permit().is_some());
        if is_permitted { Ok(Self(decided)) } else { Err(decided) }
    }

    pub(super) fn permit(&self) -> Option<Permit<'_>> {
        self.0.decision.as_ref().and_then(|decision| decision.permit())
    }

    pub(super) fn verified(&self) -> Option<&Verified> {
        self.0.verified.as_deref()
    }

    pub(super) fn decided(&self) -> &Decided {
        &self.0
    }
}
