//! Account events: who did what to whom. Each is written in the transaction of the change that it tells of.

use std::net::IpAddr;

use crate::model::{ApplicationId, Event, EventAction, EventId, OrganizationId, Timestamp, UserId};

/// Who acts, with what, and from where.
#[derive(Debug, Clone, Default)]
pub struct Author {
    /// The user; nobody for the console.
    pub user: Option<UserId>,
    /// `session`, `api_key`, `password` or `console`.
    pub credential_kind: &'static str,
    /// The credential's identifier, if it has one.
    pub credential_id: Option<String>,
    /// The client's address, if it is known.
    pub client: Option<IpAddr>,
}

/// Begins an event: `author` does `action` at the time `at`. What it is done to is added by the methods of [`Draft`].
pub fn event(author: &Author, action: EventAction, at: Timestamp) -> Draft {
    Draft(Event {
        id: EventId::generate(at),
        at,
        actor: author.user,
        credential_kind: author.credential_kind,
        credential_id: author.credential_id.clone(),
        client: author.client,
        action,
        user: None,
        application: None,
        organization: None,
        detail: None,
    })
}

/// An event that still lacks what it was done to.
#[must_use]
#[derive(Debug, Clone)]
pub struct Draft(Event);

impl Draft {
    /// It was done to this user.
    pub fn user(self, user: UserId) -> Self {
        Self(Event { user: Some(user), ..self.0 })
    }

    /// It was done in this application.
    pub fn application(self, application: ApplicationId) -> Self {
        Self(Event { application: Some(application), ..self.0 })
    }

    /// It was done in this organization.
    pub fn organization(self, organization: OrganizationId) -> Self {
        Self(Event { organization: Some(organization), ..self.0 })
    }

    /// What else there is to tell, without secrets and personal data.
    pub fn detail(self, detail: impl ToString) -> Self {
        Self(Event { detail: Some(detail.to_string()), ..self.0 })
    }

    /// The event.
    pub fn finish(self) -> Event {
        self.0
    }
}
