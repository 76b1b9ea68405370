//! The application behind a proxy: an HTTP server that remembers exactly what it was sent.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What the application's own answers say.
pub const BODY: &str = "this is the application";

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    /// Counts connections, from 1.
    pub connection: usize,
    pub method: String,
    /// The raw request target.
    pub target: String,
    /// Names as they were sent, in the order received.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Received {
    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let same = self.headers.iter().filter(|(given, _)| given.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str()).collect()
    }

    /// The value of a header that must be there at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let values = self.all(name);
        assert!(values.len() <= 1, "{name} is repeated in {self:?}");
        values.first().copied()
    }
}

/// What is answered to a request, as it is put on the wire.
type Answer = dyn Fn(&Received) -> Vec<u8> + Send + Sync;

/// A running server. It stops when this is dropped.
pub struct Upstream {
    pub address: SocketAddr,
    state: Arc<State>,
    acceptor: Option<JoinHandle<()>>,
}

struct State {
    answer: Box<Answer>,
    closes: bool,
    connections: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
    seen: Mutex<Vec<Received>>,
    stopping: AtomicBool,
}

impl Upstream {
    /// Answers everything with 200.
    pub fn start() -> Self {
        Self::run(false, |request| {
            let body = if request.method == "HEAD" { "" } else { BODY };
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nX-Application: yes\r\n\r\n{body}", BODY.len())
                .into_bytes()
        })
    }

    /// Answers with what `answer` gives.
    pub fn answering(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::run(false, answer)
    }

    /// The same, and closes the connection after each answer, which may not be a whole one.
    pub fn breaking_off(answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::run(true, answer)
    }

    fn run(closes: bool, answer: impl Fn(&Received) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Box::new(answer),
            closes,
            connections: AtomicUsize::new(0),
            open: Mutex::new(Vec::new()),
            seen: Mutex::new(Vec::new()),
            stopping: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&state);
        let acceptor = Some(std::thread::spawn(move || accepting.accept(&listener)));
        Self { address, state, acceptor }
    }

    /// What has arrived since the last time. A request is here before it is answered.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut *self.state.seen.lock().unwrap())
    }
}

impl State {
    fn accept(self: &Arc<Self>, listener: &TcpListener) {
        for stream in listener.incoming() {
            if self.stopping.load(Ordering::SeqCst) {
                return;
            }
            let Ok(stream) = stream else { continue };
            let number = self.connections.fetch_add(1, Ordering::SeqCst) + 1;
            self.open.lock().unwrap().push(stream.try_clone().unwrap());
            let serving = Arc::clone(self);
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let mut reader = BufReader::new(stream);
                while let Some(request) = receive(&mut reader, number) {
                    serving.seen.lock().unwrap().push(request.clone());
                    let sent = writer.write_all(&(serving.answer)(&request));
                    if sent.is_err() || serving.closes {
                        break;
                    }
                }
                let _ = writer.shutdown(Shutdown::Both);
            });
        }
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the acceptor.
        drop(TcpStream::connect(self.address));
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().unwrap();
        }
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

/// Reads one request; nothing at the end of the connection.
fn receive(reader: &mut BufReader<TcpStream>, connection: usize) -> Option<Received> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Received { connection, method, target, headers, body: String::new() };
    let mut body = Vec::new();
    // A body that does not come to its end leaves a request that has come all the same.
    let _ = receive_body(reader, &request, &mut body);
    request.body = String::from_utf8_lossy(&body).into_owned();
    Some(request)
}

/// Reads the body as far as it comes. Of several lengths the first counts, and a coding more than any of them.
fn receive_body(reader: &mut BufReader<TcpStream>, request: &Received, body: &mut Vec<u8>) -> Option<()> {
    let codings = request.all("transfer-encoding");
    if codings.iter().any(|coding| coding.to_ascii_lowercase().contains("chunked")) {
        loop {
            let size = usize::from_str_radix(line(reader)?.split(';').next()?.trim(), 16).ok()?;
            let mut chunk = vec![0; size];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            line(reader)?;
            body.extend(chunk);
        }
        // Trailers, and the empty line behind them.
        while !line(reader)?.is_empty() {}
    } else if let Some(length) = request.all("content-length").first() {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(body).ok()?;
    }
    Some(())
}

/// A line, with each byte as the character of that number.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line).ok()? == 0 {
        return None;
    }
    let text: String = line.iter().copied().map(char::from).collect();
    Some(text.trim_end_matches(['\r', '\n']).to_owned())
}
