//! Every outcome of a question, and everything that may or may not be a credential.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatepost::accounts::{Actor, NewApiKey};
use gatepost::clock::{Clock, ManualClock, SystemClock};
use gatepost::config::Config;
use gatepost::model::Timestamp;

use crate::support::{Reply, World, send, until};

/// `target` is asked for with these headers, by way of nginx and of Caddy.
fn ask_for(world: &World, target: &str, headers: &[(&str, &str)]) -> [Reply; 2] {
    let nginx = [
        ("X-Original-Method", "GET"),
        ("X-Original-URI", target),
        ("X-Original-Host", "app.example.com"),
        ("X-Original-Proto", "https"),
        ("X-Real-IP", "192.0.2.1"),
    ];
    let caddy = [
        ("X-Forwarded-Method", "GET"),
        ("X-Forwarded-Uri", target),
        ("X-Forwarded-Host", "app.example.com"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-For", "192.0.2.1"),
    ];
    [("/check/nginx", nginx), ("/check/caddy", caddy)].map(|(check, question)| {
        let all: Vec<_> = question.iter().chain(headers).copied().collect();
        send(world.decision, "GET", check, &all, "")
    })
}

/// The application is asked for; both dialects have the same answer, which is given.
fn ask(world: &World, headers: &[(&str, &str)]) -> Reply {
    let [nginx, caddy] = ask_for(world, &format!("/applications/{}", world.application), headers);
    assert_eq!(nginx.status, caddy.status, "{headers:?}");
    assert_eq!(nginx.header("www-authenticate"), caddy.header("www-authenticate"), "{headers:?}");
    caddy
}

fn bearer(credential: &str) -> String {
    format!("Bearer {credential}")
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

const CHALLENGE: &str = "Bearer realm=\"gatepost\"";
const INVALID: &str = "Bearer realm=\"gatepost\", error=\"invalid_token\"";

#[test]
fn each_outcome_has_its_status_and_headers() {
    let world = World::without_passwords(&[]);
    let (olga, otto) = (world.person("olga"), world.person("otto"));
    let target = format!("/applications/{}", world.application);
    let (good, roleless, session) = (bearer(&olga.api_key), bearer(&otto.api_key), bearer(&olga.session));

    for (header, kind) in [(&good, "api_key"), (&session, "session")] {
        for reply in ask_for(&world, &target, &[("Authorization", header)]) {
            let identity = ["remote-user", "remote-email", "remote-role", "remote-credential"].map(|h| reply.header(h));
            assert_eq!(identity, ["olga", "olga@example.com", "observer", kind].map(Some));
            assert_eq!((reply.status, reply.header("content-length"), reply.body.as_str()), (200, Some("0"), ""));
            let names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
            let allowed = ["content-length", "cache-control", "date", "gatepost-decision"];
            assert!(names.iter().all(|name| name.starts_with("remote-") || allowed.contains(name)), "{names:?}");
            assert!(names.contains(&"gatepost-decision"));
        }
    }

    // A refusal without a body for nginx, which would close its connection, and with one that says why for Caddy.
    let no_route = ask_for(&world, "/nowhere", &[("Authorization", &good)]);
    for (replies, status, code, challenge) in [
        (ask_for(&world, &target, &[]), 401, "unauthenticated", Some(CHALLENGE)),
        (ask_for(&world, &target, &[("Authorization", "Bearer x")]), 401, "unauthenticated", Some(INVALID)),
        (ask_for(&world, &target, &[("Authorization", &roleless)]), 403, "forbidden", None),
        (no_route, 403, "forbidden", None),
        (ask_for(&world, "/nowhere", &[]), 403, "forbidden", None),
    ] {
        let [nginx, caddy] = replies;
        assert_eq!((nginx.status, nginx.body.as_str(), nginx.header("content-length")), (status, "", Some("0")));
        assert_eq!((nginx.header("www-authenticate"), nginx.header("remote-user")), (challenge, None));
        assert_eq!((caddy.status, caddy.header("www-authenticate")), (status, challenge));
        assert_eq!(caddy.header("content-type"), Some("application/problem+json"));
        let problem = caddy.json();
        assert_eq!((&problem["status"], &problem["code"]), (&status.into(), &code.into()));
        assert_eq!(problem["decision"], caddy.header("gatepost-decision").unwrap());
        // Which policies there are is not the caller's business.
        assert!(!caddy.body.contains("observer") && !caddy.body.contains("policies\":"), "{}", caddy.body);
    }

    for reply in ask_for(&world, "/a/../b", &[("Authorization", &good)]) {
        assert_eq!((reply.status, reply.header("content-type")), (400, Some("application/problem+json")));
        assert_eq!(reply.json()["detail"], "the path holds a `.` or `..` segment");
        assert_eq!(reply.json()["code"], "malformed_request");
    }
}

#[test]
fn the_log_has_the_cause_and_nothing_secret() {
    let world = World::without_passwords(&[]);
    let olga = world.person("olga");
    let header = bearer(&olga.api_key);
    let target = format!("/applications/{}?token={}", world.application, olga.session);
    let mut ids = Vec::new();
    for credential in [header.as_str(), "Bearer gp_invented", "Digest a"] {
        let replies = ask_for(&world, &target, &[("Authorization", credential), ("User-Agent", "a\"b")]);
        ids.extend(replies.map(|reply| reply.header("gatepost-decision").unwrap().to_owned()));
    }
    let records: Vec<_> = ids.iter().map(|id| world.decision_record(id)).collect();
    let allowed = &records[0];
    assert_eq!(allowed["decision"], "allow");
    assert_eq!((&allowed["action"], &allowed["policies"][0]), (&"View".into(), &"observer".into()));
    assert_eq!(allowed["resource"]["id"], world.application.to_string());
    assert_eq!((&allowed["credential"], &allowed["client"]), (&"api_key".into(), &"192.0.2.1".into()));
    assert_eq!(allowed["path"], format!("/applications/{}", world.application));
    assert_eq!(records[2]["cause"], "the credential is not valid");
    let log = std::fs::read_to_string(world.folder.path().join("decisions.log")).unwrap();
    assert!(!log.contains(&olga.api_key) && !log.contains(&olga.session) && !log.contains("gp_"), "{log}");
}

#[test]
fn a_credential_has_one_place_or_agrees_with_itself() {
    let world = World::without_passwords(&[]);
    let (olga, ada) = (world.person("olga"), world.person("ada"));
    let cookie = |session: &str| format!("theme=dark; __Host-gatepost={session}");
    let (key, session) = (bearer(&olga.api_key), bearer(&olga.session));
    let (own, foreign) = (cookie(&olga.session), cookie(&ada.session));
    let key_cookie = cookie(&olga.api_key);
    for (headers, status) in [
        (vec![("Authorization", key.as_str())], 200),
        (vec![("Authorization", session.as_str())], 200),
        (vec![("Cookie", own.as_str())], 200),
        (vec![("Authorization", &session), ("Cookie", &own)], 200),
        (vec![("Authorization", &key), ("Cookie", "theme=dark")], 200),
        (vec![("Authorization", &session), ("Cookie", &foreign)], 400),
        (vec![("Authorization", &key), ("Cookie", &own)], 400),
        (vec![("Authorization", &key), ("Authorization", &key)], 400),
        (vec![("Authorization", &key), ("Authorization", &session)], 400),
        (vec![("Cookie", &own), ("Cookie", &own)], 400),
        (vec![("Cookie", &own), ("Cookie", &foreign)], 400),
        // A key in the cookie's place is a key, in whatever place.
        (vec![("Cookie", key_cookie.as_str())], 200),
    ] {
        assert_eq!(ask(&world, &headers).status, status, "{headers:?}");
    }
}

#[test]
fn schemes_have_no_case_and_basic_is_for_keys() {
    let world = World::without_passwords(&[]);
    let olga = world.person("olga");
    let (key, session) = (&olga.api_key, &olga.session);
    for (header, status) in [
        (format!("bearer {key}"), 200),
        (format!("BEARER {key}"), 200),
        (format!("Bearer  {key} "), 200),
        (basic("olga", key), 200),
        (basic("", key), 200),
        (basic("ada", key), 200),
        (basic("token", key).replace("Basic", "bAsIc"), 200),
        (basic("olga", session), 401),
        (basic("olga", &olga.password), 401),
        (basic(key, ""), 401),
        (basic(key, "x-oauth-basic"), 401),
        (format!("Basic {key}"), 401),
        (format!("Token {key}"), 401),
    ] {
        let reply = ask(&world, &[("Authorization", &header)]);
        assert_eq!(reply.status, status, "{header}");
        if status == 200 {
            // Whose it is, the key says, not the user name beside it.
            assert_eq!(reply.header("remote-user"), Some("olga"), "{header}");
        } else {
            assert_eq!(reply.header("www-authenticate"), Some(INVALID), "{header}");
        }
    }
}

#[test]
fn a_token_in_the_query_is_none() {
    let world = World::without_passwords(&[]);
    let ada = world.person("ada");
    let application = world.application;
    for token in [&ada.api_key, &ada.session] {
        for name in ["access_token", "token", "api_key", "key", "apikey"] {
            let target = format!("/applications/{application}?{name}={token}");
            for reply in ask_for(&world, &target, &[]) {
                assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(CHALLENGE)), "{name}");
            }
        }
    }
}

