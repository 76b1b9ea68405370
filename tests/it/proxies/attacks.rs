//! What is thrown at every proxy: whatever comes through to the application is what was decided.

use super::cases;
use super::stage::{Outcome, Stage, spelled_alike};

/// Headers that proxies, applications or frameworks have believed although the client had sent them.
pub const CLAIMS: &[(&str, &str)] = &[
    ("Remote-User", "ada"),
    ("remote-user", "ada"),
    ("REMOTE-USER", "ada"),
    ("Remote_User", "ada"),
    ("Remote.User", "ada"),
    ("Remote~User", "ada"),
    ("Remote-User", ""),
    ("Remote-User", "olga, ada"),
    ("Remote-Email", "ada@example.com"),
    ("Remote_Email", "ada@example.com"),
    ("Remote-Role", "administrator"),
    ("Remote_Role", "administrator"),
    ("Remote.Role", "administrator"),
    ("Remote-Credential", "session"),
    ("Remote-Name", "Ada"),
    ("Remote_Name", "Ada"),
    ("Remote-Groups", "administrators"),
    ("Remote_Groups", "administrators"),
    ("X-Forwarded-User", "ada"),
    ("X-Forwarded-Email", "ada"),
    ("X-Forwarded-Groups", "ada"),
    ("X-Forwarded-Preferred-Username", "ada"),
    ("X-Auth-Request-User", "ada"),
    ("X-Auth-Request-Email", "ada"),
    ("X-Auth-Request-Groups", "ada"),
    ("X-Auth-Request-Preferred-Username", "ada"),
    ("X-Remote-User", "ada"),
    ("X-Webauth-User", "ada"),
    ("Gatepost-Decision", "00000000-0000-7000-8000-000000000000"),
    ("Gatepost_Decision", "00000000-0000-7000-8000-000000000000"),
    ("X-HTTP-Method-Override", "DELETE"),
    ("X-HTTP-Method", "DELETE"),
    ("X-Method-Override", "DELETE"),
    ("X_HTTP_Method_Override", "DELETE"),
    ("X-Original-Method", "DELETE"),
    ("X-Original-URI", "/admin"),
    ("X_Original_URI", "/admin"),
    ("X-Original-URL", "/admin"),
    ("X-Original-Host", "admin.test"),
    ("X-Original-Proto", "https"),
    ("X-Rewrite-URL", "/admin"),
    ("X-Forwarded-Uri", "/admin"),
    ("X-Forwarded-Uri", ""),
    ("X_Forwarded_Uri", "/admin"),
    ("X-Forwarded-Method", "DELETE"),
    ("X-Forwarded-Prefix", "/admin"),
    ("X-Forwarded-Host", "admin.test"),
    ("X-Forwarded-Host", "a.test, b.test"),
    ("X_Forwarded_Host", "admin.test"),
    ("X-Forwarded-Proto", "https"),
    ("X-Forwarded-Port", "443"),
    ("X-Forwarded-For", "10.0.0.1"),
    ("X-Forwarded-For", "10.0.0.1, 10.0.0.2"),
    ("X-Forwarded-For", ""),
    ("X-Forwarded-For", "a"),
    ("X-Forwarded-Server", "admin.test"),
    ("X-Forwarded-Scheme", "https"),
    ("X-Forwarded-Ssl", "on"),
    ("X-Real-IP", "10.0.0.1"),
    ("X_Real_IP", "10.0.0.1"),
    ("Client-IP", "10.0.0.1"),
    ("X-Client-IP", "10.0.0.1"),
    ("X-Cluster-Client-IP", "10.0.0.1"),
    ("True-Client-IP", "10.0.0.1"),
    ("Forwarded", "for=10.0.0.1;host=admin.test;proto=https"),
    ("Proxy", "http://evil.test"),
];

/// What the client may have removed on the way to the application.
const HOP_BY_HOP: &[&str] = &[
    "Remote-User",
    "close, Remote-User",
    "Remote-User, Remote-Email, Remote-Role, Remote-Credential, Gatepost-Decision",
    "keep-alive, remote-role",
    "X-Forwarded-For, X-Forwarded-Host, X-Forwarded-Proto, X-Real-IP",
    "X-Original-Method, X-Original-URI, X-Original-Host, X-Original-Proto",
    "X-Forwarded-Method, X-Forwarded-Uri",
    "Host",
];

/// A longer request is refused for its length.
const MAX_LEN: usize = 4096;

