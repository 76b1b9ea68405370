//! From parameters to a question.
//!
//! Apache makes them: `REQUEST_METHOD`, `REQUEST_URI`, `REQUEST_SCHEME` and `REMOTE_ADDR` from what it has received, and
//! `HTTP_…` from the client's headers, those with `_` in their names left out, repeated ones joined by a comma. So no header
//! can be taken for a parameter. `HTTP_HOST` is what Apache has chosen the virtual host by, and what it passes on with
//! `ProxyPreserveHost`; `SERVER_NAME` may be a configured name, and tells nothing of the request.

use hyper::HeaderMap;
use hyper::header::{ACCEPT, AUTHORIZATION, COOKIE, HeaderName, HeaderValue};

use super::super::question::{Question, Source, Told};
use super::pairs::{self, Truncated};
use crate::http::client;
use crate::http::host::CanonicalHost;

/// Why it cannot be said what is asked. Every one of these is answered with 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ParamsError {
    /// They are cut.
    #[error(transparent)]
    Truncated(#[from] Truncated),
    /// Apache always sends it.
    #[error("the parameter `{0}` is missing")]
    Missing(&'static str),
    /// Apache sends none twice.
    #[error("the parameter `{0}` is repeated")]
    Repeated(&'static str),
    /// It holds what no request can hold there.
    #[error("the parameter `{0}` holds characters that are not allowed there")]
    Characters(&'static str),
    /// The target is a whole URL, of another host than `Host` says.
    #[error("the host of the target and the header `host` disagree")]
    Authority,
}

/// A parameter that counts.
struct Param<'a> {
    name: &'static str,
    value: Option<&'a [u8]>,
}

/// The parameters that count.
struct Params<'a> {
    method: Param<'a>,
    target: Param<'a>,
    host: Param<'a>,
    scheme: Param<'a>,
    client: Param<'a>,
    authorization: Param<'a>,
    cookie: Param<'a>,
    accept: Param<'a>,
    fetch_mode: Param<'a>,
}

static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// Reads a question from the whole stream of parameters.
pub(super) fn question(bytes: &[u8]) -> Result<Question, ParamsError> {
    let params = Params::read(bytes)?;
    let host = params.host.text()?;
    let told = Told {
        method: params.method.text()?.to_owned(),
        target: origin_form(params.target.text()?, host)?.to_owned(),
        host: host.to_owned(),
        proto: params.scheme.text()?.to_owned(),
        client: client::single(params.client.must()?),
    };
    let mut headers = HeaderMap::new();
    for (name, param) in [
        (AUTHORIZATION, &params.authorization),
        (COOKIE, &params.cookie),
        (ACCEPT, &params.accept),
        (SEC_FETCH_MODE.clone(), &params.fetch_mode),
    ] {
        if let Some(value) = param.value {
            let value = HeaderValue::from_bytes(value).map_err(|_| ParamsError::Characters(param.name))?;
            headers.insert(name, value);
        }
    }
    Ok(Question { source: Source::Told(told), headers })
}

impl<'a> Params<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ParamsError> {
        let param = |name| Param { name, value: None };
        let mut params = Self {
            method: param("REQUEST_METHOD"),
            target: param("REQUEST_URI"),
            host: param("HTTP_HOST"),
            scheme: param("REQUEST_SCHEME"),
            client: param("REMOTE_ADDR"),
            authorization: param("HTTP_AUTHORIZATION"),
            cookie: param("HTTP_COOKIE"),
            accept: param("HTTP_ACCEPT"),
            fetch_mode: param("HTTP_SEC_FETCH_MODE"),
        };
        for (name, value) in pairs::read(bytes)? {
            let Some(param) = params.all().into_iter().find(|param| param.name.as_bytes() == name) else { continue };
            if param.value.replace(value).is_some() {
                return Err(ParamsError::Repeated(param.name));
            }
        }
        Ok(params)
    }

    fn all(&mut self) -> [&mut Param<'a>; 9] {
        let Self { method, target, host, scheme, client, authorization, cookie, accept, fetch_mode } = self;
        [method, target, host, scheme, client, authorization, cookie, accept, fetch_mode]
    }
}

impl<'a> Param<'a> {
    fn must(&self) -> Result<&'a [u8], ParamsError> {
        self.value.ok_or(ParamsError::Missing(self.name))
    }

    fn text(&self) -> Result<&'a str, ParamsError> {
        let value = self.must()?;
        let text = std::str::from_utf8(value).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        text.ok_or(ParamsError::Characters(self.name))
    }
}

