//! A server, of which the command line is a client: what a user may do through the management API.

mod address;
mod refusal;
mod tokens;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ureq::http::{HeaderValue, Method, Request, StatusCode};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Proxy};
use zeroize::Zeroizing;

pub(super) use self::address::{ServerAddress, is_this_machine};
use self::refusal::Problem;
pub(super) use self::refusal::ServerError;
pub(super) use self::tokens::Session;
use self::tokens::TokenFile;
use crate::config;
use crate::secret::Secret;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// For a whole call. Checking a password takes its time.
const TIMEOUT: Duration = Duration::from_secs(60);
/// The most bytes of an answer: an export is the longest one.
const MAX_ANSWER: u64 = 64 * 1_024 * 1_024;
/// How many things are read at a time.
const PAGE: usize = 100;

/// What stays as it is in a query (RFC 3986, section 2.3).
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A server, and who asks it.
pub(super) struct Server {
    agent: Agent,
    address: ServerAddress,
    credential: Option<Credential>,
    /// Nothing if there is no place for it.
    tokens: Option<TokenFile>,
}

struct Credential {
    token: Secret,
    is_stored: bool,
}

/// A page of a list.
#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl Server {
    /// Nothing is sent yet. The credential is `GATEPOST_TOKEN`, or the token that `gatepost login` has stored.
    pub(super) fn open(address: ServerAddress, ca_file: Option<&Path>) -> Result<Self> {
        let environment = config::environment();
        let variable = |name: &str| {
            let value = environment.iter().find(|(known, _)| known == name)?.1.to_str()?;
            Some(value.to_owned()).filter(|value| !value.is_empty())
        };
        let tokens = TokenFile::locate(variable).ok();
        let credential = match variable("GATEPOST_TOKEN") {
            Some(token) => Some(Credential { token: Secret::new(token), is_stored: false }),
            None => {
                let stored = tokens.as_ref().map(|tokens| tokens.get(&address)).transpose()?.flatten();
                stored.map(|session| Credential { token: session.token, is_stored: true })
            }
        };
        let agent = agent(&address, ca_file)?;
        Ok(Self { agent, address, credential, tokens })
    }

    pub(super) fn address(&self) -> &ServerAddress {
        &self.address
    }

    /// Whether the environment holds the credential, and not the file.
    pub(super) fn uses_environment_token(&self) -> bool {
        self.credential.as_ref().is_some_and(|credential| !credential.is_stored)
    }

    /// Keeps a session for the calls to come.
    pub(super) fn store(&self, session: Session) -> Result<()> {
        self.tokens()?.put(&self.address, session)
    }

    /// Forgets the stored session; gives whether there was one.
    pub(super) fn forget(&self) -> Result<bool> {
        self.tokens()?.remove(&self.address)
    }

    fn tokens(&self) -> Result<&TokenFile> {
        self.tokens.as_ref().context("there is no place for tokens: set HOME or XDG_CONFIG_HOME")
    }

    /// What is at the path.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        self.read(&self.call(Method::GET, path, None, self.token()?)?)
    }

    /// Everything in the list at the path, but `most` things at most.
    pub(super) fn list<T: DeserializeOwned>(&self, path: &str, most: usize) -> Result<Vec<T>, ServerError> {
        let mut things = Vec::new();
        let mut cursor: Option<String> = None;
        while things.len() < most {
            let limit = PAGE.min(most - things.len());
            let separator = if path.contains('?') { '&' } else { '?' };
            let mut query = format!("{path}{separator}limit={limit}");
            if let Some(cursor) = &cursor {
                query.push_str(&format!("&cursor={}", utf8_percent_encode(cursor, QUERY)));
            }
            let page: Page<T> = self.get(&query)?;
            // A page that leads to itself would lead nowhere else, for ever.
            let is_last = page.next_cursor.is_none() || page.next_cursor == cursor;
            things.extend(page.items);
            cursor = page.next_cursor;
            if is_last {
                break;
            }
        }
        things.truncate(most);
        Ok(things)
    }

    /// Sends something to the path, and gives the answer.
    pub(super) fn send<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, ServerError> {
        self.read(&self.call(method, path, Some(self.written(body)?), self.token()?)?)
    }

    /// The same without sending anything.
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServerError> {
        self.read(&self.call(Method::POST, path, None, self.token()?)?)
    }

    /// Sends something to the path that is answered with nothing.
    pub(super) fn tell(&self, method: Method, path: &str, body: &impl Serialize) -> Result<(), ServerError> {
        self.call(method, path, Some(self.written(body)?), self.token()?).map(drop)
    }

    /// Deletes what is at the path.
    pub(super) fn delete(&self, path: &str) -> Result<(), ServerError> {
        self.call(Method::DELETE, path, None, self.token()?).map(drop)
    }

    /// Signs in. Needs no credential, and keeps none.
    pub(super) fn log_in(&self, login: &str, password: &Secret, code: Option<&Secret>) -> Result<Session, ServerError> {
        #[derive(Serialize)]
        struct LogIn<'a> {
            login: &'a str,
            password: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            code: Option<&'a str>,
        }
        let body = LogIn { login, password: password.expose(), code: code.map(Secret::expose) };
        self.read(&self.call(Method::POST, "/v1/sessions", Some(self.written(&body)?), None)?)
    }

    /// Ends all of the caller's sessions.
    pub(super) fn end_sessions(&self) -> Result<(), ServerError> {
        self.delete("/v1/sessions")
    }

    fn token(&self) -> Result<Option<&Secret>, ServerError> {
        match &self.credential {
            Some(credential) => Ok(Some(&credential.token)),
            None => Err(ServerError::NotLoggedIn(self.address.to_string())),
        }
    }

    fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Zeroizing<Vec<u8>>>,
        token: Option<&Secret>,
    ) -> Result<Zeroizing<Vec<u8>>, ServerError> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.address));
        request = request.header(ACCEPT, "application/json");
        if let Some(token) = token {
            let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose()))
                .map_err(|error| self.unreachable(ureq::http::Error::from(error).into()))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let answer = match body {
            Some(body) => {
                let request = request.header(CONTENT_TYPE, "application/json").body(body.as_slice());
                request.map_err(ureq::Error::from).and_then(|request| self.agent.run(request))
            }
            None => request.body(()).map_err(ureq::Error::from).and_then(|request| self.agent.run(request)),
        };
        let mut answer = answer.map_err(|error| self.unreachable(error))?;
        let (status, content_type) = (answer.status(), answer.body().mime_type().unwrap_or_default().to_owned());
        let bytes = answer.body_mut().with_config().limit(MAX_ANSWER).read_to_vec();
        let bytes = Zeroizing::new(bytes.map_err(|error| self.unreachable(error))?);
        if status.is_success() {
            return Ok(bytes);
        }
        Err(self.refusal(status, &content_type, &bytes))
    }

    fn refusal(&self, status: StatusCode, content_type: &str, bytes: &[u8]) -> ServerError {
        let problem =
            (content_type == "application/problem+json").then(|| serde_json::from_slice(bytes).ok()).flatten();
        let status = status.as_u16();
        match problem {
            Some(Problem { code, detail }) => ServerError::Refused { status, code, detail },
            None => ServerError::NotGatepost { address: self.address.to_string(), status },
        }
    }

    fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, ServerError> {
        // The cause might quote a secret that the answer holds.
        serde_json::from_slice(answer).map_err(|_| ServerError::NotUnderstood(self.address.to_string()))
    }

    fn written(&self, body: &impl Serialize) -> Result<Zeroizing<Vec<u8>>, ServerError> {
        let written = serde_json::to_vec(body).map(Zeroizing::new);
        written.map_err(|error| self.unreachable(ureq::Error::Io(error.into())))
    }

    fn unreachable(&self, source: ureq::Error) -> ServerError {
        ServerError::Unreachable { address: self.address.to_string(), source: Box::new(source) }
    }
}

/// Certificates are always verified, and nobody is followed elsewhere: a token is for this server alone.
fn agent(address: &ServerAddress, ca_file: Option<&Path>) -> Result<Agent> {
    let roots = match ca_file {
        Some(path) => authorities(path).with_context(|| format!("cannot use `{}`", path.display()))?,
        None => RootCerts::WebPki,
    };
    // A proxy would read what is not encrypted.
    let proxy = if address.is_encrypted() { Proxy::try_from_env() } else { None };
    let config = Agent::config_builder()
        .https_only(address.is_encrypted())
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(TIMEOUT))
        .user_agent(concat!("gatepost/", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(config.into())
}

fn authorities(path: &Path) -> Result<RootCerts> {
    let mut certificates = Vec::new();
    for item in parse_pem(&fs::read(path)?) {
        if let PemItem::Certificate(certificate) = item? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        bail!("there is no certificate in it");
    }
    Ok(RootCerts::Specific(Arc::new(certificates)))
}
