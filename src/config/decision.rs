//! The listener for proxies, and how they are answered.

use std::net::IpAddr;
use std::time::Duration;

use hyper::header::HeaderName;
use ipnet::IpNet;

use super::key::{Key, LISTEN_ADDRESS, NETWORKS, Section, Shape};
use super::reader::Reader;
use super::tls::{TLS_CERTIFICATE, TLS_CLIENT_CA, TLS_KEY, Tls};
use crate::model::ListenAddress;
use crate::secret::Digest;

pub(super) static SECTION: Section = Section {
    name: "decision",
    doc: "The listener for proxies and operators, and how proxies are answered.",
    keys: &[
        &LISTEN,
        &TRUSTED_PEERS,
        &PEER_TOKEN,
        &TLS_CERTIFICATE,
        &TLS_KEY,
        &TLS_CLIENT_CA,
        &HEADER_USER,
        &HEADER_EMAIL,
        &HEADER_ROLE,
        &HEADER_CREDENTIAL,
        &HEADER_DECISION,
        &HEADER_ASSERTION,
        &ASSERTION_AUDIENCE,
        &DEADLINE_MS,
    ],
};

static LISTEN: Key =
    Key { name: "decision.listen", shape: LISTEN_ADDRESS, default: Some("127.0.0.1:7180"), doc: "Where proxies ask." };

static TRUSTED_PEERS: Key = Key {
    name: "decision.trusted_peers",
    shape: NETWORKS,
    default: Some("127.0.0.0/8,::1/128"),
    doc: "Who may ask. Others are refused before their headers are read; peers on a Unix socket are always trusted.",
};

/// The shortest token, in bytes.
const MIN_TOKEN_LEN: usize = 32;

static PEER_TOKEN: Key = Key {
    name: "decision.peer_token",
    shape: Shape::Secret("32 characters or more, none of them a space"),
    default: None,
    doc: "By this token, sent as `Gatepost-Peer-Token`, a peer may ask that is none of `decision.trusted_peers`, but for \
          `fastcgi.listen`, where none can be sent. It is readable on the wire; best given in the environment.",
};

const HEADER_NAME: Shape = Shape::Text("the name of an HTTP header");

static HEADER_USER: Key = Key {
    name: "decision.header_user",
    shape: HEADER_NAME,
    default: Some("Remote-User"),
    doc: "The header that tells the upstream who the user is.",
};

static HEADER_EMAIL: Key = Key {
    name: "decision.header_email",
    shape: HEADER_NAME,
    default: Some("Remote-Email"),
    doc: "The header that tells the upstream the user's address.",
};

static HEADER_ROLE: Key = Key {
    name: "decision.header_role",
    shape: HEADER_NAME,
    default: Some("Remote-Role"),
    doc: "The header that tells the upstream the user's role on the resource's application.",
};

static HEADER_CREDENTIAL: Key = Key {
    name: "decision.header_credential",
    shape: HEADER_NAME,
    default: Some("Remote-Credential"),
    doc: "The header that tells the upstream the kind of credential: `session` or `api_key`.",
};

static HEADER_DECISION: Key = Key {
    name: "decision.header_decision",
    shape: HEADER_NAME,
    default: Some("Gatepost-Decision"),
    doc: "The header that holds the decision's id, by which it is found in the decision log.",
};

static HEADER_ASSERTION: Key = Key {
    name: "decision.header_assertion",
    shape: HEADER_NAME,
    default: Some("Gatepost-Assertion"),
    doc: "The header that holds the assertion, if `decision.assertion_audience` is set.",
};

static ASSERTION_AUDIENCE: Key = Key {
    name: "decision.assertion_audience",
    shape: Shape::Text("what the upstream expects as `aud`, like https://app.example.com"),
    default: None,
    doc: "Gives each permitted request a JWT of one minute for this audience, signed by a key of \
          `/.well-known/jwks.json`, so that the upstream can tell that the request came through.",
};

static DEADLINE_MS: Key = Key {
    name: "decision.deadline_ms",
    shape: Shape::Number(1..=5_000),
    default: Some("800"),
    doc: "After so many milliseconds without a decision the answer is 503.",
};

/// The listener for proxies, and how they are answered.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Where proxies ask.
    pub listen: ListenAddress,
    /// Who may ask over TCP; see [`Decision::trusts`].
    pub trusted_peers: Vec<IpNet>,
    /// The token by which others may ask, if there is one.
    pub peer_token: Option<Digest>,
    /// TLS on TCP, if there is any.
    pub tls: Option<Tls>,
    /// The names of the identity headers.
    pub headers: IdentityHeaders,
    /// Whom assertions are for, if there are any.
    pub assertion_audience: Option<String>,
    /// How long a decision may take.
    pub deadline: Duration,
}

