//! Whether a question came as one message with one reading, whatever it asks.
//!
//! No proxy asks in these ways. Who does has found a way to put bytes of its own between the proxy and Gatepost.

use hyper::{Method, Version};

use super::lines::{Line, Lines};

/// Why a question could be read in two ways. Every one of these is answered with 400.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum FramingError {
    /// There are several `Host` headers, or none where one must be (RFC 9112, section 3.2).
    #[error("the question has not exactly one `host` header")]
    Host,
    /// There is a body of unknown length, maybe beside a `Content-Length` (RFC 9112, section 6.1).
    #[error("the question has a `transfer-encoding`")]
    TransferEncoding,
    /// `CONNECT` asks for a tunnel: what follows its 200 is no longer HTTP (RFC 9110, section 9.3.6).
    #[error("the question's own method is `CONNECT`")]
    Connect,
}

/// Checks the head of a question: its own method, its version, its lines.
pub(super) fn check(method: &Method, version: Version, lines: &Lines<'_>) -> Result<(), FramingError> {
    match lines.own_host {
        Line::Once(_) => {}
        Line::Missing if version != Version::HTTP_11 => {}
        Line::Missing | Line::Repeated => return Err(FramingError::Host),
    }
    if lines.has_transfer_encoding {
        return Err(FramingError::TransferEncoding);
    }
    if *method == Method::CONNECT { Err(FramingError::Connect) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use hyper::Request;

    use super::*;

    fn checked(method: Method, version: Version, headers: &[(&str, &str)]) -> Result<(), FramingError> {
        let mut request = Request::builder().method(method).version(version).uri("/check/nginx");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let head = request.body(()).unwrap().into_parts().0;
        check(&head.method, head.version, &Lines::from(&head.headers))
    }

    #[test]
    fn a_question_has_one_host_and_no_body_of_unknown_length() {
        let host = ("host", "gatepost");
        for (method, version, headers, expected) in [
            (Method::GET, Version::HTTP_11, vec![host], Ok(())),
            (Method::POST, Version::HTTP_11, vec![host, ("content-length", "5")], Ok(())),
            (Method::GET, Version::HTTP_10, vec![], Ok(())),
            (Method::GET, Version::HTTP_2, vec![], Ok(())),
            (Method::GET, Version::HTTP_11, vec![], Err(FramingError::Host)),
            (Method::GET, Version::HTTP_11, vec![host, host], Err(FramingError::Host)),
            (Method::GET, Version::HTTP_10, vec![host, ("host", "b")], Err(FramingError::Host)),
            (Method::GET, Version::HTTP_2, vec![host, ("host", "b")], Err(FramingError::Host)),
            (Method::GET, Version::HTTP_11, vec![host, ("transfer-encoding", "chunked")], {
                Err(FramingError::TransferEncoding)
            }),
            (Method::CONNECT, Version::HTTP_11, vec![host], Err(FramingError::Connect)),
        ] {
            assert_eq!(checked(method.clone(), version, &headers), expected, "{method} {version:?} {headers:?}");
        }
    }
}
