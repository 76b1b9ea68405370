//! How long a connection may keep the server waiting.
//!
//! hyper has one timer for HTTP/1, `header_read_timeout`. It starts when a connection becomes idle, not at the first
//! byte of a head, so it also ends idle keep-alive connections (hyper 1.12, `State::idle` in `proto/h1/conn.rs`); it
//! allocates a timer for every request; and it does not run at all until hyper-util has seen which protocol is spoken.
//! A proxy's pool wants long idle times, a slow client deserves a short time for its head: so hyper's timer is off, and
//! the bytes pass through here instead.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Requests {
    begun: AtomicUsize,
    in_flight: AtomicUsize,
    are_over: AtomicBool,
}

impl Requests {
    /// Counts a request. The connection alone does this, so no other addition can be lost.
    pub(super) fn begin(&self) {
        self.begun.store(self.begun().wrapping_add(1), Ordering::Relaxed);
    }

    /// A request that has begun has to wait: until what is returned is dropped, bytes that come are its own.
    pub(super) fn wait(self: Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(self)
    }

    /// No more are wanted.
    pub(super) fn end(&self) {
        self.are_over.store(true, Ordering::Relaxed);
    }

    /// Whether no more are wanted.
    pub(super) fn are_over(&self) -> bool {
        self.are_over.load(Ordering::Relaxed)
    }

    fn begun(&self) -> usize {
        self.begun.load(Ordering::Relaxed)
    }

    fn any_in_flight(&self) -> bool {
        self.in_flight.load(Ordering::Relaxed) != 0
    }
}

/// A request that has begun, and was not answered at once.
#[derive(Debug)]
pub(super) struct InFlight(Arc<Requests>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the client speaks, as its first bytes tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Protocol {
    /// That many bytes of HTTP/2's preface have come.
    Unknown(usize),
    Http1,
    Http2,
}

impl Protocol {
    fn after(self, bytes: &[u8]) -> Self {
        let Self::Unknown(seen) = self else { return self };
        let expected = HTTP2_PREFACE.get(seen..).unwrap_or_default();
        if bytes.starts_with(expected) {
            Self::Http2
        } else if expected.starts_with(bytes) {
            Self::Unknown(seen + bytes.len())
        } else {
            Self::Http1
        }
    }
}

/// A connection that fails with [`io::ErrorKind::TimedOut`] when it keeps the server waiting.
///
/// - From the first byte of an HTTP/1 request's head to its end: `head`. (The beginning of a head that came together
///   with the end of the request before it is not noticed; it has the idle time.) Over HTTP/2 from the first byte to the end
///   of the first head, which tells one who asks from one who only holds a connection. [In a hurry](Self::in_a_hurry)
///   the time for the first head begins with the connection.
/// - Without any byte in either direction: at least `idle`, at most twice that. One timer is enough for this, and is
///   not touched by the requests that pass.
#[derive(Debug)]
pub(super) struct Patient<I> {
    io: I,
    requests: Arc<Requests>,
    protocol: Protocol,
    /// How many requests had begun when this was last looked at.
    begun: usize,
    /// Bytes have come that belong to no request yet.
    in_head: bool,
    head: Duration,
    head_ends: Option<Timer>,
    /// Bytes have passed since the idle timer was set.
    active: bool,
    idle: Duration,
    idle_ends: Timer,
}

impl<I> Patient<I> {
    pub(super) fn new(io: I, requests: Arc<Requests>, head: Duration, idle: Duration) -> Self {
        Self {
            io,
            requests,
            protocol: Protocol::Unknown(0),
            begun: 0,
            in_head: false,
            head,
            head_ends: None,
            active: false,
            idle,
            idle_ends: Timer::new(idle),
        }
    }

    /// The same, which waits for a first request no longer than for its head.
    pub(super) fn in_a_hurry(self) -> Self {
        Self { in_head: true, ..self }
    }

    fn received(&mut self, bytes: &[u8]) {
        self.active = true;
        self.protocol = self.protocol.after(bytes);
        self.in_head |= !bytes.is_empty() && !self.requests.any_in_flight();
    }

    fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let begun = self.requests.begun();
        if begun != self.begun {
            self.begun = begun;
            self.in_head = false;
            self.head_ends = None;
        }
        if !self.in_head || (self.protocol == Protocol::Http2 && begun != 0) {
            return Poll::Pending;
        }
        let ends = self.head_ends.get_or_insert_with(|| Timer::new(self.head));
        ends.poll(cx).map(|()| timed_out("the request's head took too long"))
    }

    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        while self.idle_ends.poll(cx).is_ready() {
            if !self.active {
                return Poll::Ready(timed_out("the connection was idle for too long"));
            }
            self.active = false;
            self.idle_ends = Timer::new(self.idle);
        }
        Poll::Pending
    }

    fn sent<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        match result {
            Poll::Ready(result) => {
                self.active = true;
                Poll::Ready(result)
            }
            Poll::Pending => self.poll_idle(cx).map(Err),
        }
    }
}

/// A timer that is polled once, and then costs next to nothing until it has elapsed.
#[derive(Debug)]
struct Timer {
    sleep: Pin<Box<Sleep>>,
    /// Whom it wakes.
    waker: Option<Waker>,
}

