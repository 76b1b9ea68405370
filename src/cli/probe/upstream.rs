//! A small application for the proxy to have behind it, so that it is known what an application would see.
//!
//! It answers everything with 200 and remembers each head as it came.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::head::{Head, Length, chunked_len};

const ANSWER: &str = "this is the application\n";
/// A longer message is not waited for.
const MAX_MESSAGE_LEN: usize = 4 * 1024 * 1024;
/// A connection that is silent for longer is closed; later than any proxy would close it.
const IDLE: Duration = Duration::from_secs(180);

/// The application. It ends with the runtime.
pub(super) struct Upstream {
    seen: Arc<Mutex<Vec<Head>>>,
}

impl Upstream {
    /// Listens on the address.
    pub(super) async fn listen(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).await.with_context(|| format!("cannot listen on `{address}`"))?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let arriving = Arc::clone(&seen);
        tokio::spawn(async move {
            // An error is one connection's that is gone already.
            loop {
                if let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(serve(stream, Arc::clone(&arriving)));
                }
            }
        });
        Ok(Self { seen })
    }

    /// What has arrived since the last time. A request is here before it is answered.
    pub(super) fn take(&self) -> Vec<Head> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn serve(mut stream: TcpStream, seen: Arc<Mutex<Vec<Head>>>) {
    let mut got = Vec::new();
    while let Some(head) = receive(&mut stream, &mut got).await {
        got.drain(..head.len);
        let body_len = match head.length() {
            Length::Of(len) => Some(len),
            Length::Chunked => None,
            Length::Unknown => Some(0),
        };
        let is_head = head.word(0) == "HEAD";
        let is_last = head.word(2) != "HTTP/1.1"
            || head
                .all("connection")
                .any(|value| value.split(',').any(|word| word.trim().eq_ignore_ascii_case("close")));
        seen.lock().unwrap_or_else(PoisonError::into_inner).push(head);
        let Some(len) = body(&mut stream, &mut got, body_len).await else { return };
        got.drain(..len);
        let connection = if is_last { "Connection: close\r\n" } else { "" };
        let content = if is_head { "" } else { ANSWER };
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{connection}\r\n{content}", ANSWER.len());
        if stream.write_all(answer.as_bytes()).await.is_err() || is_last {
            return;
        }
    }
}

/// The next head; nothing at the end of the connection.
async fn receive(stream: &mut TcpStream, got: &mut Vec<u8>) -> Option<Head> {
    loop {
        if let Some(head) = Head::read(got) {
            return Some(head);
        }
        more(stream, got).await?;
    }
}

/// The length of the body, once all of it is there.
async fn body(stream: &mut TcpStream, got: &mut Vec<u8>, len: Option<usize>) -> Option<usize> {
    loop {
        match len.or_else(|| chunked_len(got)) {
            Some(len) if len <= got.len() => return Some(len),
            _ => more(stream, got).await?,
        }
    }
}

async fn more(stream: &mut TcpStream, got: &mut Vec<u8>) -> Option<()> {
    if got.len() > MAX_MESSAGE_LEN {
        return None;
    }
    let read = timeout(IDLE, stream.read_buf(got)).await.ok()?.ok()?;
    (read > 0).then_some(())
}
