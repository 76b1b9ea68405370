//! A sample of the matrix, for each proxy.

use gatepost::accounts::Actor;

use super::stage::{Stage, Start};
use crate::support::http::request;
use crate::support::{Connection, Relay, Reply, Upstream, World, jwt};

/// Each role is allowed something and denied something else, with an API key, a session token and the session cookie.
pub fn each_role(stage: &Stage) {
    let (application, device) = (stage.application(), stage.world.device);
    for (username, method, target, allowed) in [
        ("ada", "DELETE", application.clone(), true),
        ("ada", "DELETE", format!("/devices/{device}"), false),
        ("devi", "POST", format!("{application}/releases"), true),
        ("devi", "POST", format!("{application}/members"), false),
        ("oleg", "PUT", format!("/devices/{device}/variables/LOG"), true),
        ("oleg", "PUT", format!("{application}/variables/LOG"), false),
        ("olga", "HEAD", application.clone(), true),
        ("olga", "GET", format!("/devices/{device}/ssh"), false),
        ("otto", "GET", application.clone(), false),
        ("otto", "OPTIONS", application.clone(), false),
    ] {
        let person = stage.world.person(username);
        for (name, value) in [
            ("Authorization", format!("Bearer {}", person.api_key)),
            ("Authorization", format!("Bearer {}", person.session)),
            ("Cookie", format!("theme=dark; __Host-gatepost={}", person.session)),
        ] {
            let what = format!("{method} {target} by {username} with {name}");
            let target = format!("{target}?q=%2e%2e/&q=a,b");
            let outcome = stage.ask(method, &target, &[("Host", "app.example.com"), (name, &value)]);
            if allowed {
                let seen = outcome.passed();
                assert_eq!((seen.method.as_str(), &seen.target), (method, &target), "{what}");
                stage.assert_decided(seen, username);
            } else {
                outcome.assert_refused(&[403], &what);
            }
        }
    }
    let outcome = stage.ask("GET", &application, &[]);
    outcome.assert_refused(&[401], "nobody");
    let challenge = outcome.reply.as_ref().and_then(|reply| reply.header("www-authenticate"));
    assert_eq!(challenge, Some("Bearer realm=\"gatepost\""));
}

/// A key that is revoked between two requests on one connection.
pub fn revocation(stage: &Stage) {
    let mut client = Connection::open(stage.address);
    let olga = stage.world.person("olga");
    let (accounts, console) = (&stage.world.app.accounts, Actor::console());
    for _ in 0..2 {
        let outcome = stage.ask_on(&mut client, "GET", &stage.application(), &olga.api_key);
        stage.assert_decided(outcome.passed(), "olga");
    }
    let keys: Vec<_> = accounts.api_keys(&console, olga.id).unwrap().iter().map(|key| key.id).collect();
    accounts.revoke_api_keys(&console, &keys).unwrap();
    let outcome = stage.ask_on(&mut client, "GET", &stage.application(), &olga.api_key);
    outcome.assert_refused(&[401], "a revoked key");
    let invalid = |reply: &Reply| reply.header("www-authenticate").is_some_and(|c| c.contains("invalid_token"));
    assert!(outcome.reply.as_ref().is_some_and(invalid));
}

/// The application learns that a request came through, and cannot be told so by the client.
pub fn assertion(start: Start) {
    assertion_on(|settings| Stage::new(start, World::without_passwords(settings)));
}

