use std::future::pending;
use std::sync::Mutex;

use tokio::io::{DuplexStream, duplex};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::super::drain::Drain;
use super::*;
use crate::clock::ManualClock;

const NOW: Timestamp = Timestamp::from_secs(784_111_777);

/// Answers with what it was asked: at once, later or, for `/others`, not at all.
#[derive(Default)]
struct Echo {
    waited_for: Mutex<Option<oneshot::Receiver<()>>>,
    dropped: Mutex<Option<oneshot::Sender<()>>>,
}

impl Direct for Echo {
    fn answer(&self, head: Head<'_>, to: &mut Written) -> Directly {
        let lines: Vec<_> =
            head.lines.iter().map(|line| format!("{}={}", line.name, line.value.escape_ascii())).collect();
        let echo = format!("{} {}", head.target, lines.join(","));
        match head.target {
            "/others" => Directly::Not,
            "/later" => {
                let (waited_for, dropped) =
                    (self.waited_for.lock().unwrap().take(), self.dropped.lock().unwrap().take());
                Directly::Later(Box::pin(async move {
                    let _dropped = dropped;
                    match waited_for {
                        Some(waited_for) => waited_for.await.unwrap(),
                        None => tokio::task::yield_now().await,
                    }
                    Response::builder().status(403).header("x", "y").body(Full::new(echo.into())).unwrap()
                }))
            }
            "/never" => {
                let dropped = self.dropped.lock().unwrap().take();
                Directly::Later(Box::pin(async move {
                    let _dropped = dropped;
                    pending().await
                }))
            }
            _ => {
                to.begin(StatusCode::OK);
                to.end(NOW, echo.as_bytes());
                Directly::Answered
            }
        }
    }
}

struct Running {
    client: DuplexStream,
    drain: Arc<Drain>,
    ended: JoinHandle<io::Result<Option<Unread<DuplexStream>>>>,
}

impl Running {
    fn start(echo: Echo) -> Self {
        let (client, server) = duplex(256 * 1024);
        let drain = Arc::new(Drain::default());
        let mut watch = drain.watch();
        let ended =
            tokio::spawn(
                async move { answer(server, &echo, &ManualClock::at(NOW), &Arc::default(), &mut watch).await },
            );
        Self { client, drain, ended }
    }

    /// What is sent back, once it ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            assert_ne!(self.client.read_buf(&mut answer).await.unwrap(), 0, "{}", answer.escape_ascii());
        }
        String::from_utf8(answer).unwrap()
    }

    /// What was left for others.
    async fn left(mut self) -> (String, Vec<u8>) {
        self.client.shutdown().await.unwrap();
        let mut rest = self.ended.await.unwrap().unwrap().expect("something was for others");
        let mut unread = Vec::new();
        rest.read_to_end(&mut unread).await.unwrap();
        drop(rest);
        let mut answered = String::new();
        self.client.read_to_string(&mut answered).await.unwrap();
        (answered, unread)
    }
}

fn ok(body: &str) -> String {
    let len = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-length: {len}\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n{body}")
}

fn forbidden(body: &str, close: &str) -> String {
    let (len, date) = (body.len(), "date: Sun, 06 Nov 1994 08:49:37 GMT");
    format!("HTTP/1.1 403 Forbidden\r\nx: y\r\ncontent-length: {len}\r\n{close}{date}\r\n\r\n{body}")
}

#[tokio::test]
async fn requests_are_answered_one_after_the_other_wherever_they_are_cut() {
    let sent =
        "GET /a?b HTTP/1.1\r\nHost: x\r\nX-Y:  z \r\n\r\nGET /later HTTP/1.1\r\nhost:x\r\n\r\nGET /c HTTP/1.1\r\n\r\n";
    let expected = [ok("/a?b Host=x,X-Y=z"), forbidden("/later host=x", ""), ok("/c ")].concat();
    for cut in 0..=sent.len() {
        let mut running = Running::start(Echo::default());
        let (first, second) = sent.split_at(cut);
        running.client.write_all(first.as_bytes()).await.unwrap();
        tokio::task::yield_now().await;
        running.client.write_all(second.as_bytes()).await.unwrap();
        assert_eq!(running.until("/c ").await, expected, "{cut}");
        drop(running.client);
        assert!(running.ended.await.unwrap().unwrap().is_none());
    }
}

