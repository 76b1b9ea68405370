//! Where a server is.

use std::fmt;
use std::path::PathBuf;

use hyper::Uri;
use hyper::http::uri::PathAndQuery;

use crate::cli::failure::UsageError;
use crate::cli::server::is_this_machine;

/// An address and the path that is asked for there.
pub(in crate::cli) struct Target {
    pub(in crate::cli) place: Place,
    /// What `Host` says.
    pub(in crate::cli) authority: String,
    path: Option<PathAndQuery>,
}

/// What is connected to.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::cli) enum Place {
    Tcp { host: String, port: u16, is_encrypted: bool },
    Unix(PathBuf),
}

impl Target {
    /// Reads `http://…`, `https://…`, `unix:/socket` or, as nginx writes it, `unix:/socket:/path`.
    pub(in crate::cli) fn parse(text: &str) -> Result<Self, UsageError> {
        match text.strip_prefix("unix:") {
            Some(rest) => Self::unix(rest),
            None => Self::tcp(text),
        }
        .ok_or_else(|| {
            UsageError::new(format!(
                "expected an address like http://127.0.0.1:7180/check/nginx, https://app.example.com/status or \
                 unix:/run/gatepost/decision.sock, found `{text}`"
            ))
        })
    }

    fn unix(rest: &str) -> Option<Self> {
        let (socket, path) = match rest.split_once(":/") {
            Some((socket, path)) => (socket, Some(format!("/{path}").parse().ok()?)),
            None => (rest, None),
        };
        let place = Place::Unix(Some(socket).filter(|socket| !socket.is_empty())?.into());
        Some(Self { place, authority: "localhost".to_owned(), path })
    }

    fn tcp(text: &str) -> Option<Self> {
        let uri: Uri = text.parse().ok()?;
        let is_encrypted = match uri.scheme_str()? {
            "http" => false,
            "https" => true,
            _ => return None,
        };
        let authority = uri.authority()?;
        let host = authority.host().to_ascii_lowercase();
        let port = authority.port_u16();
        // A name with a password before the host would go nowhere, and nobody asks for a fragment.
        let spelled = port.map_or_else(|| host.clone(), |port| format!("{host}:{port}"));
        if host.is_empty()
            || port == Some(0)
            || authority.as_str().to_ascii_lowercase() != spelled
            || text.contains('#')
        {
            return None;
        }
        let port = port.unwrap_or(if is_encrypted { 443 } else { 80 });
        let path = uri.path_and_query().filter(|path| path.as_str() != "/").cloned();
        Some(Self { place: Place::Tcp { host, port, is_encrypted }, authority: spelled, path })
    }

    /// Path and query, as they are sent.
    pub(in crate::cli) fn path_and_query(&self) -> &str {
        self.path.as_ref().map_or("/", PathAndQuery::as_str)
    }

    /// The path alone.
    pub(in crate::cli) fn path(&self) -> &str {
        self.path.as_ref().map_or("/", PathAndQuery::path)
    }

    /// Asks for this path, if none was named.
    pub(in crate::cli) fn or_path(&mut self, path: PathAndQuery) {
        self.path.get_or_insert(path);
    }

    /// An error if somebody on a network could read what is sent, unless that `is_permitted`.
    pub(in crate::cli) fn must_keep_secrets(&self, is_permitted: bool) -> Result<(), UsageError> {
        if self.is_private() || is_permitted {
            return Ok(());
        }
        Err(UsageError::new(format!(
            "`{self}` would send the credential unencrypted over a network: use https://, or --danger-plain-http if you \
             mean it"
        )))
    }

    /// Whether nobody on a network can read what is sent.
    fn is_private(&self) -> bool {
        match &self.place {
            Place::Tcp { host, is_encrypted, .. } => *is_encrypted || is_this_machine(host),
            Place::Unix(_) => true,
        }
    }
}

/// Without the query, in which there may be secrets.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { is_encrypted, .. } => {
                let scheme = if *is_encrypted { "https" } else { "http" };
                write!(f, "{scheme}://{}{}", self.authority, self.path())
            }
            Place::Unix(socket) => write!(f, "unix:{}:{}", socket.display(), self.path()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_address_is_read() {
        let tcp = |host: &str, port, is_encrypted| Place::Tcp { host: host.to_owned(), port, is_encrypted };
        for (text, place, authority, path) in [
            ("http://127.0.0.1:7180/check/nginx", tcp("127.0.0.1", 7180, false), "127.0.0.1:7180", "/check/nginx"),
            ("https://App.Example.com/a?b=c", tcp("app.example.com", 443, true), "app.example.com", "/a?b=c"),
            ("http://[::1]:80", tcp("[::1]", 80, false), "[::1]:80", "/"),
            ("unix:/run/d.sock", Place::Unix("/run/d.sock".into()), "localhost", "/"),
            ("unix:d.sock:/check/caddy", Place::Unix("d.sock".into()), "localhost", "/check/caddy"),
        ] {
            let target = Target::parse(text).unwrap();
            assert_eq!((&target.place, &*target.authority, target.path_and_query()), (&place, authority, path));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_address() {
        for text in [
            "",
            "/check/nginx",
            "127.0.0.1:7180",
            "ftp://a.test/",
            "http://",
            "http://ada@a.test/",
            "http://ada:secret@a.test/",
            "http://a.test:0/",
            "http://a.test:x/",
            "http://a.test/#top",
            "http://a test/",
            "unix:",
            "unix::/check/nginx",
            "unix:/a:/b c",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_that_was_named_stays_and_a_query_is_not_shown() {
        for (text, shown) in [
            ("http://a.test", "http://a.test/check/nginx"),
            ("http://a.test/x?token=secret", "http://a.test/x"),
            ("unix:/d.sock", "unix:/d.sock:/check/nginx"),
        ] {
            let mut target = Target::parse(text).unwrap();
            target.or_path(PathAndQuery::from_static("/check/nginx"));
            assert_eq!(target.to_string(), shown);
        }
    }

    #[test]
    fn a_network_reads_what_is_not_encrypted() {
        for (text, is_private) in [
            ("http://127.0.0.1", true),
            ("http://localhost:7180", true),
            ("https://a.test", true),
            ("unix:/d.sock", true),
            ("http://a.test", false),
            ("http://192.0.2.1", false),
        ] {
            assert_eq!(Target::parse(text).unwrap().is_private(), is_private, "{text}");
        }
    }
}
