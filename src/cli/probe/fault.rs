//! What can be wrong with a proxy's configuration, in words, and the lines of the shipped ones that keep it out.

use serde::{Serialize, Serializer};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// What must be refused has reached the application.
    LetThrough,
    /// It has reached the application, and nobody was asked.
    Undecided,
    /// The application got another path, or one that can be read in two ways.
    Path,
    /// The application got other bytes than were decided about.
    Rewritten,
    /// The application got another method.
    Method,
    /// The application got another host.
    Host,
    /// The address that was decided by is not the client's.
    Client,
    /// It was decided for somebody else.
    Principal,
    /// The application was told that it is somebody else, or by somebody else.
    Identity,
    /// A header in which the client claims something has reached the application.
    Claim,
    /// The client can have headers removed on the way to the application.
    HopByHop,
    /// The client can leave HTTP.
    Tunnel,
    /// The application can take the message for two.
    Framing,
    /// What must pass was refused.
    NotAllowed,
    /// The application got the credential.
    Credential,
    /// The application is not told who it is.
    Anonymous,
}

/// A line of a shipped configuration.
pub(super) struct Line {
    pub(super) file: &'static str,
    pub(super) text: &'static str,
}

const NGINX: &str = "deploy/nginx/gatepost.conf";
const CADDY: &str = "deploy/caddy/Caddyfile";
const HAPROXY: &str = "deploy/haproxy/haproxy.cfg";
const ENVOY: &str = "deploy/envoy/envoy.yaml";
const APACHE: &str = "deploy/apache/gatepost.conf";
const TRAEFIK: &str = "deploy/traefik/dynamic.yml";
const TRAEFIK_ENTRY: &str = "deploy/traefik/traefik.yml";

const fn line(file: &'static str, text: &'static str) -> Line {
    Line { file, text }
}

