//! A proxy, the Gatepost that it asks, and the application behind it.

use std::net::SocketAddr;

use gatepost::http::host::CanonicalHost;
use gatepost::http::path::CanonicalPath;

use crate::support::http::request;
use crate::support::upstream::BODY;
use crate::support::{Address, Connection, Program, Received, Reply, Upstream, World};

/// The parts, the outermost first, so that it ends first.
pub struct Stage {
    pub proxy: Program,
    /// Where clients connect.
    pub address: SocketAddr,
    pub upstream: Upstream,
    pub world: World,
}

/// What came of a request.
pub struct Outcome {
    /// Nothing if the connection was closed without an answer.
    pub reply: Option<Reply>,
    /// What the application has seen meanwhile.
    pub seen: Vec<Received>,
}

/// How a proxy is started: with Gatepost's and the application's address.
pub type Start = fn(Address, SocketAddr) -> (Program, SocketAddr);

impl Stage {
    pub fn new(start: Start, world: World) -> Self {
        Self::asking(world.decision, start, world)
    }

    /// With a proxy that asks at another address of Gatepost's.
    pub fn asking(decision: Address, start: Start, world: World) -> Self {
        let upstream = Upstream::start();
        let (proxy, address) = start(decision, upstream.address);
        Self { proxy, address, upstream, world }
    }

    /// Sends bytes on a connection of their own.
    pub fn send(&self, bytes: &[u8]) -> Outcome {
        let reply = Connection::open(self.address).try_send(bytes);
        Outcome { reply, seen: self.upstream.take() }
    }

    /// Sends a request with these headers on a connection of its own.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)]) -> Outcome {
        self.send(&request(method, target, headers, ""))
    }

    /// The same on a connection that is kept.
    pub fn ask_on(&self, connection: &mut Connection, method: &str, target: &str, credential: &str) -> Outcome {
        let bearer = format!("Bearer {credential}");
        let reply = connection.try_send(&request(method, target, &[("Authorization", &bearer)], ""));
        Outcome { reply, seen: self.upstream.take() }
    }

    /// The application that everybody here has a role on, or has not.
    pub fn application(&self) -> String {
        format!("/applications/{}", self.world.application)
    }

    /// Holds what the application has seen against the decision that let it through: the same method, path and host,
    /// nothing of the credential, and nobody's word on who it is but Gatepost's.
    pub fn assert_decided(&self, seen: &Received, username: &str) {
        let id = seen.header("gatepost-decision").unwrap_or_else(|| panic!("no decision in {seen:?}"));
        let record = self.world.decision_record(id);
        let person = self.world.person(username);
        let path = CanonicalPath::parse(seen.target.as_bytes()).unwrap_or_else(|error| panic!("{error}: {seen:?}"));
        let host = CanonicalHost::parse(seen.header("host").unwrap().as_bytes()).unwrap();
        assert_eq!(record["decision"], "allow", "{seen:?}");
        assert_eq!(record["method"], seen.method.as_str(), "{seen:?}");
        assert_eq!(record["path"], path.as_str(), "{seen:?}");
        assert_eq!(record["host"], host.as_str(), "{seen:?}");
        assert_eq!(record["principal"], person.id.to_string(), "{seen:?}");
        assert_eq!(record["client"], "127.0.0.1", "{seen:?}");
        self.assert_identity(seen, username, record["credential"].as_str().unwrap());
        self.assert_no_claims(seen);
        for (name, value) in &seen.headers {
            let secret = value.contains(&person.api_key) || value.contains(&person.session);
            assert!(!secret && !name.eq_ignore_ascii_case("authorization"), "{name} in {seen:?}");
        }
    }

    /// By nothing that the client has said could the application take the request for another one, or for one from
    /// elsewhere.
    fn assert_no_claims(&self, seen: &Received) {
        let host = seen.header("host").unwrap();
        for (name, value) in &seen.headers {
            let known = match spelled_alike(name).as_str() {
                "x-forwarded-for" | "x-real-ip" => value == "127.0.0.1",
                // Traefik's word for a WebSocket, which Gatepost is told of as `http`.
                "x-forwarded-scheme" => value == "http",
                "x-forwarded-proto" => value == "http" || value == "ws" && !seen.all("upgrade").is_empty(),
                "x-forwarded-host" => value == host,
                // Or that of the host, which is decided about without it.
                "x-forwarded-port" => {
                    value.parse() == Ok(self.address.port()) || value == "80" || host.ends_with(&format!(":{value}"))
                }
                // Traefik's own name.
                "x-forwarded-server" => !value.contains("admin"),
                other => {
                    let claims = ["x-forwarded", "x-original-", "x-http-method", "x-method-", "x-rewrite-"];
                    let is_claim = claims.iter().any(|claim| other.starts_with(claim))
                        || ["forwarded", "proxy"].contains(&other)
                        || other.contains("user") && other != "user-agent" && !other.starts_with("remote-")
                        || other.contains("-auth-")
                        || other.contains("client-ip");
                    !is_claim || value.is_empty()
                }
            };
            assert!(known, "{name}: {value} in {seen:?}");
        }
    }

    /// Whatever an application may take for an identity header is one of Gatepost's, and says this.
    fn assert_identity(&self, seen: &Received, username: &str, kind: &str) {
        let mut found: Vec<_> =
            seen.headers.iter().map(|(name, value)| (spelled_alike(name), value.as_str())).collect();
        found.retain(|(name, _)| name.starts_with("remote") || name.starts_with("gatepost"));
        found.sort_unstable();
        let role = self.world.person(username).role.map_or("", |role| role.as_str());
        let email = format!("{username}@example.com");
        let expected = [
            ("gatepost-decision", seen.header("gatepost-decision").unwrap()),
            ("remote-credential", kind),
            ("remote-email", &email),
            ("remote-role", role),
            ("remote-user", username),
        ];
        assert_eq!(found, expected.map(|(name, value)| (name.to_owned(), value)), "{seen:?}");
    }
}

/// One form of the names that applications made for CGI (RFC 3875, section 4.1.18) do not tell apart.
pub fn spelled_alike(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

impl Outcome {
    pub fn status(&self) -> u16 {
        self.reply.as_ref().map_or(0, |reply| reply.status)
    }

    /// The one request that the application has seen and answered.
    pub fn passed(&self) -> &Received {
        let reply = self.reply.as_ref().expect("an answer");
        assert_eq!(reply.header("x-application"), Some("yes"), "{reply:?}");
        match self.seen.as_slice() {
            [seen] => seen,
            other => panic!("the application has seen {other:?}"),
        }
    }

    /// The application has seen nothing, and the client has nothing of it.
    pub fn assert_refused(&self, with: &[u16], what: &str) {
        assert_eq!(self.seen, [], "{what} reached the application");
        assert!(with.contains(&self.status()), "{what}: {} instead of {with:?}", self.status());
        let reply = self.reply.as_ref();
        assert!(reply.is_none_or(|reply| !reply.body.contains(BODY)), "{what}: {reply:?}");
    }
}
