//! What Envoy's HTTP service asks: the request itself, as far as its head goes, behind the prefix of the check.
//!
//! Method, path and query are the question's own and so is the host. Of the headers two count: those which Envoy,
//! configured as in `deploy/envoy`, writes itself. The prefix is matched on the bytes that came, and nothing is
//! normalized: `/check/envoy/../x` asks about `/../x`, and is refused.

use hyper::Uri;
use hyper::header::{HOST, HeaderName};
use hyper::http::Method;

use super::asked::AskedError;
use super::dialect::{only, text};
use super::lines::{Line, Lines};
use super::question::Told;
use crate::http::client;

const PREFIX: &str = "/check/envoy";

static X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Whether a question is one of Envoy's HTTP service.
pub(super) fn asks(target: &Uri) -> bool {
    asked_about(target).is_some()
}

/// What a question with this head tells.
pub(super) fn told(method: &Method, target: &Uri, lines: &Lines<'_>) -> Result<Told, AskedError> {
    Ok(Told {
        method: method.as_str().to_owned(),
        target: asked_about(target).unwrap_or_default().to_owned(),
        host: host(target, lines)?.to_owned(),
        proto: text(lines.forwarded.proto, &X_FORWARDED_PROTO)?.to_owned(),
        client: client::right_most(only(lines.forwarded.client, &X_FORWARDED_FOR)?),
    })
}

/// Path and query behind the prefix.
fn asked_about(target: &Uri) -> Option<&str> {
    target.path_and_query()?.as_str().strip_prefix(PREFIX).filter(|rest| rest.starts_with('/'))
}

/// The one host: HTTP/1 tells it in a header, HTTP/2 in the target's authority, and either may do both.
fn host<'a>(target: &'a Uri, lines: &Lines<'a>) -> Result<&'a str, AskedError> {
    match (target.authority(), lines.own_host) {
        (Some(authority), Line::Missing) => Ok(authority.as_str()),
        (Some(authority), line) if text(line, &HOST)? != authority.as_str() => Err(AskedError::Authority),
        (_, line) => text(line, &HOST),
    }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    const GOOD: [(&str, &str); 3] =
        [("host", "app.example.com"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "198.51.100.7, 192.0.2.1")];

    fn read(method: &str, target: &str, headers: &[(&str, &str)]) -> Result<Told, AskedError> {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        assert!(asks(&head.uri), "{target}");
        told(&head.method, &head.uri, &Lines::from(&head.headers))
    }

    #[test]
    fn the_question_itself_tells_what_is_asked() {
        let told = read("PURGE", "/check/envoy/a%2Fb/../c?x=1", &GOOD).unwrap();
        let expected = Told {
            method: "PURGE".to_owned(),
            target: "/a%2Fb/../c?x=1".to_owned(),
            host: "app.example.com".to_owned(),
            proto: "https".to_owned(),
            client: Some([192, 0, 2, 1].into()),
        };
        assert_eq!(told, expected);
        assert_eq!(read("GET", "/check/envoy/../../healthz", &GOOD).unwrap().target, "/../../healthz");
    }

    #[test]
    fn only_what_stands_behind_the_very_prefix_is_asked_about() {
        for target in ["/check/envoy", "/check/envoyx/", "/check/envoy?/x", "/CHECK/envoy/", "//check/envoy/", "/"] {
            assert!(!asks(&target.parse().unwrap()), "{target}");
        }
    }

    #[test]
    fn two_hosts_must_be_the_same() {
        let target = "http://app.example.com/check/envoy/";
        assert_eq!(read("GET", target, &GOOD).unwrap().host, "app.example.com");
        assert_eq!(read("GET", target, &GOOD[1..]).unwrap().host, "app.example.com");
        assert_eq!(read("GET", "http://evil.test/check/envoy/", &GOOD), Err(AskedError::Authority));
        let twice = [GOOD[0], GOOD[0], GOOD[1], GOOD[2]];
        assert_eq!(read("GET", "/check/envoy/", &twice), Err(AskedError::Repeated(HOST)));
        assert_eq!(read("GET", "/check/envoy/", &GOOD[1..]), Err(AskedError::Missing(HOST)));
    }

    #[test]
    fn what_envoy_writes_itself_must_be_there_once() {
        for at in [1, 2] {
            let (name, header) = (GOOD[at].0, HeaderName::from_static(GOOD[at].0));
            let without: Vec<_> = GOOD.into_iter().filter(|line| line.0 != name).collect();
            assert_eq!(read("GET", "/check/envoy/", &without), Err(AskedError::Missing(header.clone())));
            let twice: Vec<_> = GOOD.into_iter().chain([GOOD[at]]).collect();
            assert_eq!(read("GET", "/check/envoy/", &twice), Err(AskedError::Repeated(header)));
        }
    }
}