impl Timer {
    fn new(time: Duration) -> Self {
        Self { sleep: Box::pin(sleep(time)), waker: None }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wakes = self.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker()));
        if wakes && !self.sleep.is_elapsed() {
            return Poll::Pending;
        }
        self.waker = Some(cx.waker().clone());
        self.sleep.as_mut().poll(cx)
    }
}

fn timed_out(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

impl<I: AsyncRead + Unpin> AsyncRead for Patient<I> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, buf) {
            Poll::Ready(result) => {
                this.received(buf.filled().get(before..).unwrap_or_default());
                Poll::Ready(result)
            }
            Poll::Pending => match this.poll_head(cx) {
                Poll::Ready(error) => Poll::Ready(Err(error)),
                Poll::Pending => this.poll_idle(cx).map(Err),
            },
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Patient<I> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write(cx, buf);
        this.sent(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write_vectored(cx, bufs);
        this.sent(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::time::Instant;

    use super::*;

    const HEAD: Duration = Duration::from_secs(10);
    const IDLE: Duration = Duration::from_secs(130);

    fn connection() -> (DuplexStream, Patient<DuplexStream>, Arc<Requests>) {
        let (client, server) = duplex(64);
        let requests = Arc::new(Requests::default());
        (client, Patient::new(server, Arc::clone(&requests), HEAD, IDLE), requests)
    }

    /// How long the server waited for a read that failed.
    async fn patience(server: &mut Patient<DuplexStream>) -> Duration {
        let since = Instant::now();
        assert_eq!(server.read(&mut [0; 64]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        since.elapsed()
    }

    #[test]
    fn the_preface_is_recognized_however_it_is_cut() {
        let unknown = Protocol::Unknown(0);
        assert_eq!(unknown.after(HTTP2_PREFACE), Protocol::Http2);
        assert_eq!(unknown.after(b"PRI * HT").after(b"TP/2.0\r\n\r\nSM\r\n\r\n\0\0\0"), Protocol::Http2);
        assert_eq!(unknown.after(b"PRI * HT").after(b"TP/1.1"), Protocol::Http1);
        assert_eq!(unknown.after(b"P").after(b"OST / HTTP/1.1"), Protocol::Http1);
        assert_eq!(unknown.after(b"").after(b"GET"), Protocol::Http1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_end_is_given_10_seconds_in_all() {
        let (mut client, mut server, _) = connection();
        let since = Instant::now();
        for byte in b"GET /" {
            client.write_all(&[*byte]).await.unwrap();
            server.read_exact(&mut [0]).await.unwrap();
            let waiting = tokio::time::timeout(Duration::from_millis(1_900), server.read_u8()).await;
            assert!(waiting.is_err(), "{waiting:?}");
        }
        patience(&mut server).await;
        assert!(since.elapsed() >= HEAD && since.elapsed() < HEAD + Duration::from_secs(1), "{:?}", since.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_kept_for_130_seconds_at_least() {
        let (mut client, mut server, requests) = connection();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        server.read_exact(&mut [0; 18]).await.unwrap();
        requests.begin();
        let waited = patience(&mut server).await;
        assert!(waited >= IDLE && waited <= 2 * IDLE + Duration::from_secs(1), "{waited:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_says_nothing_is_idle() {
        let (_client, mut server, _) = connection();
        assert!(patience(&mut server).await >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_is_no_head() {
        let (mut client, mut server, requests) = connection();
        requests.begin();
        let _request = requests.wait();
        client.write_all(b"body").await.unwrap();
        server.read_exact(&mut [0; 4]).await.unwrap();
        assert!(patience(&mut server).await >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn frames_between_http2_requests_are_no_head() {
        let (mut client, mut server, requests) = connection();
        client.write_all(HTTP2_PREFACE).await.unwrap();
        server.read_exact(&mut [0; 24]).await.unwrap();
        requests.begin();
        client.write_all(b"frames").await.unwrap();
        server.read_exact(&mut [0; 6]).await.unwrap();
        assert!(patience(&mut server).await >= IDLE);
    }

    #[tokio::test(start_paused = true)]
    async fn an_http2_connection_without_a_request_is_given_10_seconds_whatever_else_comes() {
        let (mut client, mut server, _) = connection();
        client.write_all(HTTP2_PREFACE).await.unwrap();
        server.read_exact(&mut [0; 24]).await.unwrap();
        let since = Instant::now();
        for _ in 0..5 {
            let waiting = tokio::time::timeout(Duration::from_millis(1_900), server.read_u8()).await;
            assert!(waiting.is_err(), "{waiting:?}");
            client.write_all(b"a ping").await.unwrap();
            server.read_exact(&mut [0; 6]).await.unwrap();
        }
        patience(&mut server).await;
        assert!(since.elapsed() < HEAD + Duration::from_secs(1), "{:?}", since.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn in_a_hurry_a_connection_that_says_nothing_is_given_10_seconds() {
        let (_client, server, _) = connection();
        let waited = patience(&mut server.in_a_hurry()).await;
        assert!(waited >= HEAD && waited < HEAD + Duration::from_secs(1), "{waited:?}");
        let (mut client, server, requests) = connection();
        let mut server = server.in_a_hurry();
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        server.read_exact(&mut [0; 18]).await.unwrap();
        requests.begin();
        assert!(patience(&mut server).await >= IDLE, "once it has asked, it has as much time as others");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_idle() {
        let (_client, mut server, _) = connection();
        let error = server.write_all(&[0; 65]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
