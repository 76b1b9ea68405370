//! What policies say of one question, and the proof that they permit it.

use std::sync::Arc;

use crate::model::Role;

/// What policies say of one question.
#[derive(Debug, Clone)]
pub struct Decision {
    allowed: bool,
    generation: u64,
    role: Option<Role>,
    policies: Arc<[Arc<str>]>,
    errors: Arc<[Arc<str>]>,
}

/// Proof that policies allow something; only an allowing [`Decision`] gives one.
#[derive(Debug, Clone, Copy)]
pub struct Permit<'a> {
    decision: &'a Decision,
}

impl Permit<'_> {
    /// The role on the resource's application by which this was decided, if the subject has one.
    pub fn role(&self) -> Option<Role> {
        self.decision.role
    }
}

impl Decision {
    pub(super) fn new(
        generation: u64,
        allowed: bool,
        role: Option<Role>,
        policies: Arc<[Arc<str>]>,
        errors: Arc<[Arc<str>]>,
    ) -> Self {
        Self { allowed, generation, role, policies, errors }
    }

    /// The permit, if this allows.
    pub fn permit(&self) -> Option<Permit<'_>> {
        self.allowed.then_some(Permit { decision: self })
    }

    /// The generation of policies that decided.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// The identifiers of the policies that determined the decision; none where nothing permits.
    pub fn policies(&self) -> &Arc<[Arc<str>]> {
        &self.policies
    }

    /// What went wrong. Any error denies.
    pub fn errors(&self) -> &Arc<[Arc<str>]> {
        &self.errors
    }

    /// The subject's role on the resource's application.
    pub fn role(&self) -> Option<Role> {
        self.role
    }
}
