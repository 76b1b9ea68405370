//! The one canonical form of a request's path.
//!
//! A proxy, Gatepost and the application each parse the same request target, and whatever they read differently is a
//! way past the decision. So a path is decoded exactly once, and refused when any reader could take it for another.

use std::borrow::Cow;

use memchr::{memchr, memchr_iter};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::decompose_compatible;

/// The longest request target that is read, in bytes.
pub const MAX_TARGET_LEN: usize = 8_192;

/// Why a request target has no canonical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It does not begin with `/`: empty, the `*` of OPTIONS, or the absolute form (RFC 9112, section 3.2).
    #[error("the request target does not begin with `/`")]
    NotOriginForm,
    /// It is longer than [`MAX_TARGET_LEN`].
    #[error("the request target is longer than 8192 bytes")]
    TooLong,
    /// It holds a space, a control character, `#`, or anything beyond ASCII; or its path holds a `\`.
    #[error("the request target holds a character that must be percent-encoded")]
    RawCharacter,
    /// A `%` is not followed by two hexadecimal digits.
    #[error("the path holds a broken percent-encoding")]
    BrokenEncoding,
    /// What was encoded is `/`, `\`, `?`, `#`, `;` or a control character, such as those which separate lines or change
    /// the direction of writing.
    #[error("the path holds a percent-encoded delimiter or control character")]
    EncodedDelimiter,
    /// After one decoding there is still a percent-encoding.
    #[error("the path is percent-encoded twice")]
    DoubleEncoding,
    /// What was encoded is not UTF-8.
    #[error("the path is not UTF-8")]
    NotUtf8,
    /// A character, or a segment, becomes `/`, `\`, `.` or `..` in Unicode's compatibility form (NFKC), which some
    /// applications and file systems apply: `\u{ff0f}`, the segment `\u{ff0e}\u{ff0e}`.
    #[error("the path holds a character that is a delimiter once it is normalized")]
    Lookalike,
    /// A segment is `.` or `..`.
    #[error("the path holds a `.` or `..` segment")]
    DotSegment,
    /// Two slashes follow each other.
    #[error("the path holds an empty segment")]
    EmptySegment,
    /// A segment has `;` parameters.
    #[error("the path holds a `;` parameter")]
    Parameter,
}

/// A path in canonical form: it begins with `/`, its segments are decoded, and none of them holds a `/`.
///
/// Case is significant, and `/a/` is another path than `/a`.
// INVARIANT: built by `parse` only, so whoever holds one knows that every check was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalPath<'a>(Cow<'a, str>);

impl<'a> CanonicalPath<'a> {
    /// Reads the path of a request target in origin form (`/path?query`). The query takes no part in it.
    pub fn parse(target: &'a [u8]) -> Result<Self, PathError> {
        match plain_len(target).and_then(|len| std::str::from_utf8(target.get(..len)?).ok()) {
            Some(path) => Ok(Self(Cow::Borrowed(path))),
            None => Self::parse_closely(target),
        }
    }

    /// [`CanonicalPath::parse`] of what is known to be text.
    pub fn parse_text(target: &'a str) -> Result<Self, PathError> {
        match plain_len(target.as_bytes()).and_then(|len| target.get(..len)) {
            Some(path) => Ok(Self(Cow::Borrowed(path))),
            None => Self::parse_closely(target.as_bytes()),
        }
    }

    /// Reads it by all rules.
    fn parse_closely(target: &'a [u8]) -> Result<Self, PathError> {
        if target.len() > MAX_TARGET_LEN {
            return Err(PathError::TooLong);
        }
        if target.first() != Some(&b'/') {
            return Err(PathError::NotOriginForm);
        }
        let mut encoded = false;
        let mut end = target.len();
        for (at, &byte) in target.iter().enumerate() {
            match byte {
                byte if is_raw(byte) => return Err(PathError::RawCharacter),
                b'\\' if end == target.len() => return Err(PathError::RawCharacter),
                b'?' if end == target.len() => end = at,
                b'%' if end == target.len() => encoded = true,
                b';' if end == target.len() => return Err(PathError::Parameter),
                _ => {}
            }
        }
        // All bytes are ASCII, so this cannot fail; and if it did, the request would be refused.
        let raw = target.get(..end).and_then(|path| std::str::from_utf8(path).ok()).ok_or(PathError::NotUtf8)?;
        let path = if encoded { Cow::Owned(decode(raw)?) } else { Cow::Borrowed(raw) };
        let mut segments = path.split('/').skip(1).peekable();
        while let Some(segment) = segments.next() {
            match segment {
                "." | ".." => return Err(PathError::DotSegment),
                "" if segments.peek().is_some() => return Err(PathError::EmptySegment),
                _ if !segment.is_ascii() => check_lookalike(segment)?,
                _ => {}
            }
        }
        Ok(Self(path))
    }