#[test]
fn a_key_whose_checksum_is_wrong_is_not_looked_up() {
    let world = World::without_passwords(&[]);
    let key = &world.person("ada").api_key;
    let lookups = |world: &World| {
        let metrics = send(world.decision, "GET", "/metrics", &[], "").body;
        let lines = metrics.lines().filter(|line| line.contains("cache_lookups") && line.contains("credentials"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    let before = lookups(&world);
    for at in [3, 20, key.len() - 1] {
        let mut damaged = key.clone().into_bytes();
        damaged[at] = if damaged[at] == b'a' { b'b' } else { b'a' };
        let reply = ask(&world, &[("Authorization", &bearer(std::str::from_utf8(&damaged).unwrap()))]);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(INVALID)));
    }
    assert_eq!(lookups(&world), before);
}

#[test]
fn a_key_goes_with_its_account() {
    let world = World::without_passwords(&[]);
    let devi = world.person("devi").clone();
    let credentials = [bearer(&devi.api_key), bearer(&devi.session)];
    for credential in &credentials {
        assert_eq!(ask(&world, &[("Authorization", credential)]).status, 200);
    }
    world.app.accounts.delete_user(&Actor::console(), devi.id).unwrap();
    for credential in &credentials {
        let reply = ask(&world, &[("Authorization", credential)]);
        assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(INVALID)));
    }
}

