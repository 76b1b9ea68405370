//! Applications, their devices and their members.

use serde::{Deserialize, Serialize};

use super::{ApplicationId, DeviceId, Name, OrganizationId, Role, Timestamp, UserId};

/// An application: what roles are held on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// Its identifier.
    pub id: ApplicationId,
    /// Its display name, unique within its organization.
    pub name: Name,
    /// What it can do; policies read it.
    pub application_type: ApplicationType,
    /// The organization that it belongs to.
    pub organization: OrganizationId,
    /// The user who created it: its administrator for good.
    pub owner: UserId,
    /// When it was created.
    pub created_at: Timestamp,
}

/// An application's type; policies read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ApplicationType {
    /// Has the developer role only.
    Starter,
    /// Has all roles, on a paid plan.
    Standard,
}

impl ApplicationType {
    /// The type's name, in lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starter => "starter",
            Self::Standard => "standard",
        }
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Starter, Self::Standard].into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A device, registered with one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its identifier.
    pub id: DeviceId,
    /// The application that it is registered with.
    pub application: ApplicationId,
    /// Its display name.
    pub name: Name,
    /// When it was registered.
    pub created_at: Timestamp,
}

/// A user's role on an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Membership {
    /// The application.
    pub application: ApplicationId,
    /// The member.
    pub user: UserId,
    /// What the member may do.
    pub role: Role,
    /// Since when the member has been one.
    pub created_at: Timestamp,
}
