//! Who asks by AuthZEN, and where.

use super::key::{Key, Section, Shape};
use super::portal::PortalUrl;
use super::reader::Reader;
use crate::model::Username;

pub(super) static SECTION: Section = Section {
    name: "authzen",
    doc: "The AuthZEN Authorization API, on the listener for proxies.",
    keys: &[&URL, &CALLERS],
};

static URL: Key = Key {
    name: "authzen.url",
    shape: Shape::Text(
        "a URL of scheme http or https, host in lower case and port if it is not the scheme's own, like \
         https://pdp.example.com, with nothing behind",
    ),
    default: None,
    doc: "Where it is reached, for `/.well-known/authzen-configuration`. Without it, the listener's own \
          address is told, if it is one.",
};

static CALLERS: Key = Key {
    name: "authzen.callers",
    shape: Shape::List("usernames"),
    default: Some(""),
    doc: "The users whose API keys are taken, as Bearer or as Basic password; without any, whoever may ask at all may ask \
          so. Add the users first: a name that nobody has is whose who signs up under it.",
};

/// The AuthZEN Authorization API.
#[derive(Debug, Clone)]
pub struct AuthZen {
    /// Where it is reached, if that is not the listener's own address.
    pub url: Option<PortalUrl>,
    /// Who may ask; whoever reaches it, if there is none.
    pub callers: Vec<Username>,
}

impl AuthZen {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let url = reader.optional(&URL, PortalUrl::parse);
        let callers = reader.list(&CALLERS, |text| Username::parse(text).ok());
        Some(Self { url: url?, callers: callers? })
    }
}