/// A world whose time is the test's own.
fn manual() -> (World, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    (World::start_with(Arc::<ManualClock>::clone(&clock), &[]), clock)
}

/// Sets the clock, and lets the world look at its store by it.
fn set(world: &World, clock: &ManualClock, now: Timestamp) {
    clock.set(now);
    world.app.coherence.catch_up().unwrap();
}

#[test]
fn a_credential_ends_at_its_time_also_when_it_is_known_by_heart() {
    let (world, clock) = manual();
    let (start, olga) = (clock.now(), world.person("olga"));
    let expires_at = Some(start.plus(Duration::from_secs(60)));
    let new = NewApiKey { name: "for a minute", expires_at, ..NewApiKey::default() };
    let short = world.app.accounts.create_api_key(&Actor::console(), olga.id, new).unwrap();
    let (short, session) = (bearer(short.key.expose()), bearer(&olga.session));
    let week = Config::defaults().session.ttl;
    for (header, lasts) in [(&short, Duration::from_secs(60)), (&session, week)] {
        for _ in 0..2 {
            assert_eq!(ask(&world, &[("Authorization", header)]).status, 200);
        }
        // A session's times are whole seconds: it ends within the last one.
        set(&world, &clock, start.plus(lasts).minus(Duration::from_secs(1)));
        assert_eq!(ask(&world, &[("Authorization", header)]).status, 200);
        set(&world, &clock, start.plus(lasts));
        for _ in 0..2 {
            let reply = ask(&world, &[("Authorization", header)]);
            assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(INVALID)));
        }
        assert_eq!(ask(&world, &[("Authorization", &bearer(&olga.api_key))]).status, 200, "without an end");
        set(&world, &clock, start);
    }
}

#[test]
fn a_clock_that_is_set_back_opens_nothing() {
    let (world, clock) = manual();
    let (start, olga) = (clock.now(), world.person("olga"));
    let (key, session) = (bearer(&olga.api_key), bearer(&olga.session));
    let statuses = || [&key, &session].map(|header| ask(&world, &[("Authorization", header)]).status);
    assert_eq!(statuses(), [200, 200]);
    // Another node's clock may be a minute behind; beyond that the session is one of the future, although it is cached.
    set(&world, &clock, start.minus(Duration::from_secs(30)));
    assert_eq!(statuses(), [200, 200]);
    set(&world, &clock, start.minus(Duration::from_secs(3_600)));
    assert_eq!(statuses(), [200, 401]);
    // What was revoked meanwhile stays revoked, whichever way the clock goes.
    let (accounts, console) = (&world.app.accounts, Actor::console());
    let keys: Vec<_> = accounts.api_keys(&console, olga.id).unwrap().iter().map(|key| key.id).collect();
    accounts.revoke_api_keys(&console, &keys).unwrap();
    assert_eq!(statuses(), [401, 401]);
    set(&world, &clock, start);
    assert_eq!(statuses(), [401, 200]);
    set(&world, &clock, start.plus(Duration::from_secs(3_600)));
    assert_eq!(statuses(), [401, 200]);
}

