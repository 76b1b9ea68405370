//! Serving HTTP/1.1 and h2c on a listener, within limits, until it is told to stop.

use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::body::{Body, Incoming};
use hyper::service::Service;
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;

use super::accept::{AcceptOptions, accept_each};
use super::direct::{self, Direct, Never, Unread};
use super::drain::Watch;
use super::limited::Limited;
use super::listener::{Listener, Peer, Stream};
use super::patience::{Patient, Requests};
use super::places::{Place, Standing};
use crate::clock::{Clock, SystemClock};

/// The longest head of a request, in bytes; beyond it the answer is 431.
pub const MAX_HEAD_LEN: usize = 64 * 1024;

/// How many requests one h2c connection may have open. A proxy opens another connection when it needs more.
const MAX_STREAMS: u32 = 256;
/// How many streams a client may reset before they were handled, and how many of its errors are answered by a reset,
/// before its connection is closed ("rapid reset", CVE-2023-44487, and "made you reset", CVE-2025-8671).
const MAX_RESETS: usize = 64;
/// How much of a body h2c sends ahead of its reader on one stream.
const STREAM_WINDOW: u32 = 64 * 1024;
/// How long a stranger that was refused may take to read that, and to hang up.
const FAREWELL: Duration = Duration::from_secs(1);

type BoxError = Box<dyn Error + Send + Sync>;

/// The limits of one listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServeOptions {
    /// How many connections may be open; those beyond wait to be accepted, and [some](Standing) are closed.
    pub max_connections: usize,
    /// How many bytes of bodies h2c sends ahead of their readers on one connection.
    pub connection_window: u32,
    /// How long the head of an HTTP/1 request may take, from its first byte to its last, and that of the first request
    /// over h2c; and before that, hands may be shaken.
    pub head_timeout: Duration,
    /// How long a connection is kept, at least, when nothing comes or goes; longer than any proxy's pool keeps it.
    pub idle_timeout: Duration,
    /// How long a request may take, its body included, until there is a response. Beyond it the connection (of h2c:
    /// the stream) is closed, so handlers set themselves shorter deadlines.
    pub request_timeout: Duration,
    /// How long requests in flight may still take after the shutdown has begun.
    pub drain_timeout: Duration,
}

impl Default for ServeOptions {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            connection_window: 1024 * 1024,
            head_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(135),
            request_timeout: Duration::from_secs(60),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves until `shutdown` is ready, then drains: accepts nothing more, removes a Unix socket, closes idle connections
/// and waits for requests in flight, for `drain_timeout` at most.
///
/// `make` gives the service of one connection, `standing` tells which places a peer may take. A panic in a service closes
/// that connection only (of h2c: the stream).
pub async fn serve<M, S, B>(
    listener: Listener,
    make: M,
    standing: impl Fn(Peer) -> Standing,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) where
    M: Fn(Peer) -> S,
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    serve_directly(listener, |peer| (make(peer), None::<Never>), Arc::new(SystemClock), standing, options, shutdown)
        .await;
}

