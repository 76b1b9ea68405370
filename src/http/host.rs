//! The one canonical form of a request's host.
//!
//! A proxy picks its virtual host, Gatepost its route and the application its tenant by the same text. Whatever one of
//! them might cut, fold or decode otherwise is refused.

use std::borrow::Cow;
use std::net::Ipv6Addr;

/// The longest host, in bytes, without port and trailing dot (RFC 1035, section 2.3.4).
pub const MAX_HOST_LEN: usize = 253;

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// There is nothing, or nothing before the port.
    #[error("the host is empty")]
    Empty,
    /// It is longer than [`MAX_HOST_LEN`].
    #[error("the host is longer than 253 bytes")]
    TooLong,
    /// It holds something other than letters, digits, `-`, `_` and `.`: a comma, user-info, a space, a control
    /// character, a percent-encoding, anything beyond ASCII.
    #[error("the host holds a character that no host name has")]
    Character,
    /// Two dots follow each other, or a dot is the first or the last but one.
    #[error("the host holds an empty label")]
    EmptyLabel,
    /// What follows the colon is not a number from 1 to 65535.
    #[error("the host's port is not a number from 1 to 65535")]
    Port,
    /// The brackets do not hold an IPv6 address, or hold one with a zone.
    #[error("the host's brackets do not hold an ipv6 address")]
    Ipv6,
}

/// A host in canonical form: lower case, without port and without trailing dot. An IPv6 address keeps its brackets.
// INVARIANT: built by `parse` only, so whoever holds one knows that every check was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalHost<'a>(Cow<'a, str>);

impl<'a> CanonicalHost<'a> {
    /// Reads `uri-host [":" port]`, the value of `Host` (RFC 9110, section 7.2).
    pub fn parse(host: &'a [u8]) -> Result<Self, HostError> {
        match std::str::from_utf8(host) {
            Ok(host) => Self::parse_text(host),
            Err(_) => Self::parse_closely(host),
        }
    }

    /// [`CanonicalHost::parse`] of what is known to be text.
    pub fn parse_text(host: &'a str) -> Result<Self, HostError> {
        if is_plain(host.as_bytes()) { Ok(Self(Cow::Borrowed(host))) } else { Self::parse_closely(host.as_bytes()) }
    }

    /// Reads it by all rules.
    fn parse_closely(host: &'a [u8]) -> Result<Self, HostError> {
        if let Some(rest) = host.strip_prefix(b"[") {
            return parse_ipv6(host, rest);
        }
        let colon = host.iter().position(|&byte| byte == b':').unwrap_or(host.len());
        let (name, port) = host.split_at_checked(colon).ok_or(HostError::Empty)?;
        check_port(port)?;
        if name.is_empty() {
            return Err(HostError::Empty);
        }
        let name = name.strip_suffix(b".").unwrap_or(name);
        if name.len() > MAX_HOST_LEN {
            return Err(HostError::TooLong);
        }
        let mut upper_case = false;
        let mut label_len = 0_usize;
        for byte in name {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => label_len += 1,
                b'A'..=b'Z' => {
                    upper_case = true;
                    label_len += 1;
                }
                b'.' if label_len == 0 => return Err(HostError::EmptyLabel),
                b'.' => label_len = 0,
                _ => return Err(HostError::Character),
            }
        }
        if label_len == 0 {
            return Err(HostError::EmptyLabel);
        }
        // Every byte is ASCII, so this cannot fail; and if it did, the request would be refused.
        let name = std::str::from_utf8(name).map_err(|_| HostError::Character)?;
        Ok(Self(if upper_case { Cow::Owned(name.to_ascii_lowercase()) } else { Cow::Borrowed(name) }))
    }

    /// The host.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether one glance is enough to see that this is in canonical form as it stands, as nearly all hosts are.
fn is_plain(host: &[u8]) -> bool {
    let is_label = |byte: u8| byte.is_ascii_lowercase() | byte.is_ascii_digit() | (byte == b'-') | (byte == b'_');
    // Each dot stands between two characters of labels. Without an early end, so that many bytes are looked at together.
    let pairs = host.iter().zip(host.get(1..).unwrap_or_default());
    let good = pairs.fold(true, |all, (&byte, &next)| all & (is_label(byte) | ((byte == b'.') & (next != b'.'))));
    let ends = host.first().zip(host.last()).is_some_and(|(&first, &last)| is_label(first) && is_label(last));
    good && ends && host.len() <= MAX_HOST_LEN
}

