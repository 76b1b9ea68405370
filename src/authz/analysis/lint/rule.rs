//! The rules that findings come from, and how bad each is.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It is not loaded, or cannot be meant.
    Error,
    /// It is loaded, and probably not meant.
    Warning,
    /// Good to know.
    Note,
}

/// What a finding says, by a code that does not change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A policy has a mistake, or does not fit the schema.
    PolicyInvalid,
    /// The schema has a mistake, or leaves out what Gatepost needs.
    SchemaInvalid,
    /// A route has a mistake, or names what the schema does not have.
    RouteInvalid,
    /// An entity has a mistake, or does not fit the schema.
    EntityInvalid,
    /// A folder cannot be read, or has nothing in it.
    FolderInvalid,
    /// A test beside the policies does not hold, or cannot be read.
    TestFailed,
    /// There were tests beside the policies before, and there are none.
    TestsGone,
    /// A policy fails for all requests of some kind, and so denies them.
    PolicyFails,
    /// A policy that no request satisfies.
    PolicyNeverApplies,
    /// A permit that some forbid outweighs wherever it could apply.
    PolicyOverruled,
    /// A policy without `@id`.
    PolicyWithoutId,
    /// An action that is denied to everybody.
    ActionNeverPermitted,
    /// A route that no request takes.
    RouteUnreachable,
    /// An attribute that no policy reads.
    AttributeUnread,
}

impl Severity {
    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl Rule {
    /// All rules.
    pub const ALL: [Self; 14] = [
        Self::PolicyInvalid,
        Self::SchemaInvalid,
        Self::RouteInvalid,
        Self::EntityInvalid,
        Self::FolderInvalid,
        Self::TestFailed,
        Self::TestsGone,
        Self::PolicyFails,
        Self::PolicyNeverApplies,
        Self::PolicyOverruled,
        Self::PolicyWithoutId,
        Self::ActionNeverPermitted,
        Self::RouteUnreachable,
        Self::AttributeUnread,
    ];

    /// The code, which programs may rely on.
    pub const fn code(self) -> &'static str {
        match self {
            Self::PolicyInvalid => "policy-invalid",
            Self::SchemaInvalid => "schema-invalid",
            Self::RouteInvalid => "route-invalid",
            Self::EntityInvalid => "entity-invalid",
            Self::FolderInvalid => "folder-invalid",
            Self::TestFailed => "test-failed",
            Self::TestsGone => "tests-gone",
            Self::PolicyFails => "policy-fails",
            Self::PolicyNeverApplies => "policy-never-applies",
            Self::PolicyOverruled => "policy-overruled",
            Self::PolicyWithoutId => "policy-without-id",
            Self::ActionNeverPermitted => "action-never-permitted",
            Self::RouteUnreachable => "route-unreachable",
            Self::AttributeUnread => "attribute-unread",
        }
    }

    /// How bad it is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::PolicyInvalid
            | Self::SchemaInvalid
            | Self::RouteInvalid
            | Self::EntityInvalid
            | Self::FolderInvalid
            | Self::TestFailed
            | Self::PolicyFails => Severity::Error,
            Self::TestsGone
            | Self::PolicyNeverApplies
            | Self::PolicyOverruled
            | Self::PolicyWithoutId
            | Self::ActionNeverPermitted
            | Self::RouteUnreachable => Severity::Warning,
            Self::AttributeUnread => Severity::Note,
        }
    }

    /// What it says, in one sentence.
    pub const fn summary(self) -> &'static str {
        match self {
            Self::PolicyInvalid => "A policy is not Cedar, does not fit the schema, or has an `@id` of another.",
            Self::SchemaInvalid => "The schema is not Cedar, or changes types that Gatepost owns.",
            Self::RouteInvalid => {
                "A route is not well formed, ties with another, or names what the schema does not have."
            }
            Self::EntityInvalid => "An entity of a file is not well formed or does not fit the schema.",
            Self::FolderInvalid => "A folder cannot be read, or what is in it does not make a whole.",
            Self::TestFailed => "The policies do not decide as a test expects, or the test cannot be read.",
            Self::TestsGone => "A generation before went by tests, and there are none any more.",
            Self::PolicyFails => "A policy fails for all requests of some kind, so all of these are denied.",
            Self::PolicyNeverApplies => "No request can satisfy the policy.",
            Self::PolicyOverruled => "Wherever the permit could apply, a forbid applies as well.",
            Self::PolicyWithoutId => "The policy has no `@id`, so its name changes when others are added before it.",
            Self::ActionNeverPermitted => "No policy permits the action to anybody.",
            Self::RouteUnreachable => "No request takes the route.",
            Self::AttributeUnread => "No policy reads the attribute.",
        }
    }
}
