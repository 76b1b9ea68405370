//! Account events: who did what to whom, when, from where and with which credential.

use serde::Serialize;

use super::{ApplicationId, EventId, OrganizationId, Timestamp, UserId};

/// A row of the audit trail, written in the transaction of the change that it tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its identifier.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who did it; nobody when it was done on this machine's console.
    pub actor: Option<UserId>,
    /// With which credential: `session`, `api_key`, `password` or `console`.
    pub credential_kind: &'static str,
    /// The identifier of that credential, if it has one.
    pub credential_id: Option<String>,
    /// From which address, if it is known.
    pub client: Option<std::net::IpAddr>,
    /// What was done.
    pub action: EventAction,
    /// To whom, if it was done to a user.
    pub user: Option<UserId>,
    /// In which application.
    pub application: Option<ApplicationId>,
    /// In which organization.
    pub organization: Option<OrganizationId>,
    /// What else there is to tell, without secrets and without personal data: an identifier, a role, a plan.
    pub detail: Option<String>,
}

/// What account events tell of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventAction {
    /// An account was created.
    UserCreated,
    /// An account was deleted.
    UserDeleted,
    /// An account was disabled: none of its credentials counts.
    UserDisabled,
    /// An account that was disabled was enabled.
    UserEnabled,
    /// Somebody signed in with a password.
    SessionCreated,
    /// A session token was refreshed.
    SessionRefreshed,
    /// All of a user's session tokens were ended.
    SessionsEnded,
    /// An API key was created.
    ApiKeyCreated,
    /// An API key was revoked.
    ApiKeyRevoked,
    /// An organization was created.
    OrganizationCreated,
    /// An organization was deleted.
    OrganizationDeleted,
    /// An organization's plan was set.
    PlanSet,
    /// A user became an administrator of an organization.
    AdministratorAdded,
    /// A user is no longer an administrator of an organization.
    AdministratorRemoved,
    /// An application was created.
    ApplicationCreated,
    /// An application was deleted.
    ApplicationDeleted,
    /// A user became a member of an application.
    MemberAdded,
    /// A member's role was changed.
    MemberRoleSet,
    /// A member was removed, or left.
    MemberRemoved,
    /// A device was registered.
    DeviceAdded,
    /// A device was removed.
    DeviceRemoved,
    /// A new signing key was made.
    SigningKeyRotated,
    /// Somebody has signed up for an account.
    SignedUp,
    /// The link that was mailed to an account's address was followed.
    EmailVerified,
    /// A link to reset a password was mailed, on the console's wish; until then nobody signs in with a password.
    PasswordResetRequested,
    /// A password was replaced by a mailed link.
    PasswordReset,
    /// A password was set or changed by its owner, or on the console.
    PasswordChanged,
    /// Two-factor authentication was enabled.
    TotpEnabled,
    /// Two-factor authentication was disabled.
    TotpDisabled,
    /// New recovery codes took the place of the old ones.
    RecoveryCodesReplaced,
    /// A recovery code was used up.
    RecoveryCodeUsed,
    /// All that is held about a user was exported.
    AccountExported,
    /// A user was made an administrator of the installation, or is one no longer.
    InstallationAdministratorSet,
    /// All secrets were encrypted under a new key file.
    KeyFileRotated,
    /// Somebody had the policies read again, or an older generation written back.
    PoliciesReloaded,
}

impl EventAction {
    /// The action's name, as it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UserCreated => "user_created",
            Self::UserDeleted => "user_deleted",
            Self::UserDisabled => "user_disabled",
            Self::UserEnabled => "user_enabled",
            Self::SessionCreated => "session_created",
            Self::SessionRefreshed => "session_refreshed",
            Self::SessionsEnded => "sessions_ended",
            Self::ApiKeyCreated => "api_key_created",
            Self::ApiKeyRevoked => "api_key_revoked",
            Self::OrganizationCreated => "organization_created",
            Self::OrganizationDeleted => "organization_deleted",
            Self::PlanSet => "plan_set",
            Self::AdministratorAdded => "administrator_added",
            Self::AdministratorRemoved => "administrator_removed",
            Self::ApplicationCreated => "application_created",
            Self::ApplicationDeleted => "application_deleted",
            Self::MemberAdded => "member_added",
            Self::MemberRoleSet => "member_role_set",
            Self::MemberRemoved => "member_removed",
            Self::DeviceAdded => "device_added",
            Self::DeviceRemoved => "device_removed",
            Self::SigningKeyRotated => "signing_key_rotated",
            Self::SignedUp => "signed_up",
            Self::EmailVerified => "email_verified",
            Self::PasswordResetRequested => "password_reset_requested",
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::TotpEnabled => "totp_enabled",
            Self::TotpDisabled => "totp_disabled",
            Self::RecoveryCodesReplaced => "recovery_codes_replaced",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::AccountExported => "account_exported",
            Self::InstallationAdministratorSet => "installation_administrator_set",
            Self::KeyFileRotated => "key_file_rotated",
            Self::PoliciesReloaded => "policies_reloaded",
        }
    }
}
