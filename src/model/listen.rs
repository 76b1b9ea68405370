//! Where a listener listens.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// Where a listener listens: a TCP address, or a Unix socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// An address and a port; port 0 lets the system choose one.
    Tcp(SocketAddr),
    /// The path of a socket, made at the start and removed at the end.
    Unix(PathBuf),
    /// The descriptor of a socket that whoever started the program has opened.
    Inherited(i32),
}

/// The text names no place to listen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "expected an address and port like 127.0.0.1:7180, a Unix socket like unix:/run/gatepost/decision.sock, or \
         a socket of systemd's like fd:3"
)]
pub struct ListenAddressError;

impl ListenAddress {
    /// Whether other machines can connect, as far as the address tells: where an inherited socket listens, it does not.
    pub fn is_beyond_this_machine(&self) -> bool {
        matches!(self, Self::Tcp(address) if !address.ip().to_canonical().is_loopback())
    }
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, ListenAddressError> {
        if let Some(descriptor) = text.strip_prefix("fd:") {
            return descriptor.parse().map(Self::Inherited).map_err(|_| ListenAddressError);
        }
        match text.strip_prefix("unix:") {
            Some("") => Err(ListenAddressError),
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Tcp).map_err(|_| ListenAddressError),
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Inherited(descriptor) => write!(f, "fd:{descriptor}"),
        }
    }
}
