//! TCP, TLS over it, or a Unix socket.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio_rustls::TlsConnector;

use super::target::{Place, Target};

/// The way to a server.
pub(in crate::cli) enum Transport {
    Tcp(SocketAddr),
    Tls(SocketAddr, ServerName<'static>, TlsConnector),
    Unix(PathBuf),
}

/// Any of the streams.
pub(in crate::cli) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Transport {
    /// Looks a name up, once: everything is sent to the first of its addresses that can be connected to.
    pub(in crate::cli) async fn find(target: &Target, ca_file: Option<&Path>) -> Result<Self> {
        let (host, port, is_encrypted) = match &target.place {
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
    pub(in crate::cli) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
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