    /// The decoded path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The decoded segments; the last one is empty if the path ends with `/`.
    pub fn segments(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').skip(1)
    }
}

/// What is not written as it is in a path (RFC 3986, section 3.3).
const NOT_IN_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'<').add(b'>').add(b'`').add(b'{').add(b'}');

/// A target whose canonical path this text is, as the decision log has it.
pub fn target_of(canonical: &str) -> String {
    utf8_percent_encode(canonical, NOT_IN_PATH).to_string()
}

/// The length of the path, if one glance is enough to see that it is in canonical form as it stands: nothing is encoded,
/// no character is out of place, and no segment is empty or begins with a dot.
fn plain_len(target: &[u8]) -> Option<usize> {
    let len = memchr(b'?', target).unwrap_or(target.len());
    let (path, query) = target.split_at_checked(len)?;
    let is_odd = |byte: u8| is_raw(byte) | (byte == b'%') | (byte == b';') | (byte == b'\\');
    // Without an early end, so that many bytes are looked at together.
    let pairs = path.iter().zip(path.get(1..).unwrap_or_default());
    let any_odd = pairs
        .fold(false, |any, (&byte, &next)| any | is_odd(byte) | ((byte == b'/') & ((next == b'/') | (next == b'.'))));
    let ends_well = path.last().is_some_and(|&last| !is_odd(last));
    let is_plain = !any_odd && ends_well && path.starts_with(b"/") && target.len() <= MAX_TARGET_LEN;
    (is_plain && !query.iter().fold(false, |any, &byte| any | is_raw(byte))).then_some(len)
}

/// Whether this must be percent-encoded wherever it stands in a request target.
const fn is_raw(byte: u8) -> bool {
    (byte <= 0x20) | (byte >= 0x7f) | (byte == b'#')
}

fn decode(raw: &str) -> Result<String, PathError> {
    let mut decoded = Vec::with_capacity(raw.len());
    let mut rest = raw.as_bytes();
    while let Some((plain, code)) = memchr(b'%', rest).and_then(|at| rest.split_at_checked(at)) {
        let [_, high, low, after @ ..] = code else { return Err(PathError::BrokenEncoding) };
        let (Some(high), Some(low)) = (hex(*high), hex(*low)) else { return Err(PathError::BrokenEncoding) };
        let byte = high << 4 | low;
        if matches!(byte, 0x00..=0x1f | 0x7f | b'/' | b'\\' | b'?' | b'#' | b';') {
            return Err(PathError::EncodedDelimiter);
        }
        decoded.extend_from_slice(plain);
        decoded.push(byte);
        rest = after;
    }
    decoded.extend_from_slice(rest);
    let decoded = String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)?;
    // Those of ASCII are refused already.
    if !decoded.is_ascii() && decoded.chars().any(is_control) {
        return Err(PathError::EncodedDelimiter);
    }
    let bytes = decoded.as_bytes();
    let mut codes = memchr_iter(b'%', bytes).filter_map(|at| bytes.get(at + 1..));
    if codes.any(begins_with_code) { Err(PathError::DoubleEncoding) } else { Ok(decoded) }
}

/// Control characters; those which end a line (U+2028, U+2029); and those which change the direction of writing, by
/// which one path is shown as another (Unicode Technical Report 36, section 2.5).
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// Whether, after a `%`, this is what a second decoding would decode: two hexadecimal digits, or `u` and four.
fn begins_with_code(bytes: &[u8]) -> bool {
    match bytes {
        [b'u' | b'U', a, b, c, d, ..] => [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit),
        [a, b, ..] => a.is_ascii_hexdigit() && b.is_ascii_hexdigit(),
        _ => false,
    }
}

