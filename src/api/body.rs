//! JSON in and out, and forms in.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use bytes::BytesMut;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Body as _;
use serde::de::value::{MapDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serializer};
use tokio::sync::{Semaphore, SemaphorePermit};
use utoipa::ToSchema;

use super::code::Code;
use super::operation::{Contract, Takes};
use super::problem::ApiError;
use crate::secret::Secret;

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

/// The longest body that is read, in bytes.
const MAX_LEN: usize = 64 * 1024;

/// How many bytes of all bodies are held while more of them is waited for: clients choose how long that takes.
static HELD: Semaphore = Semaphore::const_new(32 * 1024 * 1024);

/// A request's body: one JSON object of exactly the expected members.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is(JSON, request.headers()) {
            return Err(ApiError::MediaType(JSON));
        }
        parse(&read(request.into_body(), &HELD).await?).map(Self)
    }
}

impl<T: ToSchema> Takes for JsonBody<T> {
    fn describe(contract: &mut Contract) {
        contract.body = Some((JSON, contract.schema::<T>()));
        contract.codes.extend([
            Code::IncompleteBody,
            Code::MalformedJson,
            Code::BodyTooLong,
            Code::UnsupportedMediaType,
            Code::Invalid,
            Code::Busy,
        ]);
    }
}

/// A request's body: a form, whose fields are sent once (RFC 6749, appendix B).
pub(super) struct FormBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for FormBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        if !is(FORM, request.headers()) {
            return Err(ApiError::MediaType(FORM));
        }
        let body = read(request.into_body(), &HELD).await?;
        // A map would take the last of several values.
        let fields = form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned()));
        serde_path_to_error::deserialize(MapDeserializer::<_, serde::de::value::Error>::new(fields))
            .map_err(|error| invalid(error.path().to_string(), &error.inner().to_string()))
            .map(Self)
    }
}

impl<T: ToSchema> Takes for FormBody<T> {
    fn describe(contract: &mut Contract) {
        contract.body = Some((FORM, contract.schema::<T>()));
        contract.codes.extend([
            Code::IncompleteBody,
            Code::BodyTooLong,
            Code::UnsupportedMediaType,
            Code::Invalid,
            Code::Busy,
        ]);
    }
}

/// Writes a secret into a response's body: for the one time that its owner is shown it.
pub(super) fn expose<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}

/// The same for several secrets.
pub(super) fn expose_all<S: Serializer>(secrets: &[Secret], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(secrets.iter().map(Secret::expose))
}

/// Reads a member that is one of several names. Serde by itself would also take `{"name": null}` for one.
pub(super) fn name<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    T::deserialize(StringDeserializer::new(String::deserialize(deserializer)?))
}

/// Whether the body is said to be of this type. Its parameters mean nothing (RFC 8259, section 11).
fn is(media_type: &str, headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let essence = value.as_bytes().split(|&byte| byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(media_type.as_bytes())
}

/// The whole body. What has come of it is counted in `held` until the rest is there.
async fn read(body: Body, held: &Semaphore) -> Result<Bytes, ApiError> {
    if body.size_hint().lower() > MAX_LEN as u64 {
        return Err(ApiError::BodyTooLong);
    }
    let mut body = Limited::new(body, MAX_LEN);
    let mut whole = BytesMut::new();
    let mut counted: Option<SemaphorePermit<'_>> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            if error.is::<LengthLimitError>() { ApiError::BodyTooLong } else { ApiError::BodyIncomplete }
        })?;
        let Ok(part) = frame.into_data() else { continue };
        let len = u32::try_from(part.len()).map_err(|_| ApiError::BodyTooLong)?;
        let more = held.try_acquire_many(len).map_err(|_| ApiError::TooManyBodies)?;
        match &mut counted {
            Some(counted) => counted.merge(more),
            None => counted = Some(more),
        }
        whole.extend_from_slice(&part);
    }
    Ok(whole.freeze())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    // Once this holds, whatever else is wrong is wrong with what the JSON says.
    let json = std::str::from_utf8(body).map_err(|_| ApiError::NotUtf8)?;
    serde_json::from_str::<IgnoredAny>(json).map_err(|error| malformed(&error))?;
    // Serde would also take the members' values as an array, in the order in which they happen to be declared.
    if !json.trim_ascii_start().starts_with('{') {
        return Err(ApiError::NotAnObject);
    }
    let mut deserializer = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| invalid(error.path().to_string(), &error.inner().to_string()))
}

