//! Who may ask, and over what.

use std::net::{IpAddr, SocketAddr, TcpStream};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpSocket;

use crate::support::http::request;
use crate::support::{Address, Connection, Reply, World, send};

/// A connection that comes from this loopback address.
fn from(source: &str, world: &World) -> Connection {
    let Address::Tcp(target) = world.decision else { panic!("{} is no TCP address", world.decision) };
    let source = SocketAddr::new(source.parse::<IpAddr>().unwrap(), 0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    let stream: TcpStream = runtime.block_on(async {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(source).unwrap();
        socket.connect(target).await.unwrap().into_std().unwrap()
    });
    stream.set_nonblocking(false).unwrap();
    Connection::over(stream)
}

/// What nginx asks for ada.
pub fn question(world: &World) -> Vec<u8> {
    let bearer = format!("Bearer {}", world.person("ada").api_key);
    let target = format!("/applications/{}", world.application);
    let headers = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", target.as_str()),
        ("X-Original-Host", "app.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.1"),
        ("Authorization", bearer.as_str()),
    ];
    request("GET", "/check/nginx", &headers, "")
}

#[test]
fn a_stranger_is_refused_whatever_it_asks() {
    let world = World::without_passwords(&[("decision.trusted_peers", "127.0.0.2,127.1.0.0/16")]);
    let question = question(&world);
    let ambiguous = String::from_utf8(question.clone()).unwrap().replace("X-Real-IP", "X-Original-Host");
    for (source, trusted) in
        [("127.0.0.1", false), ("127.0.0.2", true), ("127.0.0.3", false), ("127.1.2.3", true), ("127.2.0.1", false)]
    {
        let mut connection = from(source, &world);
        for (asked, status) in [
            (question.clone(), 200),
            // For a stranger's headers nobody cares.
            (ambiguous.clone().into_bytes(), 400),
            (request("GET", "/check/nginx", &[("Authorization", "Bearer x")], ""), 400),
            (request("GET", "/check/nobody", &[], ""), 404),
            (request("GET", "/healthz", &[], ""), 200),
            (request("GET", "/readyz", &[], ""), 200),
            (request("GET", "/metrics", &[], ""), 200),
            (request("GET", "/", &[], ""), 404),
            // Nor does any of them make it trusted.
            (request("GET", "/healthz", &[("X-Forwarded-For", "127.0.0.2"), ("X-Real-IP", "127.0.0.2")], ""), 200),
            (request("GET", "/healthz", &[("Forwarded", "for=127.0.0.2"), ("User-Agent", "kube-probe/1.33")], ""), 200),
        ] {
            if !trusted {
                connection = from(source, &world);
            }
            let reply = connection.send(&asked);
            assert_eq!(
                reply.status,
                if trusted { status } else { 403 },
                "{source}: {}",
                String::from_utf8_lossy(&asked)
            );
            if !trusted {
                assert_stranger(&reply);
                assert!(connection.is_closed(), "{source} holds a connection");
            }
        }
    }
    // What a stranger announces is not waited for.
    let mut connection = from("127.0.0.1", &world);
    let announced = b"POST /check/nginx HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n";
    assert_stranger(&connection.send(announced));
    // A stranger's question was no decision.
    let metrics = from("127.0.0.2", &world).send(&request("GET", "/metrics", &[], "")).body;
    assert!(metrics.contains("gatepost_decisions_total{outcome=\"malformed\"} 4\n"), "{metrics}");
}

fn assert_stranger(reply: &Reply) {
    assert_eq!((reply.status, reply.body.as_str()), (403, "this address is not among `decision.trusted_peers`\n"));
    assert_eq!((reply.header("remote-user"), reply.header("gatepost-decision")), (None, None));
    assert_eq!(reply.header("connection"), Some("close"));
}

#[test]
fn nobody_on_tcp_may_ask_where_nobody_is_trusted() {
    let world = World::without_passwords(&[("decision.trusted_peers", "")]);
    assert_stranger(&Connection::open(world.decision).send(&question(&world)));
}

