//! Names that people choose: usernames, addresses, and display names. Each has one canonical form, by which it is
//! found and must be unique, whatever spelling was typed.

use std::fmt;

use serde::{Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

/// The text cannot be used as a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Not a username.
    #[error("a username has 1 to 64 letters, digits, `-`, `_` or `.`, and begins and ends with a letter or a digit")]
    Username,
    /// Not an address.
    #[error("expected an address with exactly one `@`, like ada@example.com, of at most 254 characters")]
    Email,
    /// Not a display name.
    #[error("a name has 1 to 100 characters, without control characters, and does not begin or end with a space")]
    Name,
}

/// A username, as its owner wrote it, with the canonical form by which it is found (NFKC, lower case).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Username {
    text: Box<str>,
    /// None where it is the same: so it is for most, and there are many.
    canonical: Option<Box<str>>,
}

impl Username {
    /// Reads a username; `@` is never part of one, so that a log-in is a username or an address and never both.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = nfkc(text);
        let canonical = canonical(&text);
        let edge = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let good = (1..=64).contains(&canonical.chars().count())
            && canonical.chars().all(allowed)
            && edge(canonical.chars().next())
            && edge(canonical.chars().next_back());
        if good {
            Ok(Self { canonical: unless_same(canonical, &text), text: text.into() })
        } else {
            Err(NameError::Username)
        }
    }

    /// The username as its owner wrote it, in NFKC.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that is unique and is looked up.
    pub fn canonical(&self) -> &str {
        self.canonical.as_deref().unwrap_or(&self.text)
    }
}

/// A mail address, as its owner wrote it, with the canonical form by which it is found (NFKC, lower case, `+tag` kept).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Email {
    text: Box<str>,
    /// None where it is the same: so it is for most, and there are many.
    canonical: Option<Box<str>>,
}

impl Email {
    /// Reads an address of the form `local@domain` (RFC 5321, section 4.1.2, without quoted local parts and address
    /// literals). Several `@` are refused: software disagrees on which of them divides.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let text = nfkc(text);
        let canonical = canonical(&text);
        let (local, domain) = canonical.split_once('@').ok_or(NameError::Email)?;
        let plain = |c: char| !c.is_whitespace() && !c.is_control() && !"@\"(),:;<>[\\]".contains(c);
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let good = canonical.len() <= 254
            && (1..=64).contains(&local.len())
            && local.chars().all(plain)
            && !local.starts_with('.')
            && !local.ends_with('.')
            && !local.contains("..")
            && domain.split('.').all(label);
        if good {
            Ok(Self { canonical: unless_same(canonical, &text), text: text.into() })
        } else {
            Err(NameError::Email)
        }
    }

    /// The address as its owner wrote it, in NFKC.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The form that is unique and is looked up.
    pub fn canonical(&self) -> &str {
        self.canonical.as_deref().unwrap_or(&self.text)
    }
}

/// The display name of an organization, an application, a device or an API key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Name(String);

impl Name {
    /// Reads a display name, brought to NFC.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        // ASCII is in every normal form, and most names are: they are read more often than anything else is.
        let text: String = if text.is_ascii() { text.to_owned() } else { text.nfc().collect() };
        let good = (1..=100).contains(&text.chars().count())
            && !text.chars().any(char::is_control)
            && !text.starts_with(char::is_whitespace)
            && !text.ends_with(char::is_whitespace);
        if good { Ok(Self(text)) } else { Err(NameError::Name) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn unless_same(canonical: String, text: &str) -> Option<Box<str>> {
    (canonical != text).then(|| canonical.into())
}

fn nfkc(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { text.nfkc().collect() }
}

fn canonical(nfkc: &str) -> String {
    if nfkc.is_ascii() {
        return nfkc.to_ascii_lowercase();
    }
    // Lower-casing can leave NFKC, so the result is normalized once more.
    nfkc.chars().flat_map(char::to_lowercase).nfkc().collect()
}

macro_rules! text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

text!(Username);
text!(Email);
text!(Name);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_have_one_canonical_form() {
        for spelling in ["ada", "ADA", "Ada", "\u{FF41}\u{FF44}\u{FF41}"] {
            assert_eq!(Username::parse(spelling).unwrap().canonical(), "ada", "{spelling}");
        }
    }

    #[test]
    fn ascii_is_normalized_by_the_same_rules() {
        let ascii: String = (0..128).map(char::from).collect();
        assert_eq!(nfkc(&ascii), ascii.nfkc().collect::<String>());
        assert_eq!(ascii, ascii.nfc().collect::<String>());
        assert_eq!(canonical(&ascii), ascii.chars().flat_map(char::to_lowercase).nfkc().collect::<String>());
    }

    #[test]
    fn usernames_that_could_be_something_else_are_refused() {
        for text in ["", "a@b", "a b", ".a", "a-", "a/b", "a\u{0}", &"a".repeat(65), "-"] {
            assert_eq!(Username::parse(text), Err(NameError::Username), "{text:?}");
        }
    }

    #[test]
    fn addresses_keep_their_tag_and_lose_their_case() {
        assert_eq!(Email::parse("Ada+Work@Example.COM").unwrap().canonical(), "ada+work@example.com");
    }

    #[test]
    fn addresses_that_software_reads_differently_are_refused() {
        for text in [
            "ada",
            "@example.com",
            "ada@",
            "a@b@example.com",
            "a b@example.com",
            "\"a\"@example.com",
            "a@example..com",
            "a@-example.com",
            "a\r\nb@example.com",
            ".a@example.com",
            "a..b@example.com",
            "a@[127.0.0.1]",
        ] {
            assert_eq!(Email::parse(text), Err(NameError::Email), "{text:?}");
        }
    }

    #[test]
    fn display_names_hold_no_control_characters() {
        assert!(Name::parse("Living room, 2nd floor").is_ok());
        for text in ["", " a", "a ", "a\nb", &"a".repeat(101)] {
            assert_eq!(Name::parse(text), Err(NameError::Name), "{text:?}");
        }
    }
}
