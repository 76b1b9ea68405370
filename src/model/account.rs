//! Users and organizations.

use serde::{Deserialize, Serialize};

use super::{Email, Name, OrganizationId, Timestamp, UserId, Username};
use crate::secret::PasswordHash;

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its identifier.
    pub id: UserId,
    /// Its unique name.
    pub username: Username,
    /// Its unique address.
    pub email: Email,
    /// Whether it administers this installation: such a user sets the plans of organizations.
    pub installation_administrator: bool,
    /// Session tokens issued before this time are refused.
    pub tokens_not_before: Timestamp,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What is stored for a new account; it comes with a personal organization.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// The account.
    pub user: User,
    /// Its password; an account may have none.
    pub password_hash: Option<PasswordHash>,
}

/// An organization, which applications belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Its identifier.
    pub id: OrganizationId,
    /// Its display name.
    pub name: Name,
    /// What it pays for.
    pub plan: Plan,
    /// The user whose personal organization it is, if it is one.
    pub personal_to: Option<UserId>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// What an organization pays for; policies read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// The default.
    Free,
    /// All roles can be assigned on the organization's `standard` applications.
    Paid,
}

impl Plan {
    /// The plan's name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Paid => "paid",
        }
    }

    /// The plan with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Free, Self::Paid].into_iter().find(|plan| plan.as_str() == name)
    }
}
