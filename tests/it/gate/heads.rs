//! Questions that are nothing but a head are answered in a way of their own, and just as all others are.

use crate::support::http::request;
use crate::support::{Connection, Reply, World};

/// What two responses to the same question share.
fn shared(reply: &Reply) -> (u16, Vec<(&str, &str)>, String) {
    let id = reply.header("gatepost-decision").unwrap_or_default();
    let mut headers: Vec<_> = reply.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    headers.retain(|(name, _)| !["gatepost-decision", "date"].contains(name));
    headers.sort_unstable();
    (reply.status, headers, reply.body.replace(id, "the decision"))
}

#[test]
fn whatever_comes_beside_a_question_it_is_answered_alike() {
    let world = World::without_passwords(&[("portal.url", "https://id.example.com")]);
    let target = format!("/applications/{}", world.application);
    let key = |name: &str| format!("Bearer {}", world.person(name).api_key);
    let (ada, olga) = (key("ada"), key("olga"));
    let mut seen = Vec::new();
    for (method, target, lines) in [
        ("GET", target.as_str(), &[("Authorization", ada.as_str())][..]),
        ("GET", &target, &[("AUTHORIZATION", &ada), ("accept", "*/*")]),
        ("DELETE", &target, &[("Authorization", &olga)]),
        ("GET", &target, &[("Authorization", "Bearer gp_nobody")]),
        ("GET", &target, &[("Authorization", &ada), ("authorization", &ada)]),
        ("GET", &target, &[("Cookie", "a=b"), ("cookie", "__Host-gatepost=gp_nobody")]),
        ("GET", &target, &[("Cookie", "__Host-gatepost=x; __Host-gatepost=y")]),
        ("GET", &target, &[("Accept", "text/html")]),
        ("GET", &target, &[("Accept", "text/html"), ("Sec-Fetch-Mode", "cors")]),
        ("GET", &target, &[]),
        ("get", &target, &[]),
        ("GET", "/applications/../x", &[("Authorization", &ada)]),
        ("GET", "/nowhere", &[("Authorization", &ada)]),
        ("GET", "/caf\u{e9}", &[("Authorization", &ada)]),
        ("GET", "", &[("Authorization", &ada)]),
        ("GET", &target, &[("Authorization", &ada), ("X-Original-URI", "/"), ("X-Forwarded-Uri", "/")]),
        ("GET", &target, &[("Authorization", &ada), ("x-real-ip", "192.0.2.2"), ("x-forwarded-for", "192.0.2.2")]),
        ("GET", &target, &[("Authorization", &ada), ("Host", "another")]),
    ] {
        for (dialect, [a, b, c, d, e]) in [
            ("nginx", ["X-Original-Method", "X-Original-URI", "X-Original-Host", "X-Original-Proto", "X-Real-IP"]),
            (
                "caddy?a=b",
                ["X-Forwarded-Method", "X-Forwarded-Uri", "x-forwarded-host", "X-FORWARDED-PROTO", "X-Forwarded-For"],
            ),
        ] {
            let asked = [(a, method), (b, target), (c, "app.example.com"), (d, "https"), (e, "192.0.2.1")];
            let headers = [&asked[..], lines].concat();
            let path = format!("/check/{dialect}");
            let alone = request("GET", &path, &headers, "");
            let beside = request("GET", &path, &[&headers[..], &[("Connection", "keep-alive")]].concat(), "");
            // Each kind first, and after the other, on a connection that is kept.
            let mut connection = Connection::open(world.decision);
            let replies = [&alone, &alone, &beside, &alone].map(|question| connection.send(question));
            let [first, ..] = replies.each_ref().map(shared);
            for reply in &replies {
                assert_eq!(shared(reply), first, "{dialect} {method} {target} {lines:?}");
            }
            seen.push(first.0);
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen, [200, 302, 400, 401, 403], "every kind of answer was compared");
}
