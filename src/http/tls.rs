//! TLS on a listener, and certificates that its clients must show if it is so configured.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

/// Where certificates and their key are, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its authority.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of clients. With it, whoever shows no certificate of theirs is not listened to.
    pub client_ca: Option<PathBuf>,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("cannot use `{}`: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        cause: String,
    },
    /// The files do not go together.
    #[error("cannot use `{}` with its key: {cause}", path.display())]
    Mismatch {
        /// The file with the certificate.
        path: PathBuf,
        /// Why.
        cause: String,
    },
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// TLS as it is configured now; new connections use what was loaded last.
pub struct Tls {
    files: TlsFiles,
    config: ArcSwap<ServerConfig>,
    /// Those whose certificates clients must show; nothing, if they need none. Told when they are others.
    authorities: watch::Sender<Authorities>,
    changed: Mutex<Vec<Option<SystemTime>>>,
}

/// Authorities of clients.
pub(super) type Authorities = Vec<CertificateDer<'static>>;

impl Tls {
    /// Reads the files. Blocks.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Before they are read: what changes meanwhile is read again.
        let changed = Mutex::new(files.changed());
        let (config, authorities) = files.read()?;
        Ok(Self { files, config: ArcSwap::from_pointee(config), authorities: watch::Sender::new(authorities), changed })
    }

    /// Reads the files again if they have changed; tells whether they had. Bad ones change nothing. If it is the authorities
    /// of clients that have changed, the connections that are open are closed, each after what it is busy with. Blocks.
    pub fn reload_if_changed(&self) -> Result<bool, TlsError> {
        let now = self.files.changed();
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if *changed == now {
            return Ok(false);
        }
        // Once only, also if they are bad: the next change is the next try.
        *changed = now;
        let (config, authorities) = self.files.read()?;
        // First: whoever is accepted after they have been told is asked for the new ones.
        self.config.store(Arc::new(config));
        self.authorities.send_if_modified(|known| {
            let are_others = *known != authorities;
            *known = authorities;
            are_others
        });
        Ok(true)
    }

    /// Tells when connections are of clients that might not be listened to any more.
    pub(super) fn authorities(&self) -> watch::Receiver<Authorities> {
        self.authorities.subscribe()
    }

    /// Whether nobody is listened to who shows no certificate.
    pub(super) fn certifies_clients(&self) -> bool {
        self.files.client_ca.is_some()
    }

    /// The connection within; hands are shaken when something is first read from it or written to it.
    pub(super) fn accept(&self, stream: TcpStream) -> TlsConnection {
        TlsConnection::Shaking(TlsAcceptor::from(self.config.load_full()).accept(stream))
    }
}

/// A connection under TLS.
pub enum TlsConnection {
    /// Nothing passes before it is clear who is there.
    Shaking(Accept<TcpStream>),
    /// It is.
    Shaken(TlsStream<TcpStream>),
    /// It will never be.
    Failed,
}

impl TlsConnection {
    /// Shakes hands.
    pub(super) async fn shake_hands(&mut self) -> io::Result<()> {
        std::future::poll_fn(|cx| self.poll_stream(cx).map_ok(|_| ())).await
    }

    /// The stream, once hands are shaken.
    fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut TlsStream<TcpStream>>>> {
        if let Self::Shaking(handshake) = self {
            match ready!(Pin::new(handshake).poll(cx)) {
                Ok(stream) => *self = Self::Shaken(stream),
                Err(error) => {
                    *self = Self::Failed;
                    return Poll::Ready(Err(error));
                }
            }
        }
        match self {
            Self::Shaken(stream) => Poll::Ready(Ok(Pin::new(stream))),
            Self::Shaking(_) | Self::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl AsyncRead for TlsConnection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_read(cx, buf)
    }
}

impl AsyncWrite for TlsConnection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.get_mut().poll_stream(cx))?.poll_shutdown(cx)
    }
}

