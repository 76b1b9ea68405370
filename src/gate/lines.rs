//! The header lines that count, found in one pass over all that came.
//!
//! Looking each of them up by its hash would take longer than to go through all of them once: a question has about ten.

use hyper::HeaderMap;
use hyper::header::HeaderValue;

/// What came under one name.
#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Line<'a> {
    /// Nothing.
    #[default]
    Missing,
    /// One line.
    Once(&'a HeaderValue),
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
    pub(super) all: &'a HeaderMap,
}

impl<'a> From<&'a HeaderMap> for Lines<'a> {
    fn from(all: &'a HeaderMap) -> Self {
        let (original, forwarded) = (Asking::default(), Asking::default());
        let mut lines = Self {
            original,
            forwarded,
            authorization: Line::Missing,
            own_host: Line::Missing,
            has_transfer_encoding: false,
            has_cookie: false,
            all,
        };
        for (name, value) in all {
            let line = match name.as_str() {
                "x-original-method" => &mut lines.original.method,
                "x-original-uri" => &mut lines.original.target,
                "x-original-host" => &mut lines.original.host,
                "x-original-proto" => &mut lines.original.proto,
                "x-real-ip" => &mut lines.original.client,
                "x-forwarded-method" => &mut lines.forwarded.method,
                "x-forwarded-uri" => &mut lines.forwarded.target,
                "x-forwarded-host" => &mut lines.forwarded.host,
                "x-forwarded-proto" => &mut lines.forwarded.proto,
                "x-forwarded-for" => &mut lines.forwarded.client,
                "authorization" => &mut lines.authorization,
                "host" => &mut lines.own_host,
                "transfer-encoding" => {
                    lines.has_transfer_encoding = true;
                    continue;
                }
                "cookie" => {
                    lines.has_cookie = true;
                    continue;
                }
                _ => continue,
            };
            *line = match line {
                Line::Missing => Line::Once(value),
                Line::Once(_) | Line::Repeated => Line::Repeated,
            };
        }
        lines
    }
}