fn malformed(error: &serde_json::Error) -> ApiError {
    ApiError::MalformedJson { line: error.line(), column: error.column() }
}

/// What is wrong with a body that is JSON. Serde's own message may repeat a value, which may be a secret, so only what
/// was expected is taken from it.
fn invalid(path: String, message: &str) -> ApiError {
    let message = message.rsplit_once(" at line ").map_or(message, |(message, _)| message);
    let quoted = || message.split('`').nth(1).unwrap_or_default().to_owned();
    let (field, message) = if message.starts_with("unknown field ") {
        (path, "there is no such field".to_owned())
    } else if message.starts_with("missing field ") {
        (quoted(), "this field is required".to_owned())
    } else if message.starts_with("duplicate field ") {
        (quoted(), "this field was sent twice".to_owned())
    } else if message.starts_with("expected ") {
        (path, message.to_owned())
    } else {
        let expected = message.rsplit_once(", expected ").map(|(_, expected)| format!("expected {expected}"));
        (path, expected.unwrap_or_else(|| "this value cannot be accepted".to_owned()))
    };
    ApiError::Invalid { field, message }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;
    use std::task::Poll;

    use axum::http::HeaderValue;
    use hyper::body::Frame;

    use super::*;
    use crate::model::{ApiKeyId, Role, Timestamp};

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only the errors are looked at")]
    struct Sample {
        name: String,
        password: Option<Secret>,
        change: Option<Change>,
        ids: Option<Vec<ApiKeyId>>,
        at: Option<Timestamp>,
    }

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "only the errors are looked at")]
    struct Change {
        #[serde(deserialize_with = "name")]
        role: Role,
    }

    /// A body that comes as it is sent.
    struct Slow(tokio::sync::mpsc::Receiver<Bytes>);

    impl hyper::body::Body for Slow {
        type Data = Bytes;
        type Error = std::io::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, std::io::Error>>> {
            self.0.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
        }
    }

    #[tokio::test]
    async fn of_all_bodies_no_more_is_held_than_there_is_room_for() {
        let held = Semaphore::new(100);
        let part = |len: usize| Bytes::from(vec![b'a'; len]);
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        let slow = Body::new(Slow(receiver));
        let (slow, ()) = tokio::join!(read(slow, &held), async {
            sender.send(part(60)).await.unwrap();
            while held.available_permits() != 40 {
                tokio::task::yield_now().await;
            }
            assert_eq!(read(Body::from(vec![b'a'; 40]), &held).await.unwrap().len(), 40);
            let refused = read(Body::from(vec![b'a'; 41]), &held).await;
            assert!(matches!(refused, Err(ApiError::TooManyBodies)), "{refused:?}");
            sender.send(part(10)).await.unwrap();
            drop(sender);
        });
        assert_eq!(slow.unwrap().len(), 70);
        assert_eq!(held.available_permits(), 100, "what is whole is held no longer");
    }

    #[test]
    fn errors_name_the_field_and_what_was_expected() {
        for (json, field, message) in [
            (r#"{}"#, "name", "this field is required"),
            (r#"{"name": "a", "owner": "hunter2"}"#, "owner", "there is no such field"),
            (r#"{"name": "a", "name": "b"}"#, "name", "this field was sent twice"),
            (r#"{"name": 1}"#, "name", "expected a string"),
            (r#"{"name": null}"#, "name", "expected a string"),
            (r#"{"name": "a", "ids": {}}"#, "ids", "expected a sequence"),
            (
                r#"{"name": "a", "ids": ["x"]}"#,
                "ids[0]",
                "expected a UUID in lower case with hyphens, like 01890a5d-ac96-774b-bcce-b302099a8057",
            ),
            (
                r#"{"name": "a", "change": {"role": "owner"}}"#,
                "change.role",
                "expected one of `administrator`, `developer`, `operator`, `observer`",
            ),
            (r#"{"name": "a", "change": {"role": null}}"#, "change.role", "expected a string"),
            (r#"{"name": "a", "change": {"role": {"observer": null}}}"#, "change.role", "expected a string"),
            (r#"{"name": "\ud800"}"#, "name", "this value cannot be accepted"),
            (
                r#"{"name": "a", "at": "tomorrow"}"#,
                "at",
                "expected a time as RFC 3339 in UTC, like 2026-11-24T08:00:00Z",
            ),
        ] {
            match parse::<Sample>(json.as_bytes()) {
                Err(ApiError::Invalid { field: f, message: m }) => {
                    assert_eq!((f.as_str(), m.as_str()), (field, message))
                }
                other => panic!("{json}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_body_is_an_object() {
        for json in [r#"["a"]"#, "null", " \"name\"", "1", "[]"] {
            assert!(matches!(parse::<Sample>(json.as_bytes()), Err(ApiError::NotAnObject)), "{json}");
        }
        assert!(parse::<Sample>(b" \n{\"name\": \"a\"} ").is_ok());
    }

    #[test]
    fn errors_repeat_no_value() {
        for value in [r#"["hunter2"]"#, r#"{"hunter2": 1}"#, "4711", "true", r#"{"a": ", expected hunter2"}"#] {
            let json = format!(r#"{{"name": "a", "password": {value}}}"#);
            let error = parse::<Sample>(json.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), "`password`: expected a string");
        }
        let error = parse::<Sample>(br#"{"name": "a", "change": {"role": ", expected hunter2"}}"#).unwrap_err();
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn what_is_no_json_is_malformed() {
        let deep = "[".repeat(10_000);
        let deep_member = format!(r#"{{"name": {deep}"#);
        for json in [
            b"".as_slice(),
            b" ",
            b"{",
            b"{\"name\": \"a\"",
            b"{\"name\": \"a\"} x",
            b"{\"name\": \"a\"}{}",
            b"{'name': 'a'}",
            b"{\"name\": \"a\",}",
            b"\xef\xbb\xbf{\"name\": \"a\"}",
            b"[",
            b"null null",
            deep.as_bytes(),
            deep_member.as_bytes(),
        ] {
            let error = parse::<Sample>(json).unwrap_err();
            let text = String::from_utf8_lossy(json.get(..40).unwrap_or(json)).into_owned();
            assert!(matches!(error, ApiError::MalformedJson { .. }), "{text}: {error}");
        }
        assert!(matches!(parse::<Sample>(b"{\"name\": \"\xff\"}"), Err(ApiError::NotUtf8)));
        // What is JSON all the same is only not what was expected.
        let closed = format!(r#"{{"name": {deep}{}}}"#, "]".repeat(10_000));
        assert!(matches!(parse::<Sample>(closed.as_bytes()), Err(ApiError::Invalid { .. })));
    }

    #[test]
    fn only_json_is_taken_for_json() {
        let with = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONTENT_TYPE, HeaderValue::from_str(value).unwrap());
            }
            is(JSON, &headers)
        };
        for good in ["application/json", "Application/JSON; charset=utf-8", "application/json ;charset=utf-8"] {
            assert!(with(&[good]), "{good}");
        }
        for bad in ["", "text/plain", "text/json", "application/jsonp", "application/x-www-form-urlencoded"] {
            assert!(!with(&[bad]), "{bad}");
        }
        assert!(!with(&[]));
        assert!(!with(&["application/json", "text/plain"]));
    }
}
