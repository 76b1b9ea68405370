//! From a response to what goes back over FastCGI: a CGI response (RFC 3875, section 6) within records.

use http_body_util::BodyExt;
use hyper::StatusCode;
use hyper::header::CACHE_CONTROL;

use super::super::respond::Response;

/// The CGI response. Of an allow only what is for the application, each header as a `Variable-…` (FastCGI 1.0, section
/// 6.3): Apache gives all others to the client, beside the application's own.
pub(super) async fn encode(response: Response) -> Vec<u8> {
    let (head, body) = response.into_parts();
    let mut text = Vec::with_capacity(512);
    let is_allow = head.status == StatusCode::OK;
    line(&mut text, "", "Status", status(head.status).as_bytes());
    for (name, value) in &head.headers {
        match (is_allow, name) {
            (true, &CACHE_CONTROL) => {}
            (true, name) => line(&mut text, "Variable-", name.as_str(), value.as_bytes()),
            (false, name) => line(&mut text, "", name.as_str(), value.as_bytes()),
        }
    }
    text.extend_from_slice(b"\r\n");
    if !is_allow {
        // It cannot fail: it is in memory.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        text.extend_from_slice(&body);
    }
    text
}

fn status(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_str()),
        None => status.as_str().to_owned(),
    }
}

/// A header's line. Neither names nor values can hold a line break: their types see to that.
fn line(to: &mut Vec<u8>, prefix: &str, name: &str, value: &[u8]) {
    to.extend_from_slice(prefix.as_bytes());
    let mut begins_word = true;
    for byte in name.bytes() {
        to.push(if begins_word { byte.to_ascii_uppercase() } else { byte });
        begins_word = byte == b'-';
    }
    to.extend_from_slice(b": ");
    to.extend_from_slice(value);
    to.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http_body_util::Full;
    use hyper::http;

    use super::*;

    async fn encoded(status: u16, headers: &[(&'static str, &'static str)], body: &'static str) -> String {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(Full::new(Bytes::from_static(body.as_bytes()))).unwrap();
        String::from_utf8(encode(response).await).unwrap()
    }

    #[tokio::test]
    async fn an_allow_has_variables_only() {
        let headers = [("remote-user", "ada"), ("remote-role", ""), ("cache-control", "no-store")];
        let expected = "Status: 200 OK\r\nVariable-Remote-User: ada\r\nVariable-Remote-Role: \r\n\r\n";
        assert_eq!(encoded(200, &headers, "").await, expected);
    }

    #[tokio::test]
    async fn a_refusal_is_whole() {
        let headers = [("www-authenticate", "Bearer realm=\"gatepost\""), ("content-type", "application/problem+json")];
        let expected = "Status: 401 Unauthorized\r\nWww-Authenticate: Bearer realm=\"gatepost\"\r\n\
                        Content-Type: application/problem+json\r\n\r\n{}";
        assert_eq!(encoded(401, &headers, "{}").await, expected);
        assert_eq!(encoded(599, &[], "").await, "Status: 599\r\n\r\n");
    }
}
