//! Requests that are nothing but a head, answered without the machinery that all others need.
//!
//! A proxy asks the same kind of question again and again over one connection: `GET`, HTTP/1.1, no body, nothing about
//! the connection itself. To read such a head, and to write the answer, is all that has to be done, and it is done here,
//! with the parser that hyper uses as well. Whatever is not of this kind, be it only by one header, is left as it came,
//! and the connection with it, to hyper: nothing is read in two ways, and nothing is refused here.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use httparse::{Header, Status};
use httpdate::HttpDate;
use hyper::header::{HeaderName, HeaderValue};
use hyper::http::{Response, StatusCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::drain::Watch;
use super::patience::Requests;
use crate::clock::Clock;
use crate::model::Timestamp;

/// How many lines a head has, at most.
const MAX_LINES: usize = 64;
/// How long a head is, at most.
const MAX_HEAD_LEN: usize = 16 * 1024;
/// As long as most heads are, at most.
const USUAL_HEAD_LEN: usize = 4 * 1024;
/// The headers that say how a message is framed, or what is to become of the connection (RFC 9110, section 7.6.1; RFC
/// 9112, section 6): where one of them is, more than the head has to be understood.
const BEYOND_THE_HEAD: [&str; 9] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// The lengths of these, as bits.
const THEIR_LENGTHS: u32 = {
    let (mut lengths, mut at) = (0, 0);
    while let Some((_, [name, ..])) = BEYOND_THE_HEAD.split_at_checked(at) {
        lengths |= 1 << name.len();
        at += 1;
    }
    lengths
};

/// The head of a `GET` by HTTP/1.1 that is the whole request.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The request's target, as it was sent.
    pub target: &'a str,
    /// The lines: names in any case.
    pub lines: &'a [Header<'a>],
}

/// What is done about a request.
pub enum Directly {
    /// The response is written.
    Answered,
    /// The response has to be waited for; nothing is written yet.
    Later(Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>),
    /// Nothing: it is for others.
    Not,
}

/// Answers requests by their heads.
pub trait Direct: Send + Sync + 'static {
    /// Answers a request, if it is of the kind that is answered here.
    fn answer(&self, head: Head<'_>, to: &mut Written) -> Directly;
}

/// The way of connections that have nothing to answer directly.
#[derive(Debug, Clone, Copy)]
pub enum Never {}

impl Direct for Never {
    fn answer(&self, _: Head<'_>, _: &mut Written) -> Directly {
        match *self {}
    }
}

/// A header's name, ready to be written.
#[derive(Debug, Clone)]
pub struct Name {
    name: HeaderName,
    /// What stands between the line before and the value.
    written: Box<[u8]>,
}

impl From<HeaderName> for Name {
    fn from(name: HeaderName) -> Self {
        let written = [b"\r\n", name.as_str().as_bytes(), b": "].concat().into();
        Self { name, written }
    }
}

impl Name {
    /// The name.
    pub const fn as_header_name(&self) -> &HeaderName {
        &self.name
    }
}

/// Responses in the form in which they are sent (RFC 9112, section 4), one behind the other.
///
/// Each is begun, gets its headers, and is ended.
pub struct Written {
    bytes: Vec<u8>,
    second: i64,
    /// The last line but one for that second, as RFC 9110, section 6.6.1 wants it, and the empty one.
    date: String,
    /// The connection is closed after what is ended now.
    is_last: bool,
}

impl Default for Written {
    fn default() -> Self {
        Self::new()
    }
}

impl Written {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { bytes: Vec::new(), second: i64::MIN, date: String::new(), is_last: false }
    }

    /// What is written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets what is written: it is sent.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(USUAL_HEAD_LEN);
    }

    /// Begins a response.
    pub fn begin(&mut self, status: StatusCode) {
        if status == StatusCode::OK {
            self.bytes.extend_from_slice(b"HTTP/1.1 200 OK");
            return;
        }
        for part in ["HTTP/1.1 ", status.as_str(), " ", status.canonical_reason().unwrap_or_default()] {
            self.bytes.extend_from_slice(part.as_bytes());
        }
    }

    /// Adds a header.
    #[inline]
    pub fn header(&mut self, name: &Name, value: &HeaderValue) {
        self.bytes.extend_from_slice(&name.written);
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// Adds a header, unless its value holds something that cannot stand in one (RFC 9110, section 5.5).
    #[inline]
    pub fn text(&mut self, name: &Name, value: &str) {
        // Without an early end, so that many bytes are looked at together.
        if value.bytes().fold(true, |all, byte| all & ((byte >= b' ') | (byte == b'\t')) & (byte != 0x7f)) {
            self.bytes.extend_from_slice(&name.written);
            self.bytes.extend_from_slice(value.as_bytes());
        }
    }

    /// Adds lines, each of which begins with the end of the one before.
    #[inline]
    pub fn more(&mut self, lines: &'static [u8]) {
        self.bytes.extend_from_slice(lines);
    }

    /// Ends a response, made at this time, with its body.
    pub fn end(&mut self, at: Timestamp, body: &[u8]) {
        if at.as_secs() != self.second {
            self.date_of(at);
        }
        if body.is_empty() {
            self.bytes.extend_from_slice(b"\r\ncontent-length: 0");
        } else {
            // Memory can be written.
            let _ = write!(self.bytes, "\r\ncontent-length: {}", body.len());
        }
        if self.is_last {
            self.bytes.extend_from_slice(b"\r\nconnection: close");
        }
        self.bytes.extend_from_slice(self.date.as_bytes());
        self.bytes.extend_from_slice(body);
    }

    fn date_of(&mut self, at: Timestamp) {
        let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(at.as_secs()).unwrap_or_default());
        self.second = at.as_secs();
        self.date.clear();
        // Memory can be written.
        let _ = write!(self.date, "\r\ndate: {}\r\n\r\n", HttpDate::from(time));
    }

    async fn response(&mut self, at: Timestamp, response: Response<Full<Bytes>>) {
        let (head, body) = response.into_parts();
        self.begin(head.status);
        for (name, value) in &head.headers {
            self.header(&name.clone().into(), value);
        }
        // It cannot fail: it is in memory.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        self.end(at, &body);
    }
}

