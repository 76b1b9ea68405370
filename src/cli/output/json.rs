//! JSON on one line, without anything that a terminal would obey.

use std::io;

use anyhow::Result;
use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

use super::table::is_harmful;

/// The document on one line. The characters that JSON allows and terminals obey are escaped.
pub(in crate::cli) fn to_line(document: &(impl Serialize + ?Sized)) -> Result<String> {
    let mut bytes = Vec::new();
    document.serialize(&mut Serializer::with_formatter(&mut bytes, Harmless))?;
    Ok(String::from_utf8(bytes)?)
}

struct Harmless;

impl Formatter for Harmless {
    fn write_string_fragment<W: io::Write + ?Sized>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            if is_harmful(c) {
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                write!(writer, "{c}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_terminals_obey_is_escaped_and_means_the_same() {
        let text = "a\u{1b}[2K\u{9b}1m\u{7f}\u{202e}\n\"caf\u{e9}\" \u{1F600}";
        let line = to_line(&[text]).unwrap();
        assert!(!line.chars().any(is_harmful), "{line:?}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&line).unwrap(), [text]);
    }
}
