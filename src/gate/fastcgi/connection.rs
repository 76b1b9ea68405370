//! One FastCGI connection: one request at a time, and after it the next one if the peer keeps the connection.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::time::timeout;

use super::super::respond::Response;
use super::record::{Kind, NO_REQUEST, Record, RecordError, append_one, append_stream};
use super::{pairs, response};
use crate::http::drain::Watch;
use crate::http::serve::MAX_HEAD_LEN;

/// How long a request may take from its first byte to its last.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a peer may take to take an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection is kept when nothing comes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(135);

/// The role that is played (FastCGI 1.0, section 6.3).
const AUTHORIZER: u16 = 2;
/// The flag of a request after which the peer wants to keep the connection (section 5.1).
const KEEP_CONN: u8 = 1;

/// How a request has ended (section 5.5).
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Ended {
    RequestComplete = 0,
    /// A second request on a connection whose first one is still coming.
    CannotMultiplex = 1,
    UnknownRole = 3,
}

/// The connection cannot go on.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConnectionError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error("a record of type {0} was not expected")]
    Unexpected(u8),
    #[error("the beginning of a request is not eight bytes long")]
    Begin,
    #[error("a request took too long to come")]
    Slow,
    #[error("an answer was not taken")]
    Stuck,
}

impl From<std::io::Error> for ConnectionError {
    fn from(error: std::io::Error) -> Self {
        Self::Record(error.into())
    }
}

/// The parameters of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Params {
    /// All of them.
    Whole(Vec<u8>),
    /// They are longer than [`MAX_HEAD_LEN`].
    TooLong,
}

/// A request whose parameters are coming, or have come.
struct Request {
    id: u16,
    keeps: bool,
    params: Params,
}

/// What has come.
enum Came {
    Request(Request),
    /// Something that was dealt with.
    Other,
    /// Something after which the peer wants the connection closed.
    End,
}

/// Answers requests by `answer`, until the peer has no more or the server stops.
pub(super) async fn serve<S, A, F>(stream: S, answer: A, mut drain: Watch) -> Result<(), ConnectionError>
where
    S: AsyncRead + AsyncWrite + Unpin,
    A: Fn(Params) -> F,
    F: Future<Output = Response>,
{
    let mut stream = BufReader::new(stream);
    loop {
        let is_waiting_over = tokio::select! {
            biased;
            () = drain.begun() => true,
            came = timeout(IDLE_TIMEOUT, stream.fill_buf()) => !matches!(came, Ok(Ok(bytes)) if !bytes.is_empty()),
        };
        if is_waiting_over {
            break;
        }
        match timeout(REQUEST_TIMEOUT, next(&mut stream)).await.map_err(|_| ConnectionError::Slow)?? {
            Came::Request(Request { id, keeps, params }) => {
                let text = response::encode(answer(params).await).await;
                let mut bytes = Vec::with_capacity(text.len() + 64);
                append_stream(&mut bytes, Kind::Stdout, id, &text);
                append_ended(&mut bytes, id, Ended::RequestComplete);
                send(&mut stream, &bytes).await?;
                if !keeps {
                    break;
                }
            }
            Came::Other => {}
            Came::End => break,
        }
    }
    timeout(ANSWER_TIMEOUT, stream.shutdown()).await.map_err(|_| ConnectionError::Stuck)??;
    Ok(())
}

/// Reads until a request is whole, or something else was dealt with.
async fn next<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>) -> Result<Came, ConnectionError> {
    let mut open: Option<Request> = None;
    loop {
        let Record { kind, request: id, content } = Record::read(stream).await?;
        let own = open.take_if(|open| open.id == id);
        match (kind, own) {
            (Kind::GetValues, None) if id == NO_REQUEST => {
                let mut bytes = Vec::new();
                append_one(&mut bytes, Kind::GetValuesResult, NO_REQUEST, &values(&content));
                send(stream, &bytes).await?;
            }
            (kind, None) if id == NO_REQUEST => {
                let mut bytes = Vec::new();
                append_one(&mut bytes, Kind::UnknownType, NO_REQUEST, &[kind.number(), 0, 0, 0, 0, 0, 0, 0]);
                send(stream, &bytes).await?;
            }
            (Kind::BeginRequest, None) => {
                let &[role_1, role_0, flags, ..] = content.as_slice() else { return Err(ConnectionError::Begin) };
                if content.len() != 8 {
                    return Err(ConnectionError::Begin);
                }
                let keeps = flags & KEEP_CONN != 0;
                let refusal = match &open {
                    Some(_) => Some(Ended::CannotMultiplex),
                    None if u16::from_be_bytes([role_1, role_0]) != AUTHORIZER => Some(Ended::UnknownRole),
                    None => None,
                };
                match refusal {
                    Some(refusal) => {
                        send_ended(stream, id, refusal).await?;
                        if open.is_none() && !keeps {
                            return Ok(Came::End);
                        }
                    }
                    None => open = Some(Request { id, keeps, params: Params::Whole(Vec::new()) }),
                }
            }
            (Kind::Params, Some(own)) if content.is_empty() => return Ok(Came::Request(own)),
            (Kind::Params, Some(own)) => open = Some(own.with(&content)),
            (Kind::AbortRequest, Some(own)) => {
                send_ended(stream, id, Ended::RequestComplete).await?;
                return Ok(if own.keeps { Came::Other } else { Came::End });
            }
            // An authorizer reads no body.
            (Kind::Stdin | Kind::Data, Some(own)) => open = Some(own),
            // Of a request that was refused, or is answered already (section 3.3).
            (Kind::Params | Kind::Stdin | Kind::Data | Kind::AbortRequest, None) => {}
            (unexpected, _) => return Err(ConnectionError::Unexpected(unexpected.number())),
        }
        if open.is_none() {
            return Ok(Came::Other);
        }
    }
}

impl Request {
    /// With more of its parameters.
    fn with(mut self, more: &[u8]) -> Self {
        if let Params::Whole(params) = &mut self.params {
            if params.len() + more.len() > MAX_HEAD_LEN {
                self.params = Params::TooLong;
            } else {
                params.extend_from_slice(more);
            }
        }
        self
    }
}

/// What the peer may ask about this side (section 4.1), of those that it names. It may ask for anything in any form.
fn values(asked: &[u8]) -> Vec<u8> {
    let known: [(&[u8], &[u8]); 3] =
        [(b"FCGI_MAX_CONNS", b"4096"), (b"FCGI_MAX_REQS", b"4096"), (b"FCGI_MPXS_CONNS", b"0")];
    let asked = pairs::read(asked).unwrap_or_default();
    let mut bytes = Vec::new();
    for pair in known {
        if asked.iter().any(|(name, _)| *name == pair.0) {
            pairs::append_short(&mut bytes, pair);
        }
    }
    bytes
}

fn append_ended(to: &mut Vec<u8>, id: u16, how: Ended) {
    append_one(to, Kind::EndRequest, id, &[0, 0, 0, 0, how as u8, 0, 0, 0]);
}

async fn send_ended(to: &mut (impl AsyncWrite + Unpin), id: u16, how: Ended) -> Result<(), ConnectionError> {
    let mut bytes = Vec::new();
    append_ended(&mut bytes, id, how);
    send(to, &bytes).await
}

async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), ConnectionError> {
    let sent = timeout(ANSWER_TIMEOUT, async {
        to.write_all(bytes).await?;
        to.flush().await
    });
    Ok(sent.await.map_err(|_| ConnectionError::Stuck)??)
}

#[cfg(test)]
mod tests;
