//! Envoy's own protocol, `envoy.service.auth.v3.Authorization/Check`: a gRPC service on the decision listener (h2c).
//!
//! Envoy says what is asked in a message and takes the answer from one. In between is the same way that every proxy's
//! question goes. No question ends in an error of gRPC: with `failure_mode_allow` Envoy would take that for an allow, and
//! whoever can cause one could pass.

mod messages;
mod question;
mod upstream;
mod verdict;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::post;
use bytes::Bytes;
use http_body_util::Full;
use hyper::http;
use prost::Message as _;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic_prost::ProstDecoder;

use self::messages::CheckRequest;
use self::upstream::Upstream;
use self::verdict::Verdict;
use super::decider::Decider;
use crate::config::IdentityHeaders;

/// The service's one method (`external_auth.proto`).
const PATH: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The longest message, in bytes: four times the longest head.
const MAX_MESSAGE_LEN: usize = 256 * 1024;

/// A message of gRPC that is empty: not compressed, of no length.
const EMPTY_MESSAGE: &[u8] = &[0; 5];

/// The service, whose questions are for `decider`, whose identity headers have these names. Peers that are not trusted
/// must not get here.
pub fn router(decider: Decider, names: &IdentityHeaders) -> Router {
    let upstream = Arc::new(Upstream::new(names));
    let check = tower::service_fn(move |message: tonic::Request<CheckRequest>| {
        let (decider, upstream) = (decider.clone(), Arc::clone(&upstream));
        async move {
            let check = message.into_inner();
            let response = decider.decide(question::read(&check), || check.encoded_len()).await;
            let verdict = Verdict::of(response, &upstream, question::http(&check)).await;
            Ok::<_, tonic::Status>(tonic::Response::new(verdict))
        }
    });
    Router::new().route(
        PATH,
        post(move |request: Request| async move {
            let mut grpc = Grpc::new(CheckCodec).max_decoding_message_size(MAX_MESSAGE_LEN);
            let response = grpc.unary(check.clone(), request).await;
            if response.headers().get(tonic::Status::GRPC_STATUS).is_none() {
                return response.map(Body::new);
            }
            // The message could not be read, or was over-long: that is answered as one that asks nothing.
            let nothing = http::Request::new(Full::new(Bytes::from_static(EMPTY_MESSAGE)));
            grpc.unary(check, nothing).await.map(Body::new)
        }),
    )
}

/// Reads questions and writes verdicts.
struct CheckCodec;

impl Codec for CheckCodec {
    type Encode = Verdict;
    type Decode = CheckRequest;
    type Encoder = VerdictEncoder;
    type Decoder = ProstDecoder<CheckRequest>;

    fn encoder(&mut self) -> Self::Encoder {
        VerdictEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::default()
    }
}

struct VerdictEncoder;

impl Encoder for VerdictEncoder {
    type Item = Verdict;
    type Error = tonic::Status;

    fn encode(&mut self, verdict: Verdict, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        verdict.encode(buffer).map_err(|error| tonic::Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