const ASKED: &[Line] = &[
    line(NGINX, "auth_request /_gatepost/check;"),
    line(CADDY, "forward_auth {$GATEPOST_DECISION:127.0.0.1:7180} {"),
    line(TRAEFIK, "middlewares: [claims, gatepost, credentials]"),
    line(HAPROXY, "unless { var(txn.gatepost_allowed) -m bool }"),
    line(APACHE, "Require gatepost"),
    line(ENVOY, "- name: envoy.filters.http.ext_authz"),
];
const PATH: &[Line] = &[
    line(NGINX, "proxy_set_header X-Original-URI $request_uri;"),
    line(NGINX, "proxy_pass http://app;"),
    line(CADDY, "uri /check/caddy?"),
    line(TRAEFIK, "trustForwardHeader: false"),
    line(TRAEFIK_ENTRY, "sanitizePath: true"),
    line(HAPROXY, "http-request set-uri %[pathq] if { pathq -m found } !{ url -m beg / }"),
    line(APACHE, "ProxyPass / http://127.0.0.1:8080/ nocanon upgrade=websocket"),
    line(ENVOY, "normalize_path: true"),
];
const REWRITTEN: &[Line] = &[
    line(NGINX, "proxy_pass http://app;"),
    line(TRAEFIK_ENTRY, "sanitizePath: true"),
    line(APACHE, "ProxyPass / http://127.0.0.1:8080/ nocanon upgrade=websocket"),
    line(ENVOY, "normalize_path: true"),
];
const METHOD: &[Line] = &[
    line(NGINX, "proxy_set_header X-Original-Method $request_method;"),
    line(CADDY, "request_header -X-Forwarded*"),
    line(TRAEFIK, "trustForwardHeader: false"),
    line(APACHE, "LuaHookAccessChecker /etc/apache2/gatepost/request.lua clean early"),
];
const HOST: &[Line] = &[
    line(NGINX, "proxy_set_header X-Original-Host $host;"),
    line(NGINX, "proxy_set_header Host $host;"),
    line(CADDY, "request_header -X-Forwarded*"),
    line(TRAEFIK, "trustForwardHeader: false"),
    line(HAPROXY, "http-request del-header x-original- -m beg"),
    line(APACHE, "ProxyPreserveHost On"),
];
const CLIENT: &[Line] = &[
    line(NGINX, "proxy_set_header X-Real-IP $remote_addr;"),
    line(CADDY, "request_header -X-Forwarded*"),
    line(TRAEFIK_ENTRY, "insecure: false"),
    line(HAPROXY, "http-request del-header x-forwarded -m beg"),
    line(APACHE, "LuaHookAccessChecker /etc/apache2/gatepost/request.lua clean early"),
    line(ENVOY, "append_action: OVERWRITE_IF_EXISTS_OR_ADD"),
];
const PRINCIPAL: &[Line] = &[
    line(NGINX, "proxy_set_header Authorization $http_authorization;"),
    line(NGINX, "proxy_set_header Cookie $http_cookie;"),
    line(TRAEFIK, "authRequestHeaders:"),
    line(APACHE, "CGIPassAuth On"),
];
const IDENTITY: &[Line] = &[
    line(NGINX, "proxy_set_header Remote-User $gatepost_user;"),
    line(NGINX, "underscores_in_headers off;"),
    line(CADDY, "request_header -Remote*"),
    line(CADDY, "copy_headers Remote-User Remote-Email Remote-Role Remote-Credential Gatepost-Decision"),
    line(TRAEFIK, "authResponseHeaders:"),
    line(TRAEFIK_ENTRY, "aliasHeadersStrategy: delete"),
    line(HAPROXY, "http-request del-header remote -m beg"),
    line(HAPROXY, "option http-restrict-req-hdr-names delete"),
    line(APACHE, "LuaHookAccessChecker /etc/apache2/gatepost/request.lua clean early"),
    line(APACHE, "RequestHeader set Remote-User \"expr=%{reqenv:Remote-User}\""),
    line(ENVOY, "- remove_on_match: { key_matcher: { prefix: remote, ignore_case: true } }"),
    line(ENVOY, "headers_with_underscores_action: REJECT_REQUEST"),
];
const CLAIM: &[Line] = &[
    line(NGINX, "proxy_set_header X-Original-URI \"\";"),
    line(NGINX, "proxy_set_header X-Forwarded-For $remote_addr;"),
    line(NGINX, "underscores_in_headers off;"),
    line(CADDY, "request_header -X-Original-*"),
    line(CADDY, "request_header -X-Forwarded*"),
    line(TRAEFIK, "claims:"),
    line(TRAEFIK_ENTRY, "aliasHeadersStrategy: delete"),
    line(HAPROXY, "http-request del-header x-original- -m beg"),
    line(HAPROXY, "http-request del-header x-forwarded -m beg"),
    line(APACHE, "LuaHookAccessChecker /etc/apache2/gatepost/request.lua clean early"),
    line(ENVOY, "- remove_on_match: { key_matcher: { prefix: x-original, ignore_case: true } }"),
];
const HOP_BY_HOP: &[Line] = &[
    line(NGINX, "proxy_set_header Connection $gatepost_connection;"),
    line(CADDY, "header_up Remote-User {header.Remote-User}"),
    line(HAPROXY, "http-request del-header connection"),
    line(APACHE, "LuaHookAccessChecker /etc/apache2/gatepost/request.lua clean early"),
];
const TUNNEL: &[Line] = &[
    line(NGINX, "proxy_set_header Upgrade $gatepost_upgrade;"),
    line(CADDY, "respond @tunnel 400"),
    line(TRAEFIK, "rule: HeaderRegexp(`Upgrade`, `.`) && !HeaderRegexp(`Upgrade`, `(?i)^websocket$`)"),
    line(HAPROXY, "http-request set-header Upgrade websocket if is_websocket is_upgrade"),
    line(APACHE, "ProxyPass / http://127.0.0.1:8080/ nocanon upgrade=websocket"),
];
const CREDENTIAL: &[Line] = &[
    line(NGINX, "proxy_set_header Authorization \"\";"),
    line(NGINX, "proxy_set_header Cookie $gatepost_cookies;"),
    line(CADDY, "request_header -Authorization"),
    line(TRAEFIK, "credentials:"),
    line(HAPROXY, "http-request del-header authorization"),
    line(APACHE, "RequestHeader unset Authorization"),
];

