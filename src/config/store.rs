//! Where the data is, and the key that protects what is encrypted in it.

use std::fmt;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_PAD_INDIFFERENT, URL_SAFE_PAD_INDIFFERENT};
use zeroize::Zeroizing;

use super::key::{Key, Section, Shape};
use super::reader::Reader;

pub(super) static SECTION: Section = Section {
    name: "store",
    doc: "Where the data is, and the key that protects what is encrypted in it.",
    keys: &[&PATH, &KEY_FILE, &KEY],
};

static PATH: Key = Key {
    name: "store.path",
    shape: Shape::Text("the path of a file"),
    default: Some("gatepost-data/gatepost.db"),
    doc: "The database; it is created if it does not exist.",
};

static KEY_FILE: Key = Key {
    name: "store.key_file",
    shape: Shape::Text("the path of a file"),
    default: Some("gatepost-data/gatepost.key"),
    doc: "The file with the key; it is created if it does not exist. Keep a copy of it apart from the database's.",
};

static KEY: Key = Key {
    name: "store.key",
    shape: Shape::Secret("32 bytes in hexadecimal or Base64"),
    default: None,
    doc: "The key itself, in place of the file with it; best given in the environment.",
};

/// Where the data is.
#[derive(Debug, Clone)]
pub struct Store {
    /// The database.
    pub path: PathBuf,
    /// The file with the key, unless the key itself is given.
    pub key_file: PathBuf,
    /// The key, in place of the file with it.
    pub key: Option<StoreKey>,
}

impl Store {
    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let path = reader.one(&PATH, |text| Some(text.into()));
        let key_file = reader.one(&KEY_FILE, |text| Some(text.into()));
        let key = reader.optional(&KEY, StoreKey::parse);
        Some(Self { path: path?, key_file: key_file?, key: key? })
    }
}

/// The 32 bytes under which secrets in the store are encrypted. They are not printed, and wiped when they are dropped.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    fn parse(text: &str) -> Option<Self> {
        // No Base64 of 32 bytes has 64 characters.
        if text.len() == 64 { from_hex(text) } else { from_base64(text) }.map(Self)
    }

    /// The bytes, for encryption and decryption.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(…)")
    }
}

fn from_hex(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let digit = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut key = Zeroizing::new([0; 32]);
    for (byte, digits) in key.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        let [high, low] = digits else { return None };
        *byte = digit(high)? << 4 | digit(low)?;
    }
    Some(key)
}

fn from_base64(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    let decoded = STANDARD_PAD_INDIFFERENT.decode(text).or_else(|_| URL_SAFE_PAD_INDIFFERENT.decode(text));
    let bytes = Zeroizing::new(decoded.ok()?);
    bytes.as_slice().try_into().ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_in_hexadecimal_and_in_both_alphabets_of_base64() {
        let bytes: [u8; 32] = std::array::from_fn(|at| 255 - u8::try_from(at).unwrap());
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        for text in [
            hex.to_uppercase(),
            hex,
            STANDARD_PAD_INDIFFERENT.encode(bytes),
            URL_SAFE_PAD_INDIFFERENT.encode(bytes),
            STANDARD_PAD_INDIFFERENT.encode(bytes).trim_end_matches('=').to_owned(),
        ] {
            assert_eq!(StoreKey::parse(&text).unwrap().expose(), &bytes, "{text}");
        }
    }

    #[test]
    fn a_key_of_another_length_is_refused() {
        for text in [
            "",
            "00",
            &"0".repeat(63),
            &"0".repeat(65),
            &"g".repeat(64),
            &STANDARD_PAD_INDIFFERENT.encode([0; 31]),
            &STANDARD_PAD_INDIFFERENT.encode([0; 33]),
            "not base64",
        ] {
            assert!(StoreKey::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?}", StoreKey::parse(&"42".repeat(32))), "Some(StoreKey(…))");
    }
}