impl TlsFiles {
    fn read(&self) -> Result<(ServerConfig, Authorities), TlsError> {
        let certificates = certificates(&self.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(|error| unusable(&self.key, &error))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mismatch = |error: &dyn std::fmt::Display| TlsError::Mismatch {
            path: self.certificate.clone(),
            cause: error.to_string(),
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| mismatch(&error))?;
        let authorities = self.client_ca.as_deref().map_or(Ok(Vec::new()), self::certificates)?;
        let builder = match &self.client_ca {
            None => builder.with_no_client_auth(),
            Some(path) => {
                let mut roots = RootCertStore::empty();
                for certificate in &authorities {
                    roots.add(certificate.clone()).map_err(|error| unusable(path, &error))?;
                }
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
                builder.with_client_cert_verifier(verifier.map_err(|error| unusable(path, &error))?)
            }
        };
        let mut config = builder.with_single_cert(certificates, key).map_err(|error| mismatch(&error))?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok((config, authorities))
    }

    fn changed(&self) -> Vec<Option<SystemTime>> {
        let files = [Some(&self.certificate), Some(&self.key), self.client_ca.as_ref()];
        files.into_iter().flatten().map(|path| fs::metadata(path).and_then(|file| file.modified()).ok()).collect()
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| unusable(path, &error))?;
    if certificates.is_empty() {
        return Err(unusable(path, &"there is no certificate in it"));
    }
    Ok(certificates)
}

fn unusable(path: &Path, cause: &dyn std::fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), cause: cause.to_string() }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::SocketAddr;
    use std::time::Duration;

    use hyper::service::service_fn;
    use hyper::{Request, Response};
    use rcgen::{CertificateParams, KeyPair};
    use rustls::ClientConfig;
    use rustls::pki_types::ServerName;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio_rustls::{TlsConnector, client};

    use super::*;
    use crate::http::listener::Listener;
    use crate::http::places::Standing;
    use crate::http::serve::{ServeOptions, serve};
    use crate::model::ListenAddress;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn write(files: &TlsFiles, certificate: &str, key: &str) {
        fs::write(&files.certificate, certificate).unwrap();
        fs::write(&files.key, key).unwrap();
    }

    fn certificate() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["gatepost.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn later(path: &Path, secs: u64) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(secs)).unwrap();
    }

    #[test]
    fn what_has_changed_is_read_again_and_what_is_bad_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = TlsFiles { certificate: path("certificate.pem"), key: path("key.pem"), client_ca: None };
        assert!(matches!(Tls::load(files.clone()), Err(TlsError::File { .. })));
        let (first, key) = certificate();
        write(&files, &first, &key);
        let tls = Tls::load(files.clone()).unwrap();
        assert!(!tls.reload_if_changed().unwrap());

        let before = tls.config.load_full();
        let (second, other_key) = certificate();
        fs::write(&files.certificate, &second).unwrap();
        later(&files.certificate, 1);
        assert!(matches!(tls.reload_if_changed(), Err(TlsError::Mismatch { .. })), "the key is the old one's");
        assert!(Arc::ptr_eq(&before, &tls.config.load_full()));
        assert!(!tls.reload_if_changed().unwrap(), "it is not tried again before something changes");
        fs::write(&files.key, &other_key).unwrap();
        later(&files.key, 2);
        assert!(tls.reload_if_changed().unwrap());
        assert!(!Arc::ptr_eq(&before, &tls.config.load_full()));
        fs::write(&files.certificate, "nothing").unwrap();
        later(&files.certificate, 3);
        assert!(matches!(tls.reload_if_changed(), Err(TlsError::File { .. })));
    }

    /// A connection of whoever shows this certificate, which is its own authority, and takes any of the server's.
    async fn connect(address: SocketAddr, server: &str, own: &(String, String)) -> client::TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(server.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let certificate = CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(own.1.as_bytes()).unwrap();
        let config = builder.with_root_certificates(roots).with_client_auth_cert(vec![certificate], key).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("gatepost.test").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    /// What comes back: nothing, if the connection is closed.
    async fn ask(connection: &mut client::TlsStream<TcpStream>) -> String {
        let _ = connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        read(connection).await
    }

    async fn read(connection: &mut client::TlsStream<TcpStream>) -> String {
        let mut answer = vec![0; 4_096];
        let len = tokio::time::timeout(PATIENCE, connection.read(&mut answer)).await.unwrap().unwrap_or(0);
        String::from_utf8_lossy(&answer[..len]).into_owned()
    }

    #[tokio::test]
    async fn connections_of_old_authorities_end_when_there_are_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let files = TlsFiles {
            certificate: path("certificate.pem"),
            key: path("key.pem"),
            client_ca: Some(path("authorities.pem")),
        };
        let ((own, key), (old, new)) = (certificate(), (certificate(), certificate()));
        write(&files, &own, &key);
        fs::write(path("authorities.pem"), &old.0).unwrap();
        let tls = Arc::new(Tls::load(files.clone()).unwrap());
        let listener = Listener::bind(&"127.0.0.1:0".parse().unwrap()).await.unwrap().with_tls(Some(Arc::clone(&tls)));
        let ListenAddress::Tcp(address) = *listener.address() else { unreachable!() };
        let make = |_| {
            service_fn(|_: Request<hyper::body::Incoming>| async { Ok::<_, Infallible>(Response::new("x".to_owned())) })
        };
        let server =
            tokio::spawn(serve(listener, make, |_| Standing::Trusted, ServeOptions::default(), std::future::pending()));

        let mut connection = connect(address, &own, &old).await;
        assert!(ask(&mut connection).await.starts_with("HTTP/1.1 200"));
        // A new certificate of the server's own ends nothing.
        later(&files.certificate, 1);
        assert!(tls.reload_if_changed().unwrap());
        assert!(ask(&mut connection).await.starts_with("HTTP/1.1 200"));
        fs::write(path("authorities.pem"), &new.0).unwrap();
        later(&path("authorities.pem"), 2);
        assert!(tls.reload_if_changed().unwrap());
        assert_eq!(read(&mut connection).await, "", "it is closed, though nobody asks");
        assert_eq!(ask(&mut connect(address, &own, &old).await).await, "");
        let mut connection = connect(address, &own, &new).await;
        for _ in 0..2 {
            assert!(ask(&mut connection).await.starts_with("HTTP/1.1 200"));
        }
        server.abort();
    }
}