/// Sends each target of the published cases that can be read in two ways; gives what came of it, after holding it against
/// the decision.
pub fn confused_targets(stage: &Stage) -> Vec<(String, Outcome)> {
    let targets = cases::of_class(stage, "path")
        .into_iter()
        .filter(|(_, bytes)| cases::is_ambiguous(bytes) && bytes.len() <= MAX_LEN);
    let outcomes = targets.map(|(name, bytes)| {
        let outcome = stage.send(&bytes);
        check(stage, &outcome, &name);
        (name, outcome)
    });
    outcomes.collect()
}

/// The client's claims, alone, twice and beside another one, from somebody who may read, from somebody who may not, and
/// from nobody.
pub fn claims(stage: &Stage) {
    claims_unless(stage, |_| None);
}

/// The same through a proxy that refuses some names, with this status.
pub fn claims_unless(stage: &Stage, refuses: impl Fn(&str) -> Option<u16>) {
    let target = stage.application();
    let bearer = |username: &str| format!("Bearer {}", stage.world.person(username).api_key);
    let (olga, otto) = (bearer("olga"), bearer("otto"));
    let mut passed = Vec::new();
    for claim in CLAIMS {
        for lines in [vec![*claim], vec![*claim, *claim], vec![*claim, (claim.0, "x")], vec![(claim.0, ""), *claim]] {
            let ask = |bearer: Option<&str>| {
                let mut headers = vec![("Host", "app.example.com")];
                headers.extend(lines.iter().copied());
                headers.extend(bearer.map(|bearer| ("Authorization", bearer)));
                stage.ask("GET", &target, &headers)
            };
            if let Some(status) = refuses(claim.0) {
                ask(Some(&olga)).assert_refused(&[status], claim.0);
                continue;
            }
            passed.push(ask(Some(&olga)).passed().clone());
            if lines.len() == 1 {
                ask(Some(&otto)).assert_refused(&[403], claim.0);
                ask(None).assert_refused(&[401], claim.0);
            }
        }
    }
    for seen in &passed {
        stage.assert_decided(seen, "olga");
    }
}

/// The client claims what Gatepost says, in any spelling: the application has Gatepost's word for it.
pub fn own_claims(stage: &Stage) {
    let own = ["remote-user", "remote-email", "remote-role", "remote-credential", "gatepost-decision"];
    let bearer = format!("Bearer {}", stage.world.person("olga").api_key);
    for (name, value) in CLAIMS.iter().filter(|(name, _)| own.contains(&spelled_alike(name).as_str())) {
        for lines in [vec![(*name, *value)], vec![(*name, *value), (*name, "x")]] {
            let headers = [vec![("Host", "app.example.com"), ("Authorization", &bearer)], lines].concat();
            stage.assert_decided(stage.ask("GET", &stage.application(), &headers).passed(), "olga");
        }
    }
}

/// `Connection` names headers that are for the next hop only, to be removed before the request goes on.
pub fn hop_by_hop(stage: &Stage) {
    hop_by_hop_unless(stage, |_| None);
}

/// The same through a proxy that refuses some of these, with this status.
pub fn hop_by_hop_unless(stage: &Stage, refuses: impl Fn(&str) -> Option<u16>) {
    let bearer = format!("Bearer {}", stage.world.person("olga").api_key);
    for named in HOP_BY_HOP {
        let headers = [
            ("Host", "app.example.com"),
            ("Authorization", bearer.as_str()),
            ("Connection", named),
            ("Remote-User", "ada"),
            ("X-Forwarded-For", "10.0.0.1"),
        ];
        let outcome = stage.ask("GET", &stage.application(), &headers);
        match refuses(named) {
            Some(status) => outcome.assert_refused(&[status], named),
            None => stage.assert_decided(outcome.passed(), "olga"),
        }
    }
    // Without the credential there is no answer but a refusal.
    for named in ["Authorization", "authorization, cookie"] {
        let headers = [("Authorization", bearer.as_str()), ("Connection", named)];
        let outcome = stage.ask("GET", &stage.application(), &headers);
        check(stage, &outcome, named);
    }
}

/// Refused, or decided for `ada` or `olga`, whoever it is.
pub fn check(stage: &Stage, outcome: &Outcome, what: &str) {
    match outcome.seen.as_slice() {
        [] => outcome.assert_refused(&[0, 400, 401, 403, 404, 405, 414, 431], what),
        [seen] => {
            let username = seen.header("remote-user").unwrap_or_else(|| panic!("{what}: {seen:?}"));
            assert!(["ada", "olga"].contains(&username), "{what}: {seen:?}");
            stage.assert_decided(seen, username);
        }
        more => panic!("{what} became {more:?}"),
    }
}
