//! How trying to prove who one is can end.

/// How a log-in, or giving one's password again, ended, as the metrics and the log name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProofOutcome {
    /// It was right.
    Accepted,
    /// The login or the password was wrong.
    WrongCredentials,
    /// The account is disabled; whether the password was right is not looked at.
    Disabled,
    /// The password was right, and no code was given.
    CodeNeeded,
    /// The password was right, and the code was not.
    WrongCode,
    /// Too many had failed before, so it was not looked at.
    Throttled,
    /// It could not be looked at: too much was going on, or the store failed.
    Unavailable,
}

impl ProofOutcome {
    /// All outcomes, in the order of their definition.
    pub const ALL: [Self; 7] = [
        Self::Accepted,
        Self::WrongCredentials,
        Self::Disabled,
        Self::CodeNeeded,
        Self::WrongCode,
        Self::Throttled,
        Self::Unavailable,
    ];

    /// The outcome's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::WrongCredentials => "wrong_credentials",
            Self::Disabled => "disabled",
            Self::CodeNeeded => "code_needed",
            Self::WrongCode => "wrong_code",
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
        }
    }

    /// Whether it may have been somebody who guesses.
    pub const fn may_be_a_guess(self) -> bool {
        matches!(self, Self::WrongCredentials | Self::Disabled | Self::WrongCode | Self::Throttled)
    }
}