/// The names of the headers that tell the upstream who asks, all different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityHeaders {
    /// Who the user is.
    pub user: HeaderName,
    /// The user's address.
    pub email: HeaderName,
    /// The user's role on the resource's application.
    pub role: HeaderName,
    /// The kind of credential.
    pub credential: HeaderName,
    /// The decision's id.
    pub decision: HeaderName,
    /// The assertion that the request came through.
    pub assertion: HeaderName,
}

impl Decision {
    /// Whether this TCP peer may ask. An IPv4 address that is mapped into IPv6, as a listener on `[::]` sees it, is taken
    /// for what it is.
    pub fn trusts(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.trusted_peers.iter().any(|network| network.contains(&peer))
    }

    /// Whether a peer on TCP must show a certificate.
    pub fn certifies_peers(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some())
    }

    pub(super) fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let listen = reader.one(&LISTEN, |text| text.parse().ok());
        let trusted_peers = reader.list(&TRUSTED_PEERS, network);
        let peer_token = reader.optional(&PEER_TOKEN, |text| {
            let is_token = text.len() >= MIN_TOKEN_LEN && text.bytes().all(|byte| byte.is_ascii_graphic());
            is_token.then(|| Digest::of(text.as_bytes()))
        });
        let tls = Tls::resolve(reader);
        let headers = IdentityHeaders::resolve(reader);
        let assertion_audience = reader.optional(&ASSERTION_AUDIENCE, |text| Some(text.to_owned()));
        let deadline = reader.number(&DEADLINE_MS).map(Duration::from_millis);
        Some(Self {
            listen: listen?,
            trusted_peers: trusted_peers?,
            peer_token: peer_token?,
            tls: tls?,
            headers: headers?,
            assertion_audience: assertion_audience?,
            deadline: deadline?,
        })
    }
}

impl IdentityHeaders {
    fn resolve(reader: &mut Reader<'_>) -> Option<Self> {
        let mut read = |key| reader.one(key, |text| HeaderName::from_bytes(text.as_bytes()).ok());
        let user = read(&HEADER_USER);
        let email = read(&HEADER_EMAIL);
        let role = read(&HEADER_ROLE);
        let credential = read(&HEADER_CREDENTIAL);
        let decision = read(&HEADER_DECISION);
        let assertion = read(&HEADER_ASSERTION);
        // Upstreams that speak CGI (RFC 3875, section 4.1.18) do not tell `-` from `_`.
        let name = |header: &Option<HeaderName>| header.as_ref().map(|name| name.as_str().replace('_', "-"));
        reader.all_different_names(&[
            (&HEADER_USER, name(&user)),
            (&HEADER_EMAIL, name(&email)),
            (&HEADER_ROLE, name(&role)),
            (&HEADER_CREDENTIAL, name(&credential)),
            (&HEADER_DECISION, name(&decision)),
            (&HEADER_ASSERTION, name(&assertion)),
        ])?;
        Some(Self {
            user: user?,
            email: email?,
            role: role?,
            credential: credential?,
            decision: decision?,
            assertion: assertion?,
        })
    }
}

/// One address or network. Host bits are refused: whoever writes `10.0.0.7/8` may mean one address or sixteen million.
pub(super) fn network(text: &str) -> Option<IpNet> {
    match text.parse::<IpAddr>() {
        Ok(address) => Some(address.to_canonical().into()),
        Err(_) => text.parse().ok().filter(|network: &IpNet| network.addr() == network.network()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn trusts_loopback_only_by_default() {
        let decision = Config::defaults().decision;
        for peer in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert!(decision.trusts(peer.parse().unwrap()), "{peer}");
        }
        for peer in ["10.0.0.1", "::2", "::ffff:10.0.0.1", "0.0.0.0"] {
            assert!(!decision.trusts(peer.parse().unwrap()), "{peer}");
        }
    }

    #[test]
    fn networks_with_host_bits_are_refused() {
        assert_eq!(network("10.0.0.0/8"), "10.0.0.0/8".parse().ok());
        assert_eq!(network("10.0.0.7"), "10.0.0.7/32".parse().ok());
        assert_eq!(network("::ffff:10.0.0.7"), "10.0.0.7/32".parse().ok());
        assert_eq!(network("fd00::/8"), "fd00::/8".parse().ok());
        for text in ["10.0.0.7/8", "10.0.0.0/33", "localhost", "", "*", "10.0.0"] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