/// Path and query of a target. Apache passes on the path alone, also where the client has sent a whole URL (RFC 9112,
/// section 3.2.2); it makes `Host` of that URL's authority then, so one that differs is not Apache's.
fn origin_form<'a>(target: &'a str, host: &str) -> Result<&'a str, ParamsError> {
    let scheme = target.split_once("://").filter(|(scheme, _)| ["http", "https"].contains(scheme));
    let Some((_, rest)) = scheme else { return Ok(target) };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, target) = rest.split_at_checked(end).ok_or(ParamsError::Authority)?;
    match (CanonicalHost::parse_text(authority), CanonicalHost::parse_text(host)) {
        (Ok(one), Ok(other)) if one == other => Ok(target),
        _ => Err(ParamsError::Authority),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SENT: [(&str, &str); 12] = [
        ("HTTP_HOST", "app.example.com:8443"),
        ("HTTP_AUTHORIZATION", "Bearer x"),
        ("HTTP_COOKIE", "a=1; b=2"),
        ("HTTP_ACCEPT", "text/html"),
        ("HTTP_SEC_FETCH_MODE", "navigate"),
        ("SERVER_NAME", "localhost"),
        ("REMOTE_ADDR", "192.0.2.1"),
        ("REQUEST_SCHEME", "https"),
        ("REQUEST_METHOD", "GET"),
        ("QUERY_STRING", "x=1"),
        ("REQUEST_URI", "/a%2Fb?x=1"),
        ("FCGI_ROLE", "AUTHORIZER"),
    ];
    const NEEDED: [&str; 5] = ["HTTP_HOST", "REMOTE_ADDR", "REQUEST_SCHEME", "REQUEST_METHOD", "REQUEST_URI"];

    fn ask<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Question, ParamsError> {
        let mut bytes = Vec::new();
        for (name, value) in pairs {
            pairs::append_short(&mut bytes, (name.as_bytes(), value.as_bytes()));
        }
        question(&bytes)
    }

    fn changed(name: &str, value: &str) -> Result<Question, ParamsError> {
        ask(SENT.map(|(own, good)| (own, if own == name { value } else { good })))
    }

    fn told(question: Question) -> Told {
        match question.source {
            Source::Told(told) => told,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_apache_sends_is_a_question() {
        let question = ask(SENT).unwrap();
        assert_eq!(question.headers.len(), 4);
        assert_eq!(question.headers[AUTHORIZATION], "Bearer x");
        assert_eq!(question.headers[COOKIE], "a=1; b=2");
        let expected = Told {
            method: "GET".to_owned(),
            target: "/a%2Fb?x=1".to_owned(),
            host: "app.example.com:8443".to_owned(),
            proto: "https".to_owned(),
            client: "192.0.2.1".parse().ok(),
        };
        assert_eq!(told(question), expected);
    }

    #[test]
    fn a_missing_or_repeated_parameter_is_refused() {
        for name in NEEDED {
            let without = SENT.into_iter().filter(|(own, _)| *own != name);
            assert_eq!(ask(without).unwrap_err(), ParamsError::Missing(name));
        }
        for (name, value) in SENT {
            let counts = name.starts_with("HTTP_") || NEEDED.contains(&name);
            let repeated = ask(SENT.into_iter().chain([(name, value)]));
            assert_eq!(repeated.is_err(), counts, "{name}");
        }
    }

    #[test]
    fn a_whole_url_counts_if_its_host_is_the_one() {
        let target = |uri: &str| changed("REQUEST_URI", uri).map(|question| told(question).target);
        for uri in ["http://app.example.com/a?x", "https://APP.example.com:8443/a?x", "http://app.example.com./a?x"] {
            assert_eq!(target(uri).unwrap(), "/a?x");
        }
        for uri in [
            "http://other.test/a",
            "http://app.example.com@other.test/a",
            "http://other.test#app.example.com/a",
            "http:///a",
            "http://app.example.com,other.test/a",
        ] {
            assert_eq!(target(uri), Err(ParamsError::Authority), "{uri}");
        }
        // No path at all: left for the path's own rules, which refuse it.
        for (uri, left) in
            [("http://app.example.com", ""), ("http://app.example.com?x", "?x"), ("*", "*"), ("x:1", "x:1")]
        {
            assert_eq!(target(uri).unwrap(), left);
        }
    }

    #[test]
    fn what_no_request_can_hold_is_refused() {
        for (name, value) in [
            ("REQUEST_URI", "/a b"),
            ("REQUEST_URI", "/caf\u{e9}"),
            ("REQUEST_METHOD", "GET\n"),
            ("HTTP_HOST", "a b"),
            ("HTTP_COOKIE", "a\r\nb"),
            ("HTTP_AUTHORIZATION", "a\0"),
        ] {
            assert!(
                matches!(changed(name, value), Err(ParamsError::Characters(own)) if own == name),
                "{name}: {value}"
            );
        }
        assert_eq!(told(changed("REMOTE_ADDR", "nonsense").unwrap()).client, None);
    }

    proptest! {
        #[test]
        fn no_parameters_are_too_odd(
            at in 0..SENT.len(),
            value in proptest::collection::vec(any::<u8>(), 0..100),
            rest in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let mut bytes = Vec::new();
            for (index, (name, good)) in SENT.into_iter().enumerate() {
                let value = if index == at { value.as_slice() } else { good.as_bytes() };
                pairs::append_short(&mut bytes, (name.as_bytes(), value));
            }
            let _ = question(&bytes);
            bytes.extend(rest);
            let _ = question(&bytes);
        }
    }
}
