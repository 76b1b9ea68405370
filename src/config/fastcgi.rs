//! The listener for web servers that ask by FastCGI.

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
    doc: "Where they ask, such as 127.0.0.1:7182; without it, nowhere. `decision.trusted_peers` tells who may.",
};

/// Where web servers ask by FastCGI, if they do.
pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Option<ListenAddress>> {
    reader.optional(&LISTEN, |text| text.parse().ok())
}