/// The same on stages with a Gatepost of these settings.
pub fn assertion_on(stage: impl Fn(&[(&'static str, &str)]) -> Stage) {
    let forged = "eyJhbGciOiJub25lIn0.e30.";
    let asserting = stage(&[("decision.assertion_audience", "https://app.test")]);
    let silent = stage(&[]);
    let stage = asserting;
    let (application, olga) = (stage.application(), stage.world.person("olga"));
    let bearer = format!("Bearer {}", olga.api_key);
    let headers = [("Host", "app.example.com"), ("Authorization", bearer.as_str()), ("Gatepost-Assertion", forged)];
    let outcome = stage.ask("GET", &format!("{application}?q=1"), &headers);
    let seen = outcome.passed();
    let claims = jwt::verified(&stage.world, seen.header("gatepost-assertion").unwrap());
    assert_eq!(claims["aud"], "https://app.test");
    assert_eq!(claims["sub"], olga.id.to_string());
    assert_eq!(claims["jti"], seen.header("gatepost-decision").unwrap());
    assert_eq!((&claims["htm"], &claims["role"]), (&"GET".into(), &"observer".into()));
    assert_eq!(claims["htu"], format!("http://app.example.com{application}"));

    // Where there are none, the client cannot bring its own.
    let stage = silent;
    let bearer = format!("Bearer {}", stage.world.person("olga").api_key);
    let headers = [("Authorization", bearer.as_str()), ("Gatepost-Assertion", forged), ("Gatepost_Assertion", forged)];
    let outcome = stage.ask("GET", &stage.application(), &headers);
    assert!(outcome.seen.iter().all(|seen| !format!("{seen:?}").contains(forged)), "{:?}", outcome.seen);
}

/// The proxy keeps its connection to Gatepost, whatever the answers are.
pub fn one_connection_serves_all_questions(start: Start) {
    few_connections_serve_all_questions(start, 1);
}

/// The same for a proxy that has so many of them.
pub fn few_connections_serve_all_questions(start: Start, most: usize) {
    let world = World::without_passwords(&[]);
    let upstream = Upstream::start();
    let relay = Relay::to(world.decision);
    let (_proxy, address) = start(relay.address.into(), upstream.address);
    let target = format!("/applications/{}", world.application);
    let bearer = |username: &str| format!("Bearer {}", world.person(username).api_key);
    let (ada, otto) = (bearer("ada"), bearer("otto"));
    for _ in 0..20 {
        for (headers, status) in [
            (vec![("Authorization", ada.as_str())], 200),
            (vec![("Authorization", otto.as_str())], 403),
            (vec![("Authorization", "Bearer invented")], 401),
            (vec![], 401),
        ] {
            let reply = Connection::open(address).send(&request("POST", &target, &headers, "a body"));
            assert_eq!(reply.status, 403, "no route takes it");
            assert_eq!(Connection::open(address).send(&request("GET", &target, &headers, "")).status, status);
        }
    }
    assert!((1..=most).contains(&relay.connections()), "{} connections, of {most}", relay.connections());
}

/// A browser that wants to see a page is sent to the log-in, a program is not.
pub fn browsers_are_sent_to_the_log_in(start: Start) {
    browsers_are_sent_to_the_log_in_on(|settings| Stage::new(start, World::without_passwords(settings)));
}

/// The same on a stage with a Gatepost of these settings.
pub fn browsers_are_sent_to_the_log_in_on(stage: impl Fn(&[(&'static str, &str)]) -> Stage) {
    let stage = stage(&[("portal.url", "http://id.example.com"), ("portal.return_hosts", "app.example.com")]);
    let target = format!("{}?tab=1&x=%2f", stage.application());
    let browser = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let ask = |method: &str, headers: &[(&str, &str)]| {
        let outcome = stage.ask(method, &target, headers);
        assert_eq!(outcome.seen, []);
        let reply = outcome.reply.unwrap();
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(reply.status == 302 || reply.header("www-authenticate").is_some());
        (reply.status, reply.header("location").map(str::to_owned))
    };
    let back = percent_encoding::utf8_percent_encode(
        &format!("http://app.example.com{target}"),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string();
    let log_in = "http://id.example.com/login".to_owned();
    let (redirected, refused) = ((302, Some(format!("{log_in}?return_to={back}"))), (401, None));
    assert_eq!(ask("GET", &[("Host", "app.example.com"), browser]), redirected);
    assert_eq!(ask("GET", &[("Host", "app.example.com"), browser, ("Cookie", "__Host-gatepost=old")]), redirected);
    // A host that nobody has named is not returned to.
    assert_eq!(ask("GET", &[("Host", "evil-example.com"), browser]), (302, Some(log_in)));
    assert_eq!(ask("GET", &[("Host", "app.example.com"), ("Accept", "application/json")]), refused);
    assert_eq!(ask("GET", &[("Host", "app.example.com"), browser, ("Authorization", "Bearer x")]), refused);
    assert_eq!(ask("GET", &[("Host", "app.example.com"), browser, ("Sec-Fetch-Mode", "cors")]), refused);
    assert_eq!(ask("HEAD", &[("Host", "app.example.com"), browser]), refused);
}

/// Gatepost's session cookie does not reach the application, whatever stands around it; other cookies do. Several are
/// ambiguous, and refused with one of these statuses.
pub fn cookies(stage: &Stage, refused: &[u16]) {
    let target = stage.application();
    let session = format!("__Host-gatepost={}", stage.world.person("olga").session);
    let foreign = format!("__Host-gatepost={}", stage.world.person("ada").session);
    for (lines, passed) in [
        (vec![session.clone()], Some(None)),
        (vec![format!("a=1; {session}; b=2")], Some(Some("a=1; b=2"))),
        (vec![format!("{session}; b=2")], Some(Some("b=2"))),
        (vec![format!("a=1; {session}")], Some(Some("a=1"))),
        (vec![format!("a=1; {session}; __host-GATEPOST=x")], Some(None)),
        (vec![format!("a=1; {session}; b=\"__Host-gatepost=x\"")], Some(None)),
        (vec![format!("{session}; {session}")], None),
        (vec![session.clone(), session.clone()], None),
        (vec![format!("{session}; {foreign}")], None),
        (vec![session.clone(), foreign.clone()], None),
        (vec![format!("{session}; __Host-gatepost")], None),
    ] {
        let headers: Vec<_> = lines.iter().map(|line| ("Cookie", line.as_str())).collect();
        let outcome = stage.ask("GET", &target, &headers);
        match passed {
            Some(cookies) => {
                let seen = outcome.passed();
                assert_eq!(seen.header("cookie").filter(|cookies| !cookies.is_empty()), cookies, "{lines:?}");
                stage.assert_decided(seen, "olga");
            }
            None => outcome.assert_refused(refused, &format!("{lines:?}")),
        }
    }
}

/// A WebSocket reaches the application, an upgrade to anything else does not.
pub fn upgrades(stage: &Stage) {
    let target = format!("{}/devices/{}/ssh", stage.application(), stage.world.device);
    let oleg = format!("Bearer {}", stage.world.person("oleg").api_key);
    let upgrade = |to| {
        [
            ("Authorization", oleg.as_str()),
            ("Connection", "Upgrade, HTTP2-Settings"),
            ("Upgrade", to),
            ("HTTP2-Settings", "AAMAAABkAAQAAP__"),
            ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("Sec-WebSocket-Version", "13"),
        ]
    };
    let outcome = stage.ask("GET", &target, &upgrade("websocket"));
    assert_eq!(outcome.passed().header("upgrade"), Some("websocket"));
    assert!(outcome.passed().header("connection").is_some_and(|option| option.eq_ignore_ascii_case("upgrade")));
    stage.assert_decided(outcome.passed(), "oleg");
    for to in ["h2c", "h2c, websocket", "websocket, h2c", "TLS/1.3"] {
        let outcome = stage.ask("GET", &target, &upgrade(to));
        let seen = outcome.passed();
        assert_eq!((seen.all("upgrade"), seen.all("http2-settings")), (vec![], vec![]), "{to}");
        assert!(seen.header("connection").is_none_or(|option| !option.to_lowercase().contains("upgrade")), "{to}");
        stage.assert_decided(seen, "oleg");
    }
}
