//! What nginx asks, and what it makes of the answer.

use super::stage;
use crate::support::http::request;
use crate::support::{Connection, Upstream, nginx};

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn gatepost_is_asked_with_nothing_of_the_clients_but_what_it_decides_by() {
    let allow = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRemote-User: ada\r\nRemote-Role: \r\n\r\n";
    let gatepost = Upstream::answering(|_| allow.as_bytes().to_vec());
    let upstream = Upstream::start();
    let (_proxy, address) = nginx::start(gatepost.address.into(), upstream.address);
    let headers = [
        ("Host", "App.Example.com:8443"),
        ("Authorization", "Bearer x"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("Accept", "text/html"),
        ("Sec-Fetch-Mode", "navigate"),
        ("User-Agent", "a browser"),
        ("X-Original-URI", "/public"),
        ("X-Original-Method", "HEAD"),
        ("X-Real-IP", "10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Request", "whatever"),
        ("Content-Type", "text/plain"),
        ("Expect", ""),
    ];
    let target = "/a%20b/../c//d?x=%00";
    Connection::open(address).send(&request("POST", target, &headers, "the body"));
    let asked = gatepost.take();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/check/nginx"));
    assert_eq!(asked.body, "");
    let mut sent: Vec<_> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [
            ("Accept", "text/html"),
            ("Authorization", "Bearer x"),
            ("Cookie", "a=1; b=2"),
            ("Host", "gatepost"),
            ("Sec-Fetch-Mode", "navigate"),
            ("User-Agent", "a browser"),
            ("X-Original-Host", "app.example.com"),
            ("X-Original-Method", "POST"),
            ("X-Original-Proto", "http"),
            ("X-Original-URI", target),
            ("X-Real-IP", "127.0.0.1"),
        ]
    );
    // An empty identity header replaces the client's as well, and one that is left out, too.
    let seen = upstream.take();
    assert_eq!(seen[0].header("remote-user"), Some("ada"));
    assert_eq!((seen[0].header("remote-role"), seen[0].header("remote-email")), (None, None));
    assert_eq!(seen[0].body, "the body");
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn what_the_application_answers_passes_as_it_is() {
    let stage = stage();
    let answers = ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Internal Server Error", "302 Found"];
    for status in answers {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nLocation: /own\r\nX-Own: yes\r\n\r\nmine");
        let application = Upstream::answering(move |_| answer.clone().into_bytes());
        let (_proxy, address) = nginx::start(stage.world.decision, application.address);
        let bearer = format!("Bearer {}", stage.world.person("ada").api_key);
        let question = request("GET", &stage.application(), &[("Authorization", &bearer)], "");
        let reply = Connection::open(address).send(&question);
        assert!(status.starts_with(&reply.status.to_string()), "{reply:?}");
        assert_eq!((reply.header("x-own"), reply.body.as_str()), (Some("yes"), "mine"), "{status}");
    }
}
