//! `/v1/account/totp` and `/v1/account/recovery-codes`: two-factor authentication of the caller's account.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ApiState;
use super::body::{JsonBody, expose, expose_all};
use super::caller::Caller;
use super::code::Code;
use super::operation::{Created, NoContent, Operation};
use super::problem::ApiError;
use crate::accounts::Pairing;
use crate::authn::qr_svg;
use crate::secret::Secret;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OwnPassword, examples(json!({"password": "correct horse battery staple"})))]
pub(super) struct Password {
    password: Secret,
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = PairingCode, examples(json!({"code": "123456"})))]
pub(super) struct PairingCode {
    /// What the authenticator shows: six digits.
    code: Secret,
}

#[derive(Serialize, ToSchema)]
#[schema(as = Pairing)]
pub(super) struct Paired {
    /// The secret in base32, for typing.
    #[serde(serialize_with = "expose")]
    secret: Secret,
    /// The same as an `otpauth://` address.
    #[serde(serialize_with = "expose")]
    uri: Secret,
    /// The same as a QR code: an SVG document.
    #[serde(serialize_with = "expose")]
    qr_svg: Secret,
}

#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodes {
    /// Each works once, in place of a code of the authenticator.
    #[serde(serialize_with = "expose_all")]
    recovery_codes: Vec<Secret>,
}

pub(super) fn operations() -> Vec<Operation> {
    const PASSWORD: [Code; 4] = [Code::InvalidCredentials, Code::PasswordRequired, Code::TooManyAttempts, Code::Busy];
    const TOTP: &str = "/v1/account/totp";
    vec![
        Operation::post(TOTP, "begin_totp", "Pair an authenticator", begin)
            .about("Nothing is enabled before a code of it was confirmed. Another pairing that was begun ends.")
            .refuses(&PASSWORD)
            .refuses(&[Code::AlreadyExists]),
        Operation::post(
            "/v1/account/totp/confirm",
            "confirm_totp",
            "Enable two-factor authentication by a code of the paired authenticator",
            confirm,
        )
        .about("The answer is the only time that the recovery codes are shown.")
        .refuses(&[Code::InvalidCode, Code::NotFound, Code::AlreadyExists, Code::TooManyAttempts]),
        Operation::delete(TOTP, "disable_totp", "Disable two-factor authentication", disable)
            .refuses(&PASSWORD)
            .refuses(&[Code::NotFound]),
        Operation::post("/v1/account/recovery-codes", "replace_recovery_codes", "Get new recovery codes", replace)
            .about("The old ones end. The answer is the only time that the new ones are shown.")
            .refuses(&PASSWORD)
            .refuses(&[Code::NotFound]),
    ]
}

/// `POST /v1/account/totp`
pub(super) async fn begin(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(Password { password }): JsonBody<Password>,
) -> Result<Created<Paired>, ApiError> {
    let user = caller.user_id();
    let Pairing { secret, uri } =
        state.call(move |accounts| accounts.begin_totp(&caller.actor, user, &password)).await?;
    let qr_svg = qr_svg(&uri)?;
    Ok(Created(Paired { secret, uri, qr_svg }))
}

/// `POST /v1/account/totp/confirm`
pub(super) async fn confirm(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(PairingCode { code }): JsonBody<PairingCode>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let user = caller.user_id();
    let recovery_codes = state.call(move |accounts| accounts.confirm_totp(&caller.actor, user, &code)).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}

/// `DELETE /v1/account/totp`
pub(super) async fn disable(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(Password { password }): JsonBody<Password>,
) -> Result<NoContent, ApiError> {
    let user = caller.user_id();
    state.call(move |accounts| accounts.disable_totp(&caller.actor, user, &password)).await?;
    Ok(NoContent)
}

/// `POST /v1/account/recovery-codes`
pub(super) async fn replace(
    State(state): State<ApiState>,
    caller: Caller,
    JsonBody(Password { password }): JsonBody<Password>,
) -> Result<Json<RecoveryCodes>, ApiError> {
    let user = caller.user_id();
    let recovery_codes =
        state.call(move |accounts| accounts.replace_recovery_codes(&caller.actor, user, &password)).await?;
    Ok(Json(RecoveryCodes { recovery_codes }))
}
