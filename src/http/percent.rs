//! Text as a header value.

use std::borrow::Cow;

use hyper::header::HeaderValue;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

const NOT_AS_IS: &AsciiSet = &CONTROLS.add(b'%');

/// Text in a form that every proxy passes on unchanged: printable ASCII as it is, and everything else (control
/// characters, `%`, what is beyond ASCII) percent-encoded as UTF-8 (RFC 3986, section 2.1), which can be reversed.
///
/// Nothing is copied where nothing is encoded.
pub fn header_text(text: &str) -> Cow<'_, str> {
    utf8_percent_encode(text, NOT_AS_IS).into()
}

/// [`header_text`] as a header's value.
pub fn header_value(text: &str) -> HeaderValue {
    // Percent-encoded text is ASCII without control characters; if it were not, the header would be empty.
    HeaderValue::from_str(&header_text(text)).unwrap_or(HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use percent_encoding::percent_decode_str;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_text_is_not_copied() {
        assert!(matches!(header_text("ada@example.com"), Cow::Borrowed("ada@example.com")));
    }

    #[test]
    fn what_a_proxy_may_change_is_encoded() {
        for (text, value) in [
            ("", ""),
            ("Ada Lovelace", "Ada Lovelace"),
            ("Zo\u{eb}", "Zo%C3%AB"),
            ("100%", "100%25"),
            ("a\r\nRemote-Role: administrator", "a%0D%0ARemote-Role: administrator"),
            ("\0\u{7f}", "%00%7F"),
        ] {
            assert_eq!(header_text(text), value);
        }
    }

    proptest! {
        #[test]
        fn every_text_is_a_header_value_and_comes_back(text in any::<String>()) {
            let value = header_text(&text);
            prop_assert_eq!(header_value(&text), &*value);
            prop_assert_eq!(percent_decode_str(&value).decode_utf8().unwrap(), text.as_str());
        }
    }
}
