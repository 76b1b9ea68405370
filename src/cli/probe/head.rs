//! Heads of messages as they arrive, read without asking whether they are well formed.

/// First line and headers; each character is one byte.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) first: String,
    /// In the order received, names as they were sent.
    pub(super) headers: Vec<(String, String)>,
    /// Where it ends.
    pub(super) len: usize,
}

/// Where a message ends, as its head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Length {
    Of(usize),
    Chunked,
    /// It does not say so.
    Unknown,
}

impl Head {
    /// The first head in `bytes`, if there is a whole one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut lines: Vec<String> = Vec::new();
        let mut len = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            len += line.len();
            let line = line.strip_suffix(b"\n")?;
            let line: String = line.strip_suffix(b"\r").unwrap_or(line).iter().copied().map(char::from).collect();
            match (line.is_empty(), lines.last_mut()) {
                // Empty lines before the first are skipped (RFC 9112, section 2.2).
                (true, None) => {}
                (true, Some(_)) => {
                    let mut lines = lines.into_iter();
                    let first = lines.next()?;
                    let split = |line: String| match line.split_once(':') {
                        Some((name, value)) => (name.to_owned(), value.trim().to_owned()),
                        None => (line, String::new()),
                    };
                    return Some(Self { first, headers: lines.map(split).collect(), len });
                }
                (false, Some(last)) if line.starts_with([' ', '\t']) => last.push_str(&line),
                (false, _) => lines.push(line),
            }
        }
        None
    }

    /// The values of a header.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let same = self.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        same.map(|(_, value)| value.as_str())
    }

    /// The first value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// How long what follows is.
    pub(super) fn length(&self) -> Length {
        if self.header("transfer-encoding").is_some() {
            return Length::Chunked;
        }
        self.header("content-length").and_then(|len| len.parse().ok()).map_or(Length::Unknown, Length::Of)
    }

    /// A word of the first line.
    pub(super) fn word(&self, number: usize) -> &str {
        self.first.split(' ').nth(number).unwrap_or_default()
    }
}

/// The length of a chunked body at the beginning of `bytes`, with its trailers; nothing if it is not all there.
pub(super) fn chunked_len(bytes: &[u8]) -> Option<usize> {
    let mut at = 0_usize;
    loop {
        let line = line_len(bytes.get(at..)?)?;
        let size = bytes.get(at..at + line)?;
        let size = String::from_utf8_lossy(size);
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        at = at.checked_add(line)?;
        if size == 0 {
            break;
        }
        at = at.checked_add(size)?;
        at = at.checked_add(line_len(bytes.get(at..)?)?)?;
    }
    // Trailers end with an empty line.
    loop {
        let line = line_len(bytes.get(at..)?)?;
        let is_last = bytes.get(at..at + line)?.trim_ascii().is_empty();
        at = at.checked_add(line)?;
        if is_last {
            return Some(at);
        }
    }
}

fn line_len(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n').map(|at| at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_arrives() {
        let head = Head::read(b"\r\nGET /x HTTP/1.1\r\nHost: a\nX-A:  b \r\n c\r\nX_A\r\n\r\nrest").unwrap();
        assert_eq!((head.first.as_str(), head.word(1), head.len), ("GET /x HTTP/1.1", "/x", 48));
        let headers: Vec<_> = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(headers, [("Host", "a"), ("X-A", "b  c"), ("X_A", "")]);
        assert_eq!((head.header("x-a"), head.all("host").count()), (Some("b  c"), 1));
        for part in ["", "GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"] {
            assert!(Head::read(part.as_bytes()).is_none(), "{part}");
        }
    }

    #[test]
    fn a_chunked_body_ends_behind_its_trailers() {
        for (body, len) in [
            ("0\r\n\r\nrest", Some(5)),
            ("3;x\r\nabc\r\n0\r\nA: b\r\n\r\n", Some(21)),
            ("3\r\nabc\r\n0\r\n", None),
            ("ffffffffffffffff\r\n", None),
            ("zz\r\n", None),
        ] {
            assert_eq!(chunked_len(body.as_bytes()), len, "{body:?}");
        }
    }
}