/// [`serve`], with requests that are nothing but a head answered by what `make` gives beside the service, if it gives that,
/// until something else comes: that and all after it is for the service. Strangers have the service only.
pub async fn serve_directly<M, S, B, D>(
    listener: Listener,
    make: M,
    clock: Arc<dyn Clock>,
    standing: impl Fn(Peer) -> Standing,
    options: ServeOptions,
    shutdown: impl Future<Output = ()>,
) where
    M: Fn(Peer) -> (S, Option<D>),
    S: Service<Request<Incoming>, Response = Response<B>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
    D: Direct,
{
    let ServeOptions { max_connections, head_timeout, idle_timeout, request_timeout, drain_timeout, .. } = options;
    let protocols = Arc::new(protocols(&options));
    let accepting = AcceptOptions { max_connections, drain_timeout };
    let connection = |mut stream: Stream, peer, place: Place, mut drain: Watch| {
        let (requests, protocols, is_strangers) =
            (Arc::new(Requests::default()), Arc::clone(&protocols), standing(peer) == Standing::Stranger);
        let (service, direct) = make(peer);
        let service = Limited::new(service, Arc::clone(&requests), request_timeout, is_strangers);
        let (direct, clock) = (direct.filter(|_| !is_strangers), Arc::clone(&clock));
        async move {
            let begun = async { tokio::time::timeout(head_timeout, stream.begin()).await? };
            let begun = tokio::select! {
                biased;
                () = drain.begun() => return,
                begun = begun => begun,
            };
            if let Err(error) = begun {
                return tracing::debug!(?peer, %error, "connection ended before it began");
            }
            let _place = tokio::select! {
                biased;
                () = drain.begun() => return,
                place = place.settle() => place,
            };
            let io = Patient::new(stream, Arc::clone(&requests), head_timeout, idle_timeout);
            let io = if is_strangers { io.in_a_hurry() } else { io };
            let io = match &direct {
                None => Unread::all_of(io),
                Some(direct) => match direct::answer(io, direct, &*clock, &requests, &mut drain).await {
                    Ok(Some(io)) => io,
                    Ok(None) => return,
                    Err(error) => return tracing::debug!(?peer, %error, "connection ended"),
                },
            };
            let mut connection = pin!(protocols.serve_connection(TokioIo::new(io), service));
            let mut farewell = None;
            let ended = std::future::poll_fn(|cx| {
                if drain.begins(cx) {
                    connection.as_mut().graceful_shutdown();
                }
                let ended = connection.as_mut().poll(cx);
                if !is_strangers || ended.is_ready() || !requests.are_over() {
                    return ended;
                }
                let farewell = farewell.get_or_insert_with(|| {
                    connection.as_mut().graceful_shutdown();
                    Box::pin(tokio::time::sleep(FAREWELL))
                });
                match farewell.as_mut().poll(cx) {
                    Poll::Ready(()) => Poll::Ready(Ok(())),
                    Poll::Pending => connection.as_mut().poll(cx),
                }
            });
            if let Err(error) = ended.await {
                tracing::debug!(?peer, %error, "connection ended");
            }
        }
    };
    accept_each(listener, &standing, connection, accepting, shutdown).await;
}

