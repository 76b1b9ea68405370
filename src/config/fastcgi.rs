//! The listener for web servers that ask by FastCGI.

use super::decision::Decision;
use super::key::{Key, LISTEN_ADDRESS, Section};
use super::reader::Reader;
use crate::model::ListenAddress;

pub(super) static SECTION: Section = Section {
    name: "fastcgi",
    doc: "The listener for web servers that ask by FastCGI in the role Authorizer, as Apache's mod_authnz_fcgi does.",
    keys: &[&LISTEN],
};

static LISTEN: Key = Key {
    name: "fastcgi.listen",
    shape: LISTEN_ADDRESS,
    default: None,
    doc: "Where they ask, such as 127.0.0.1:7182; without it, nowhere. `decision.trusted_peers` tells who may: there is neither \
          TLS nor a token, so beyond loopback it is refused beside `decision.tls_client_ca`.",
};

/// Where web servers ask by FastCGI, if they do; `decision` is the listener for other proxies.
pub(super) fn resolve(reader: &mut Reader<'_>, decision: Option<&Decision>) -> Option<Option<ListenAddress>> {
    let listen: Option<ListenAddress> = reader.optional(&LISTEN, |text| text.parse().ok())?;
    let wants_certificates = decision.is_some_and(Decision::certifies_peers);
    if wants_certificates && listen.as_ref().is_some_and(ListenAddress::is_beyond_this_machine) {
        reader.blame(
            &LISTEN,
            "expected a Unix socket or an address on loopback: peers must show certificates of `decision.tls_client_ca`, \
             and here they cannot",
        );
        return None;
    }
    Some(listen)
}
