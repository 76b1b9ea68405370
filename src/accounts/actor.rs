//! Who calls the account system, and from where.

use std::net::IpAddr;
use std::sync::Arc;

use crate::audit::Author;
use crate::authn::Verified;
use crate::authz::{Credential, Subject};
use crate::model::UserId;

/// Who calls.
#[derive(Debug, Clone)]
pub struct Actor {
    who: Who,
    origin: Origin,
}

#[derive(Debug, Clone)]
enum Who {
    User(Arc<Verified>),
    Anonymous,
    Console,
}

/// Where a call comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// The client's address, if it is known for sure.
    pub client: Option<IpAddr>,
    /// The request's method.
    pub method: String,
    /// The request's host.
    pub host: String,
    /// The request's path.
    pub path: String,
}

/// A user with a verified credential, as policies see both. The one translation, so that what is decided for proxies,
/// for the account system and in explanations cannot differ.
pub fn subject(verified: &Verified) -> Subject<'_> {
    let credential = Credential {
        kind: verified.kind(),
        id: verified.id(),
        digest: verified.digest(),
        mfa: verified.mfa(),
        scopes: verified.scopes(),
        issued_at: verified.issued_at(),
    };
    Subject::User { user: verified.user(), credential }
}

impl Actor {
    /// A user, who has sent this credential.
    pub fn user(verified: Arc<Verified>, origin: Origin) -> Self {
        Self { who: Who::User(verified), origin }
    }

    /// Somebody who has sent none.
    pub fn anonymous(origin: Origin) -> Self {
        Self { who: Who::Anonymous, origin }
    }

    /// Whoever runs the command line on the machine that holds the database. To be made for nobody else.
    pub fn console() -> Self {
        let origin = Origin { method: "CONSOLE".to_owned(), ..Origin::default() };
        Self { who: Who::Console, origin }
    }

    /// The credential that was sent, if one was.
    pub fn verified(&self) -> Option<&Arc<Verified>> {
        match &self.who {
            Who::User(verified) => Some(verified),
            Who::Anonymous | Who::Console => None,
        }
    }

    pub(super) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(super) fn user_id(&self) -> Option<UserId> {
        self.verified().map(|verified| verified.user_id())
    }

    pub(super) fn subject(&self) -> Subject<'_> {
        match &self.who {
            Who::User(verified) => subject(verified),
            Who::Anonymous => Subject::Anonymous,
            Who::Console => Subject::Console,
        }
    }

    /// The author of account events.
    pub(super) fn author(&self) -> Author {
        let (credential_kind, credential_id) = match &self.who {
            Who::User(verified) => (verified.kind().as_str(), Some(verified.id().to_owned())),
            Who::Anonymous => ("none", None),
            Who::Console => ("console", None),
        };
        Author { user: self.user_id(), credential_kind, credential_id, client: self.origin.client }
    }
}
