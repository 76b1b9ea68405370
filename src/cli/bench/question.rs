//! What is asked: the question of a proxy, or a request as a client sends it.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use anyhow::{Context as _, Result};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use hyper::Method;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, HOST, HeaderMap, HeaderName, HeaderValue,
    PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use hyper::http::uri::PathAndQuery;

use crate::cli::arguments;
use crate::cli::endpoint::Target;
use crate::cli::failure::UsageError;
use crate::gate::dialect::Dialect;
use crate::secret::Secret;

const AGENT: HeaderValue = HeaderValue::from_static(concat!("gatepost/", env!("CARGO_PKG_VERSION")));
/// Hold secrets, so they are not read from the command line.
const SECRET: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
/// Are a matter of the connection, so they are not given.
const FRAMING: [HeaderName; 5] = [CONNECTION, CONTENT_LENGTH, TE, TRANSFER_ENCODING, UPGRADE];

/// What to ask.
#[derive(Args)]
pub(super) struct QuestionArguments {
    /// Ask what this proxy would ask about the request that --method, --path, --host and --client describe [default: the
    /// one that URL names, or else URL is requested as it is]
    #[arg(long, value_parser = dialect())]
    dialect: Option<Dialect>,
    /// The request's method
    #[arg(long, default_value = "GET", value_parser = arguments::method)]
    method: String,
    /// The path, and query, that the proxy asks about, percent-encoded as it is sent
    #[arg(long, value_parser = path)]
    path: Option<String>,
    /// The host that the proxy asks about [default: localhost]
    #[arg(long)]
    host: Option<String>,
    /// The client's address that the proxy tells [default: 127.0.0.1]
    #[arg(long, value_name = "ADDRESS", value_parser = arguments::client)]
    client: Option<IpAddr>,
    /// A header of the request, or `@FILE` for a file of them, one on each line, which may hold secrets
    #[arg(short = 'H', long = "header", value_name = "'NAME: VALUE'")]
    headers: Vec<String>,
}

/// One request.
pub(super) struct Question {
    pub(super) method: Method,
    pub(super) headers: HeaderMap,
    /// What a proxy is said to ask about, if it is said: dialect, method, host and path.
    pub(super) about: Option<(Dialect, String)>,
}

impl QuestionArguments {
    /// The request to send to `target`, with the credential `key`.
    pub(super) fn ask(&self, target: &mut Target, key: Option<&Secret>) -> Result<Question> {
        let named = target.path().strip_prefix("/check/").and_then(Dialect::from_name);
        let mut headers = HeaderMap::new();
        let (method, about) = match self.dialect.or(named) {
            Some(dialect) => {
                target.or_path(format!("/check/{}", dialect.name()).parse()?);
                (Method::GET, Some((dialect, self.ask_as_proxy(dialect, &mut headers)?)))
            }
            None => (self.ask_as_client()?, None),
        };
        if let Some(key) = key {
            let value = HeaderValue::try_from(format!("Bearer {}", key.expose()));
            headers.insert(AUTHORIZATION, value.context("the key holds characters that cannot be sent")?);
        }
        for text in &self.headers {
            match text.strip_prefix('@') {
                Some(path) => read_headers(Path::new(path), &mut headers)?,
                None => add_header(text, true, &mut headers)?,
            }
        }
        headers.entry(HOST).or_insert(HeaderValue::try_from(&target.authority)?);
        headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
        headers.entry(USER_AGENT).or_insert(AGENT);
        for (name, value) in &mut headers {
            value.set_sensitive(SECRET.contains(name));
        }
        Ok(Question { method, headers, about })
    }

    /// Adds what the proxy sends; gives what it asks about.
    fn ask_as_proxy(&self, dialect: Dialect, headers: &mut HeaderMap) -> Result<String> {
        let missing = || UsageError::new("what a proxy asks about is missing: name it with --path");
        let path = self.path.as_deref().ok_or_else(missing)?;
        let host = self.host.as_deref().unwrap_or("localhost");
        let client = self.client.unwrap_or_else(|| [127, 0, 0, 1].into()).to_string();
        let [method, target, original, proto, address] = dialect.header_names();
        let sent = [(method, &*self.method), (target, path), (original, host), (proto, "https"), (address, &*client)];
        for (name, value) in sent {
            let value = HeaderValue::try_from(value);
            let value = value.map_err(|_| UsageError::new("--host and --path hold characters that cannot be sent"))?;
            headers.insert(HeaderName::from_static(name), value);
        }
        let path = path.split('?').next().unwrap_or_default();
        Ok(format!("{} {host}{path}", self.method))
    }

    fn ask_as_client(&self) -> Result<Method> {
        if self.path.is_some() || self.host.is_some() || self.client.is_some() {
            return Err(UsageError::new(
                "--path, --host and --client tell what a proxy asks about: name the proxy with --dialect, or in the URL, \
                 like http://127.0.0.1:7180/check/nginx",
            )
            .into());
        }
        Ok(self.method.parse()?)
    }
}

