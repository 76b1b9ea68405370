//! Where connections come from: a TCP port or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::watch;

use super::inherited::{self, Inherited};
use super::tls::{Authorities, Tls, TlsConnection};
use crate::model::ListenAddress;

/// Who may connect to a Unix socket: its owner and its group. Put the proxy into the group, or the socket into a
/// folder that only the proxy can enter.
const SOCKET_MODE: u32 = 0o660;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// Another process answers on the socket.
    #[error("cannot listen on `unix:{}`: another process answers there", .0.display())]
    InUse(PathBuf),
    /// Something that is not a socket is in the way. It is left alone.
    #[error("cannot listen on `unix:{}`: something that is not a socket is there", .0.display())]
    NotASocket(PathBuf),
    /// A socket of systemd's that no permissions guard.
    #[error(
        "cannot listen on `{0}`: the socket has no path (it is in the abstract namespace), so every process on the machine \
         may connect; give it one"
    )]
    Abstract(ListenAddress),
    /// The system says no.
    #[error("cannot listen on `{address}`: {source}")]
    System {
        /// Where it was to listen.
        address: ListenAddress,
        /// The system's words.
        source: io::Error,
    },
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Peer {
    /// A TCP client.
    Tcp(SocketAddr),
    /// A TCP client of which nothing is read before it has shown a certificate of an authority that clients must have.
    Certified(SocketAddr),
    /// A process on this machine that the socket's permissions let in.
    Unix,
}

/// A bound listener. Dropping it closes it, and removes its Unix socket.
#[derive(Debug)]
pub struct Listener {
    address: ListenAddress,
    kind: Kind,
    tls: Option<Arc<Tls>>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    /// With its file, unless somebody else has made that.
    Unix {
        listener: UnixListener,
        _socket: Option<Socket>,
    },
}

impl Listener {
    /// Binds an address. A socket that a dead process left behind is replaced.
    pub async fn bind(address: &ListenAddress) -> Result<Self, ListenError> {
        let system = |source| ListenError::System { address: address.clone(), source };
        match address {
            ListenAddress::Tcp(wanted) => {
                let listener = TcpListener::bind(wanted).await.map_err(system)?;
                let bound = listener.local_addr().map_err(system)?;
                Ok(Self { address: ListenAddress::Tcp(bound), kind: Kind::Tcp(listener), tls: None })
            }
            ListenAddress::Unix(path) => {
                make_way(path).await?;
                let listener = UnixListener::bind(path).map_err(system)?;
                let socket = Socket::made_at(path).map_err(system)?;
                std::fs::set_permissions(path, PermissionsExt::from_mode(SOCKET_MODE)).map_err(system)?;
                Ok(Self { address: address.clone(), kind: Kind::Unix { listener, _socket: Some(socket) }, tls: None })
            }
            ListenAddress::Inherited(descriptor) => {
                let kind = match inherited::take(*descriptor).map_err(system)? {
                    Inherited::Tcp(listener) => Kind::Tcp(TcpListener::from_std(listener).map_err(system)?),
                    Inherited::Unix(listener) => {
                        Kind::Unix { listener: UnixListener::from_std(listener).map_err(system)?, _socket: None }
                    }
                };
                // INVARIANT: a Unix socket has permissions, which are what makes its peers trusted.
                let named = kind.address().map_err(system)?;
                let address = named.ok_or_else(|| ListenError::Abstract(address.clone()))?;
                Ok(Self { address, kind, tls: None })
            }
        }
    }

    /// The same with TLS on what comes over TCP. Unix sockets have permissions instead.
    pub fn with_tls(self, tls: Option<Arc<Tls>>) -> Self {
        Self { tls, ..self }
    }

    /// Where it really listens: with the port that the system chose, if port 0 was asked for.
    pub fn address(&self) -> &ListenAddress {
        &self.address
    }

    /// Tells when the authorities of clients are others, if clients must show certificates.
    pub(super) fn authorities(&self) -> Option<watch::Receiver<Authorities>> {
        self.tls.as_ref().filter(|tls| tls.certifies_clients()).map(|tls| tls.authorities())
    }

