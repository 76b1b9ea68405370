//! Which credential a request carries.
//!
//! Only where it stands and what it looks like is told here; what it is worth is for `authn` to say. A credential that
//! cannot be used is never taken for none, and two that disagree are refused, because the application might believe the
//! other one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::header::COOKIE;
use zeroize::Zeroizing;

use super::lines::{Fields, Line, Lines};
use crate::secret::Secret;

/// The session cookie's name. The prefix has browsers keep it to this host, path `/` and TLS (RFC 6265bis, 4.1.3.2).
pub const SESSION_COOKIE: &str = "__Host-gatepost";

/// The longest credential, in bytes.
pub const MAX_TOKEN_LEN: usize = 4_096;

/// What a request carries.
#[derive(Debug)]
pub enum Presented<'a> {
    /// No credential at all.
    Nothing,
    /// A credential that may be worth something.
    Token(Token<'a>),
    /// Something in a credential's place that cannot be one: as good as an invalid credential (401).
    Unusable(Unusable),
}

/// Why what stands in a credential's place cannot be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// `Authorization` has a scheme other than `Bearer` and `Basic`.
    #[error("the authorization scheme is neither bearer nor basic")]
    Scheme,
    /// There is no token.
    #[error("the credential is empty")]
    Empty,
    /// It is longer than [`MAX_TOKEN_LEN`].
    #[error("the credential is longer than 4096 bytes")]
    TooLong,
    /// It holds a character that no token has: a quote, a space, a control character, anything beyond ASCII.
    #[error("the credential holds a character that no token has")]
    Character,
    /// What follows `Basic` is not base64 of `user:password`.
    #[error("the basic credentials are not base64 of a user and a password")]
    Basic,
}

/// Why it cannot be said which credential counts. Every one of these is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguous {
    /// There are several `Authorization` headers, or several credentials in one.
    #[error("the request has several authorization headers")]
    Authorization,
    /// There are several session cookies.
    #[error("the request has several session cookies")]
    Cookie,
    /// `Authorization` and the session cookie hold different credentials.
    #[error("the authorization header and the session cookie disagree")]
    Disagreement,
}

/// Where a token stood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `Authorization: Bearer` (RFC 6750, section 2.1), alone or with the same token as the session cookie.
    Bearer,
    /// The password of `Authorization: Basic` (RFC 7617), for git and package clients.
    Basic,
    /// The session cookie.
    Cookie,
}

/// A token as it was sent. It is ASCII, not empty, and of the characters that tokens have; nothing else is known.
pub struct Token<'a> {
    carrier: Carrier,
    text: Text<'a>,
}

enum Text<'a> {
    Sent(&'a str),
    Decoded(Secret),
}

impl Token<'_> {
    /// Where it stood.
    pub const fn carrier(&self) -> Carrier {
        self.carrier
    }

    /// The token, for the one place that verifies it.
    pub fn expose(&self) -> &str {
        match &self.text {
            Text::Sent(text) => text,
            Text::Decoded(secret) => secret.expose(),
        }
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("carrier", &self.carrier).finish_non_exhaustive()
    }
}

/// Finds the credential of a request. Only `Authorization` and the session cookie are looked at.
pub fn read<'a>(lines: impl Into<Lines<'a>>) -> Result<Presented<'a>, Ambiguous> {
    let lines = lines.into();
    let cookie = if lines.has_cookie { session_cookie(lines.all)? } else { None };
    let credential = match (authorization(lines.authorization)?, cookie) {
        (None, None) => return Ok(Presented::Nothing),
        (None, Some(value)) => token(value).map(|text| Token { carrier: Carrier::Cookie, text: Text::Sent(text) }),
        (Some(header), None) => credential(header)?,
        (Some(header), Some(value)) => match credential(header)? {
            Ok(token) if token.expose().as_bytes() == value => Ok(token),
            _ => return Err(Ambiguous::Disagreement),
        },
    };
    Ok(credential.map_or_else(Presented::Unusable, Presented::Token))
}

