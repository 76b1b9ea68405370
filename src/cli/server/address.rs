//! The address of a server, in the one spelling by which its token is stored.

use std::fmt;
use std::net::IpAddr;

use ureq::http::Uri;

/// The text is no address of a server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::cli) enum AddressError {
    #[error("expected the address of a server, like https://gatepost.example.com, found `{0}`")]
    Malformed(String),
    #[error(
        "`{0}` would send passwords and tokens unencrypted over a network: use https://, or --danger-plain-http if you \
         mean it"
    )]
    PlainHttp(String),
}

/// A scheme, a host and perhaps a port: `https://gatepost.example.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct ServerAddress {
    text: String,
    is_encrypted: bool,
}

impl ServerAddress {
    /// Reads an address. One that is not encrypted must be of this machine, unless `danger_plain_http`.
    pub(in crate::cli) fn parse(text: &str, danger_plain_http: bool) -> Result<Self, AddressError> {
        let malformed = || AddressError::Malformed(text.to_owned());
        let uri: Uri = text.parse().map_err(|_| malformed())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(malformed()) };
        let is_encrypted = match scheme {
            "https" => true,
            "http" => false,
            _ => return Err(malformed()),
        };
        // What comes after the host would be lost, or hides which host it is.
        let has_path = uri.path_and_query().is_some_and(|rest| rest.as_str() != "/");
        if has_path || text.contains('#') {
            return Err(malformed());
        }
        let host = authority.host().to_ascii_lowercase();
        let default_port = if is_encrypted { 443 } else { 80 };
        let port = authority.port_u16();
        let spelled = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        if host.is_empty() || port == Some(0) || authority.as_str().to_ascii_lowercase() != spelled {
            return Err(malformed());
        }
        if !is_encrypted && !danger_plain_http && !is_this_machine(&host) {
            return Err(AddressError::PlainHttp(text.to_owned()));
        }
        let authority = if port == Some(default_port) { host } else { spelled };
        Ok(Self { text: format!("{scheme}://{authority}"), is_encrypted })
    }

    /// Without a slash at its end.
    pub(in crate::cli) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether what is sent is encrypted.
    pub(in crate::cli) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether the host is this machine, whatever the network says (RFC 6761, section 6.3).
pub(in crate::cli) fn is_this_machine(host: &str) -> bool {
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<String, AddressError> {
        ServerAddress::parse(text, false).map(|address| address.as_str().to_owned())
    }

    #[test]
    fn an_address_has_one_spelling() {
        for (text, expected) in [
            ("https://gatepost.example.com", "https://gatepost.example.com"),
            ("https://Gatepost.Example.COM/", "https://gatepost.example.com"),
            ("HTTPS://gatepost.example.com:443", "https://gatepost.example.com"),
            ("https://gatepost.example.com:8443/", "https://gatepost.example.com:8443"),
            ("https://192.0.2.1", "https://192.0.2.1"),
            ("https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443"),
            ("http://localhost:7181", "http://localhost:7181"),
            ("http://127.0.0.1:80", "http://127.0.0.1"),
            ("http://[::1]:7181", "http://[::1]:7181"),
        ] {
            assert_eq!(parse(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_address() {
        for text in [
            "",
            "gatepost.example.com",
            "ftp://gatepost.example.com",
            "https://",
            "https://user@gatepost.example.com",
            "https://user:password@gatepost.example.com",
            "https://gatepost.example.com/v1",
            "https://gatepost.example.com?x",
            "https://gatepost.example.com#x",
            "https://gatepost.example.com:",
            "https://gatepost.example.com:0",
            "https://gatepost.example.com:0443",
            "https://gatepost.example.com:99999",
            "https://gatepost.example.com:x",
            "https://gatepost.example.com\\@evil.example",
            "https://gate post.example.com",
        ] {
            assert_eq!(parse(text), Err(AddressError::Malformed(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_talked_to_in_the_clear() {
        for text in
            ["http://gatepost.example.com", "http://localhost.example.com", "http://192.0.2.1", "http://0.0.0.0"]
        {
            assert_eq!(parse(text), Err(AddressError::PlainHttp(text.to_owned())), "{text}");
            assert_eq!(ServerAddress::parse(text, true).unwrap().as_str(), text);
        }
    }
}
