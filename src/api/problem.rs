//! Errors: the one place where they become responses (problem+json, RFC 9457) and are logged.
//!
//! Callers rely on `code` and on the status; `detail` is for people and may change. What went wrong inside is for the
//! log only.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tokio::task::JoinError;

use crate::accounts::AccountError;
use crate::authn::VerifyError;

/// RFC 6750, section 3: what a caller without a credential is told, and one whose credential is not valid.
const CHALLENGE: &str = "Bearer realm=\"gatepost\"";
const CHALLENGE_INVALID: &str = "Bearer realm=\"gatepost\", error=\"invalid_token\"";

/// How long a caller should wait before it tries again what could not be done for the moment.
const RETRY_AFTER_SECS: &str = "1";

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
    #[error("the body is not JSON: line {line}, column {column}")]
    MalformedJson { line: usize, column: usize },
    #[error("the body is not JSON: it is not UTF-8")]
    NotUtf8,
    #[error("expected a body of type `application/json`")]
    MediaType,
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
    #[error("the request could not be finished")]
    Aborted(#[from] JoinError),
}

/// The body of an error's response.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'a str,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
}

impl ApiError {
    fn status_and_code(&self) -> (StatusCode, &str) {
        use AccountError as Account;
        match self {
            Self::Unauthenticated => (StatusCode::UNAUTHORIZED, "unauthenticated"),
            Self::AmbiguousCredentials => (StatusCode::BAD_REQUEST, "ambiguous_credentials"),
            Self::Host => (StatusCode::BAD_REQUEST, "malformed_host"),
            Self::BodyIncomplete => (StatusCode::BAD_REQUEST, "incomplete_body"),
            Self::MalformedJson { .. } | Self::NotUtf8 => (StatusCode::BAD_REQUEST, "malformed_json"),
            Self::MediaType => (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::BodyTooLong => (StatusCode::PAYLOAD_TOO_LARGE, "body_too_long"),
            Self::NoSuchPath | Self::Account(Account::NotFound(_)) => (StatusCode::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NotAnObject | Self::Invalid { .. } | Self::Account(Account::Invalid { .. }) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "invalid")
            }
            Self::Verify(VerifyError::Refused(_)) => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::Account(Account::InvalidCredentials) => (StatusCode::UNAUTHORIZED, "invalid_credentials"),
            Self::Account(Account::Denied { code }) => (StatusCode::FORBIDDEN, code),
            Self::Account(Account::SessionRequired) => (StatusCode::FORBIDDEN, "session_required"),
            Self::Account(Account::Exists(_)) => (StatusCode::CONFLICT, "already_exists"),
            Self::Account(Account::LastAdministrator) => (StatusCode::CONFLICT, "last_administrator"),
            Self::Account(Account::Busy) => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
            Self::Verify(VerifyError::Store(_)) | Self::Account(Account::Store(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "unavailable")
            }
            Self::Account(Account::Keyring(_) | Account::Hashing) | Self::Aborted(_) => {
                (StatusCode::INTERNAL_SERVER_ERROR, "internal")
            }
        }
    }

    /// What the caller is told in words.
    fn detail(&self, status: StatusCode) -> String {
        match self {
            // These say of what they could not do only that the caller is not to blame.
            Self::Account(AccountError::Busy) => self.to_string(),
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

    fn log(&self, status: StatusCode, code: &str) {
        if status.is_server_error() {
            tracing::error!(code, error = %self, "a request to the management API failed");
        } else {
            tracing::debug!(code, status = status.as_u16(), "a request to the management API was refused");
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, code) = self.status_and_code();
        self.log(status, code);
        let problem = Problem {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code,
            detail: self.detail(status),
            field: self.field(),
        };
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (status, content_type, Json(problem)).into_response();
        let headers = response.headers_mut();
        match (status, &self) {
            (_, Self::Verify(VerifyError::Refused(_))) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE_INVALID));
            }
            (StatusCode::UNAUTHORIZED, _) => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(CHALLENGE));
            }
            (StatusCode::SERVICE_UNAVAILABLE, _) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECS));
            }
            _ => {}
        }
        response
    }
}

#[cfg(test)]
mod tests {
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
            (AccountError::from(PasswordError::Length).into(), 422, "invalid"),
            (AccountError::from(PasswordError::Busy).into(), 503, "busy"),
            (VerifyError::Refused(Refused).into(), 401, "invalid_token"),
        ] {
            let text = error.to_string();
            let response = error.into_response();
            assert_eq!(response.status(), status, "{text}");
            let headers = response.headers().clone();
            assert_eq!(headers.contains_key(header::WWW_AUTHENTICATE), status == 401, "{text}");
            assert_eq!(headers.contains_key(header::RETRY_AFTER), status == 503, "{text}");
            let body = body(response).await;
            assert_eq!((body["code"].as_str(), body["status"].as_u64()), (Some(code), Some(u64::from(status))));
            assert_eq!(body["detail"], text);
        }
        let body = body(ApiError::from(invalid()).into_response()).await;
        assert_eq!((&body["field"], &body["title"]), (&"name".into(), &"Unprocessable Entity".into()));
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
