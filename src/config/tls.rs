//! The certificates of the decision listener.

use std::path::PathBuf;

use super::key::{Key, Shape};
use super::reader::Reader;

const PEM_FILE: Shape = Shape::Text("the path of a file in PEM");

pub(super) static TLS_CERTIFICATE: Key = Key {
    name: "decision.tls_certificate",
    shape: PEM_FILE,
    default: None,
    doc: "The listener's certificate and those up to its authority: with it, TCP is TLS. Read again when it changes.",
};

pub(super) static TLS_KEY: Key =
    Key { name: "decision.tls_key", shape: PEM_FILE, default: None, doc: "The key of `decision.tls_certificate`." };

pub(super) static TLS_CLIENT_CA: Key = Key {
    name: "decision.tls_client_ca",
    shape: PEM_FILE,
    default: None,
    doc: "The authorities of peers: with it, whoever shows a certificate of theirs may ask, and nobody else is listened to \
          over TCP. Read again when it changes: connections that are open then \
          end. `fastcgi.listen` has no TLS, so it must then be a Unix socket or on loopback.",
};

/// Where the listener's certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The listener's own.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
    /// The authorities of peers, if these must show certificates.
    pub client_ca: Option<PathBuf>,
}

impl Tls {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Option<Self>> {
        let mut path = |key| reader.optional(key, |text| Some(PathBuf::from(text)));
        let (certificate, key, client_ca) = (path(&TLS_CERTIFICATE)?, path(&TLS_KEY)?, path(&TLS_CLIENT_CA)?);
        match (certificate, key, client_ca) {
            (None, None, None) => Some(None),
            (Some(certificate), Some(key), client_ca) => Some(Some(Self { certificate, key, client_ca })),
            (Some(_), None, _) => {
                reader.blame(&TLS_CERTIFICATE, "expected its key as well, in `decision.tls_key`");
                None
            }
            (None, Some(_), _) => {
                reader.blame(&TLS_KEY, "expected its certificate as well, in `decision.tls_certificate`");
                None
            }
            (None, None, Some(_)) => {
                reader.blame(&TLS_CLIENT_CA, "expected `decision.tls_certificate` and `decision.tls_key` as well");
                None
            }
        }
    }
}
