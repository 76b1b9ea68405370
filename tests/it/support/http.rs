//! A client that sends the bytes it is given, for requests that no well-behaved client would make.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

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

/// A connection that is kept open between requests.
pub struct Connection {
    stream: BufReader<TcpStream>,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self { stream: BufReader::new(stream) }
    }

    /// Sends `request` as it is and reads one response; nothing if the server closed the connection instead.
    pub fn try_send(&mut self, request: &[u8]) -> Option<Reply> {
        self.stream.get_mut().write_all(request).ok()?;
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
pub fn send(address: SocketAddr, method: &str, target: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    Connection::open(address).send(&request(method, target, headers, body))
}
