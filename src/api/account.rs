//! `/v1/account`: the caller's own account: its password, its export, its end.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::api_keys::{Listed, listed};
use super::applications;
use super::audit::{self, Seen};
use super::body::JsonBody;
use super::caller::Caller;
use super::code::Code;
use super::operation::{NoContent, Operation};
use super::organizations;
use super::problem::ApiError;
use crate::accounts::{Export, SeenApplication};
use crate::model::{Application, ApplicationId, Email, Role, Timestamp, User, UserId, Username};
use crate::secret::Secret;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPassword, examples(json!({
    "current_password": "Tr0ub4dor&3 and more", "password": "correct horse battery staple",
})))]
pub(super) struct SetPassword {
    /// Left out only by an account that has none.
    current_password: Option<Secret>,
    /// 8 to 1024 characters that are hard to guess.
    #[schema(value_type = String, format = Password, min_length = 8, max_length = 1024)]
    password: Secret,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccountToDelete, examples(json!({"password": "correct horse battery staple", "code": "123456"})))]
pub(super) struct Delete {
    password: Secret,
    /// A code of the authenticator, or a recovery code: needed if two-factor authentication is enabled.
    code: Option<Secret>,
}

/// Everything that is held about an account, without secrets.
#[derive(Serialize, ToSchema)]
#[schema(as = Export)]
pub(super) struct Exported {
    account: Account,
    api_keys: Vec<Listed>,
    /// Those that it administers.
    organizations: Vec<organizations::Shown>,
    /// Those that it holds a role on.
    applications: Vec<applications::Shown>,
    /// The applications that it has left.
    left_applications: Vec<ApplicationId>,
    /// What it did, and what was done to it, newest first.
    events: Vec<Seen>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct Account {
    id: UserId,
    username: Username,
    email: Email,
    created_at: Timestamp,
    installation_administrator: bool,
    has_password: bool,
    /// Since when two-factor authentication is enabled.
    totp_enabled_at: Option<Timestamp>,
    recovery_codes_left: u32,
}

pub(super) fn operations() -> Vec<Operation> {
    const REAUTHENTICATION: [Code; 4] =
        [Code::InvalidCredentials, Code::PasswordRequired, Code::TooManyAttempts, Code::Busy];
    vec![
        Operation::put("/v1/account/password", "set_password", "Change the caller's password, or set the first", set)
            .about("All of the caller's session tokens end. API keys stay.")
            .refuses(&REAUTHENTICATION),
        Operation::get("/v1/account/export", "export_account", "Show everything that is held about the caller", export)
            .about("Secrets are left out, and so is from where others have acted."),
        Operation::delete("/v1/account", "delete_account", "Delete the caller's account", delete)
            .about(
                "For good, with all that it owns: applications with their devices, its personal organization, keys and \
                 memberships. An account without a password must set one first.",
            )
            .refuses(&REAUTHENTICATION)
            .refuses(&[Code::TotpRequired, Code::InvalidCode]),
    ]
}

/// `PUT /v1/account/password`
pub(super) async fn set(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(SetPassword { current_password, password }): JsonBody<SetPassword>,
) -> Result<NoContent, ApiError> {
    let user = caller.user_id();
    state
        .call(move |accounts| accounts.change_password(&caller.actor, user, current_password.as_ref(), &password))
        .await?;
    Ok(NoContent)
}

/// `GET /v1/account/export`
pub(super) async fn export(State(state): State<ApiState>, caller: Caller) -> Result<Json<Exported>, ApiError> {
    let user = caller.user_id();
    state.call(move |accounts| accounts.export(&caller.actor, user)).await.map(|export| Json(exported(export)))
}

/// `DELETE /v1/account`
pub(super) async fn delete(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(Delete { password, code }): JsonBody<Delete>,
) -> Result<NoContent, ApiError> {
    state.call(move |accounts| accounts.delete_own_account(&caller.actor, &password, code.as_ref())).await?;
    Ok(NoContent)
}

fn exported(export: Export) -> Exported {
    let Export { user, has_password, totp_enabled_at, recovery_codes_left, .. } = export;
    let User { id, username, email, installation_administrator, created_at, .. } = user;
    let role = |(application, role): (Application, Role)| {
        let shared = application.owner != id;
        applications::shown(SeenApplication { application, role: Some(role), shared })
    };
    Exported {
        account: Account {
            id,
            username,
            email,
            created_at,
            installation_administrator,
            has_password,
            totp_enabled_at,
            recovery_codes_left,
        },
        api_keys: export.api_keys.into_iter().map(listed).collect(),
        organizations: export.organizations.into_iter().map(organizations::shown).collect(),
        applications: export.applications.into_iter().map(role).collect(),
        left_applications: export.left,
        events: export.events.into_iter().map(|event| audit::seen_by(id, event)).collect(),
    }
}