fn check_lookalike(segment: &str) -> Result<(), PathError> {
    let mut is_lookalike = segment.nfkc().eq(".".chars()) || segment.nfkc().eq("..".chars());
    for c in segment.chars() {
        decompose_compatible(c, |c| is_lookalike |= matches!(c, '/' | '\\'));
    }
    if is_lookalike { Err(PathError::Lookalike) } else { Ok(()) }
}

const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_ambiguity_is_refused_with_its_cause() {
        use PathError::{
            BrokenEncoding, DotSegment, DoubleEncoding, EmptySegment, EncodedDelimiter, Lookalike, NotOriginForm,
            NotUtf8, Parameter, RawCharacter, TooLong,
        };
        let long = format!("/{}", "a".repeat(MAX_TARGET_LEN));
        for (target, error) in [
            ("", NotOriginForm),
            ("*", NotOriginForm),
            ("admin", NotOriginForm),
            ("http://example.com/admin", NotOriginForm),
            ("/public/../admin", DotSegment),
            ("/public/%2e%2e/admin", DotSegment),
            ("/public/.%2E/admin", DotSegment),
            ("/admin/.", DotSegment),
            ("/admin/..", DotSegment),
            ("/public/..%2fadmin", EncodedDelimiter),
            ("/public/..%5cadmin", EncodedDelimiter),
            ("/%2Fadmin", EncodedDelimiter),
            ("/admin%23", EncodedDelimiter),
            ("/admin%3Fx", EncodedDelimiter),
            ("/admin%3bx", EncodedDelimiter),
            ("/admin%00", EncodedDelimiter),
            ("/admin%0d%0aX: y", RawCharacter),
            ("/admin%0d%0a", EncodedDelimiter),
            ("/admin%7f", EncodedDelimiter),
            ("/admin%c2%85", EncodedDelimiter),
            ("//admin", EmptySegment),
            ("/a//b", EmptySegment),
            ("/a//", EmptySegment),
            ("/admin;x=1", Parameter),
            ("/public/..;/admin", Parameter),
            ("/%252e%252e/admin", DoubleEncoding),
            ("/%2541", DoubleEncoding),
            ("/%25%34%31", DoubleEncoding),
            ("/%25u002e%25u002e/admin", DoubleEncoding),
            ("/%u002e%u002e/admin", BrokenEncoding),
            ("/admin%e2%80%a8", EncodedDelimiter),
            ("/%e2%80%aenimda", EncodedDelimiter),
            ("/%ef%bb%bfadmin", EncodedDelimiter),
            ("/public%ef%bc%8f..%ef%bc%8fadmin", Lookalike),
            ("/public%ef%bc%bcadmin", Lookalike),
            ("/public/%ef%bc%8e%ef%bc%8e/admin", Lookalike),
            ("/public/.%e2%80%a4/admin", Lookalike),
            ("/public/%e2%80%a5/admin", Lookalike),
            ("/public/%ef%bc%8e", Lookalike),
            ("/public/%e2%84%80", Lookalike),
            ("/%c0%af", NotUtf8),
            ("/%ff", NotUtf8),
            ("/%", BrokenEncoding),
            ("/%4", BrokenEncoding),
            ("/%zz", BrokenEncoding),
            ("/%4/x", BrokenEncoding),
            ("/a b", RawCharacter),
            ("/a\tb", RawCharacter),
            ("/a\\b", RawCharacter),
            ("/a#b", RawCharacter),
            ("/\u{e9}", RawCharacter),
            ("/a?x=\u{1}", RawCharacter),
            (long.as_str(), TooLong),
        ] {
            assert_eq!(CanonicalPath::parse(target.as_bytes()), Err(error), "{target}");
        }
    }

    #[test]
    fn what_is_unambiguous_is_decoded_once() {
        for (target, path) in [
            ("/", "/"),
            ("/admin", "/admin"),
            ("/%61dmin", "/admin"),
            ("/Admin", "/Admin"),
            ("/admin/", "/admin/"),
            ("/admin?x=/public/../..;%00%zz", "/admin"),
            ("/caf%C3%A9", "/caf\u{e9}"),
            ("/a%20b", "/a b"),
            ("/100%25", "/100%"),
            ("/100%25off/%25u12", "/100%off/%u12"),
            ("/search?q=%5cd\\d|{x}", "/search"),
            ("/what%ef%bc%9f", "/what\u{ff1f}"),
            ("/wait%e2%80%a6", "/wait\u{2026}"),
            ("/%f0%9f%91%a9%e2%80%8d%f0%9f%94%a7", "/\u{1f469}\u{200d}\u{1f527}"),
            ("/...", "/..."),
            ("/a..b/.c", "/a..b/.c"),
        ] {
            assert_eq!(
                CanonicalPath::parse(target.as_bytes()).map(|p| p.as_str().to_owned()),
                Ok(path.to_owned()),
                "{target}"
            );
        }
    }

    /// What [`decode`] does, one byte after the other.
    fn decode_bytewise(raw: &str) -> Result<String, PathError> {
        let mut decoded = Vec::new();
        let mut bytes = raw.bytes();
        while let Some(mut byte) = bytes.next() {
            if byte == b'%' {
                let (high, low) = (bytes.next().and_then(hex), bytes.next().and_then(hex));
                byte = high.zip(low).map(|(high, low)| high << 4 | low).ok_or(PathError::BrokenEncoding)?;
                if byte < 0x20 || b"\x7f/\\?#;".contains(&byte) {
                    return Err(PathError::EncodedDelimiter);
                }
            }
            decoded.push(byte);
        }
        let decoded = String::from_utf8(decoded).map_err(|_| PathError::NotUtf8)?;
        if decoded.chars().any(is_control) {
            return Err(PathError::EncodedDelimiter);
        }
        let is_double = (0..decoded.len())
            .any(|at| matches!(&decoded.as_bytes()[at..], [b'%', code @ ..] if begins_with_code(code)));
        if is_double { Err(PathError::DoubleEncoding) } else { Ok(decoded) }
    }

    proptest! {
        #[test]
        fn what_is_decoded_by_runs_is_decoded_byte_by_byte(raw in "/([a-z%]|%[0-9a-f]{2}|%25|%c2%8[0-9]|%e2%80%a[0-9]|%u0041){0,12}") {
            prop_assert_eq!(decode(&raw), decode_bytewise(&raw));
        }

        #[test]
        fn a_canonical_path_is_never_ambiguous(target in "/[a-zA-Z0-9./%;?\\\\#\u{0}-\u{1f}é-]{0,40}") {
            if let Ok(path) = CanonicalPath::parse(target.as_bytes()) {
                prop_assert!(path.as_str().starts_with('/'));
                prop_assert!(!path.as_str().contains("//"));
                prop_assert!(!path.as_str().chars().any(|c| c.is_control() || "\\?#;".contains(c)));
                prop_assert!(path.segments().all(|segment| segment != "." && segment != ".."));
                prop_assert!(path.as_str().is_ascii() || path.as_str().nfkc().filter(|c| *c == '/').count() == path.segments().count());
            }
        }

        #[test]
        fn a_canonical_path_has_a_target(target in "/([ -~é]|%[0-9a-f]{2}|%25|/|[a-z]{3}){0,16}") {
            if let Ok(path) = CanonicalPath::parse(target.as_bytes()) {
                let again = target_of(path.as_str());
                let again = CanonicalPath::parse(again.as_bytes());
                prop_assert_eq!(again.as_ref().map(CanonicalPath::as_str), Ok(path.as_str()));
            }
        }

        #[test]
        fn a_glance_sees_what_a_close_look_sees(
            target in "/([a./%;?\\\\#\u{0} é]|%2[ef]|%25|/\\.\\.?|[a-z]{20}){0,12}",
            odd in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            for target in [target.as_bytes(), &odd, &[b"/", odd.as_slice()].concat()] {
                let closely = CanonicalPath::parse_closely(target);
                prop_assert_eq!(&CanonicalPath::parse(target), &closely);
                if let Ok(text) = std::str::from_utf8(target) {
                    prop_assert_eq!(&CanonicalPath::parse_text(text), &closely);
                }
            }
        }

        #[test]
        fn encoding_every_byte_of_a_segment_changes_nothing(segment in "[a-zA-Z0-9_~é-]{1,20}") {
            let encoded: String = segment.bytes().map(|byte| format!("%{byte:02x}")).collect();
            let target = format!("/{encoded}");
            let path = CanonicalPath::parse(target.as_bytes()).unwrap();
            prop_assert_eq!(path.as_str(), format!("/{}", segment));
        }

        #[test]
        fn nothing_panics(target in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = CanonicalPath::parse(&target);
        }
    }
}
