//! A Gatepost that does not answer, or not sensibly: nothing gets through.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use super::{staged, world};
use crate::support::http::request;
use crate::support::program::free_address;
use crate::support::{Connection, Upstream, apache};

const STDOUT: u8 = 6;
const END_REQUEST: u8 = 3;

fn record(version: u8, kind: u8, id: u8, content: &str) -> Vec<u8> {
    let len = u8::try_from(content.len()).unwrap();
    [&[version, kind, 0, id, 0, len, 0, 0], content.as_bytes()].concat()
}

/// All that follows the answer.
fn end() -> Vec<u8> {
    [record(1, STDOUT, 1, ""), record(1, END_REQUEST, 1, "\0\0\0\0\0\0\0\0")].concat()
}

fn answer(head: &str) -> Vec<u8> {
    [record(1, STDOUT, 1, head), end()].concat()
}

/// What a broken Gatepost might put on the wire, and what comes of it. The first is a good answer.
fn answers() -> Vec<(Vec<u8>, u16)> {
    let good = "Status: 200\r\nVariable-Remote-User: ada\r\n\r\n";
    vec![
        (answer(good), 200),
        (Vec::new(), 500),
        (end(), 500),
        (record(1, STDOUT, 1, good), 500),
        (record(1, STDOUT, 1, good)[..20].to_vec(), 500),
        ([record(2, STDOUT, 1, good), end()].concat(), 500),
        ([record(1, STDOUT, 2, good), end()].concat(), 500),
        (answer("Status: 200\r\nVariable-Remote-User: ada\r\n"), 500),
        (answer("Status: 503\r\nRetry-After: 1\r\n\r\n"), 503),
        (answer("Status: 500\r\n\r\n"), 500),
        (answer("Status: 404\r\n\r\n"), 404),
        (answer("Status: 204\r\n\r\n"), 204),
        (answer("Status: 304\r\n\r\n"), 304),
        (answer("Status: nonsense\r\n\r\n"), 500),
        (answer("garbage\r\n\r\n"), 500),
        (answer("\0\0\0\0"), 500),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec(), 500),
        (b"garbage".to_vec(), 500),
        (vec![0; 64], 500),
    ]
}

fn ask(address: SocketAddr) -> u16 {
    let headers = [("Authorization", "Bearer gp_whatever"), ("Remote-User", "ada")];
    Connection::open(address).send(&request("GET", "/", &headers, "")).status
}

/// The next connection, once its question has come.
fn asked(listener: &TcpListener) -> TcpStream {
    let (mut stream, _) = listener.accept().unwrap();
    // The question ends with an empty record of parameters.
    let mut question = Vec::new();
    while !question.ends_with(b"\x01\x04\0\x01\0\0\0\0") {
        let mut some = [0; 4_096];
        let len = stream.read(&mut some).unwrap();
        assert_ne!(len, 0, "the whole question");
        question.extend(&some[..len]);
    }
    stream
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn no_answer_is_no_pass() {
    let upstream = Upstream::start();
    let (_stopped, address) = apache::start(free_address().into(), upstream.address);
    assert_eq!((ask(address), upstream.take()), (500, vec![]), "stopped");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let decision = listener.local_addr().unwrap();
    let next = Arc::new(Mutex::new(Vec::new()));
    let answers_next = Arc::clone(&next);
    std::thread::spawn(move || {
        loop {
            // What Apache is asked until it runs is answered, too.
            let question = asked(&listener);
            let answer = answers_next.lock().unwrap().clone();
            let _ = (&question).write_all(&answer);
        }
    });
    let (_proxy, address) = apache::start(decision.into(), upstream.address);
    upstream.take();
    for (sent, status) in answers() {
        *next.lock().unwrap() = sent.clone();
        let (came, seen) = (ask(address), upstream.take());
        let text = String::from_utf8_lossy(&sent);
        assert_eq!((came, seen.len()), (status, usize::from(status == 200)), "{text:?}");
    }
}

#[test]
#[ignore = "needs apache: tests/run.sh"]
fn a_gatepost_that_stops_lets_nobody_through_any_more() {
    let stage = staged(apache::start, world(&[]));
    let bearer = format!("Bearer {}", stage.world.person("ada").api_key);
    let question = request("GET", &stage.application(), &[("Authorization", &bearer)], "");
    let (address, upstream, _proxy) = (stage.address, stage.upstream, stage.proxy);
    let mut client = Connection::open(address);
    assert_eq!(client.send(&question).status, 200);
    drop(stage.world);
    upstream.take();
    for _ in 0..3 {
        assert_eq!(Connection::open(address).send(&question).status, 500);
    }
    assert_eq!(upstream.take(), []);
}
