//! One connection after another to one place, over each of which one question is asked again and again.

mod counted;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use self::counted::Counted;
use super::question::Question;
use crate::cli::endpoint::{Target, Transport};

/// Asks its question as often as it is told to.
#[derive(Clone)]
pub(super) struct Client {
    transport: Arc<Transport>,
    shown: Arc<str>,
    request: Request<Empty<Bytes>>,
    counters: Arc<Counters>,
}

/// What goes over all connections.
#[derive(Default)]
struct Counters {
    read: AtomicU64,
    written: AtomicU64,
    connections: AtomicU64,
}

/// What has gone over all connections: bytes, TLS's own not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Traffic {
    pub(super) read: u64,
    pub(super) written: u64,
    /// How many were opened.
    pub(super) connections: u64,
}

/// An open connection that waits for a question.
pub(super) struct Connection {
    sender: SendRequest<Empty<Bytes>>,
}

/// Why there was no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Failure {
    /// There was no connection.
    NotConnected,
    /// The connection ended before the answer did, or the answer was none of HTTP/1.1.
    Broken,
    /// It took too long.
    TimedOut,
}

impl Client {
    /// Finds out where the target is; connects to nothing yet.
    pub(super) async fn reach(target: &Target, question: &Question, ca_file: Option<&Path>) -> Result<Self> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = question.method.clone();
        *request.uri_mut() = target.path_and_query().parse::<Uri>()?;
        *request.headers_mut() = question.headers.clone();
        let transport = Transport::find(target, ca_file).await;
        let transport = Arc::new(transport.with_context(|| format!("cannot reach `{target}`"))?);
        Ok(Self { transport, shown: target.to_string().into(), request, counters: Arc::default() })
    }

    /// The answer's status, on a connection of its own.
    pub(super) async fn ask_once(&self, patience: Duration) -> Result<StatusCode> {
        let asked = timeout(patience, async {
            let mut connection = self.connect().await?;
            anyhow::Ok(connection.ask(&self.request).await?)
        });
        let answer = asked.await.unwrap_or_else(|_| Err(anyhow::anyhow!("no answer within {patience:?}")));
        answer.with_context(|| format!("cannot load `{}`", self.shown))
    }

    /// A new connection.
    pub(super) async fn connect(&self) -> Result<Connection> {
        let stream = Counted::new(self.transport.connect().await?, Arc::clone(&self.counters));
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        self.counters.connections.fetch_add(1, Ordering::Relaxed);
        // How it ends is seen by whoever waits for an answer.
        tokio::spawn(connection);
        Ok(Connection { sender })
    }

    /// The answer's status, over `slot`'s connection if that is still open, or else a new one, which is left there.
    pub(super) async fn ask(&self, slot: &mut Option<Connection>, patience: Duration) -> Result<StatusCode, Failure> {
        let asking = async {
            loop {
                let kept = slot.take();
                // A connection that was kept may be closed by now: then nothing was sent, and another one does as well.
                let may_be_closed = kept.is_some();
                let mut connection = match kept {
                    Some(connection) => connection,
                    None => self.connect().await.map_err(|_| Failure::NotConnected)?,
                };
                match connection.sender.ready().await {
                    Ok(()) => {}
                    Err(_) if may_be_closed => continue,
                    Err(_) => return Err(Failure::Broken),
                }
                match connection.ask(&self.request).await {
                    Ok(status) => {
                        *slot = Some(connection);
                        return Ok(status);
                    }
                    Err(error) if may_be_closed && error.is_canceled() => {}
                    Err(_) => return Err(Failure::Broken),
                }
            }
        };
        timeout(patience, asking).await.unwrap_or(Err(Failure::TimedOut))
    }

    /// What has gone over the connections of this client, and of its clones, so far.
    pub(super) fn traffic(&self) -> Traffic {
        let Counters { read, written, connections } = &*self.counters;
        let [read, written, connections] = [read, written, connections].map(|counter| counter.load(Ordering::Relaxed));
        Traffic { read, written, connections }
    }
}

impl Traffic {
    /// What has been added since then.
    pub(super) fn since(self, before: Self) -> Self {
        Self {
            read: self.read - before.read,
            written: self.written - before.written,
            connections: self.connections - before.connections,
        }
    }
}

impl Connection {
    /// The status of an answer that was read to its end.
    async fn ask(&mut self, request: &Request<Empty<Bytes>>) -> hyper::Result<StatusCode> {
        let response: Response<Incoming> = self.sender.send_request(request.clone()).await?;
        let status = response.status();
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            frame?;
        }
        Ok(status)
    }
}
