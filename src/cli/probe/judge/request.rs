//! A request as an application reads it.

use super::{Fault, Finding, Head, Record};
use crate::http::host::CanonicalHost;
use crate::http::path::CanonicalPath;

/// The headers that tell who it is, as applications made for CGI know them.
pub(super) const IDENTITY: [&str; 6] =
    ["remote-user", "remote-email", "remote-role", "remote-credential", "gatepost-decision", "gatepost-assertion"];
/// Those which tell of the decision, and are other ones for each.
pub(super) const OF_DECISION: [&str; 2] = ["gatepost-decision", "gatepost-assertion"];
/// What a client claims in the cases.
const FORGED: [&str; 2] = ["forged", "192.0.2.66"];
/// What `Connection` may say to the application (RFC 9110, section 7.6.1).
const CONNECTION: [&str; 7] = ["close", "keep-alive", "upgrade", "te", "trailer", "transfer-encoding", ""];

/// What is decided about.
#[derive(Debug)]
pub(in crate::cli::probe) struct Request {
    pub(in crate::cli::probe) method: String,
    /// Canonical.
    pub(in crate::cli::probe) path: String,
    /// Canonical.
    host: Option<String>,
}

impl Request {
    /// Reads it, if there is only one way to.
    pub(in crate::cli::probe) fn read(head: &Head) -> Result<Self, Finding> {
        let path =
            |why: &str| Finding { fault: Fault::Path, detail: format!("the application got `{}`: {why}", head.first) };
        let target = head.word(1);
        let (authority, target) = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => {
                let at = rest.find('/').ok_or_else(|| path("it has no path"))?;
                let (authority, target) = rest.split_at_checked(at).ok_or_else(|| path("it has no path"))?;
                (Some(authority), target)
            }
            _ => (None, target),
        };
        let bytes: Vec<u8> = target.chars().filter_map(|c| u8::try_from(c).ok()).collect();
        let canonical = CanonicalPath::parse(&bytes).map_err(|error| path(&error.to_string()))?.as_str().to_owned();
        let mut hosts = head.all("host").chain(authority);
        let first = hosts.next().and_then(canonical_host);
        let mut others = hosts.map(canonical_host);
        if others.any(|other| other != first) {
            let all = head.all("host").chain(authority).collect::<Vec<_>>().join("`, `");
            return Err(Finding { fault: Fault::Host, detail: format!("the application got the hosts `{all}`") });
        }
        Ok(Self { method: head.word(0).to_owned(), path: canonical, host: first })
    }

    /// Holds it against what was decided about.
    pub(super) fn check(&self, record: &Record, findings: &mut Vec<Finding>) {
        let Self { method, path, host } = self;
        let mut compare = |fault, what: &str, decided: Option<&str>, seen: Option<&str>| {
            if decided != seen {
                let [decided, seen] = [decided, seen].map(|value| value.unwrap_or_default());
                let detail = format!("decided about the {what} `{decided}`, and the application got `{seen}`");
                findings.push(Finding { fault, detail });
            }
        };
        compare(Fault::Path, "path", record.path.as_deref(), Some(path));
        compare(Fault::Method, "method", record.method.as_deref(), Some(method));
        compare(Fault::Host, "host", record.host.as_deref(), host.as_deref());
    }
}

fn canonical_host(text: &str) -> Option<String> {
    CanonicalHost::parse_text(text).ok().map(|host| host.as_str().to_owned())
}

/// What the application may take for who it is, in one spelling, sorted.
pub(super) fn identity(head: &Head) -> Vec<(String, String)> {
    let all = head.headers.iter().map(|(name, value)| (spelled_alike(name), value.clone()));
    let mut told: Vec<_> =
        all.filter(|(name, _)| ["remote-", "gatepost-"].iter().any(|begin| name.starts_with(begin))).collect();
    told.sort_unstable();
    told
}

/// One form of the names that applications made for CGI (RFC 3875, section 4.1.18) do not tell apart.
fn spelled_alike(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect()
}

/// Finds headers in which the client claims what it is not.
pub(super) fn check_claims(head: &Head, findings: &mut Vec<Finding>) {
    // What is said of the connection is looked at by itself.
    let of_request = |name: &str| !["connection", "upgrade"].iter().any(|other| name.eq_ignore_ascii_case(other));
    for (name, value) in head.headers.iter().filter(|(name, _)| of_request(name)) {
        let lower = value.to_ascii_lowercase();
        if FORGED.iter().any(|claim| lower.contains(claim)) {
            let spelled = spelled_alike(name);
            let is_identity =
                ["user", "email", "groups", "remote-", "gatepost-"].iter().any(|part| spelled.contains(part));
            let fault = if is_identity { Fault::Identity } else { Fault::Claim };
            let value: String = value.chars().take(80).collect();
            findings.push(Finding { fault, detail: format!("the application got `{name}: {value}`") });
        }
    }
}

/// Finds what the client says of the connection and the message's length, where it says that to the application.
pub(super) fn check_transport(head: &Head, findings: &mut Vec<Finding>) {
    for value in head.all("connection") {
        let mut words = value.split(',').map(|word| word.trim().to_ascii_lowercase());
        if let Some(word) = words.find(|word| !CONNECTION.contains(&word.as_str())) {
            let detail = format!("the application got `Connection` with `{word}`");
            findings.push(Finding { fault: Fault::HopByHop, detail });
        }
    }
    for value in head.all("upgrade") {
        if !value.trim().eq_ignore_ascii_case("websocket") && !value.is_empty() {
            findings.push(Finding { fault: Fault::Tunnel, detail: format!("the application got `Upgrade: {value}`") });
        }
    }
    let (lengths, codings) = (head.all("content-length").count(), head.all("transfer-encoding").count());
    if lengths + codings > 1 {
        let detail = format!("the application got {lengths} `Content-Length` and {codings} `Transfer-Encoding`");
        findings.push(Finding { fault: Fault::Framing, detail });
    }
}