impl Fault {
    /// A name for programs.
    const fn name(self) -> &'static str {
        match self {
            Self::LetThrough => "let_through",
            Self::Undecided => "undecided",
            Self::Path => "path",
            Self::Rewritten => "rewritten",
            Self::Method => "method",
            Self::Host => "host",
            Self::Client => "client",
            Self::Principal => "principal",
            Self::Identity => "identity",
            Self::Claim => "claim",
            Self::HopByHop => "hop_by_hop",
            Self::Tunnel => "tunnel",
            Self::Framing => "framing",
            Self::NotAllowed => "not_allowed",
            Self::Credential => "credential",
            Self::Anonymous => "anonymous",
        }
    }

    /// What that means.
    pub(super) const fn words(self) -> &'static str {
        match self {
            Self::LetThrough => "what must be refused was let through",
            Self::Undecided => "the application was reached, and the decision point has allowed nothing",
            Self::Path => {
                "the application gets another path than the one that was decided about, or one that it can read in \
                 another way"
            }
            Self::Rewritten => {
                "the path is decoded and cleaned after the decision: what the application gets are not the bytes that \
                 were decided about"
            }
            Self::Method => "the application gets another method than the one that was decided about",
            Self::Host => "the application gets another host than the one that was decided about",
            Self::Client => "the address that is decided by is what the client says",
            Self::Principal => "it was decided about somebody else than the one who sent the credential",
            Self::Identity => "the client can forge the headers that tell the application who it is",
            Self::Claim => "what the client claims of its request reaches the application, which may believe it",
            Self::HopByHop => {
                "the client's `Connection` goes on: it names headers that the next server removes, such as those that \
                 tell who it is"
            }
            Self::Tunnel => "the client can change the protocol: what it sends then is not decided about",
            Self::Framing => "the application can take one message for two, the second of which nobody decided about",
            Self::NotAllowed => "what must pass was refused",
            Self::Credential => "the application gets the credential, with which it can act as its user elsewhere",
            Self::Anonymous => "the application is not told who it is: no identity header reaches it",
        }
    }

    /// Whether that lets somebody do what they must not; otherwise it may be meant.
    pub(super) const fn is_wrong(self) -> bool {
        !matches!(self, Self::Credential | Self::Anonymous)
    }

    /// What keeps it out in the configurations that are shipped.
    pub(super) const fn defences(self) -> &'static [Line] {
        match self {
            Self::LetThrough | Self::Undecided => ASKED,
            Self::Path => PATH,
            Self::Rewritten => REWRITTEN,
            Self::Method => METHOD,
            Self::Host => HOST,
            Self::Client => CLIENT,
            Self::Principal => PRINCIPAL,
            Self::Identity | Self::Anonymous => IDENTITY,
            Self::Claim => CLAIM,
            Self::HopByHop => HOP_BY_HOP,
            Self::Tunnel => TUNNEL,
            // The proxy's own reading, which no line changes.
            Self::Framing | Self::NotAllowed => &[],
            Self::Credential => CREDENTIAL,
        }
    }
}

impl Serialize for Fault {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_lines_that_are_named_are_shipped() {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for lines in
            [ASKED, PATH, REWRITTEN, METHOD, HOST, CLIENT, PRINCIPAL, IDENTITY, CLAIM, HOP_BY_HOP, TUNNEL, CREDENTIAL]
        {
            for Line { file, text } in lines {
                let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
                let shipped = words(&std::fs::read_to_string(path).unwrap());
                assert!(shipped.contains(text), "{file} has no `{text}`");
            }
        }
    }
}
