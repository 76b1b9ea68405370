//! Errors: the one place where they become responses (problem+json, RFC 9457) and are logged.
//!
//! Callers rely on `code` and on the status; `detail` is for people and may change. What went wrong inside is for the
//! log only.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::task::JoinError;
use utoipa::ToSchema;

use super::code::Code;
use crate::accounts::{AccountError, whole_secs};
use crate::authn::{QrTooLong, VerifyError};

/// RFC 6750, section 3: what a caller without a credential is told, and one whose credential is not valid.
const CHALLENGE: &str = "Bearer realm=\"gatepost\"";
const CHALLENGE_INVALID: &str = "Bearer realm=\"gatepost\", error=\"invalid_token\"";

/// How long a caller should wait before it tries again what could not be done for the moment.
const RETRY_AFTER_SECS: u64 = 1;

/// RFC 9457, section 3.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not answered as it wished.
#[derive(Debug, thiserror::Error)]
pub(super) enum ApiError {
    #[error("this needs a session token or an API key, as `Authorization: Bearer`")]
    Unauthenticated,
    #[error("the request has several authorization headers, or several credentials in one")]
    AmbiguousCredentials,
    #[error("the request's host is missing, repeated or malformed")]
    Host,
    #[error("the body ended early")]
    BodyIncomplete,
    /// Too much of other bodies is being held.
    #[error("too many bodies are being read at the moment")]
    TooManyBodies,
    #[error("the body is not JSON: line {line}, column {column}")]
    MalformedJson { line: usize, column: usize },
    #[error("the body is not JSON: it is not UTF-8")]
    NotUtf8,
    #[error("expected a body of type `{0}`")]
    MediaType(&'static str),
    #[error("the body is longer than 64 KiB")]
    BodyTooLong,
    #[error("expected the body to be an object")]
    NotAnObject,
    #[error("`{field}`: {message}")]
    Invalid { field: String, message: String },
    #[error("there is nothing at this path")]
    NoSuchPath,
    #[error("the resource at this path does not have this method")]
    MethodNotAllowed,
    #[error(transparent)]
    Verify(#[from] VerifyError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(transparent)]
    QrCode(#[from] QrTooLong),
    #[error("the request could not be finished")]
    Aborted(#[from] JoinError),
}

/// Why a request was not answered as it wished (RFC 9457).
#[derive(Serialize, ToSchema)]
pub(super) struct Problem<'a> {
    /// Always `about:blank`.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The response's status.
    status: u16,
    /// What programs rely on.
    code: &'a str,
    /// What people read. May change.
    detail: String,
    /// Which value of the request cannot be accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    /// What is wrong with the files of the policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    problems: Option<Vec<FileProblem<'a>>>,
}

/// A problem with a file of the policies, and its place.
#[derive(Serialize, ToSchema)]
pub(super) struct FileProblem<'a> {
    /// The file, or the folder.
    file: &'a str,
    /// The line, counted from 1; none for the file as a whole.
    line: Option<usize>,
    /// The column, in characters, counted from 1.
    column: Option<usize>,
    /// What is wrong.
    message: &'a str,
    /// What to do about it.
    help: Option<&'a str>,
}

impl ApiError {
    fn code(&self) -> Code {
        match self {
            Self::Unauthenticated => Code::Unauthenticated,
            Self::AmbiguousCredentials => Code::AmbiguousCredentials,
            Self::Host => Code::MalformedHost,
            Self::BodyIncomplete => Code::IncompleteBody,
            Self::TooManyBodies => Code::Busy,
            Self::MalformedJson { .. } | Self::NotUtf8 => Code::MalformedJson,
            Self::MediaType(_) => Code::UnsupportedMediaType,
            Self::BodyTooLong => Code::BodyTooLong,
            Self::NoSuchPath => Code::NotFound,
            Self::MethodNotAllowed => Code::MethodNotAllowed,
            Self::NotAnObject | Self::Invalid { .. } => Code::Invalid,
            Self::Verify(VerifyError::Refused(_)) => Code::InvalidToken,
            Self::Verify(VerifyError::Store(_)) => Code::Unavailable,
            Self::Account(error) => account_code(error),
            Self::QrCode(_) | Self::Aborted(_) => Code::Internal,
        }
    }

    /// The code in a word: policies bring words of their own.
    fn word(&self) -> &str {
        match self {
            Self::Account(AccountError::Denied { code }) => code,
            other => other.code().name(),
        }
    }

    /// What the caller is told in words.
    fn detail(&self, status: StatusCode) -> String {
        match self {
            // These say of what they could not do only that the caller is not to blame.
            Self::Account(AccountError::Busy) | Self::TooManyBodies => self.to_string(),
            Self::Account(AccountError::Policies(_)) => {
                "the policies were not loaded, and the last good ones stay in force".to_owned()
            }
            _ if status.is_server_error() => "this cannot be done at the moment".to_owned(),
            _ => self.to_string(),
        }
    }

    fn field(&self) -> Option<&str> {
        match self {
            Self::Invalid { field, .. } => Some(field),
            Self::Account(AccountError::Invalid { field, .. }) => Some(field),
            _ => None,
        }
    }

    fn problems(&self) -> Option<Vec<FileProblem<'_>>> {
        let Self::Account(AccountError::Policies(error)) = self else { return None };
        let shown = error.problems().iter().map(|problem| FileProblem {
            file: problem.file(),
            line: problem.line(),
            column: problem.column(),
            message: problem.message(),
            help: problem.hint(),
        });
        Some(shown.collect())
    }

    /// How many seconds to wait before the same is tried again.
    fn retry_after_secs(&self, status: StatusCode) -> Option<u64> {
        match self {
            Self::Account(AccountError::TooManyAttempts { retry_after }) => Some(whole_secs(*retry_after)),
            _ if status == StatusCode::SERVICE_UNAVAILABLE => Some(RETRY_AFTER_SECS),
            _ => None,
        }
    }

    fn log(&self, status: StatusCode) {
        let code = self.word();
        if status.is_server_error() {
            tracing::error!(code, error = %self, "a request to the management API failed");
        } else {
            tracing::debug!(code, status = status.as_u16(), "a request to the management API was refused");
        }
    }
}

const fn account_code(error: &AccountError) -> Code {
    match error {
        // The status of all words that policies bring.
        AccountError::Denied { .. } => Code::Forbidden,
        AccountError::NotFound(_) => Code::NotFound,
        AccountError::Exists(_) => Code::AlreadyExists,
        AccountError::Invalid { .. } => Code::Invalid,
        AccountError::LastAdministrator | AccountError::LastInstallationAdministrator => Code::LastAdministrator,
        AccountError::PersonalOrganization => Code::PersonalOrganization,
        AccountError::TooManyAttempts { .. } => Code::TooManyAttempts,
        AccountError::TotpRequired => Code::TotpRequired,
        AccountError::InvalidCode => Code::InvalidCode,
        AccountError::InvalidLink => Code::InvalidLink,
        AccountError::PasswordRequired => Code::PasswordRequired,
        AccountError::NoMail => Code::MailNotConfigured,
        AccountError::SignUpClosed => Code::SignUpClosed,
        // Only the console is told which.
        AccountError::InvalidCredentials | AccountError::Disabled => Code::InvalidCredentials,
        AccountError::SessionRequired => Code::SessionRequired,
        AccountError::Busy => Code::Busy,
        AccountError::Policies(_) => Code::PoliciesInvalid,
        AccountError::Store(_) => Code::Unavailable,
        AccountError::Keyring(_) | AccountError::Hashing | AccountError::Outbox | AccountError::Vault(_) => {
            Code::Internal
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code().status();
        self.log(status);
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: self.word(),
            detail: self.detail(status),
            field: self.field(),
            problems: self.problems(),
        };
        let content_type = [(header::CONTENT_TYPE, PROBLEM_JSON)];
        let mut response = (status, content_type, Json(problem)).into_response();
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = if self.code() == Code::InvalidToken { CHALLENGE_INVALID } else { CHALLENGE };
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(secs) = self.retry_after_secs(status) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(secs));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use http_body_util::BodyExt;
    use serde_json::Value;

    use super::*;
    use crate::authn::{KeyringError, PasswordError, Refused};

    async fn body(response: Response) -> Value {
        serde_json::from_slice(&response.into_body().collect().await.unwrap().to_bytes()).unwrap()
    }

    #[tokio::test]
    async fn every_refusal_has_its_status_and_code() {
        let denied = AccountError::Denied { code: "role_not_available".to_owned() };
        let invalid = || AccountError::Invalid { field: "name", message: "expected a name".to_owned() };
        for (error, status, code) in [
            (ApiError::from(denied), 403, "role_not_available"),
            (AccountError::NotFound("user").into(), 404, "not_found"),
            (AccountError::Exists("member").into(), 409, "already_exists"),
            (invalid().into(), 422, "invalid"),
            (AccountError::LastAdministrator.into(), 409, "last_administrator"),
            (AccountError::InvalidCredentials.into(), 401, "invalid_credentials"),
            (AccountError::SessionRequired.into(), 403, "session_required"),
            (AccountError::PersonalOrganization.into(), 409, "personal_organization"),
            (AccountError::PasswordRequired.into(), 409, "password_required"),
            (AccountError::NoMail.into(), 409, "mail_not_configured"),
            (AccountError::SignUpClosed.into(), 403, "sign_up_closed"),
            (AccountError::TotpRequired.into(), 401, "totp_required"),
            (AccountError::InvalidCode.into(), 401, "invalid_code"),
            (AccountError::InvalidLink.into(), 422, "invalid_link"),
            (AccountError::TooManyAttempts { retry_after: Duration::ZERO }.into(), 429, "too_many_attempts"),
            (AccountError::from(PasswordError::Length).into(), 422, "invalid"),
            (AccountError::from(PasswordError::Busy).into(), 503, "busy"),
            (VerifyError::Refused(Refused).into(), 401, "invalid_token"),
        ] {
            let text = error.to_string();
            let response = error.into_response();
            assert_eq!(response.status(), status, "{text}");
            let headers = response.headers().clone();
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), status == 401, "{text}");
            assert_eq!(headers.contains_key(header::RETRY_AFTER), matches!(status, 429 | 503), "{text}");
            let body = body(response).await;
            assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(u64::from(status))));
            assert_eq!(body["detail"], text);
        }
        let body = body(ApiError::from(invalid()).into_response()).await;
        assert_eq!((&body["field"], &body["title"]), (&"name".into(), &"Unprocessable Entity".into()));
    }

    #[test]
    fn whoever_must_wait_is_told_for_how_long() {
        for (millis, secs) in [(0, "1"), (1, "1"), (1_000, "1"), (1_001, "2"), (899_500, "900")] {
            let error = AccountError::TooManyAttempts { retry_after: Duration::from_millis(millis) };
            assert!(error.to_string().ends_with(&format!(" {secs} s")), "{error}");
            assert_eq!(ApiError::from(error).into_response().headers()[header::RETRY_AFTER], secs);
        }
    }

    #[tokio::test]
    async fn callers_do_not_learn_what_went_wrong_inside() {
        let panicked = tokio::task::spawn_blocking(|| panic!("secret")).await.unwrap_err();
        for error in [
            ApiError::from(AccountError::from(KeyringError::Empty)),
            AccountError::from(PasswordError::Failed).into(),
            panicked.into(),
        ] {
            let response = error.into_response();
            assert_eq!(response.status(), 500);
            let body = body(response).await;
            assert_eq!(
                (body["code"].as_str(), body["detail"].as_str()),
                (Some("internal"), Some("this cannot be done at the moment"))
            );
        }
    }
}
