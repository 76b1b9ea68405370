//! A client that sends the bytes it is given, for requests that no well-behaved client would make.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// Where a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Address {
    Tcp(SocketAddr),
    Unix(&'static Path),
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// How long a server may be silent.
const PATIENCE: Duration = Duration::from_secs(20);

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Reply {
    /// The value of a header that must be there at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is repeated");
        value
    }

    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {:?}", self.body))
    }
}

/// Either kind of stream.
trait Stream: Read + Write + Send {}
impl<S: Read + Write + Send> Stream for S {}

/// A connection that is kept open between requests.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
}

impl Connection {
    pub fn open(address: impl Into<Address>) -> Self {
        match address.into() {
            Address::Tcp(address) => Self::over(TcpStream::connect(address).expect("the server listens")),
            Address::Unix(path) => {
                let stream = UnixStream::connect(path).expect("the server listens");
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                Self { stream: BufReader::new(Box::new(stream)) }
            }
        }
    }

    /// A connection that was opened in a way of its own.
    pub fn over(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    /// The same where something stands between it and the wire.
    pub fn within(stream: impl Read + Write + Send + 'static) -> Self {
        Self { stream: BufReader::new(Box::new(stream)) }
    }

    /// Sends `request` as it is and reads one response; nothing if the server closed the connection instead.
    pub fn try_send(&mut self, request: &[u8]) -> Option<Reply> {
        // A server may refuse a request before it was sent in full, so a failure here does not mean that it is silent.
        let _: io::Result<()> = self.stream.get_mut().write_all(request);
        let is_head = request.starts_with(b"HEAD ");
        let mut line = String::new();
        if self.stream.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("{line:?}"));
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).ok()?;
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("{line:?}"));
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: String::new() };
        if !is_head && status != 204 && status != 304 {
            reply.body = self.body(&reply)?;
        }
        Some(reply)
    }

    fn body(&mut self, reply: &Reply) -> Option<String> {
        if reply.header("transfer-encoding") == Some("chunked") {
            let mut body = Vec::new();
            loop {
                let mut size = String::new();
                self.stream.read_line(&mut size).ok()?;
                let size = usize::from_str_radix(size.trim(), 16).unwrap();
                let mut chunk = vec![0; size + 2];
                self.stream.read_exact(&mut chunk).ok()?;
                if size == 0 {
                    return String::from_utf8(body).ok();
                }
                body.extend_from_slice(&chunk[..size]);
            }
        }
        match reply.header("content-length").map(|length| length.parse().unwrap()) {
            Some(length) => {
                let mut body = vec![0; length];
                self.stream.read_exact(&mut body).ok()?;
                String::from_utf8(body).ok()
            }
            None => {
                let mut body = String::new();
                self.stream.read_to_string(&mut body).ok()?;
                Some(body)
            }
        }
    }

    /// Whether the server closes the connection without saying anything more.
    pub fn is_closed(&mut self) -> bool {
        matches!(self.stream.fill_buf(), Ok([]) | Err(_))
    }

    /// Sends a request that must be answered.
    pub fn send(&mut self, request: &[u8]) -> Reply {
        self.try_send(request).unwrap_or_else(|| panic!("no answer to {:?}", String::from_utf8_lossy(request)))
    }
}

/// The bytes of a request with these headers; `Host` is added where it is not among them, and a length to a body.
pub fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut text = format!("{method} {target} HTTP/1.1\r\n");
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        text.push_str("Host: gatepost.test\r\n");
    }
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    if !body.is_empty() {
        text.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    text.push_str("\r\n");
    text.push_str(body);
    text.into_bytes()
}

/// One request on a connection of its own.
pub fn send(address: impl Into<Address>, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    Connection::open(address).send(&request(method, target, headers, body))
}