#[test]
fn a_stranger_may_ask_by_the_shared_token() {
    let token = "a shared token of 32 bytes or more".replace(' ', "-");
    let world = World::without_passwords(&[("decision.trusted_peers", "127.0.0.2"), ("decision.peer_token", &token)]);
    let with = |sent: &str| {
        let question = String::from_utf8(question(&world)).unwrap();
        question.replacen("\r\n", &format!("\r\n{sent}"), 1).into_bytes()
    };
    let line = format!("Gatepost-Peer-Token: {token}\r\n");
    assert_eq!(from("127.0.0.1", &world).send(&with(&line)).status, 200);
    assert_eq!(from("127.0.0.2", &world).send(&with("")).status, 200, "by its address");
    for sent in [
        String::new(),
        "Gatepost-Peer-Token:\r\n".to_owned(),
        format!("{line}{line}"),
        line.replace("32", "33"),
        line.replace("-or-more", ""),
        line.replace("Peer-Token", "Peer_Token"),
        line.replace("Gatepost-Peer-Token:", "Authorization: Bearer"),
    ] {
        assert_stranger(&from("127.0.0.1", &world).send(&with(&sent)));
    }
    // On a connection that has shown it once, each question shows it again.
    let mut connection = from("127.0.0.1", &world);
    for _ in 0..3 {
        assert_eq!(connection.send(&with(&line)).status, 200);
    }
    assert_stranger(&connection.send(&with("")));
    assert!(connection.is_closed());
}

#[test]
fn whoever_may_open_the_unix_socket_may_ask() {
    let folder = tempfile::tempdir().unwrap();
    let socket = format!("unix:{}/decision.sock", folder.path().display());
    let world = World::without_passwords(&[("decision.listen", &socket), ("decision.trusted_peers", "")]);
    let mut connection = Connection::open(world.decision);
    for _ in 0..3 {
        let reply = connection.send(&question(&world));
        assert_eq!((reply.status, reply.header("remote-user")), (200, Some("ada")));
    }
    assert_eq!(send(world.decision, "GET", "/healthz", &[], "").status, 200);
    drop(world);
    assert!(!folder.path().join("decision.sock").exists());
}

#[tokio::test]
async fn proxies_may_speak_http_2() {
    let world = tokio::task::spawn_blocking(|| World::without_passwords(&[])).await.unwrap();
    let Address::Tcp(address) = world.decision else { panic!("{} is no TCP address", world.decision) };
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (client, connection) =
        hyper::client::conn::http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), TokioIo::new(stream))
            .await
            .unwrap();
    tokio::spawn(connection);
    let target = format!("/applications/{}", world.application);
    // Many at once on one connection, those that must be refused between those that must not.
    let mut answers = tokio::task::JoinSet::new();
    for n in 0..100_u16 {
        let (headers, expected) = match n % 4 {
            0 => (vec![("authorization", format!("Bearer {}", world.person("olga").api_key))], 200),
            1 => (vec![("authorization", format!("Bearer {}", world.person("otto").api_key))], 403),
            2 => (vec![], 401),
            _ => (vec![("x-real-ip", "192.0.2.2".to_owned())], 400),
        };
        let mut question = hyper::Request::get(format!("http://gatepost/check/nginx?{n}"))
            .header("x-original-method", "GET")
            .header("x-original-uri", &target)
            .header("x-original-host", "app.example.com")
            .header("x-original-proto", "https")
            .header("x-real-ip", "192.0.2.1");
        for (name, value) in headers {
            question = question.header(name, value);
        }
        let sent = client.clone().send_request(question.body(Empty::new()).unwrap());
        answers.spawn(async move { (sent.await.unwrap(), expected) });
    }
    while let Some(answer) = answers.join_next().await {
        let (response, expected) = answer.unwrap();
        assert_eq!(response.status(), expected);
        let user = response.headers().get("remote-user").map(|user| user.to_str().unwrap().to_owned());
        assert_eq!(user, (expected == 200).then(|| "olga".to_owned()));
        response.into_body().collect().await.unwrap();
    }
    tokio::task::spawn_blocking(move || drop((client, world))).await.unwrap();
}
