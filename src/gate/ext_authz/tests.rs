//! What holds for every message; `tests/it/gate/ext_authz.rs` asks over the wire.

use bytes::Bytes;
use http_body_util::Full;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use prost::Message;

use super::messages::{self, *};
use super::question;
use super::upstream::Upstream;
use super::verdict::Verdict;
use crate::config::IdentityHeaders;
use crate::gate::question::Source;
use crate::gate::respond::Response;

fn upstream() -> Upstream {
    let name = HeaderName::from_static;
    Upstream::new(&IdentityHeaders {
        user: name("remote-user"),
        email: name("remote-email"),
        role: name("remote-role"),
        credential: name("remote-credential"),
        decision: name("gatepost-decision"),
        assertion: name("gatepost-assertion"),
    })
}

fn bytes() -> impl Strategy<Value = Bytes> {
    prop_oneof![any::<Vec<u8>>().prop_map(Bytes::from), "[a-zA-Z:/.,_;= -]{0,20}".prop_map(Bytes::from)]
}

fn names() -> impl Strategy<Value = Bytes> {
    let known = ["authorization", "Authorization", "cookie", "accept", "sec-fetch-mode", ":path", "remote_user", "x"];
    prop_oneof![4 => prop::sample::select(known.map(Bytes::from).to_vec()), 1 => bytes()]
}

prop_compose! {
    fn http()(
        (method, path, host, scheme) in (bytes(), bytes(), bytes(), bytes()),
        entries in prop::collection::vec((names(), bytes()), 0..4),
        lines in prop::option::of(prop::collection::vec((names(), bytes(), bytes()), 0..4)),
    ) -> HttpRequest {
        let headers = entries.into_iter().map(|(key, value)| Entry { key, value }).collect();
        let header_map = lines.map(|lines| messages::HeaderMap {
            headers: lines.into_iter().map(|(key, value, raw_value)| messages::HeaderValue { key, value, raw_value }).collect(),
        });
        HttpRequest { method, headers, path, host, scheme, header_map }
    }
}

prop_compose! {
    fn check()(http in prop::option::of(http()), address in prop::option::of(bytes())) -> CheckRequest {
        let source = address.map(|address| Peer {
            address: Some(Address { socket_address: Some(SocketAddress { address }) }),
        });
        CheckRequest { attributes: Some(AttributeContext { source, request: Some(messages::Request { http }) }) }
    }
}

/// The verdict on a response with this status and this header, as it goes out.
fn verdict(status: StatusCode, header: (&HeaderName, &HeaderValue), http: Option<&HttpRequest>) -> CheckResponse {
    let mut response = Response::new(Full::new(Bytes::from_static(b"why")));
    *response.status_mut() = status;
    response.headers_mut().insert(header.0.clone(), header.1.clone());
    response.headers_mut().insert("gatepost-decision", HeaderValue::from_static("the id"));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let mut buffer = Vec::new();
    runtime.block_on(Verdict::of(response, &upstream(), http)).encode(&mut buffer).unwrap();
    CheckResponse::decode(buffer.as_slice()).unwrap()
}

proptest! {
    #[test]
    fn a_message_survives_its_encoding(check in check()) {
        let read = CheckRequest::decode(check.encode_to_vec().as_slice()).unwrap();
        prop_assert!(read == check);
    }

    #[test]
    fn any_bytes_are_a_question_or_no_message(message in any::<Vec<u8>>()) {
        if let Ok(check) = CheckRequest::decode(message.as_slice()) {
            let _ = question::read(&check);
        }
    }

    #[test]
    fn a_question_says_what_the_message_says_or_nothing(check in check()) {
        let question = question::read(&check);
        let Source::Told(told) = question.source else { panic!("not told") };
        let said = [&told.method, &told.target, &told.host, &told.proto].map(|part| part.as_bytes().to_vec());
        match question::http(&check) {
            Some(http) if said.iter().any(|part| !part.is_empty()) => {
                let sent = [&http.method, &http.path, &http.host, &http.scheme].map(|part| part.to_vec());
                prop_assert_eq!(said, sent);
                // No line that counts is lost, so that no two become one.
                let counts = |name: &[u8]| {
                    ["authorization", "cookie", "accept", "sec-fetch-mode"]
                        .iter()
                        .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
                };
                let lines = question::lines(http).filter(|(name, _)| counts(name)).count();
                prop_assert_eq!(question.headers.len(), lines);
            }
            _ => prop_assert_eq!((said.concat().len(), question.headers.len()), (0, 0)),
        }
    }

    #[test]
    fn only_a_200_allows(status in 100_u16..1_000, http in prop::option::of(http()), name in "[a-z-]{1,20}", value in "[ -~]{0,20}") {
        let status = StatusCode::from_u16(status).unwrap();
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let response = verdict(status, (&name, &HeaderValue::from_str(&value).unwrap()), http.as_ref());
        let code = response.status.unwrap().code;
        match response.http_response.unwrap() {
            HttpResponse::Ok(_) => prop_assert!(code == 0 && status == StatusCode::OK && http.is_some()),
            HttpResponse::Denied(denied) => {
                prop_assert!([7, 16].contains(&code));
                let told = denied.status.unwrap().code;
                prop_assert!(told == i32::from(status.as_u16()) || told == 403 && status.as_u16() < 300);
                prop_assert_eq!(denied.body, Bytes::from_static(b"why"));
                prop_assert!(denied.headers.iter().any(|option| option.header.as_ref().unwrap().key == name.as_str()));
            }
        }
    }

    #[test]
    fn no_claim_goes_on_and_no_word_of_gateposts_is_taken_back(http in http()) {
        let mut answer = HeaderMap::new();
        for name in ["remote-user", "remote-email", "remote-role", "remote-credential", "gatepost-decision"] {
            answer.insert(name, HeaderValue::from_static(""));
        }
        answer.insert("cache-control", HeaderValue::from_static("no-store"));
        let changes = upstream().changes(&answer, &http);
        let set: Vec<_> = changes.headers.iter().map(|option| option.header.as_ref().unwrap().key.clone()).collect();
        prop_assert!(changes.headers.iter().all(|option| option.append_action == 2 && option.keep_empty_value));
        prop_assert!(set.iter().all(|name| !changes.headers_to_remove.contains(name) && name != "cache-control"));
        for (name, _) in question::lines(&http) {
            let lower = name.to_ascii_lowercase().into_iter().map(|c| if c.is_ascii_alphanumeric() { c } else { b'-' });
            let alike: Vec<_> = lower.collect();
            if alike.starts_with(b"remote-") || alike.starts_with(b"gatepost-") || alike == b"authorization" {
                let lower = Bytes::from(name.to_ascii_lowercase());
                let is_gone = changes.headers_to_remove.iter().any(|removed| removed.eq_ignore_ascii_case(name));
                prop_assert!(is_gone || set.contains(&lower), "{name:?}");
            }
        }
    }
}
