//! The parts of a request's context.

/// Parts of `context`, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::authz) struct ContextParts(u16);

impl ContextParts {
    /// Whether there is a credential, and all of it that stays the same for as long as it is valid: all but its age.
    pub(in crate::authz) const CREDENTIAL: Self = Self(1);
    /// The credential's age.
    pub(in crate::authz) const AGE: Self = Self(1 << 1);
    /// The client's address.
    pub(in crate::authz) const CLIENT: Self = Self(1 << 2);
    /// The request's method.
    pub(in crate::authz) const METHOD: Self = Self(1 << 3);
    /// The request's host.
    pub(in crate::authz) const HOST: Self = Self(1 << 4);
    /// The request's path.
    pub(in crate::authz) const PATH: Self = Self(1 << 5);
    /// Whom an action on a member concerns, with which role, and whether they come back.
    pub(in crate::authz) const MEMBER: Self = Self(1 << 6);
    /// All of these, and what may come to be known later.
    pub(in crate::authz) const EVERYTHING: Self = Self(u16::MAX);

    /// Both sets together.
    #[must_use]
    pub(in crate::authz) const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub(in crate::authz) const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether some part is in both sets.
    pub(in crate::authz) const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all parts of this set are in `other`.
    pub(in crate::authz) const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The part that an attribute path from `context` reads. `has` asks whether it is there, and not what it is.
    pub(super) fn at(path: &[&str], has: bool) -> Self {
        match path {
            ["credential"] if has => Self::CREDENTIAL,
            ["credential", attribute, ..] if LASTING.contains(attribute) => Self::CREDENTIAL,
            ["credential", "age_seconds", ..] => Self::CREDENTIAL.with(Self::AGE),
            ["client", ..] => Self::CLIENT,
            ["method", ..] => Self::METHOD,
            ["host", ..] => Self::HOST,
            ["path", ..] => Self::PATH,
            ["member" | "role" | "returning", ..] => Self::MEMBER,
            _ => Self::EVERYTHING,
        }
    }
}

/// What stays the same for as long as a credential is valid.
const LASTING: [&str; 7] = ["kind", "id", "mfa", "scopes", "read_only", "actions", "applications"];