    /// Waits for the next connection. Dropping the future loses none.
    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.kind {
            Kind::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Without it small answers wait for the client's delayed ACK. A client that is already gone fails here.
                stream.set_nodelay(true)?;
                Ok(match &self.tls {
                    None => (Stream::Tcp(stream), Peer::Tcp(peer)),
                    Some(tls) => {
                        let peer = if tls.certifies_clients() { Peer::Certified(peer) } else { Peer::Tcp(peer) };
                        (Stream::Tls(Box::new(tls.accept(stream))), peer)
                    }
                })
            }
            Kind::Unix { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                Ok((Stream::Unix(stream), Peer::Unix))
            }
        }
    }
}

impl Kind {
    /// Where it listens, if that has a name.
    fn address(&self) -> io::Result<Option<ListenAddress>> {
        Ok(match self {
            Self::Tcp(listener) => Some(ListenAddress::Tcp(listener.local_addr()?)),
            Self::Unix { listener, .. } => {
                listener.local_addr()?.as_pathname().map(|path| ListenAddress::Unix(path.to_owned()))
            }
        })
    }
}

/// Removes a socket on which nobody answers; anything else stays.
async fn make_way(path: &Path) -> Result<(), ListenError> {
    let Ok(there) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !there.file_type().is_socket() {
        return Err(ListenError::NotASocket(path.to_owned()));
    }
    match UnixStream::connect(path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path)
            .map_err(|source| ListenError::System { address: ListenAddress::Unix(path.to_owned()), source }),
        // Connected, or not allowed to, or its queue is full: somebody is there.
        _ => Err(ListenError::InUse(path.to_owned())),
    }
}

/// The file of a Unix socket that this process has made.
#[derive(Debug)]
struct Socket {
    path: PathBuf,
    identity: (u64, u64),
}

impl Socket {
    fn made_at(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.to_owned(), identity: identity(path)? })
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A successor may have put its own socket there meanwhile.
        if identity(&self.path).is_ok_and(|found| found == self.identity) {
            let removed = std::fs::remove_file(&self.path);
            tracing::debug!(path = %self.path.display(), ?removed, "unix socket removed");
        }
    }
}

/// The device and the inode of a file.
fn identity(path: &Path) -> io::Result<(u64, u64)> {
    std::fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// A connection's bytes.
pub enum Stream {
    /// Of a TCP client.
    Tcp(TcpStream),
    /// Of a TCP client, under TLS.
    Tls(Box<TlsConnection>),
    /// Of a process on this machine.
    Unix(UnixStream),
}

impl Stream {
    /// Does what a connection begins with before anybody asks anything.
    pub(super) async fn begin(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(stream) => stream.shake_hands().await,
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
            Self::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unix(folder: &tempfile::TempDir) -> (PathBuf, ListenAddress) {
        let path = folder.path().join("decision.sock");
        (path.clone(), ListenAddress::Unix(path))
    }

    #[tokio::test]
    async fn port_0_becomes_the_port_that_the_system_chose() {
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap();
        let ListenAddress::Tcp(bound) = listener.address() else { panic!("{}", listener.address()) };
        assert_ne!(bound.port(), 0);
        let error = Listener::bind(listener.address()).await.unwrap_err();
        assert!(error.to_string().starts_with(&format!("cannot listen on `{bound}`")), "{error}");
    }

    #[tokio::test]
    async fn a_unix_socket_is_for_owner_and_group_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let (path, address) = unix(&folder);
        let listener = Listener::bind(&address).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o777, 0o660);
        drop(listener);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn a_socket_that_answers_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, address) = unix(&folder);
        let _living = Listener::bind(&address).await.unwrap();
        assert!(matches!(Listener::bind(&address).await, Err(ListenError::InUse(_))));
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_dead_socket_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (path, address) = unix(&folder);
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _listener = Listener::bind(&address).await.unwrap();
        assert!(UnixStream::connect(&path).await.is_ok());
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (path, address) = unix(&folder);
        std::fs::write(&path, "precious").unwrap();
        assert!(matches!(Listener::bind(&address).await, Err(ListenError::NotASocket(_))));
        std::fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/dev/null", &path).unwrap();
        assert!(matches!(Listener::bind(&address).await, Err(ListenError::NotASocket(_))));
    }

    #[tokio::test]
    async fn the_socket_of_a_successor_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, address) = unix(&folder);
        let first = Listener::bind(&address).await.unwrap();
        std::fs::rename(&path, folder.path().join("moved.sock")).unwrap();
        let _successor = Listener::bind(&address).await.unwrap();
        drop(first);
        assert!(UnixStream::connect(&path).await.is_ok());
    }
}
