//! The header lines that count, found in one pass over all that came.
//!
//! Looking each of them up by its hash would take longer than to go through all of them once: a question has about ten.

use httparse::Header;
use hyper::HeaderMap;
use hyper::header::HeaderName;

/// What came under one name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Line<'a> {
    /// Nothing.
    #[default]
    Missing,
    /// One line.
    Once(&'a [u8]),
    /// Several lines, whatever they hold.
    Repeated,
}

/// How a family of proxies says what is asked.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Asking<'a> {
    pub(super) method: Line<'a>,
    pub(super) target: Line<'a>,
    pub(super) host: Line<'a>,
    pub(super) proto: Line<'a>,
    pub(super) client: Line<'a>,
}

/// All lines that came, in whichever form they are at hand.
#[derive(Debug, Clone, Copy)]
pub enum Fields<'a> {
    /// As a map.
    Mapped(&'a HeaderMap),
    /// As they stand in the head of an HTTP/1 request: names in any case.
    Sent(&'a [Header<'a>]),
}

impl<'a> Fields<'a> {
    /// The values of the lines with this name.
    pub(super) fn all(self, name: &HeaderName) -> impl Iterator<Item = &'a [u8]> {
        let (mapped, sent) = match self {
            Self::Mapped(map) => (Some(map.get_all(name).into_iter()), None),
            Self::Sent(lines) => (None, Some(lines)),
        };
        let mapped = mapped.into_iter().flatten().map(|value| value.as_bytes());
        let sent = sent.into_iter().flatten().filter(|line| line.name.eq_ignore_ascii_case(name.as_str()));
        mapped.chain(sent.map(|line| line.value))
    }
}

/// The lines of a question that any part of the gate reads, by their names; the others are passed over.
#[derive(Debug, Clone, Copy)]
pub struct Lines<'a> {
    pub(super) original: Asking<'a>,
    pub(super) forwarded: Asking<'a>,
    pub(super) authorization: Line<'a>,
    /// Of the question itself.
    pub(super) own_host: Line<'a>,
    pub(super) has_transfer_encoding: bool,
    /// Whether there is any `Cookie`; there may be several.
    pub(super) has_cookie: bool,
    pub(super) all: Fields<'a>,
}

impl<'a> Lines<'a> {
    fn new(all: Fields<'a>) -> Self {
        let (original, forwarded) = (Asking::default(), Asking::default());
        Self {
            original,
            forwarded,
            authorization: Line::Missing,
            own_host: Line::Missing,
            has_transfer_encoding: false,
            has_cookie: false,
            all,
        }
    }

    /// Takes a line whose name is in any case.
    #[inline]
    fn take(&mut self, name: &str, value: &'a [u8]) {
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        // Few names have one length.
        let line = match name.len() {
            4 if is("host") => &mut self.own_host,
            6 if is("cookie") => return self.has_cookie = true,
            9 if is("x-real-ip") => &mut self.original.client,
            13 if is("authorization") => &mut self.authorization,
            14 if is("x-original-uri") => &mut self.original.target,
            15 if is("x-original-host") => &mut self.original.host,
            15 if is("x-forwarded-uri") => &mut self.forwarded.target,
            15 if is("x-forwarded-for") => &mut self.forwarded.client,
            16 if is("x-original-proto") => &mut self.original.proto,
            16 if is("x-forwarded-host") => &mut self.forwarded.host,
            17 if is("x-original-method") => &mut self.original.method,
            17 if is("x-forwarded-proto") => &mut self.forwarded.proto,
            17 if is("transfer-encoding") => return self.has_transfer_encoding = true,
            18 if is("x-forwarded-method") => &mut self.forwarded.method,
            _ => return,
        };
        *line = match line {
            Line::Missing => Line::Once(value),
            Line::Once(_) | Line::Repeated => Line::Repeated,
        };
    }
}

impl<'a> From<&'a HeaderMap> for Lines<'a> {
    fn from(map: &'a HeaderMap) -> Self {
        let mut lines = Self::new(Fields::Mapped(map));
        for (name, value) in map {
            lines.take(name.as_str(), value.as_bytes());
        }
        lines
    }
}

impl<'a> From<&'a [Header<'a>]> for Lines<'a> {
    fn from(sent: &'a [Header<'a>]) -> Self {
        let mut lines = Self::new(Fields::Sent(sent));
        for Header { name, value } in sent {
            lines.take(name, value);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{AUTHORIZATION, COOKIE, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    const NAMES: [&str; 18] = [
        "x-original-method",
        "x-original-uri",
        "x-original-host",
        "x-original-proto",
        "x-real-ip",
        "x-forwarded-method",
        "x-forwarded-uri",
        "x-forwarded-host",
        "x-forwarded-proto",
        "x-forwarded-for",
        "authorization",
        "host",
        "transfer-encoding",
        "cookie",
        "accept",
        "x-forwarded-methods",
        "x",
        "x_real_ip",
    ];

    fn name() -> impl Strategy<Value = String> {
        (prop::sample::select(&NAMES[..]), any::<u32>()).prop_map(|(name, upper)| {
            let cased = |(at, c): (usize, char)| if upper >> at & 1 == 1 { c.to_ascii_uppercase() } else { c };
            name.chars().enumerate().map(cased).collect()
        })
    }

    proptest! {
        /// Whichever form they have, the same lines are found.
        #[test]
        fn lines_as_they_were_sent_are_those_of_the_map(sent in prop::collection::vec((name(), "[!-~]{0,5}"), 0..12)) {
            let mut map = HeaderMap::new();
            for (name, value) in &sent {
                map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
            }
            let headers: Vec<_> = sent.iter().map(|(name, value)| Header { name, value: value.as_bytes() }).collect();
            let (mapped, raw) = (Lines::from(&map), Lines::from(&headers[..]));
            for name in [AUTHORIZATION, COOKIE, HeaderName::from_static("x_real_ip")] {
                prop_assert!(mapped.all.all(&name).eq(raw.all.all(&name)), "{}", name);
            }
            let shown = |lines: Lines<'_>| {
                let Lines { original, forwarded, authorization, own_host, has_transfer_encoding, has_cookie, .. } = lines;
                format!("{original:?} {forwarded:?} {authorization:?} {own_host:?} {has_transfer_encoding} {has_cookie}")
            };
            prop_assert_eq!(shown(mapped), shown(raw));
        }
    }
}
