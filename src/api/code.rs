//! The codes of problems: programs rely on them, so none ever changes its meaning or its status.

use axum::http::StatusCode;

macro_rules! codes {
    ($($variant:ident = $status:ident $name:literal $meaning:literal,)*) => {
        /// Why a request was not answered as it wished, in one word.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        #[expect(clippy::enum_variant_names, reason = "one tells of a wrong code")]
        pub(super) enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// The word.
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }

            /// The status that goes with it.
            pub(super) const fn status(self) -> StatusCode {
                match self {
                    $(Self::$variant => StatusCode::$status,)*
                }
            }

            /// What it means, for the documentation.
            pub(super) const fn meaning(self) -> &'static str {
                match self {
                    $(Self::$variant => $meaning,)*
                }
            }
        }
    };
}

codes! {
    AmbiguousCredentials = BAD_REQUEST "ambiguous_credentials" "there are several credentials",
    MalformedHost = BAD_REQUEST "malformed_host" "the host is missing, repeated or malformed",
    IncompleteBody = BAD_REQUEST "incomplete_body" "the body ended early",
    MalformedJson = BAD_REQUEST "malformed_json" "the body is not JSON in UTF-8",

    Unauthenticated = UNAUTHORIZED "unauthenticated" "there is no credential",
    InvalidToken = UNAUTHORIZED "invalid_token" "the credential is not valid, or not any more",
    InvalidCredentials = UNAUTHORIZED "invalid_credentials" "the login or the password is wrong",
    TotpRequired = UNAUTHORIZED "totp_required" "the password is right, and a `code` is needed as well",
    InvalidCode = UNAUTHORIZED "invalid_code" "the code is wrong, or was used before",

    Forbidden = FORBIDDEN "forbidden" "policies do not permit it; a policy may give a code of its own",
    ScopeNotSufficient = FORBIDDEN "scope_not_sufficient" "the API key is narrowed to something else",
    SessionRequired = FORBIDDEN "session_required" "this takes a session token, not an API key",
    RoleNotAvailable = FORBIDDEN "role_not_available" "the plan or the type of the application does not have this role",
    OwnerMustBringBack = FORBIDDEN "owner_must_bring_back" "only the owner brings back somebody who has left",
    OwnerCannotLeave = FORBIDDEN "owner_cannot_leave" "the owner stays a member",
    OwnerCannotBeRemoved = FORBIDDEN "owner_cannot_be_removed" "the owner stays a member",
    OwnerCannotBeDemoted = FORBIDDEN "owner_cannot_be_demoted" "the owner stays an administrator",
    SignUpClosed = FORBIDDEN "sign_up_closed" "accounts are made by those who run this installation only",

    NotFound = NOT_FOUND "not_found" "there is no such thing, or none that the caller may see",
    MethodNotAllowed = METHOD_NOT_ALLOWED "method_not_allowed" "the path does not have this method",

    AlreadyExists = CONFLICT "already_exists" "it exists already",
    LastAdministrator = CONFLICT "last_administrator" "an organization keeps one administrator",
    PersonalOrganization = CONFLICT "personal_organization" "a personal organization goes with its account only",
    PasswordRequired = CONFLICT "password_required" "the account has no password: set one first",
    MailNotConfigured = CONFLICT "mail_not_configured" "this installation sends no mail",

    BodyTooLong = PAYLOAD_TOO_LARGE "body_too_long" "the body is longer than 64 KiB",
    UnsupportedMediaType = UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" "the body is not of the type that is documented",
    Invalid = UNPROCESSABLE_ENTITY "invalid" "a value cannot be accepted: `field` tells which",
    PoliciesInvalid = UNPROCESSABLE_ENTITY "policies_invalid" "something is wrong with the files: `problems` tells all of it",
    InvalidLink = UNPROCESSABLE_ENTITY "invalid_link" "the link was used before, or is too old",
    TooManyAttempts = TOO_MANY_REQUESTS "too_many_attempts" "too many attempts have failed",

    Internal = INTERNAL_SERVER_ERROR "internal" "something went wrong inside",
    Busy = SERVICE_UNAVAILABLE "busy" "too many passwords are being checked, or bodies read, at the moment",
    Unavailable = SERVICE_UNAVAILABLE "unavailable" "the database cannot be reached at the moment",
}
