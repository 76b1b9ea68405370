//! What a key is, and all of them.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use super::{authzen, cache, decision, fastcgi, log, mail, policy, portal, session, store};

/// All sections, in the order in which they are shown.
pub static SECTIONS: &[&Section] = &[
    &decision::SECTION,
    &authzen::SECTION,
    &fastcgi::SECTION,
    &portal::SECTION,
    &mail::SECTION,
    &store::SECTION,
    &policy::SECTION,
    &session::SECTION,
    &cache::SECTION,
    &log::SECTION,
];

/// A table of the file.
#[derive(Debug)]
pub struct Section {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub doc: &'static str,
    /// Its keys, in the order in which they are shown.
    pub keys: &'static [&'static Key],
}

/// The definition of a key, from which everything that knows about keys is made.
#[derive(Debug)]
pub struct Key {
    /// Its name, as `section.name`.
    pub name: &'static str,
    /// What its value looks like.
    pub shape: Shape,
    /// The value when nothing is configured, written as in an environment variable; there may be none.
    pub default: Option<&'static str>,
    /// What it is for: a sentence.
    pub doc: &'static str,
}

/// What a key's value looks like; the text is what is expected, to follow the word "expected".
#[derive(Debug)]
pub enum Shape {
    /// A string.
    Text(&'static str),
    /// A string that is never shown.
    Secret(&'static str),
    /// A whole number within these limits.
    Number(RangeInclusive<u64>),
    /// `true` or `false`.
    Flag,
    /// An array of strings; separated by commas in an environment variable and in a flag.
    List(&'static str),
}

/// The shape of a key that names a [`crate::model::ListenAddress`].
pub(super) const LISTEN_ADDRESS: Shape = Shape::Text(
    "an address and port like 127.0.0.1:7180, a Unix socket like unix:/run/gatepost/decision.sock, or a \
                 socket of systemd's like fd:3",
);

/// The shape of a key that lists networks, each of which [`super::decision::network`] reads.
pub(super) const NETWORKS: Shape =
    Shape::List("addresses like 10.0.0.7 and networks like 10.0.0.0/8, without host bits");

impl Key {
    /// The environment variable that sets this key.
    pub fn variable(&self) -> String {
        format!("GATEPOST_{}", self.name.replace('.', "_").to_uppercase())
    }

    /// What is expected of its value, to follow the word "expected".
    pub fn expected(&self) -> Cow<'static, str> {
        match &self.shape {
            Shape::Text(expected) | Shape::Secret(expected) | Shape::List(expected) => Cow::Borrowed(expected),
            Shape::Flag => Cow::Borrowed("`true` or `false`"),
            Shape::Number(range) => format!("a whole number from {} to {}", range.start(), range.end()).into(),
        }
    }

    /// Whether its value must not be shown.
    pub const fn is_secret(&self) -> bool {
        matches!(self.shape, Shape::Secret(_))
    }

    /// Its name within its section.
    pub(super) fn short_name(&self) -> &'static str {
        self.name.split_once('.').map_or(self.name, |(_, name)| name)
    }
}

/// All keys, in the order in which they are shown.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys).copied()
}
