//! A Gatepost that does not answer, or not sensibly: nothing gets through.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::stage::Start;
use crate::support::http::request;
use crate::support::program::free_address;
use crate::support::{Connection, Upstream, until};

/// What a broken Gatepost might put on the wire, and which answers may come of it.
const ANSWERS: &[(&str, &[u16])] = &[
    ("HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", &[503]),
    ("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", &[500, 503]),
    ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", &[404, 500, 503]),
    ("HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n", &[429, 500, 503]),
    ("HTTP/1.1 304 Not Modified\r\n\r\n", &[304, 500, 503]),
    ("", &[500, 502, 503]),
    ("200 OK\r\n\r\n", &[500, 502, 503]),
    ("garbage\r\n\r\n", &[500, 502, 503]),
    ("HTTP/1.1 2", &[500, 502, 503]),
    ("HTTP/1.1 200", &[500, 502, 503]),
    ("HTTP/1.1 200 OK\r\nRemote-Us", &[500, 502, 503]),
    ("\0\0\0\0\0\0\0\0", &[500, 502, 503]),
    ("SSH-2.0-OpenSSH_9.2\r\n", &[500, 502, 503]),
];

/// How long a question may be on its way.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the broken Gatepost does at the moment.
enum Manner {
    Answers(&'static str),
    /// Waits until this ends.
    IsSilent(Receiver<()>),
}

/// With Gatepost stopped, with one that says nothing until it breaks off, and with one that answers each of these.
pub fn no_answer_is_no_pass(start: Start) {
    let upstream = Upstream::start();
    let (_stopped, address) = start(free_address().into(), upstream.address);
    refused(&upstream, address, &[500, 502, 503], "stopped");

    let manner = Arc::new(Mutex::new(Manner::Answers("")));
    let manners = Arc::clone(&manner);
    let broken = Upstream::breaking_off(move |_| match &*manners.lock().unwrap() {
        Manner::Answers(answer) => answer.as_bytes().to_vec(),
        Manner::IsSilent(end) => {
            let _ = end.recv();
            Vec::new()
        }
    });
    let (_proxy, address) = start(broken.address.into(), upstream.address);
    for (sent, with) in ANSWERS {
        *manner.lock().unwrap() = Manner::Answers(sent);
        // A proxy may take a connection for good that was just closed: then Gatepost has not been asked yet.
        until(PATIENCE, "the question", || {
            refused(&upstream, address, with, sent);
            (!broken.take().is_empty()).then_some(())
        });
    }

    let (end, ends) = std::sync::mpsc::channel();
    *manner.lock().unwrap() = Manner::IsSilent(ends);
    let asked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            until(PATIENCE, "the question", || {
                refused(&upstream, address, &[500, 502, 503, 504], "silent");
                asked.load(Ordering::SeqCst).then_some(())
            });
        });
        until(PATIENCE, "the question", || (!broken.take().is_empty()).then_some(()));
        asked.store(true, Ordering::SeqCst);
        assert_eq!(upstream.take(), []);
        drop(end);
        asking.join().unwrap();
    });
}

/// With a Gatepost that says nothing at all: the proxy does not wait for ever.
pub fn silence_is_not_waited_out(start: Start) {
    let upstream = Upstream::start();
    // Connections are accepted, by the system, and never answered.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let (_proxy, address) = start(silent.local_addr().unwrap().into(), upstream.address);
    let began = Instant::now();
    refused(&upstream, address, &[500, 502, 503, 504], "silent");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn refused(upstream: &Upstream, address: SocketAddr, with: &[u16], what: &str) {
    let headers = [("Authorization", "Bearer gp_whatever"), ("Remote-User", "ada")];
    let reply = Connection::open(address).send(&request("GET", "/", &headers, ""));
    assert_eq!(upstream.take(), [], "{what}");
    assert!(with.contains(&reply.status), "{what}: {reply:?}");
}