impl Question {
    /// Whether somebody who reads it could do what its sender may do.
    pub(super) fn is_secret(&self) -> bool {
        SECRET.iter().any(|name| self.headers.contains_key(name))
    }
}

fn dialect() -> impl TypedValueParser<Value = Dialect> {
    PossibleValuesParser::new(Dialect::ALL.map(Dialect::name))
        .try_map(|name| Dialect::from_name(&name).ok_or("expected a dialect"))
}

fn path(text: &str) -> Result<String, String> {
    let is_path = text.starts_with('/') && text.parse::<PathAndQuery>().is_ok();
    if is_path { Ok(text.to_owned()) } else { Err("expected a path, like /applications/019ab…/releases".to_owned()) }
}

fn read_headers(path: &Path, headers: &mut HeaderMap) -> Result<()> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        add_header(line, false, headers).with_context(|| format!("{}:{}", path.display(), at + 1))?;
    }
    Ok(())
}

/// Adds a header; refuses a secret one that `is_seen` by others. No error quotes the value.
fn add_header(text: &str, is_seen: bool, headers: &mut HeaderMap) -> Result<(), UsageError> {
    let malformed = || UsageError::new("expected a header, like 'Accept: text/html'");
    let (name, value) = text.split_once(':').ok_or_else(malformed)?;
    let name: HeaderName = name.parse().map_err(|_| malformed())?;
    let value: HeaderValue = value.trim().parse().map_err(|_| malformed())?;
    if FRAMING.contains(&name) {
        return Err(UsageError::new(format!(
            "`{name}` is not for you to choose: connections are kept, and have no body"
        )));
    }
    if is_seen && SECRET.contains(&name) {
        return Err(UsageError::new(format!(
            "`{name}` would be seen by other users of this machine: give the key with --key-file or --key-stdin, or the \
             header in a file, with -H @FILE"
        )));
    }
    headers.append(name, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> QuestionArguments {
        QuestionArguments {
            dialect: None,
            method: "POST".to_owned(),
            path: None,
            host: None,
            client: None,
            headers: Vec::new(),
        }
    }

    #[test]
    fn a_dialect_understands_what_is_asked_in_it() {
        for dialect in Dialect::ALL {
            let arguments = QuestionArguments {
                dialect: Some(dialect),
                path: Some("/devices/7?q=1".to_owned()),
                host: Some("app.example.com".to_owned()),
                client: Some([192, 0, 2, 1].into()),
                ..arguments()
            };
            let mut target = Target::parse("unix:/d.sock").unwrap();
            let question = arguments.ask(&mut target, Some(&Secret::new("gp_key".to_owned()))).unwrap();
            assert_eq!(target.path(), format!("/check/{}", dialect.name()));
            let asked = dialect.read(&question.headers).unwrap();
            assert_eq!(
                (asked.method, asked.host.as_str(), asked.path.as_str()),
                ("POST", "app.example.com", "/devices/7")
            );
            assert_eq!(asked.client, Some([192, 0, 2, 1].into()));
            assert_eq!(question.headers[AUTHORIZATION], "Bearer gp_key");
            assert!(question.is_secret() && !format!("{:?}", question.headers).contains("gp_key"));
            assert_eq!(question.about, Some((dialect, "POST app.example.com/devices/7".to_owned())));
        }
    }

    #[test]
    fn the_url_names_the_dialect_or_is_requested_as_it_is() {
        let mut target = Target::parse("http://127.0.0.1:7180/check/caddy").unwrap();
        let asking = QuestionArguments { path: Some("/".to_owned()), ..arguments() };
        let question = asking.ask(&mut target, None).unwrap();
        assert_eq!((question.method, question.headers.contains_key("x-forwarded-uri")), (Method::GET, true));
        assert!(arguments().ask(&mut target, None).is_err(), "nothing is asked about");

        let mut target = Target::parse("http://127.0.0.1:7180/status").unwrap();
        let question = arguments().ask(&mut target, None).unwrap();
        assert_eq!((question.method, question.headers.len()), (Method::POST, 3));
        assert!(asking.ask(&mut target, None).is_err(), "nobody asks about it");
    }

    #[test]
    fn a_header_that_others_must_not_see_is_not_an_argument() {
        let add =
            |text: &str, is_seen| add_header(text, is_seen, &mut HeaderMap::new()).map_err(|error| error.to_string());
        for name in ["Authorization", "cookie", "PROXY-AUTHORIZATION"] {
            let refused = add(&format!("{name}: hunter2"), true).unwrap_err();
            assert!(refused.contains("-H @FILE") && !refused.contains("hunter2"), "{refused}");
            assert_eq!(add(&format!("{name}: hunter2"), false), Ok(()));
        }
        for text in ["Accept", ": x", "a b: c", "a: \u{1}", "Connection: close", "transfer-encoding: chunked"] {
            assert!(add(text, false).is_err(), "{text}");
        }
        assert_eq!(add("accept:text/html", true), Ok(()));
    }
}