#[test]
fn nothing_is_decided_when_the_store_cannot_be_followed() {
    let (world, clock) = manual();
    let header = bearer(&world.person("ada").api_key);
    let ready = || send(world.decision, "GET", "/readyz", &[], "").status;
    assert_eq!((ask(&world, &[("Authorization", &header)]).status, ready()), (200, 200));

    // Nobody can say any more what was changed.
    let database = rusqlite::Connection::open(world.folder.path().join("gatepost.db")).unwrap();
    database.execute_batch("ALTER TABLE changes RENAME TO hidden").unwrap();
    until(Duration::from_secs(10), "the failure to be noticed", || {
        world.app.coherence.catch_up().is_err().then_some(())
    });
    assert_eq!(ask(&world, &[("Authorization", &header)]).status, 200, "for some seconds what is known will do");
    clock.advance(Duration::from_secs(6));
    for headers in [vec![("Authorization", header.as_str())], vec![("Authorization", "Bearer x")], vec![]] {
        for reply in ask_for(&world, &format!("/applications/{}", world.application), &headers) {
            assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
            assert_eq!(reply.header("content-type"), Some("application/problem+json"));
            assert_eq!(reply.header("remote-user"), None);
            assert!(!reply.body.contains("store"), "{}", reply.body);
        }
    }
    assert_eq!(ready(), 503);
    assert_eq!(send(world.decision, "GET", "/healthz", &[], "").status, 200);
    // What is malformed is so whatever the store says.
    assert_eq!(ask_for(&world, "/a/../b", &[]).map(|reply| reply.status), [400, 400]);

    database.execute_batch("ALTER TABLE hidden RENAME TO changes").unwrap();
    let target = format!("/applications/{}", world.application);
    let again = || {
        let replies = ask_for(&world, &target, &[("Authorization", &header)]);
        (ready() == 200 && replies.iter().all(|reply| reply.status == 200)).then_some(())
    };
    until(Duration::from_secs(10), "the store to be followed again", again);
}

#[test]
fn a_browser_is_sent_to_the_log_in() {
    let settings = [("portal.url", "https://id.example.com"), ("portal.return_hosts", "app.example.com")];
    let world = World::without_passwords(&settings);
    let otto = bearer(&world.person("otto").api_key);
    let target = format!("/applications/{}?a=%2f&b=//evil.test", world.application);
    let browser = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let encoded = percent_encoding::utf8_percent_encode(&target, percent_encoding::NON_ALPHANUMERIC);
    let location = format!("https://id.example.com/login?return_to=https%3A%2F%2Fapp%2Eexample%2Ecom{encoded}");
    for headers in [vec![browser], vec![browser, ("Sec-Fetch-Mode", "navigate"), ("Cookie", "__Host-gatepost=old")]] {
        let [nginx, caddy] = ask_for(&world, &target, &headers);
        // nginx passes on no 302: the shipped configuration makes one of this.
        assert_eq!((nginx.status, nginx.header("location")), (401, Some(location.as_str())));
        assert_eq!((caddy.status, caddy.header("location")), (302, Some(location.as_str())));
        assert_eq!((nginx.body.as_str(), caddy.body.as_str()), ("", ""));
    }
    for (headers, status) in [
        (vec![], 401),
        (vec![("Accept", "application/json")], 401),
        (vec![browser, ("Authorization", "Bearer x")], 401),
        (vec![browser, ("Sec-Fetch-Mode", "cors")], 401),
        (vec![browser, ("Authorization", otto.as_str())], 403),
    ] {
        for reply in ask_for(&world, &target, &headers) {
            assert_eq!((reply.status, reply.header("location")), (status, None), "{headers:?}");
        }
    }
}

#[test]
fn a_log_in_returns_to_no_host_that_was_not_named() {
    let settings = [("portal.url", "https://id.example.com"), ("portal.return_hosts", "app.example.com")];
    let world = World::without_passwords(&settings);
    let location = |host: &str, proto: &str, target: &str| {
        let question = [
            ("X-Forwarded-Method", "GET"),
            ("X-Forwarded-Uri", target),
            ("X-Forwarded-Host", host),
            ("X-Forwarded-Proto", proto),
            ("X-Forwarded-For", "192.0.2.1"),
            ("Accept", "text/html"),
        ];
        let reply = send(world.decision, "GET", "/check/caddy", &question, "");
        assert_eq!(reply.status, 302, "{host}");
        reply.header("location").unwrap().to_owned()
    };
    let target = format!("/applications/{}", world.application);
    for host in ["APP.example.com.:8443", "app.example.com"] {
        let found = location(host, "https", &target);
        assert!(
            found.starts_with("https://id.example.com/login?return_to=https%3A%2F%2Fapp%2Eexample%2Ecom%2F"),
            "{found}"
        );
    }
    for host in ["evil.test", "app.example.com.evil.test", "evil-app.example.com", "example.com", "[::1]"] {
        assert_eq!(location(host, "https", &target), "https://id.example.com/login", "{host}");
    }
    // From a page over TLS no one is sent back to one that is not, and a long way back is none.
    assert_eq!(location("app.example.com", "http", &target), "https://id.example.com/login");
    let long = format!("{target}?{}", "a".repeat(2_000));
    assert_eq!(location("app.example.com", "https", &long), "https://id.example.com/login");
}