/// A connection of which something was read that is for others.
pub(super) struct Unread<I> {
    bytes: Vec<u8>,
    io: I,
}

impl<I> Unread<I> {
    /// A connection of which nothing was read.
    pub(super) const fn all_of(io: I) -> Self {
        Self { bytes: Vec::new(), io }
    }
}

/// Answers requests as long as they are of the kind that is answered here. Gives the connection if something else has
/// come, with that unread; nothing if it is over.
pub(super) async fn answer<I, D>(
    mut io: I,
    direct: &D,
    clock: &dyn Clock,
    requests: &Arc<Requests>,
    drain: &mut Watch,
) -> io::Result<Option<Unread<I>>>
where
    I: AsyncRead + AsyncWrite + Unpin,
    D: Direct,
{
    let (mut bytes, mut written) = (Vec::new(), Written::new());
    loop {
        let mut read = 0;
        let others = loop {
            written.is_last = drain.has_begun();
            let unread = bytes.get(read..).unwrap_or_default();
            let (len, later) = match answer_one(unread, direct, &mut written) {
                One::Partial => break unread.len() >= MAX_HEAD_LEN,
                One::Others => break true,
                One::Answered(len) => (len, None),
                One::Later(len, response) => (len, Some(response)),
            };
            requests.begin();
            read += len;
            if let Some(response) = later {
                bytes.drain(..read);
                read = 0;
                flush(&mut io, &mut written).await?;
                let in_flight = Arc::clone(requests).wait();
                let response = tokio::select! {
                    biased;
                    response = response => response,
                    () = hung_up(&mut io, &mut bytes) => return Ok(None),
                };
                drop(in_flight);
                written.is_last = drain.has_begun();
                written.response(clock.now(), response).await;
            }
            if written.is_last {
                flush(&mut io, &mut written).await?;
                return end(io).await;
            }
        };
        bytes.drain(..read);
        flush(&mut io, &mut written).await?;
        if others {
            return Ok(Some(Unread { bytes, io }));
        }
        bytes.reserve(USUAL_HEAD_LEN);
        let came = tokio::select! {
            biased;
            () = drain.begun(), if bytes.is_empty() => 0,
            came = io.read_buf(&mut bytes) => came?,
        };
        if came == 0 {
            return end(io).await;
        }
    }
}

/// What has become of what has come.
enum One {
    /// It is not the whole of a head.
    Partial,
    /// It is for others.
    Others,
    /// It was answered, and was so long.
    Answered(usize),
    /// It is so long, and its answer comes later.
    Later(usize, Pin<Box<dyn Future<Output = Response<Full<Bytes>>> + Send>>),
}

fn answer_one(bytes: &[u8], direct: &impl Direct, to: &mut Written) -> One {
    let mut lines = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut request = httparse::Request::new(&mut []);
    let len = match request.parse_with_uninit_headers(bytes, &mut lines) {
        Ok(Status::Complete(len)) => len,
        Ok(Status::Partial) => return One::Partial,
        Err(_) => return One::Others,
    };
    let (Some("GET"), Some(target), Some(1)) = (request.method, request.path, request.version) else {
        return One::Others;
    };
    let lines = &*request.headers;
    if lines.iter().any(|line| is_beyond_the_head(line.name)) {
        return One::Others;
    }
    match direct.answer(Head { target, lines }, to) {
        Directly::Answered => One::Answered(len),
        Directly::Later(response) => One::Later(len, response),
        Directly::Not => One::Others,
    }
}

fn is_beyond_the_head(name: &str) -> bool {
    let may_be =
        u32::try_from(name.len()).is_ok_and(|len| THEIR_LENGTHS.checked_shr(len).is_some_and(|bits| bits & 1 == 1));
    may_be && BEYOND_THE_HEAD.iter().any(|other| name.eq_ignore_ascii_case(other))
}

/// Says that nothing more comes.
async fn end<I: AsyncWrite + Unpin>(mut io: I) -> io::Result<Option<Unread<I>>> {
    io.shutdown().await?;
    Ok(None)
}

/// Sends what is written.
async fn flush(io: &mut (impl AsyncWrite + Unpin), written: &mut Written) -> io::Result<()> {
    if written.bytes.is_empty() {
        return Ok(());
    }
    io.write_all(&written.bytes).await?;
    io.flush().await?;
    written.clear();
    Ok(())
}

/// Waits until the client has hung up. What comes meanwhile is kept, up to as much as a head may have.
async fn hung_up(io: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) {
    while bytes.len() < MAX_HEAD_LEN {
        if !matches!(io.read_buf(bytes).await, Ok(1..)) {
            return;
        }
    }
    std::future::pending().await
}

impl<I: AsyncRead + Unpin> AsyncRead for Unread<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.bytes.is_empty() {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        }
        let len = this.bytes.len().min(buf.remaining());
        buf.put_slice(this.bytes.get(..len).unwrap_or_default());
        this.bytes.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Unread<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests;
