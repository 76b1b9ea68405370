//! How a proxy says in headers what it asks about.
//!
//! Each proxy has headers of its own. A dialect reads only those which its proxy, configured as in `deploy/`, sets or
//! overwrites itself: any other header is the client's word. There is no way from one dialect to another, and nothing of
//! the question that carried the headers (its own method, query, body) is looked at.

use std::net::IpAddr;

use hyper::header::HeaderName;

use super::asked::{Asked, AskedError, method, secure};
use super::lines::{Line, Lines};
use crate::http::client;
use crate::http::host::CanonicalHost;
use crate::http::path::CanonicalPath;

/// The headers in which a proxy asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// nginx, `auth_request`: the headers that `deploy/nginx` sets.
    Nginx,
    /// Caddy, `forward_auth`.
    Caddy,
    /// Traefik, `forwardAuth` without `trustForwardHeader`.
    Traefik,
    /// HAProxy: the headers that the script in `deploy/haproxy` sends, and no others.
    Haproxy,
    /// Apache with `mod_lua`: the headers that the script in `deploy/apache` sends, and no others.
    Apache,
}

/// The headers of a dialect.
struct Names {
    method: HeaderName,
    target: HeaderName,
    host: HeaderName,
    proto: HeaderName,
    client: HeaderName,
    /// Whether the client's address is the right-most of a list, rather than the only one.
    client_is_listed: bool,
}

static ORIGINAL: Names = Names {
    method: HeaderName::from_static("x-original-method"),
    target: HeaderName::from_static("x-original-uri"),
    host: HeaderName::from_static("x-original-host"),
    proto: HeaderName::from_static("x-original-proto"),
    client: HeaderName::from_static("x-real-ip"),
    client_is_listed: false,
};

static FORWARDED: Names = Names {
    method: HeaderName::from_static("x-forwarded-method"),
    target: HeaderName::from_static("x-forwarded-uri"),
    host: HeaderName::from_static("x-forwarded-host"),
    proto: HeaderName::from_static("x-forwarded-proto"),
    client: HeaderName::from_static("x-forwarded-for"),
    client_is_listed: true,
};

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 5] = [Self::Nginx, Self::Caddy, Self::Traefik, Self::Haproxy, Self::Apache];

    /// The dialect of this name, as in `/check/{dialect}`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.name() == name)
    }

    /// The dialect's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Caddy => "caddy",
            Self::Traefik => "traefik",
            Self::Haproxy => "haproxy",
            Self::Apache => "apache",
        }
    }

    /// The names of the headers that tell method, target, host, protocol and client.
    pub fn header_names(self) -> [&'static str; 5] {
        let Names { method, target, host, proto, client, .. } = self.names();
        [method, target, host, proto, client].map(HeaderName::as_str)
    }

    fn names(self) -> &'static Names {
        match self {
            Self::Nginx | Self::Haproxy | Self::Apache => &ORIGINAL,
            Self::Caddy | Self::Traefik => &FORWARDED,
        }
    }

    /// Reads what was asked. Nothing is copied, unless the path has an encoding or the host an upper-case letter.
    pub fn read<'a>(self, lines: impl Into<Lines<'a>>) -> Result<Asked<'a>, AskedError> {
        let (lines, names) = (lines.into(), self.names());
        let asking = match self {
            Self::Nginx | Self::Haproxy | Self::Apache => lines.original,
            Self::Caddy | Self::Traefik => lines.forwarded,
        };
        let target = text(asking.target, &names.target)?;
        Ok(Asked {
            method: method(text(asking.method, &names.method)?)?,
            host: CanonicalHost::parse_text(text(asking.host, &names.host)?)?,
            path: CanonicalPath::parse_text(target)?,
            client: client(only(asking.client, &names.client)?, names)?,
            secure: Some(secure(text(asking.proto, &names.proto)?)?),
            target,
        })
    }
}

fn client(value: &[u8], names: &Names) -> Result<Option<IpAddr>, AskedError> {
    if names.client_is_listed {
        Ok(client::right_most(value))
    } else if value.contains(&b',') {
        Err(AskedError::Joined(names.client.clone()))
    } else {
        Ok(client::single(value))
    }
}

/// The value of a header that is there exactly once and is text.
pub(super) fn text<'a>(line: Line<'a>, name: &HeaderName) -> Result<&'a str, AskedError> {
    let value = only(line, name)?;
    // Without an early end, so that many bytes are looked at together.
    let is_text = value.iter().fold(true, |all, &byte| all & ((b' '..=b'~').contains(&byte) | (byte == b'\t')));
    match std::str::from_utf8(value) {
        Ok("") => Err(AskedError::Empty(name.clone())),
        Ok(text) if is_text => Ok(text),
        Ok(_) | Err(_) => Err(AskedError::NotAscii(name.clone())),
    }
}

/// The value of a header that is there exactly once.
pub(super) fn only<'a>(line: Line<'a>, name: &HeaderName) -> Result<&'a [u8], AskedError> {
    match line {
        Line::Once(value) => Ok(value),
        Line::Missing => Err(AskedError::Missing(name.clone())),
        Line::Repeated => Err(AskedError::Repeated(name.clone())),
    }
}

#[cfg(test)]
mod tests;
