//! The client: sends bytes as they are, on a connection of their own.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::head::{Head, Length, chunked_len};
use crate::cli::endpoint::{Stream, Transport};

/// How long the proxy has to say something more where it may have found a second request.
const QUIET: Duration = Duration::from_millis(100);
/// Nobody's answer is longer.
const MAX_ANSWER_LEN: usize = 1024 * 1024;

/// What the client got.
#[derive(Debug, Clone)]
pub(super) enum Answer {
    /// A response.
    Head(Head),
    /// Something that is no response of HTTP/1.
    Garbage,
    /// The connection was closed.
    Closed,
    /// Nothing, for too long.
    Silence,
    /// There was no connection.
    NotConnected,
}

impl Answer {
    /// The status, if there is one.
    pub(super) fn status(&self) -> Option<u16> {
        match self {
            Self::Head(head) => head.word(1).parse().ok(),
            _ => None,
        }
    }

    /// Whether the client was served.
    pub(super) fn is_success(&self) -> bool {
        self.status().is_some_and(|status| (200..300).contains(&status) || status == 101)
    }
}

/// Sends `bytes`, and waits for the answer as long as `patience`. Where the bytes hold more than one request, it waits for
/// more answers, too.
pub(super) async fn send(
    transport: &Transport,
    bytes: &[u8],
    is_head: bool,
    holds_more: bool,
    patience: Duration,
) -> Answer {
    let Ok(Ok(stream)) = timeout(patience, transport.connect()).await else { return Answer::NotConnected };
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut got = Vec::new();
    let writing = async {
        // A proxy may refuse a message before it is sent in full, so a failure says nothing.
        let _ = writer.write_all(bytes).await;
        let _ = writer.flush().await;
        std::future::pending::<()>().await;
    };
    let reading = read(&mut reader, &mut got, is_head, holds_more);
    let exchange = async {
        tokio::select! {
            () = reading => {}
            () = writing => {}
        }
    };
    let is_over = timeout(patience, exchange).await.is_ok();
    match final_head(&got) {
        Some((head, _)) if head.first.starts_with("HTTP/") => Answer::Head(head),
        _ if !got.is_empty() => Answer::Garbage,
        _ if is_over => Answer::Closed,
        _ => Answer::Silence,
    }
}

/// Reads until the answer is whole, the connection ends or there is too much.
async fn read(reader: &mut tokio::io::ReadHalf<Box<dyn Stream>>, got: &mut Vec<u8>, is_head: bool, holds_more: bool) {
    while got.len() < MAX_ANSWER_LEN {
        let is_whole = is_whole(got, is_head);
        if is_whole && !holds_more {
            return;
        }
        let more = reader.read_buf(got);
        let read = if is_whole { timeout(QUIET, more).await.unwrap_or(Ok(0)) } else { more.await };
        if read.unwrap_or(0) == 0 {
            return;
        }
    }
}

/// The first head that is not that of an interim response (RFC 9110, section 15.2), and where it begins.
fn final_head(got: &[u8]) -> Option<(Head, usize)> {
    let mut start = 0;
    loop {
        let head = Head::read(got.get(start..)?)?;
        match head.word(1) {
            "101" => return Some((head, start)),
            code if code.len() == 3 && code.starts_with('1') => start += head.len,
            _ => return Some((head, start)),
        }
    }
}

fn is_whole(got: &[u8], is_head: bool) -> bool {
    let Some((head, start)) = final_head(got) else { return false };
    let body = got.get(start + head.len..).unwrap_or_default();
    if is_head || matches!(head.word(1), "101" | "204" | "304") {
        return true;
    }
    match head.length() {
        Length::Of(len) => body.len() >= len,
        Length::Chunked => chunked_len(body).is_some(),
        Length::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_where_its_head_says_so() {
        for (got, is_head, whole) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", false, true),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\na", false, false),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", true, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n", false, true),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n", false, false),
            ("HTTP/1.1 204 No Content\r\n\r\n", false, true),
            ("HTTP/1.1 100 Continue\r\n\r\n", false, false),
            ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false, true),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", false, false),
        ] {
            assert_eq!(is_whole(got.as_bytes(), is_head), whole, "{got:?}");
        }
    }
}
