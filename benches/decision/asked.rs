//! The question of [`World::allowed`], as the engine is asked it.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use gatepost::authn::{Candidate, Verified};
use gatepost::authz::{Circumstances, Credential, Question, Resource, Subject};
use gatepost::cache::Stamp;
use gatepost::model::{Timestamp, UserId};

use crate::world::{Opened, World};

pub(crate) const ACTION: &str = "DeviceAction";

/// What the question borrows from.
pub(crate) struct Asked {
    verified: Arc<Verified>,
    credential_id: String,
    stamp: Stamp,
    action: u16,
    resource: Resource,
    target: String,
    now: Timestamp,
}

impl Asked {
    pub(crate) fn by_operator(world: &World, opened: &Opened) -> Result<Self> {
        let now = opened.app.clock.now();
        let (verified, stamp) = opened.app.verifier.verify(Candidate::read(&world.api_key)?, now)?;
        let generation = opened.app.engine.generation();
        let (action, _) = generation.action_by_name(ACTION).context("the action was to be there")?;
        Ok(Self {
            credential_id: verified.id().to_owned(),
            verified,
            stamp,
            action,
            resource: Resource::Application(world.application),
            target: world.restart_target(),
            now,
        })
    }

    pub(crate) fn user(&self) -> UserId {
        self.verified.user_id()
    }

    pub(crate) fn credential_id(&self) -> &str {
        &self.credential_id
    }

    pub(crate) fn question(&self) -> Question<'_> {
        let credential = Credential {
            kind: self.verified.kind(),
            id: &self.credential_id,
            digest: self.verified.digest(),
            mfa: self.verified.mfa(),
            scopes: self.verified.scopes(),
            issued_at: self.verified.issued_at(),
        };
        let circumstances = Circumstances {
            now: self.now,
            client: Some([192, 0, 2, 1].into()),
            method: "POST",
            host: "app.example.com",
            path: &self.target,
            member: None,
            role: None,
            returning: false,
        };
        Question {
            subject: Subject::User { user: self.verified.user(), credential },
            subject_stamp: self.stamp,
            action: self.action,
            resource: &self.resource,
            circumstances,
        }
    }
}