#[tokio::test]
async fn whatever_is_more_than_a_head_is_left_as_it_came_and_all_after_it() {
    let get = |line: &str| format!("GET / HTTP/1.1\r\nHost: x\r\n{line}\r\n\r\n");
    let long = get(&format!("x: {}", "a".repeat(MAX_HEAD_LEN)));
    let many = get(&vec!["x: y"; MAX_LINES].join("\r\n"));
    for other in [
        "GET /others HTTP/1.1\r\n\r\n".to_owned(),
        "POST / HTTP/1.1\r\n\r\n".to_owned(),
        "HEAD / HTTP/1.1\r\n\r\n".to_owned(),
        "get / HTTP/1.1\r\n\r\n".to_owned(),
        "GET / HTTP/1.0\r\n\r\n".to_owned(),
        "GET /\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned(),
        get("Connection: keep-alive"),
        get("CONNECTION: close"),
        get("Content-Length: 0"),
        get("content-length: 5") + "hello",
        get("Transfer-Encoding: chunked") + "0\r\n\r\n",
        get("Expect: 100-continue"),
        get("Upgrade: h2c"),
        get("HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"),
        get("Keep-Alive: timeout=5"),
        get("TE: trailers"),
        get("Trailer: x"),
        get("x : y"),
        get(" folded"),
        get("x: a\0b"),
        get("x"),
        long,
        many,
        "\x16\x03\x01\x02\0\x01\0".to_owned(),
    ] {
        for before in ["", "GET /a HTTP/1.1\r\n\r\n"] {
            let mut running = Running::start(Echo::default());
            let (expected, after) =
                (if before.is_empty() { String::new() } else { ok("/a ") }, "GET /b HTTP/1.1\r\n\r\n");
            running.client.write_all(format!("{before}{other}{after}").as_bytes()).await.unwrap();
            let (answered, unread) = running.left().await;
            assert_eq!(unread, format!("{other}{after}").into_bytes(), "{}", other.escape_debug());
            assert_eq!(answered, expected, "{}", other.escape_debug());
        }
    }
}

#[tokio::test]
async fn lines_that_only_resemble_those_of_the_connection_do_not_matter() {
    for line in
        ["x-connection: close", "connectio: n", "content-lengths: 5", "tee: 1", "accept: te", "cookie: upgrade=1"]
    {
        let mut running = Running::start(Echo::default());
        running.client.write_all(format!("GET /a HTTP/1.1\r\n{line}\r\n\r\n").as_bytes()).await.unwrap();
        let (name, value) = line.split_once(": ").unwrap();
        let expected = ok(&format!("/a {name}={value}"));
        assert_eq!(running.until(value).await, expected);
    }
}

#[tokio::test]
async fn a_connection_that_is_told_to_end_ends_when_nothing_is_asked_or_with_the_answer() {
    let running = Running::start(Echo::default());
    running.drain.begin();
    assert!(running.ended.await.unwrap().unwrap().is_none());

    let (release, waited_for) = oneshot::channel();
    let mut running = Running::start(Echo { waited_for: Mutex::new(Some(waited_for)), ..Echo::default() });
    running.client.write_all(b"GET /later HTTP/1.1\r\n\r\nGET /a HTTP/1.1\r\n\r\n").await.unwrap();
    tokio::task::yield_now().await;
    running.drain.begin();
    release.send(()).unwrap();
    let mut answered = String::new();
    running.client.read_to_string(&mut answered).await.unwrap();
    assert_eq!(answered, forbidden("/later ", "connection: close\r\n"));
    assert!(running.ended.await.unwrap().unwrap().is_none());
}

#[tokio::test]
async fn what_a_client_that_has_hung_up_waited_for_is_not_looked_for_any_more() {
    let (dropped, is_dropped) = oneshot::channel();
    let mut running = Running::start(Echo { dropped: Mutex::new(Some(dropped)), ..Echo::default() });
    running.client.write_all(b"GET /never HTTP/1.1\r\n\r\nGET /a HTT").await.unwrap();
    tokio::task::yield_now().await;
    drop(running.client);
    assert!(running.ended.await.unwrap().unwrap().is_none());
    assert!(is_dropped.await.is_err());
}

#[test]
fn what_cannot_stand_in_a_header_is_left_out() {
    let mut written = Written::new();
    written.begin(StatusCode::FOUND);
    let name = Name::from(HeaderName::from_static("x"));
    for value in ["a\r\nb: c", "a\nb", "\0", "\x7f"] {
        written.text(&name, value);
    }
    written.text(&name, "a\tb\u{e4}");
    written.header(&name, &HeaderValue::from_static("c"));
    written.end(NOW, b"");
    let expected = "HTTP/1.1 302 Found\r\nx: a\tb\u{e4}\r\nx: c\r\ncontent-length: 0\r\ndate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";
    assert_eq!(String::from_utf8_lossy(written.as_bytes()), expected);
}
