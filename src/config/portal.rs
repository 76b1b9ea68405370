//! The listener for people and programs.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use super::decision::network;
use super::key::{Key, LISTEN_ADDRESS, NETWORKS, Section, Shape};
use super::reader::Reader;
use crate::model::ListenAddress;

pub(super) static SECTION: Section = Section {
    name: "portal",
    doc: "The listener for people and programs: the management API.",
    keys: &[&LISTEN, &TRUSTED_PROXIES, &URL, &RETURN_HOSTS, &SIGN_UP],
};

static LISTEN: Key = Key {
    name: "portal.listen",
    shape: LISTEN_ADDRESS,
    default: Some("127.0.0.1:7181"),
    doc: "Where people and programs are served.",
};

static TRUSTED_PROXIES: Key = Key {
    name: "portal.trusted_proxies",
    shape: NETWORKS,
    default: Some(""),
    doc: "The proxies whose `X-Forwarded-For` tells the client's address; a proxy on a Unix socket is always believed.",
};

static URL: Key = Key {
    name: "portal.url",
    shape: Shape::Text(
        "a URL of scheme http or https, host in lower case and port if it is not the scheme's own, like \
         https://id.example.com, with nothing behind",
    ),
    default: None,
    doc: "Where browsers reach the portal. Without it, browsers are not sent to the log-in.",
};

static RETURN_HOSTS: Key = Key {
    name: "portal.return_hosts",
    shape: Shape::List("host names in lower case without port, like app.example.com"),
    default: Some(""),
    doc: "The hosts that a log-in may return to.",
};

static SIGN_UP: Key = Key {
    name: "portal.sign_up",
    shape: Shape::Flag,
    default: Some("true"),
    doc: "Whether anybody who reaches the portal may make an account. Without mail, nobody confirms their address.",
};

/// The listener for people and programs.
#[derive(Debug, Clone)]
pub struct Portal {
    /// Where it listens.
    pub listen: ListenAddress,
    /// The proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Where browsers reach it, if they do.
    pub url: Option<PortalUrl>,
    /// The hosts that a log-in may return to, in lower case, without port.
    pub return_hosts: Vec<String>,
    /// Whether anybody may make an account.
    pub sign_up: bool,
}

impl Portal {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.one(&LISTEN, |text| text.parse().ok());
        let trusted_proxies = reader.list(&TRUSTED_PROXIES, network);
        let url = reader.optional(&URL, PortalUrl::parse);
        let return_hosts = reader.list(&RETURN_HOSTS, |text| is_host(text).then(|| text.to_owned()));
        let sign_up = reader.flag(&SIGN_UP);
        Some(Self {
            listen: listen?,
            trusted_proxies: trusted_proxies?,
            url: url?,
            return_hosts: return_hosts?,
            sign_up: sign_up?,
        })
    }
}

/// Where browsers reach the portal: scheme, host and port, as a browser writes an origin (RFC 6454, section 6.2).
// INVARIANT: built by `parse` only, so a path can be appended, and it can be compared with an `Origin` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortalUrl(String);

impl PortalUrl {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let own_port = match scheme {
            "http" => "80",
            "https" => "443",
            _ => return None,
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let good_port = |port: &str| {
            port != own_port && port.parse::<u16>().is_ok_and(|number| number != 0 && number.to_string() == port)
        };
        (is_host_or_ipv6(host) && port.is_none_or(good_port)).then(|| Self(text.to_owned()))
    }

    /// The URL, without a trailing slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PortalUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether this is a host as [`is_host`] says, or an IPv6 address in brackets, in its canonical text.
pub(super) fn is_host_or_ipv6(text: &str) -> bool {
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        Some(address) => address.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address),
        None => is_host(text),
    }
}

/// Whether this is a host name in the one form in which it is compared. What ends in a number is an IPv4 address to a
/// browser (WHATWG URL, "ends in a number"), so it must be one.
fn is_host(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let last = text.rsplit('.').next().unwrap_or(text);
    if last.starts_with(|c: char| c.is_ascii_digit()) {
        return text.parse::<Ipv4Addr>().is_ok();
    }
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_url_is_an_origin() {
        for text in [
            "https://id.example.com",
            "http://localhost:7181",
            "http://127.0.0.1:7181",
            "http://[::1]:7181",
            "https://[fd00::1]",
        ] {
            assert_eq!(PortalUrl::parse(text).map(|url| url.to_string()), Some(text.to_owned()));
        }
    }

    #[test]
    fn a_portal_url_with_anything_behind_or_within_is_refused() {
        for text in [
            "https://id.example.com/",
            "https://id.example.com/login",
            "https://id.example.com?a",
            "https://id.example.com#a",
            "https://user@id.example.com",
            "https://ID.example.com",
            "https://id.example.com:443",
            "http://id.example.com:80",
            "https://id.example.com:0",
            "https://id.example.com:07",
            "https://id.example.com:",
            "https://id.example.com:99999",
            "https://[::1",
            "https://[0::1]",
            "https://",
            "ftp://id.example.com",
            "id.example.com",
            "//id.example.com",
            "https:/id.example.com",
            "https://id.example.com\\@evil.example",
        ] {
            assert_eq!(PortalUrl::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_host_has_one_spelling() {
        for text in ["app.example.com", "localhost", "10.0.0.7", "xn--bcher-kva.example", "3com.example"] {
            assert!(is_host(text), "{text}");
        }
        for text in [
            "",
            ".",
            "a.",
            ".a",
            "a..b",
            "App.example.com",
            "a:80",
            "*.a",
            "-a",
            "a-",
            "bücher.example",
            "127.1",
            "0x7f.0x1",
            "010.0.0.7",
            "a.0x1",
            "a b",
            "a/b",
            "a@b",
        ] {
            assert!(!is_host(text), "{text}");
        }
    }
}
