//! Accepting connections, so many at once, until it is told to stop; then waiting for those that are open.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

use super::drain::{Drain, Watch};
use super::listener::{Listener, Peer, Stream};
use super::places::{Place, Places, Standing};
use super::tls::Authorities;

/// How long to wait when the system has no more descriptors or memory for connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// The limits of accepting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptOptions {
    /// How many connections may be open; those beyond wait to be accepted, and [some](Standing) are closed.
    pub max_connections: usize,
    /// How long open connections may still take after the shutdown has begun.
    pub drain_timeout: Duration,
}

/// Accepts connections until `shutdown` is ready, then drains: accepts nothing more, removes a Unix socket, tells those
/// that are open by their [`Watch`], and waits for them, for `drain_timeout` at most.
///
/// When the authorities of clients are others, those connections that are open are told to end, and new ones accepted.
///
/// `standing` tells which places a peer may take. `connection` gives the future that serves a connection, which holds its
/// place. A panic in it closes that connection only.
pub async fn accept_each<C, F>(
    listener: Listener,
    standing: impl Fn(Peer) -> Standing,
    connection: C,
    options: AcceptOptions,
    shutdown: impl Future<Output = ()>,
) where
    C: Fn(Stream, Peer, Place, Watch) -> F,
    F: Future<Output = ()> + Send + 'static,
{
    let places = Places::new(options.max_connections);
    let mut drain = Arc::new(Drain::default());
    let mut authorities = listener.authorities();
    let mut connections = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let (stream, peer, place) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            () = changed(&mut authorities) => {
                tracing::info!("the authorities of clients have changed; connections begin anew");
                std::mem::take(&mut drain).begin();
                continue;
            }
            Some(ended) = connections.join_next() => {
                report_panic(ended);
                continue;
            }
            accepted = accept(&listener, &places, &standing) => accepted,
        };
        connections.spawn(connection(stream, peer, place, drain.watch()));
    }

    drop(listener);
    drain.begin();
    let drained = tokio::time::timeout(options.drain_timeout, async {
        while let Some(ended) = connections.join_next().await {
            report_panic(ended);
        }
    })
    .await;
    if drained.is_err() {
        tracing::warn!(
            connections = connections.len(),
            "requests took too long to drain; their connections are closed"
        );
        connections.shutdown().await;
    }
}

/// Waits until the authorities of clients are others.
async fn changed(authorities: &mut Option<watch::Receiver<Authorities>>) {
    let changed = match authorities {
        Some(authorities) => authorities.changed().await.is_ok(),
        None => false,
    };
    // There are none, or nobody can change them.
    if !changed {
        std::future::pending().await
    }
}

/// Waits for a place, then for a connection that may have it. Errors are waited out: a server that cannot accept now can
/// later.
async fn accept(listener: &Listener, places: &Places, standing: impl Fn(Peer) -> Standing) -> (Stream, Peer, Place) {
    loop {
        let slot = places.free().await;
        match listener.accept().await {
            Ok((stream, peer)) => match places.give(slot, peer, standing(peer)) {
                Some(place) => return (stream, peer, place),
                None => tracing::debug!(?peer, "connection closed: others of its kind have all the places for them"),
            },
            Err(error) if concerns_one_connection(&error) => tracing::debug!(%error, "connection lost before it began"),
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// Whether the error was the connection's own, and not the system's want of descriptors or memory.
fn concerns_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput | NotConnected)
}

fn report_panic(ended: Result<(), JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a handler panicked; its connection was closed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_lack_of_resources_pauses_the_acceptor() {
        for (errno, own) in [(103, true), (104, true), (22, true), (107, true), (23, false), (24, false), (12, false)] {
            assert_eq!(concerns_one_connection(&io::Error::from_raw_os_error(errno)), own, "{errno}");
        }
    }
}
