//! The attributes of entities.

use crate::model::Role;

/// The attributes that entities are built with.
#[derive(Debug, Clone, Copy)]
pub(in crate::authz) enum Attribute {
    Administrators,
    Application,
    Developers,
    Email,
    InstallationAdministrator,
    Observers,
    Operators,
    Organization,
    Owner,
    Plan,
    Type,
    Username,
}

impl Attribute {
    pub(super) const ALL: [Self; 12] = [
        Self::Administrators,
        Self::Application,
        Self::Developers,
        Self::Email,
        Self::InstallationAdministrator,
        Self::Observers,
        Self::Operators,
        Self::Organization,
        Self::Owner,
        Self::Plan,
        Self::Type,
        Self::Username,
    ];

    /// The team of those who have `role`.
    pub(in crate::authz) const fn team(role: Role) -> Self {
        match role {
            Role::Administrator => Self::Administrators,
            Role::Developer => Self::Developers,
            Role::Operator => Self::Operators,
            Role::Observer => Self::Observers,
        }
    }

    pub(in crate::authz) const fn name(self) -> &'static str {
        match self {
            Self::Administrators => "administrators",
            Self::Application => "application",
            Self::Developers => "developers",
            Self::Email => "email",
            Self::InstallationAdministrator => "installation_administrator",
            Self::Observers => "observers",
            Self::Operators => "operators",
            Self::Organization => "organization",
            Self::Owner => "owner",
            Self::Plan => "plan",
            Self::Type => "type",
            Self::Username => "username",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Attributes, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::authz) struct Attributes(u16);

impl Attributes {
    /// All attributes.
    pub(super) const ALL: Self = Self(u16::MAX);

    /// Both sets together.
    pub(super) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Adds the attribute of this name, if entities have one.
    pub(super) fn add(&mut self, name: &str) {
        let known = Attribute::ALL.into_iter().find(|known| known.name() == name);
        self.0 |= known.map_or(0, Attribute::bit);
    }

    pub(in crate::authz) const fn include(self, attribute: Attribute) -> bool {
        self.0 & attribute.bit() != 0
    }
}
