//! Both sides of Envoy's protocol: a client that sends the messages it is given, and a server that answers as it is told.
//!
//! The messages are written down here once more, from Envoy's files, so that a wrong number on either side is found.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http2::SendRequest;
use hyper::header::{HeaderMap, HeaderValue};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::http::Address;

pub const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

#[derive(Clone, PartialEq, Message)]
pub struct CheckRequest {
    #[prost(message, optional, tag = "1")]
    pub attributes: Option<Attributes>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Attributes {
    #[prost(message, optional, tag = "1")]
    pub source: Option<Peer>,
    #[prost(message, optional, tag = "4")]
    pub request: Option<AttributeRequest>,
    /// Not used by Gatepost.
    #[prost(map = "string, string", tag = "10")]
    pub context_extensions: HashMap<String, String>,
}

#[derive(Clone, PartialEq, Message)]
pub struct Peer {
    #[prost(message, optional, tag = "1")]
    pub address: Option<PeerAddress>,
    #[prost(string, tag = "4")]
    pub principal: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct PeerAddress {
    #[prost(message, optional, tag = "1")]
    pub socket_address: Option<SocketAddressMessage>,
}

#[derive(Clone, PartialEq, Message)]
pub struct SocketAddressMessage {
    #[prost(string, tag = "2")]
    pub address: String,
    #[prost(uint32, tag = "3")]
    pub port_value: u32,
}

#[derive(Clone, PartialEq, Message)]
pub struct AttributeRequest {
    #[prost(message, optional, tag = "2")]
    pub http: Option<HttpRequest>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HttpRequest {
    #[prost(string, tag = "1")]
    pub id: String,
    #[prost(string, tag = "2")]
    pub method: String,
    #[prost(map = "string, string", tag = "3")]
    pub headers: HashMap<String, String>,
    #[prost(string, tag = "4")]
    pub path: String,
    #[prost(string, tag = "5")]
    pub host: String,
    #[prost(string, tag = "6")]
    pub scheme: String,
    #[prost(int64, tag = "9")]
    pub size: i64,
    #[prost(string, tag = "10")]
    pub protocol: String,
    #[prost(string, tag = "11")]
    pub body: String,
    #[prost(message, optional, tag = "13")]
    pub header_map: Option<HeaderLines>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HeaderLines {
    #[prost(message, repeated, tag = "1")]
    pub headers: Vec<HeaderLine>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HeaderLine {
    #[prost(string, tag = "1")]
    pub key: String,
    #[prost(string, tag = "2")]
    pub value: String,
    #[prost(bytes = "vec", tag = "3")]
    pub raw_value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub struct CheckResponse {
    #[prost(message, optional, tag = "1")]
    pub status: Option<RpcStatus>,
    #[prost(message, optional, tag = "2")]
    pub denied_response: Option<Denied>,
    #[prost(message, optional, tag = "3")]
    pub ok_response: Option<Allowed>,
    #[prost(message, optional, tag = "4")]
    pub dynamic_metadata: Option<Metadata>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub struct RpcStatus {
    #[prost(int32, tag = "1")]
    pub code: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Denied {
    #[prost(message, optional, tag = "1")]
    pub status: Option<RpcStatus>,
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    #[prost(string, tag = "3")]
    pub body: String,
}

#[derive(Clone, PartialEq, Message)]
pub struct Allowed {
    #[prost(message, repeated, tag = "2")]
    pub headers: Vec<HeaderOption>,
    #[prost(string, repeated, tag = "5")]
    pub headers_to_remove: Vec<String>,
    #[prost(message, repeated, tag = "6")]
    pub response_headers_to_add: Vec<HeaderOption>,
}

#[derive(Clone, PartialEq, Message)]
pub struct HeaderOption {
    #[prost(message, optional, tag = "1")]
    pub header: Option<HeaderLine>,
    /// 2: in place of those that are there.
    #[prost(int32, tag = "3")]
    pub append_action: i32,
}

#[derive(Clone, PartialEq, Message)]
pub struct Metadata {
    #[prost(map = "string, message", tag = "1")]
    pub fields: HashMap<String, MetadataValue>,
}

#[derive(Clone, PartialEq, Message)]
pub struct MetadataValue {
    #[prost(string, tag = "3")]
    pub string_value: String,
}

impl CheckRequest {
    /// A question about `method` on `path`, with these lines of a head as `encode_raw_headers` has them.
    pub fn raw(method: &str, path: &str, lines: &[(&str, &str)]) -> Self {
        let line = |(key, value): &(&str, &str)| HeaderLine {
            key: (*key).to_owned(),
            raw_value: value.as_bytes().to_vec(),
            ..HeaderLine::default()
        };
        let header_map = Some(HeaderLines { headers: lines.iter().map(line).collect() });
        Self::about(HttpRequest { header_map, ..Self::http(method, path) })
    }

    /// The same, with lines of one name joined by commas.
    pub fn joined(method: &str, path: &str, lines: &[(&str, &str)]) -> Self {
        let mut headers = HashMap::<String, String>::new();
        for (key, value) in lines {
            let joined = headers.entry((*key).to_owned()).and_modify(|all| *all = format!("{all},{value}"));
            joined.or_insert_with(|| (*value).to_owned());
        }
        Self::about(HttpRequest { headers, ..Self::http(method, path) })
    }

    /// A question about this request, from 192.0.2.1.
    pub fn about(http: HttpRequest) -> Self {
        let socket_address = Some(SocketAddressMessage { address: "192.0.2.1".to_owned(), port_value: 4_711 });
        let address = Some(PeerAddress { socket_address });
        let source = Some(Peer { address, principal: "spiffe://evil/ada".to_owned() });
        let context_extensions = HashMap::from([("path".to_owned(), "/public".to_owned())]);
        let request = Some(AttributeRequest { http: Some(http) });
        Self { attributes: Some(Attributes { source, request, context_extensions }) }
    }

    pub fn http(method: &str, path: &str) -> HttpRequest {
        HttpRequest {
            id: "1".to_owned(),
            method: method.to_owned(),
            path: path.to_owned(),
            host: "app.example.com".to_owned(),
            scheme: "https".to_owned(),
            size: -1,
            protocol: "HTTP/1.1".to_owned(),
            ..HttpRequest::default()
        }
    }
}

impl CheckResponse {
    /// Whether Envoy lets the request pass: on this status alone.
    pub fn allows(&self) -> bool {
        self.status.is_none_or(|status| status.code == 0)
    }

    /// What the client gets of a refusal; its parts must agree.
    pub fn refusal(&self) -> (u16, &Denied) {
        let code = self.status.expect("a status").code;
        let denied = self.denied_response.as_ref().expect("a refusal");
        let status = u16::try_from(denied.status.expect("a status").code).unwrap();
        assert_eq!(self.ok_response, None);
        assert_eq!(code, if [401, 302].contains(&status) { 16 } else { 7 }, "{self:?}");
        (status, denied)
    }

    /// What becomes of a permitted request; its parts must agree.
    pub fn permit(&self) -> &Allowed {
        assert_eq!(self.status.expect("a status").code, 0, "{self:?}");
        assert_eq!(self.denied_response, None);
        self.ok_response.as_ref().expect("a permit")
    }
}

/// The value of a header that is there once, in place of those that are there.
pub fn header<'a>(headers: &'a [HeaderOption], name: &str) -> Option<&'a str> {
    let mut same = headers.iter().filter(|option| option.header.as_ref().is_some_and(|header| header.key == name));
    let option = same.next()?;
    assert_eq!((option.append_action, same.next()), (2, None), "{name}");
    Some(&option.header.as_ref().unwrap().value)
}

/// Asks as Envoy does, on one connection of HTTP/2.
pub struct GrpcClient {
    runtime: Runtime,
    sender: SendRequest<Full<Bytes>>,
}

/// What came back.
#[derive(Debug)]
pub struct GrpcReply {
    /// HTTP's.
    pub http_status: u16,
    /// gRPC's, from the head or the trailers.
    pub status: Option<String>,
    pub body: Bytes,
}

impl GrpcClient {
    pub fn open(address: Address) -> Self {
        let Address::Tcp(address) = address else { panic!("{address} is no TCP address") };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let sender = runtime.block_on(async {
            let stream = TcpStream::connect(address).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let handshake = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream));
            let (sender, connection) = handshake.await.unwrap();
            tokio::spawn(connection);
            sender
        });
        Self { runtime, sender }
    }

    /// Sends a request of any kind; gives HTTP's status.
    pub fn ask(&mut self, request: Request<()>) -> u16 {
        let sent = self.sender.send_request(request.map(|()| Full::new(Bytes::new())));
        self.runtime.block_on(sent).unwrap().status().as_u16()
    }

    /// Sends this body.
    pub fn send(&mut self, body: impl Into<Bytes>) -> GrpcReply {
        let request = Request::post(format!("http://gatepost{CHECK}")).header("content-type", "application/grpc");
        let request = request.header("te", "trailers").body(Full::new(body.into())).unwrap();
        let sent = self.sender.send_request(request);
        self.runtime.block_on(async {
            let (head, body) = sent.await.unwrap().into_parts();
            let body = body.collect().await.unwrap();
            let trailers = body.trailers().cloned().unwrap_or_default();
            let status = head.headers.get("grpc-status").or(trailers.get("grpc-status"));
            let status = status.map(|status| status.to_str().unwrap().to_owned());
            GrpcReply { http_status: head.status.as_u16(), status, body: body.to_bytes() }
        })
    }

    /// Asks, and reads the answer.
    pub fn check(&mut self, question: &CheckRequest) -> CheckResponse {
        self.send(frame(&question.encode_to_vec())).response()
    }
}

impl GrpcReply {
    /// The answer; there must be one.
    pub fn response(&self) -> CheckResponse {
        assert_eq!((self.http_status, self.status.as_deref()), (200, Some("0")), "{self:?}");
        let (head, message) = self.body.split_at(5);
        assert_eq!(head, [&[0][..], &u32::try_from(message.len()).unwrap().to_be_bytes()].concat());
        CheckResponse::decode(message).unwrap()
    }
}

/// A message as gRPC puts it on the wire.
pub fn frame(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap();
    [&[0][..], &len.to_be_bytes(), message].concat()
}

/// What a broken Gatepost does with every question.
#[derive(Debug, Clone)]
pub enum Manner {
    /// Ends with this status of gRPC.
    Status(&'static str),
    /// Sends these bytes, and the status OK if `ends_well`.
    Sends { body: Vec<u8>, ends_well: bool },
    /// Answers with this status of HTTP.
    Http(u16),
    /// Says nothing.
    Hangs,
}

/// A server that speaks gRPC. It stops when this is dropped.
pub struct GrpcServer {
    pub address: SocketAddr,
    manner: Arc<Mutex<Manner>>,
    stop: Option<oneshot::Sender<()>>,
    server: Option<JoinHandle<()>>,
}

impl GrpcServer {
    pub fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let manner = Arc::new(Mutex::new(Manner::Hangs));
        let (stop, mut stopped) = oneshot::channel();
        let manners = Arc::clone(&manner);
        let server = std::thread::spawn(move || {
            runtime.block_on(async {
                loop {
                    let stream = tokio::select! {
                        _ = &mut stopped => return,
                        accepted = listener.accept() => TokioIo::new(accepted.unwrap().0),
                    };
                    let manners = Arc::clone(&manners);
                    let answer = hyper::service::service_fn(move |request| {
                        let manner = manners.lock().unwrap().clone();
                        answer(manner, request)
                    });
                    let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    tokio::spawn(serving.serve_connection(stream, answer));
                }
            });
        });
        Self { address, manner, stop: Some(stop), server: Some(server) }
    }

    /// From now on.
    pub fn set(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }
}

impl Drop for GrpcServer {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(server) = self.server.take() {
            server.join().unwrap();
        }
    }
}

type AnswerBody = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn answer(manner: Manner, request: Request<Incoming>) -> Result<Response<AnswerBody>, Infallible> {
    let _ = request.into_body().collect().await;
    let respond = Response::builder().header("content-type", "application/grpc");
    let empty = || Full::new(Bytes::new()).boxed();
    Ok(match manner {
        Manner::Status(status) => respond.header("grpc-status", status).body(empty()).unwrap(),
        Manner::Http(status) => respond.status(status).body(empty()).unwrap(),
        Manner::Sends { body, ends_well: false } => respond.body(Full::new(Bytes::from(body)).boxed()).unwrap(),
        Manner::Sends { body, ends_well: true } => {
            let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static("0"))]);
            let body = Full::new(Bytes::from(body)).with_trailers(std::future::ready(Some(Ok(trailers))));
            respond.body(body.boxed()).unwrap()
        }
        Manner::Hangs => std::future::pending().await,
    })
}