fn protocols(options: &ServeOptions) -> auto::Builder<TokioExecutor> {
    let mut protocols = auto::Builder::new(TokioExecutor::new());
    // The buffer holds the head, so its size is the head's limit.
    // Responses are short: to copy them takes less than to have the system gather their parts.
    protocols.http1().max_buf_size(MAX_HEAD_LEN).header_read_timeout(None).writev(false);
    protocols
        .http2()
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS)
        .max_header_list_size(MAX_HEAD_LEN as u32)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(options.connection_window)
        .max_send_buf_size(STREAM_WINDOW as usize);
    protocols
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::SocketAddr;

    use axum::Extension;
    use axum::routing::get;
    use hyper::service::service_fn;
    use hyper_util::service::TowerToHyperService;
    use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
    use tokio::net::{TcpStream, UnixStream};
    use tokio::sync::{Notify, oneshot};
    use tokio::task::JoinHandle;

    use super::super::limited::Refusal;
    use super::super::tls::{Tls, TlsFiles};
    use super::*;
    use crate::model::ListenAddress;

    struct Server {
        address: SocketAddr,
        entered: Arc<Notify>,
        release: Arc<Notify>,
        stop: oneshot::Sender<()>,
        running: JoinHandle<()>,
    }

    impl Server {
        async fn start(options: ServeOptions) -> Self {
            Self::start_for(Standing::Trusted, options).await
        }

        async fn start_for(standing: Standing, options: ServeOptions) -> Self {
            let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
            let ListenAddress::Tcp(address) = *listener.address() else { unreachable!() };
            let (stop, stopped) = oneshot::channel::<()>();
            let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
            let slow = (Arc::clone(&entered), Arc::clone(&release));
            let make = move |peer| {
                let slow = slow.clone();
                service_fn(move |request: Request<Incoming>| {
                    let (entered, release) = slow.clone();
                    async move {
                        entered.notify_one();
                        match request.uri().path() {
                            "/slow" => release.notified().await,
                            "/never" => std::future::pending().await,
                            "/panic" => panic!("as asked"),
                            _ => {}
                        }
                        let mut response = Response::new(format!("{peer:?}"));
                        if request.uri().path() == "/refused" {
                            response.extensions_mut().insert(Refusal);
                        }
                        Ok::<_, Infallible>(response)
                    }
                })
            };
            let running =
                tokio::spawn(serve(listener, make, move |_| standing, options, async move { drop(stopped.await) }));
            Self { address, entered, release, stop, running }
        }

        async fn connect(&self) -> TcpStream {
            TcpStream::connect(self.address).await.unwrap()
        }
    }

    /// The preface, and an empty SETTINGS frame.
    const BEGINNING_OF_HTTP2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

    /// The type and the payload of the next HTTP/2 frame; nothing if the connection was closed.
    async fn frame(stream: &mut (impl AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.ok()?;
        Some((head[3], payload))
    }

    async fn ask(stream: &mut (impl AsyncWrite + Unpin), path: &str) {
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: a\r\n\r\n").as_bytes()).await.unwrap();
    }

    /// The next response, which has a short body, or nothing if the connection was closed.
    async fn answer(stream: &mut (impl AsyncRead + Unpin)) -> String {
        let mut answer = vec![0; 4_096];
        let len = stream.read(&mut answer).await.unwrap_or(0);
        String::from_utf8_lossy(&answer[..len]).into_owned()
    }

    #[tokio::test]
    async fn a_connection_is_kept_for_the_next_request() {
        let server = Server::start(ServeOptions::default()).await;
        let mut client = server.connect().await;
        for _ in 0..3 {
            ask(&mut client, "/").await;
            let answer = answer(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
            assert!(answer.ends_with(&format!("Tcp({})", client.local_addr().unwrap())), "{answer}");
        }
    }

    #[tokio::test]
    async fn h2c_is_spoken_with_prior_knowledge() {
        let server = Server::start(ServeOptions::default()).await;
        let mut client = server.connect().await;
        client.write_all(BEGINNING_OF_HTTP2).await.unwrap();
        // HEADERS of stream 1: `GET http://a/`, all but the authority from HPACK's table.
        client.write_all(b"\0\0\x06\x01\x05\0\0\0\x01\x82\x84\x86\x41\x01a").await.unwrap();
        loop {
            let (kind, payload) = frame(&mut client).await.unwrap();
            if kind == 0x01 {
                assert_eq!(payload[0], 0x88, "`:status: 200`");
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_router_is_served_on_a_unix_socket_and_knows_its_peer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("portal.sock");
        let listener = Listener::bind(&ListenAddress::Unix(path.clone())).await.unwrap();
        let router =
            axum::Router::new().route("/", get(|Extension(peer): Extension<Peer>| async move { format!("{peer:?}") }));
        let make = move |peer| TowerToHyperService::new(router.clone().layer(Extension(peer)));
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(serve(listener, make, |_| Standing::Trusted, ServeOptions::default(), async move {
            drop(stopped.await)
        }));
        let mut client = UnixStream::connect(&path).await.unwrap();
        ask(&mut client, "/").await;
        let answer = answer(&mut client).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("Unix"), "{answer}");
        stop.send(()).unwrap();
        running.await.unwrap();
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn heads_are_read_up_to_64_kib() {
        let server = Server::start(ServeOptions::default()).await;
        for (padding, status) in [(MAX_HEAD_LEN - 100, "200 OK"), (MAX_HEAD_LEN, "431 ")] {
            let mut client = server.connect().await;
            let head = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "a".repeat(padding));
            client.write_all(head.as_bytes()).await.unwrap();
            let answer = answer(&mut client).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{padding}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_panic_closes_its_own_connection_only() {
        let server = Server::start(ServeOptions::default()).await;
        let (mut bystander, mut client) = (server.connect().await, server.connect().await);
        ask(&mut bystander, "/").await;
        assert!(answer(&mut bystander).await.starts_with("HTTP/1.1 200"));
        ask(&mut client, "/panic").await;
        assert_eq!(answer(&mut client).await, "");
        ask(&mut bystander, "/").await;
        assert!(answer(&mut bystander).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_wait() {
        let server = Server::start(ServeOptions { max_connections: 1, ..ServeOptions::default() }).await;
        let (mut first, mut second) = (server.connect().await, server.connect().await);
        ask(&mut first, "/").await;
        assert!(answer(&mut first).await.starts_with("HTTP/1.1 200"));
        ask(&mut second, "/").await;
        let waiting = tokio::time::timeout(Duration::from_millis(50), answer(&mut second)).await;
        assert!(waiting.is_err(), "{waiting:?}");
        drop(first);
        assert!(answer(&mut second).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_request_that_is_never_answered_ends_with_its_connection() {
        let request_timeout = Duration::from_millis(20);
        let server = Server::start(ServeOptions { request_timeout, ..ServeOptions::default() }).await;
        let mut client = server.connect().await;
        ask(&mut client, "/never").await;
        assert_eq!(answer(&mut client).await, "");
    }

    #[tokio::test]
    async fn a_head_that_does_not_end_is_not_waited_for() {
        let head_timeout = Duration::from_millis(20);
        let server = Server::start(ServeOptions { head_timeout, ..ServeOptions::default() }).await;
        let mut client = server.connect().await;
        ask(&mut client, "/").await;
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
        client.write_all(b"GET / HT").await.unwrap();
        assert_eq!(answer(&mut client).await, "");
    }

    #[tokio::test]
    async fn whoever_only_holds_an_http2_connection_is_not_waited_for() {
        let head_timeout = Duration::from_millis(20);
        let server = Server::start(ServeOptions { head_timeout, ..ServeOptions::default() }).await;
        let mut client = server.connect().await;
        client.write_all(BEGINNING_OF_HTTP2).await.unwrap();
        while frame(&mut client).await.is_some() {}
    }

    #[tokio::test]
    async fn a_stranger_has_to_ask_at_once() {
        let options = ServeOptions { head_timeout: Duration::from_millis(20), ..ServeOptions::default() };
        let strangers = Server::start_for(Standing::Stranger, options.clone()).await;
        assert_eq!(answer(&mut strangers.connect().await).await, "");
        let everybodys = Server::start_for(Standing::Anybody, options).await;
        let mut client = everybodys.connect().await;
        let waiting = tokio::time::timeout(Duration::from_millis(100), answer(&mut client)).await;
        assert!(waiting.is_err(), "{waiting:?}");
    }

    #[tokio::test]
    async fn a_stranger_that_is_refused_is_hung_up_on() {
        let server = Server::start_for(Standing::Stranger, ServeOptions::default()).await;
        let mut client = server.connect().await;
        for _ in 0..3 {
            ask(&mut client, "/").await;
            assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
        }
        ask(&mut client, "/refused").await;
        let last = answer(&mut client).await;
        assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
        assert_eq!(answer(&mut client).await, "");

        let trusted = Server::start(ServeOptions::default()).await;
        let mut client = trusted.connect().await;
        for _ in 0..2 {
            ask(&mut client, "/refused").await;
            let answer = answer(&mut client).await;
            assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("connection"), "{answer}");
        }
    }

    #[tokio::test]
    async fn a_stranger_that_is_refused_over_http2_is_told_to_go_and_then_hung_up_on() {
        let server = Server::start_for(Standing::Stranger, ServeOptions::default()).await;
        let mut client = server.connect().await;
        client.write_all(BEGINNING_OF_HTTP2).await.unwrap();
        // `GET http://a/refused`.
        client.write_all(b"\0\0\x0f\x01\x05\0\0\0\x01\x82\x86\x04\x08/refused\x41\x01a").await.unwrap();
        let mut kinds = Vec::new();
        // It answers no ping.
        while let Some((kind, _)) = frame(&mut client).await {
            kinds.push(kind);
        }
        assert!(kinds.contains(&0x01), "an answer: {kinds:?}");
        assert!(kinds.contains(&0x07), "GOAWAY: {kinds:?}");
    }

    #[tokio::test]
    async fn strangers_leave_room_for_those_who_are_trusted() {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let ListenAddress::Tcp(address) = *listener.address() else { unreachable!() };
        let make = |_| service_fn(async |_| Ok::<_, Infallible>(Response::new(String::from("here"))));
        let standing = |peer| match peer {
            Peer::Tcp(address) if address.ip().to_string() == "127.0.0.1" => Standing::Trusted,
            _ => Standing::Stranger,
        };
        let options = ServeOptions { max_connections: 16, ..ServeOptions::default() };
        let running = tokio::spawn(serve(listener, make, standing, options, std::future::pending()));
        let from = async |source: &str| {
            let socket = tokio::net::TcpSocket::new_v4().unwrap();
            socket.bind(format!("{source}:0").parse().unwrap()).unwrap();
            let mut client = socket.connect(address).await.unwrap();
            let _ = client.write_all(BEGINNING_OF_HTTP2).await;
            client
        };
        let mut strangers = Vec::new();
        for n in 2..42 {
            strangers.push(from(&format!("127.0.0.{n}")).await);
        }
        let mut client = TcpStream::connect(address).await.unwrap();
        ask(&mut client, "/").await;
        assert!(answer(&mut client).await.starts_with("HTTP/1.1 200"));
        let mut held = 0;
        for stranger in &mut strangers {
            held += usize::from(frame(stranger).await.is_some());
        }
        assert_eq!(held, 2, "an eighth");
        running.abort();
    }

    #[tokio::test]
    async fn hands_are_shaken_in_time() {
        let folder = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let own = rcgen::CertificateParams::new(vec!["gatepost.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        let (certificate, key_file) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
        std::fs::write(&certificate, own.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        let tls = Tls::load(TlsFiles { certificate, key: key_file, client_ca: None }).unwrap();
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap().with_tls(Some(Arc::new(tls)));
        let ListenAddress::Tcp(address) = *listener.address() else { unreachable!() };
        let make = |_| service_fn(async |_| Ok::<_, Infallible>(Response::new(String::new())));
        let options = ServeOptions { head_timeout: Duration::from_millis(20), ..ServeOptions::default() };
        let running = tokio::spawn(serve(listener, make, |_| Standing::Trusted, options, std::future::pending()));
        let mut client = TcpStream::connect(address).await.unwrap();
        // The beginning of a record.
        client.write_all(b"\x16\x03\x01\x02").await.unwrap();
        assert_eq!(answer(&mut client).await, "");
        running.abort();
    }

    #[tokio::test]
    async fn draining_finishes_what_is_in_flight_and_closes_what_is_idle() {
        let server = Server::start(ServeOptions::default()).await;
        let (mut silent, mut idle, mut busy) = (server.connect().await, server.connect().await, server.connect().await);
        ask(&mut idle, "/").await;
        server.entered.notified().await;
        assert!(answer(&mut idle).await.starts_with("HTTP/1.1 200"));
        ask(&mut busy, "/slow").await;
        server.entered.notified().await;
        server.stop.send(()).unwrap();
        assert_eq!(answer(&mut idle).await, "");
        assert_eq!(answer(&mut silent).await, "");
        assert!(TcpStream::connect(server.address).await.is_err());
        server.release.notify_one();
        let last = answer(&mut busy).await;
        assert!(last.starts_with("HTTP/1.1 200") && last.contains("connection: close"), "{last}");
        server.running.await.unwrap();
    }

    #[tokio::test]
    async fn draining_does_not_wait_for_ever() {
        let drain_timeout = Duration::from_millis(20);
        let server = Server::start(ServeOptions { drain_timeout, ..ServeOptions::default() }).await;
        let mut client = server.connect().await;
        ask(&mut client, "/never").await;
        server.entered.notified().await;
        server.stop.send(()).unwrap();
        server.running.await.unwrap();
        assert_eq!(answer(&mut client).await, "");
    }
}