/// The one `Authorization` header, if there is any.
fn authorization(line: Line<'_>) -> Result<Option<&[u8]>, Ambiguous> {
    match line {
        Line::Missing => Ok(None),
        Line::Once(value) => Ok(Some(value)),
        Line::Repeated => Err(Ambiguous::Authorization),
    }
}

fn credential(value: &[u8]) -> Result<Result<Token<'_>, Unusable>, Ambiguous> {
    let scheme_len = value.iter().position(|&byte| byte == b' ').unwrap_or(value.len());
    let (scheme, rest) = value.split_at_checked(scheme_len).unwrap_or_default();
    let is_basic = scheme.eq_ignore_ascii_case(b"basic");
    if !is_basic && !scheme.eq_ignore_ascii_case(b"bearer") {
        return Ok(Err(if value.is_empty() { Unusable::Empty } else { Unusable::Scheme }));
    }
    let credential = match trim(rest) {
        encoded if is_basic => basic_password(encoded),
        sent => token(sent).map(|text| Token { carrier: Carrier::Bearer, text: Text::Sent(text) }),
    };
    // Neither scheme has a comma: somebody joined two headers.
    if credential.is_err() && rest.contains(&b',') {
        return Err(Ambiguous::Authorization);
    }
    Ok(credential)
}

/// Takes the password out of `Basic` credentials. Any user name will do: the key says whose it is.
fn basic_password(encoded: &[u8]) -> Result<Token<'static>, Unusable> {
    let encoded = token(encoded)?;
    let pair = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| Unusable::Basic)?);
    let colon = pair.iter().position(|&byte| byte == b':').ok_or(Unusable::Basic)?;
    let password = token(pair.get(colon + 1..).unwrap_or_default())?;
    Ok(Token { carrier: Carrier::Basic, text: Text::Decoded(Secret::new(password.to_owned())) })
}

/// Checks the form of a token: RFC 6750's `b64token` (section 2.1), which session tokens and API keys keep to.
fn token(bytes: &[u8]) -> Result<&str, Unusable> {
    if bytes.is_empty() {
        return Err(Unusable::Empty);
    }
    if bytes.len() > MAX_TOKEN_LEN {
        return Err(Unusable::TooLong);
    }
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=');
    // Without an early end, so that many bytes are looked at together.
    if !bytes.iter().fold(true, |all, &byte| all & is_allowed(byte)) {
        return Err(Unusable::Character);
    }
    std::str::from_utf8(bytes).map_err(|_| Unusable::Character)
}

