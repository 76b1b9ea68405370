//! A server that does as it is told, request by request.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What comes of a request.
#[derive(Clone, Copy)]
pub enum Next {
    /// An answer.
    Status(u16),
    /// 200 after so many milliseconds.
    Pause(u64),
    /// 200, after which the connection is closed, as announced.
    Close,
    /// The connection ends without an answer.
    Break,
    /// Nothing.
    Silence,
}

/// A running server. It ends with the test's process.
pub struct Peer {
    pub url: String,
    shared: Arc<Shared>,
}

struct Shared {
    /// From the number of a request, counted from 0 after the first one, which finds out what to expect.
    next: Box<dyn Fn(usize) -> Next + Send + Sync>,
    asked: AtomicUsize,
    first: OnceLock<String>,
    /// Nothing is ever sent.
    never: Mutex<Receiver<()>>,
    _sender: mpsc::Sender<()>,
}

impl Peer {
    pub fn tcp(next: impl Fn(usize) -> Next + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        Self::start(url, next, move |shared| {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || shared.serve(stream));
            }
        })
    }

    pub fn unix(socket: &Path, next: impl Fn(usize) -> Next + Send + Sync + 'static) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        Self::start(String::new(), next, move |shared| {
            for stream in listener.incoming() {
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                thread::spawn(move || shared.serve(stream));
            }
        })
    }

    /// On `localhost`, with a certificate of an authority that is written to a file.
    pub fn tls(authority: &Path, next: impl Fn(usize) -> Next + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let config = Arc::new(config(authority));
        Self::start(url, next, move |shared| {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let (stream, shared) = (StreamOwned::new(connection, stream.unwrap()), Arc::clone(&shared));
                thread::spawn(move || shared.serve(stream));
            }
        })
    }

    fn start(
        url: String,
        next: impl Fn(usize) -> Next + Send + Sync + 'static,
        accept: impl FnOnce(Arc<Shared>) + Send + 'static,
    ) -> Self {
        let (sender, never) = mpsc::channel();
        let (asked, first, never) = (AtomicUsize::new(0), OnceLock::new(), Mutex::new(never));
        let shared = Arc::new(Shared { next: Box::new(next), asked, first, never, _sender: sender });
        thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(shared)
        });
        Self { url, shared }
    }

    /// The head of the first request.
    pub fn first(&self) -> &str {
        self.shared.first.get().unwrap()
    }
}

impl Shared {
    /// Serves one connection.
    fn serve(&self, mut stream: impl Read + Write) {
        while let Some(head) = head(&mut stream) {
            let number = self.asked.fetch_add(1, Ordering::Relaxed);
            let next = if self.first.set(head).is_ok() { Next::Status(200) } else { (self.next)(number - 1) };
            let (status, more) = match next {
                Next::Status(status) => (status, ""),
                Next::Pause(millis) => {
                    self.pause(Duration::from_millis(millis));
                    (200, "")
                }
                Next::Close => (200, "connection: close\r\n"),
                Next::Break => return,
                Next::Silence => return self.pause(Duration::from_secs(60)),
            };
            let answer = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: 0\r\n{more}\r\n");
            if stream.write_all(answer.as_bytes()).and_then(|()| stream.flush()).is_err() || !more.is_empty() {
                return;
            }
        }
    }

    fn pause(&self, duration: Duration) {
        let _ = self.never.lock().unwrap().recv_timeout(duration);
    }
}

/// The head of the next request; nothing if the connection ends instead.
fn head(stream: &mut impl Read) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut more = [0; 4_096];
        let len = stream.read(&mut more).ok().filter(|len| *len > 0)?;
        head.extend_from_slice(&more[..len]);
    }
    String::from_utf8(head).ok()
}

fn config(authority: &Path) -> ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = params.self_signed(&key).unwrap();
    std::fs::write(authority, root.pem()).unwrap();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    config.with_no_client_auth().with_single_cert(vec![server.der().clone()], key).unwrap()
}
