//! TCP, TLS over it, or a Unix socket, with every byte counted.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use anyhow::{Context as _, Result, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::Counters;
use crate::cli::bench::target::Place;

/// The way to a server.
pub(super) enum Transport {
    Tcp(SocketAddr),
    Tls(SocketAddr, ServerName<'static>, TlsConnector),
    Unix(PathBuf),
}

/// Any of the streams.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A stream whose bytes are counted.
pub(super) struct Counted {
    stream: Box<dyn Stream>,
    counters: Arc<Counters>,
}

impl Transport {
    /// Looks a name up, once: the load is sent to the first of its addresses that can be connected to.
    pub(super) async fn find(place: &Place, ca_file: Option<&Path>) -> Result<Self> {
        let (host, port, is_encrypted) = match place {
            Place::Unix(socket) => return Ok(Self::Unix(socket.clone())),
            Place::Tcp { host, port, is_encrypted } => (host.as_str(), *port, *is_encrypted),
        };
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let mut last = None;
        for address in lookup_host((name, port)).await? {
            match TcpStream::connect(address).await {
                Ok(_) if is_encrypted => {
                    let server = ServerName::try_from(name.to_owned())?;
                    return Ok(Self::Tls(address, server, connector(ca_file)?));
                }
                Ok(_) => return Ok(Self::Tcp(address)),
                Err(error) => last = Some(error),
            }
        }
        Err(last.map_or_else(|| anyhow::anyhow!("it has no address"), anyhow::Error::from))
    }

    /// A new stream.
    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        Ok(match self {
            Self::Tcp(address) => Box::new(tcp(*address).await?),
            Self::Tls(address, name, connector) => {
                Box::new(connector.connect(name.clone(), tcp(*address).await?).await?)
            }
            Self::Unix(socket) => Box::new(UnixStream::connect(socket).await?),
        })
    }
}

async fn tcp(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Certificates are always verified: against `ca_file`, or the public authorities.
fn connector(ca_file: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    match ca_file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let unusable = || format!("cannot use `{}`", path.display());
            for certificate in CertificateDer::pem_file_iter(path).with_context(unusable)? {
                roots.add(certificate.with_context(unusable)?).with_context(unusable)?;
            }
            if roots.is_empty() {
                bail!("there is no certificate in `{}`", path.display());
            }
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

impl Counted {
    pub(super) fn new(stream: Box<dyn Stream>, counters: Arc<Counters>) -> Self {
        Self { stream, counters }
    }

    fn wrote(&self, written: io::Result<usize>) -> Poll<io::Result<usize>> {
        let len = *written.as_ref().unwrap_or(&0);
        self.counters.written.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(written)
    }
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buffer));
        let len = buffer.filled().len() - before;
        self.counters.read.fetch_add(len as u64, Ordering::Relaxed);
        Poll::Ready(read)
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes));
        self.wrote(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, parts));
        self.wrote(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
