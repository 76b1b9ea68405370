//! A Gatepost that does not answer, or not sensibly.

use crate::proxies::faults;
use crate::proxies::stage::Stage;
use crate::support::http::request;
use crate::support::{Connection, Upstream, World, nginx};

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn no_answer_is_no_pass() {
    faults::no_answer_is_no_pass(nginx::start);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn silence_is_not_waited_out() {
    faults::silence_is_not_waited_out(nginx::start);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_gatepost_that_stops_lets_nobody_through_any_more() {
    let Stage { proxy: _proxy, address, upstream, world } = Stage::new(nginx::start, World::without_passwords(&[]));
    let bearer = format!("Bearer {}", world.person("ada").api_key);
    let question = request("GET", &format!("/applications/{}", world.application), &[("Authorization", &bearer)], "");
    let mut client = Connection::open(address);
    assert_eq!(client.send(&question).status, 200);
    drop(world);
    upstream.take();
    assert_eq!(client.send(&question).status, 500);
    for _ in 0..3 {
        assert_eq!(Connection::open(address).send(&question).status, 500);
    }
    assert_eq!(upstream.take(), []);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_gatepost_that_cannot_decide_is_said_to_be_unavailable() {
    let gatepost = Upstream::answering(|_| {
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 2\r\n\r\nno".to_vec()
    });
    let upstream = Upstream::start();
    let (_proxy, address) = nginx::start(gatepost.address.into(), upstream.address);
    let reply = Connection::open(address).send(&request("GET", "/", &[], ""));
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert_eq!(upstream.take(), []);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn an_answer_that_is_too_long_is_none() {
    let long = "a".repeat(8_192);
    let gatepost = Upstream::answering(move |_| {
        format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRemote-User: {long}\r\n\r\n").into_bytes()
    });
    let upstream = Upstream::start();
    let (_proxy, address) = nginx::start(gatepost.address.into(), upstream.address);
    assert_eq!(Connection::open(address).send(&request("GET", "/", &[], "")).status, 500);
    assert_eq!(upstream.take(), []);
}