/// The one session cookie's value, if there is any.
///
/// Names are compared exactly, and only spaces and tabs around them are cut: whoever cuts more, or reads `$Version` and
/// quotes, finds cookies that the browser's `__Host-` rule did not see.
fn session_cookie(fields: Fields<'_>) -> Result<Option<&[u8]>, Ambiguous> {
    let mut found = None;
    for line in fields.all(&COOKIE) {
        for pair in line.split(|&byte| byte == b';') {
            let equals = pair.iter().position(|&byte| byte == b'=').unwrap_or(pair.len());
            let (name, value) = pair.split_at_checked(equals).unwrap_or_default();
            if trim(name) == SESSION_COOKIE.as_bytes() {
                if found.is_some() {
                    return Err(Ambiguous::Cookie);
                }
                found = Some(trim(value.strip_prefix(b"=").unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

/// Cuts spaces and tabs (RFC 6265, section 5.2).
fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;
    use hyper::header::{HeaderName, HeaderValue};
    use proptest::prelude::*;

    use super::*;

    fn headers<'a>(lines: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value);
        }
        headers
    }

    /// What was found, in a form that can be compared.
    #[derive(Debug, Clone, PartialEq)]
    enum Found {
        Nothing,
        Token(Carrier, String),
        Unusable(Unusable),
        Ambiguous(Ambiguous),
    }

    fn found(lines: &[(&str, &str)]) -> Found {
        match read(&headers(lines.iter().copied())) {
            Ok(Presented::Nothing) => Found::Nothing,
            Ok(Presented::Token(token)) => Found::Token(token.carrier(), token.expose().to_owned()),
            Ok(Presented::Unusable(cause)) => Found::Unusable(cause),
            Err(cause) => Found::Ambiguous(cause),
        }
    }

    fn basic(pair: &str) -> String {
        format!("Basic {}", STANDARD.encode(pair))
    }

    #[test]
    fn an_authorization_header_is_read() {
        use Carrier::{Basic, Bearer};
        use Unusable::{Character, Empty, Scheme, TooLong};
        let token = |carrier, text: &str| Found::Token(carrier, text.to_owned());
        let ambiguous = || Found::Ambiguous(Ambiguous::Authorization);
        let longest = "a".repeat(MAX_TOKEN_LEN);
        for (sent, expected) in [
            ("Bearer gp_abc".to_owned(), token(Bearer, "gp_abc")),
            ("bearer gp_abc".to_owned(), token(Bearer, "gp_abc")),
            ("BEARER  eyJh.eyJz.c2ln-_".to_owned(), token(Bearer, "eyJh.eyJz.c2ln-_")),
            (format!("Bearer {longest}"), token(Bearer, &longest)),
            (basic("ada:gp_abc"), token(Basic, "gp_abc")),
            (basic(":gp_abc"), token(Basic, "gp_abc")),
            (basic("zo\u{eb} \0:gp_abc"), token(Basic, "gp_abc")),
            (basic("ada:gp_abc").replace("Basic", "bAsIc"), token(Basic, "gp_abc")),
            (String::new(), Found::Unusable(Empty)),
            ("Bearer".to_owned(), Found::Unusable(Empty)),
            ("Bearer ".to_owned(), Found::Unusable(Empty)),
            ("Basic".to_owned(), Found::Unusable(Empty)),
            (basic("ada:"), Found::Unusable(Empty)),
            (basic("gp_abc"), Found::Unusable(Unusable::Basic)),
            ("Basic YWRhOmdwX2Fi".to_owned() + "Yw", Found::Unusable(Unusable::Basic)),
            ("Basic YWRhOmdwX2FiYw=".to_owned(), Found::Unusable(Unusable::Basic)),
            ("Basic YWRhOmdwX2FiYx==".to_owned(), Found::Unusable(Unusable::Basic)),
            ("Basic not.base64".to_owned(), Found::Unusable(Unusable::Basic)),
            ("Basic !!!".to_owned(), Found::Unusable(Character)),
            ("Basic YWRh OmdwX2FiYw==".to_owned(), Found::Unusable(Character)),
            (basic("ada:gp:abc"), Found::Unusable(Character)),
            (basic("ada:gp_abc\n"), Found::Unusable(Character)),
            (basic("ada:gp_\u{e9}"), Found::Unusable(Character)),
            ("Bearer a b".to_owned(), Found::Unusable(Character)),
            ("Bearer a\tb".to_owned(), Found::Unusable(Character)),
            ("Bearer \"abc\"".to_owned(), Found::Unusable(Character)),
            ("Bearer \u{e9}".to_owned(), Found::Unusable(Character)),
            ("Bearer a;b".to_owned(), Found::Unusable(Character)),
            ("Bearer\tabc".to_owned(), Found::Unusable(Scheme)),
            ("Bearer: abc".to_owned(), Found::Unusable(Scheme)),
            ("Bearer=abc".to_owned(), Found::Unusable(Scheme)),
            ("gp_abc".to_owned(), Found::Unusable(Scheme)),
            ("Token gp_abc".to_owned(), Found::Unusable(Scheme)),
            ("Negotiate YWJj".to_owned(), Found::Unusable(Scheme)),
            ("Digest username=\"ada\", realm=\"x\"".to_owned(), Found::Unusable(Scheme)),
            ("DPoP abc".to_owned(), Found::Unusable(Scheme)),
            (format!("Bearer {longest}a"), Found::Unusable(TooLong)),
            (format!("Bearer {}", "a".repeat(100_000)), Found::Unusable(TooLong)),
            (basic(&format!("ada:{longest}")), Found::Unusable(TooLong)),
            ("Bearer abc,Bearer def".to_owned(), ambiguous()),
            ("Bearer abc, Bearer abc".to_owned(), ambiguous()),
            ("Bearer ,abc".to_owned(), ambiguous()),
            ("Basic YWRhOmdwX2FiYw==, Bearer abc".to_owned(), ambiguous()),
        ] {
            assert_eq!(found(&[("authorization", &sent)]), expected, "{sent}");
        }
    }

    #[test]
    fn the_session_cookie_is_read_and_no_other() {
        use Unusable::{Character, Empty, TooLong};
        let token = || Found::Token(Carrier::Cookie, "abc".to_owned());
        let ambiguous = || Found::Ambiguous(Ambiguous::Cookie);
        let long = format!("__Host-gatepost={}", "a".repeat(MAX_TOKEN_LEN + 1));
        for (sent, expected) in [
            ("__Host-gatepost=abc", token()),
            ("theme=dark; __Host-gatepost=abc; lang=en", token()),
            ("theme=dark;__Host-gatepost=abc;", token()),
            (" \t__Host-gatepost = abc\t ;", token()),
            ("caf\u{e9}=\u{e9}; __Host-gatepost=abc", token()),
            ("__Host-gatepost=a=b", Found::Token(Carrier::Cookie, "a=b".to_owned())),
            ("", Found::Nothing),
            ("theme=dark", Found::Nothing),
            ("__host-gatepost=abc", Found::Nothing),
            ("__Host-gatepost2=abc", Found::Nothing),
            ("x__Host-gatepost=abc", Found::Nothing),
            ("gatepost=abc", Found::Nothing),
            ("__Secure-gatepost=abc", Found::Nothing),
            ("x=__Host-gatepost=abc", Found::Nothing),
            ("\u{a0}__Host-gatepost=abc", Found::Nothing),
            ("$Version=1,__Host-gatepost=abc", Found::Nothing),
            ("__Host-gatepost", Found::Unusable(Empty)),
            ("__Host-gatepost=", Found::Unusable(Empty)),
            ("__Host-gatepost= ; a=b", Found::Unusable(Empty)),
            ("__Host-gatepost=\"abc\"", Found::Unusable(Character)),
            ("__Host-gatepost=a b", Found::Unusable(Character)),
            ("__Host-gatepost=a,b", Found::Unusable(Character)),
            ("__Host-gatepost=abc, __Host-gatepost=def", Found::Unusable(Character)),
            ("__Host-gatepost=a%62c", Found::Unusable(Character)),
            ("__Host-gatepost=\u{e9}", Found::Unusable(Character)),
            (long.as_str(), Found::Unusable(TooLong)),
            ("__Host-gatepost=abc; __Host-gatepost=def", ambiguous()),
            ("__Host-gatepost=abc; __Host-gatepost=abc", ambiguous()),
            ("__Host-gatepost=abc; __Host-gatepost", ambiguous()),
            ("__Host-gatepost=; a=b;\t__Host-gatepost=abc", ambiguous()),
        ] {
            assert_eq!(found(&[("cookie", sent)]), expected, "{sent}");
        }
    }

    #[test]
    fn what_repeats_is_ambiguous() {
        let ada = basic("ada:abc");
        for (name, first, second, expected) in [
            ("authorization", "Bearer abc", "Bearer abc", Ambiguous::Authorization),
            ("authorization", "Bearer abc", "", Ambiguous::Authorization),
            ("authorization", "Digest x", &ada, Ambiguous::Authorization),
            ("cookie", "__Host-gatepost=abc", "__Host-gatepost=def", Ambiguous::Cookie),
            ("cookie", "__Host-gatepost=abc", "a=b; __Host-gatepost=abc", Ambiguous::Cookie),
        ] {
            assert_eq!(found(&[(name, first), (name, second)]), Found::Ambiguous(expected), "{first} {second}");
        }
        let split = found(&[("cookie", "a=b"), ("cookie", "__Host-gatepost=abc"), ("cookie", "c=d")]);
        assert_eq!(split, Found::Token(Carrier::Cookie, "abc".to_owned()));
    }

    #[test]
    fn the_same_token_twice_is_one_and_all_else_disagrees() {
        let ada = basic("ada:abc");
        for (cookie, authorization, carrier) in [
            ("__Host-gatepost=abc", "Bearer abc", Some(Carrier::Bearer)),
            ("__Host-gatepost=abc", &ada, Some(Carrier::Basic)),
            ("a=b", "Bearer abc", Some(Carrier::Bearer)),
            ("__Host-gatepost=abc", "Bearer def", None),
            ("__Host-gatepost=abc", "Bearer ab", None),
            ("__Host-gatepost=abc", "Digest x", None),
            ("__Host-gatepost=abc", "", None),
            ("__Host-gatepost=", "Bearer abc", None),
            ("__Host-gatepost=", "Bearer", None),
            ("__Host-gatepost=\"abc\"", "Bearer abc", None),
        ] {
            let expected = carrier
                .map_or(Found::Ambiguous(Ambiguous::Disagreement), |carrier| Found::Token(carrier, "abc".to_owned()));
            assert_eq!(
                found(&[("cookie", cookie), ("authorization", authorization)]),
                expected,
                "{cookie} {authorization}"
            );
        }
    }

    #[test]
    fn nothing_else_is_a_credential() {
        for line in [
            ("proxy-authorization", "Bearer abc"),
            ("x-api-key", "abc"),
            ("x-forwarded-access-token", "abc"),
            ("remote-user", "ada"),
            ("x-original-uri", "/?access_token=abc"),
            ("set-cookie", "__Host-gatepost=abc"),
        ] {
            assert_eq!(found(&[line]), Found::Nothing, "{line:?}");
        }
    }

    #[test]
    fn nothing_of_a_token_is_printed() {
        for (name, value) in [
            ("authorization", "Bearer hunter2".to_owned()),
            ("authorization", basic("ada:hunter2")),
            ("cookie", "__Host-gatepost=hunter2".to_owned()),
        ] {
            let headers = headers([(name, value.as_str())]);
            let shown = format!("{:?}", read(&headers));
            assert!(shown.contains("Token") && !shown.contains("hunter2"), "{shown}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_odd_passes(
            lines in proptest::collection::vec(
                (any::<bool>(), "(__Host-gatepost|[bB]earer|Basic)?[=;, a-c\"\u{80}-\u{ff}]{0,12}"), 0..4),
        ) {
            let lines: Vec<_> =
                lines.iter().map(|(cookie, value)| (if *cookie { "cookie" } else { "authorization" }, value.as_str())).collect();
            let found = found(&lines);
            if let Found::Token(_, token) = &found {
                prop_assert!(!token.is_empty());
                prop_assert!(token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte)));
            }
            prop_assert!(found != Found::Nothing || lines.iter().all(|(name, _)| *name == "cookie"));
        }

        #[test]
        fn any_password_that_is_a_token_is_found(user in "[^:]{0,12}", password in "[a-zA-Z0-9_.-]{1,60}") {
            let sent = basic(&format!("{user}:{password}"));
            prop_assert_eq!(found(&[("authorization", &sent)]), Found::Token(Carrier::Basic, password));
        }
    }
}
