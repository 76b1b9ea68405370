//! Envoy's HTTP service: the question is the request itself, behind a prefix.

use crate::support::{Connection, World, send};

fn ask(world: &World, method: &str, behind: &str, more: &[(&str, &str)]) -> u16 {
    let bearer = format!("Bearer {}", world.person("olga").api_key);
    let own = [("Host", "app.example.com"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-For", "192.0.2.1")];
    let headers: Vec<_> =
        own.into_iter().chain([("Authorization", bearer.as_str())]).chain(more.iter().copied()).collect();
    let target = format!("/check/envoy{behind}");
    send(world.decision, method, &target, &headers, "").status
}

#[test]
fn method_and_path_are_the_questions_own() {
    let world = World::without_passwords(&[]);
    let application = format!("/applications/{}", world.application);
    let (reads, writes) = (format!("{application}?q=/../x"), format!("{application}/releases"));
    for (method, behind, expected) in [("GET", &reads, 200), ("HEAD", &application, 200), ("POST", &writes, 403)] {
        assert_eq!(ask(&world, method, behind, &[]), expected, "{method} {behind}");
        // No header of the other dialects is one of this.
        let claims =
            [("X-Original-Method", "GET"), ("X-Original-URI", application.as_str()), ("X-Forwarded-Method", "GET")];
        assert_eq!(ask(&world, method, behind, &claims), expected, "{method} {behind}");
    }
}

#[test]
fn nothing_is_normalized_before_it_is_looked_at() {
    let world = World::without_passwords(&[]);
    for behind in
        ["/../../healthz", "/../nginx", "//healthz", "/%2e%2e/readyz", "/a%2fb", "/a;b", "/%00", "/?", "/a\\b"]
    {
        let expected = if behind == "/?" { 403 } else { 400 };
        assert_eq!(ask(&world, "GET", behind, &[]), expected, "{behind}");
    }
    // None of these is a check at all.
    for behind in ["", "x/", "?/", "%2f"] {
        assert_eq!(ask(&world, "GET", behind, &[]), 404, "{behind}");
    }
}

#[test]
fn two_hosts_are_ambiguous() {
    let world = World::without_passwords(&[]);
    assert_eq!(ask(&world, "GET", "/", &[("Host", "app.example.com")]), 400);
    let absolute = "GET http://evil.test/check/envoy/ HTTP/1.1\r\nHost: app.example.com\r\nX-Forwarded-Proto: https\r\n\
                    X-Forwarded-For: 192.0.2.1\r\n\r\n";
    assert_eq!(Connection::open(world.decision).send(absolute.as_bytes()).status, 400);
    assert_eq!(ask(&world, "GET", "/", &[("X-Forwarded-For", "127.0.0.1")]), 400);
    assert_eq!(ask(&world, "GET", "/", &[("X-Forwarded-Proto", "http")]), 400);
}
