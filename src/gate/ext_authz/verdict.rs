//! From the gate's response to Envoy's. The one place where a `CheckResponse` is made.

use bytes::{BufMut, Bytes};
use http_body_util::BodyExt;
use hyper::StatusCode;
use prost::Message;

use super::messages::{
    CheckResponse, DeniedHttpResponse, Field, HttpRequest, HttpResponse, HttpStatus, OkHttpResponse, Status, Struct,
    Value,
};
use super::upstream::{Upstream, set};
use crate::gate::respond::Response;

/// gRPC's status codes, as far as they are used (`google/rpc/code.proto`).
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const UNAUTHENTICATED: i32 = 16;

/// What Envoy is told.
///
/// To Envoy an empty answer allows, and so does one with the status OK and a refusal in it. So the status and what goes
/// with it are made together, from a response of the gate; there is no default, and nothing in between.
// INVARIANT: built by `of` only, which wants the response of the gate; and that is 200 for a permit only.
pub(super) struct Verdict {
    outcome: Outcome,
    /// The decision's identifier.
    decision: Bytes,
}

enum Outcome {
    Allow(OkHttpResponse),
    Refuse { status: StatusCode, response: DeniedHttpResponse },
}

impl Verdict {
    /// The verdict that the gate's response holds about `http`: 200 allows, with what becomes of the request `upstream`;
    /// everything else refuses, with the response's own status, headers and body.
    pub(super) async fn of(response: Response, upstream: &Upstream, http: Option<&HttpRequest>) -> Self {
        let (head, body) = response.into_parts();
        let decision = upstream.decision(&head.headers);
        let outcome = match http {
            Some(http) if head.status == StatusCode::OK => Outcome::Allow(upstream.changes(&head.headers, http)),
            _ => {
                // A client must not take a refusal for a success.
                let is_refusal = head.status.as_u16() >= 300;
                let status = if is_refusal { head.status } else { StatusCode::FORBIDDEN };
                let headers = head.headers.iter().map(|(name, value)| set(name, value.as_bytes())).collect();
                let Ok(body) = body.collect().await;
                let code = Some(HttpStatus { code: i32::from(status.as_u16()) });
                Outcome::Refuse {
                    status,
                    response: DeniedHttpResponse { status: code, headers, body: body.to_bytes() },
                }
            }
        };
        Self { outcome, decision }
    }

    /// Writes it as a message.
    pub(super) fn encode(self, buffer: &mut impl BufMut) -> Result<(), prost::EncodeError> {
        CheckResponse::from(self).encode(buffer)
    }
}

impl From<Verdict> for CheckResponse {
    fn from(verdict: Verdict) -> Self {
        let (code, http_response) = match verdict.outcome {
            Outcome::Allow(response) => (OK, HttpResponse::Ok(response)),
            Outcome::Refuse { status: StatusCode::UNAUTHORIZED | StatusCode::FOUND, response } => {
                (UNAUTHENTICATED, HttpResponse::Denied(response))
            }
            Outcome::Refuse { response, .. } => (PERMISSION_DENIED, HttpResponse::Denied(response)),
        };
        let value = Some(Value { string_value: verdict.decision });
        let fields = vec![Field { key: Bytes::from_static(b"decision"), value }];
        Self {
            status: Some(Status { code }),
            http_response: Some(http_response),
            dynamic_metadata: Some(Struct { fields }),
        }
    }
}