fn parse_ipv6<'a>(host: &'a [u8], rest: &'a [u8]) -> Result<CanonicalHost<'a>, HostError> {
    let end = rest.iter().position(|&byte| byte == b']').ok_or(HostError::Ipv6)?;
    let (address, after) = rest.split_at_checked(end).ok_or(HostError::Ipv6)?;
    check_port(after.strip_prefix(b"]").ok_or(HostError::Ipv6)?)?;
    let address: Ipv6Addr =
        std::str::from_utf8(address).ok().and_then(|text| text.parse().ok()).ok_or(HostError::Ipv6)?;
    let canonical = format!("[{address}]");
    let sent = host.get(..end + 2).and_then(|text| std::str::from_utf8(text).ok());
    Ok(CanonicalHost(sent.filter(|sent| *sent == canonical).map_or(Cow::Owned(canonical), Cow::Borrowed)))
}

/// Takes what follows the host: nothing, or a colon and a port.
fn check_port(after: &[u8]) -> Result<(), HostError> {
    let Some((colon, digits)) = after.split_first() else { return Ok(()) };
    let is_port = *colon == b':'
        && (1..=5).contains(&digits.len())
        && digits.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(digits).is_ok_and(|digits| digits.parse().is_ok_and(|port: u16| port != 0));
    if is_port { Ok(()) } else { Err(HostError::Port) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_host_has_one_form() {
        for (sent, canonical) in [
            ("example.com", "example.com"),
            ("a.B.Example.COM", "a.b.example.com"),
            ("example.com.", "example.com"),
            ("example.com:443", "example.com"),
            ("EXAMPLE.com.:8443", "example.com"),
            ("localhost", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
            ("my_service", "my_service"),
            ("127.0.0.1:7180", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[::1]:80", "[::1]"),
            ("[2001:DB8:0:0::1]:443", "[2001:db8::1]"),
        ] {
            let host = CanonicalHost::parse(sent.as_bytes());
            assert_eq!(host.as_ref().map(CanonicalHost::as_str), Ok(canonical), "{sent}");
        }
    }

    #[test]
    fn what_is_no_single_host_is_refused_with_its_cause() {
        use HostError::{Character, Empty, EmptyLabel, Ipv6, Port, TooLong};
        let long = "a.".repeat(126) + "aa";
        for (sent, error) in [
            ("", Empty),
            (":80", Empty),
            (".", EmptyLabel),
            ("..", EmptyLabel),
            (".example.com", EmptyLabel),
            ("a..b", EmptyLabel),
            ("example.com..", EmptyLabel),
            ("a.test,b.test", Character),
            ("a.test, b.test", Character),
            ("user@example.com", Character),
            ("user:secret@example.com", Port),
            ("exa mple.com", Character),
            (" example.com", Character),
            ("example.com\t", Character),
            ("example.com\r\nX", Character),
            ("example.com\0", Character),
            ("example.com/admin", Character),
            ("example.com\\admin", Character),
            ("example.com?x", Character),
            ("example.com#x", Character),
            ("example%2ecom", Character),
            ("b\u{fc}cher.example", Character),
            ("example\u{3002}com", Character),
            ("*", Character),
            ("example.com:", Port),
            ("example.com:0", Port),
            ("example.com:65536", Port),
            ("example.com:+80", Port),
            ("example.com:80:80", Port),
            ("example.com:80,b.test", Port),
            ("example.com:000080", Port),
            ("::1", Port),
            ("2001:db8::1", Port),
            ("[", Ipv6),
            ("[]", Ipv6),
            ("[::1", Ipv6),
            ("[fe80::1%eth0]", Ipv6),
            ("[fe80::1%25eth0]", Ipv6),
            ("[127.0.0.1]", Ipv6),
            ("[example.com]", Ipv6),
            ("[::1]x", Port),
            ("[::1]:", Port),
            ("[::1].", Port),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(CanonicalHost::parse(sent.as_bytes()), Err(error), "{sent}");
        }
    }

    #[test]
    fn a_canonical_host_is_not_copied() {
        for sent in ["example.com", "example.com:80", "example.com.", "[::1]:80"] {
            assert!(matches!(CanonicalHost::parse(sent.as_bytes()), Ok(CanonicalHost(Cow::Borrowed(_)))), "{sent}");
        }
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_canonical_form(sent in "[a-zA-Z0-9.:_\\[\\]-]{0,24}") {
            if let Ok(host) = CanonicalHost::parse(sent.as_bytes()) {
                prop_assert_eq!(CanonicalHost::parse(host.as_str().as_bytes()), Ok(host.clone()));
                prop_assert!(!host.as_str().contains(|c: char| c.is_ascii_uppercase() || ",@% ".contains(c)));
            }
        }

        #[test]
        fn a_glance_sees_what_a_close_look_sees(
            sent in "([a-zA-Z0-9_.:\\[\\]-]|\\.\\.|[a-z]{60}){0,12}",
            odd in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            for sent in [sent.as_bytes(), &odd] {
                prop_assert_eq!(CanonicalHost::parse(sent), CanonicalHost::parse_closely(sent));
            }
        }

        #[test]
        fn nothing_panics(sent in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = CanonicalHost::parse(&sent);
        }
    }
}
