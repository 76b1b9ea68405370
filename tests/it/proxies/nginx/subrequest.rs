//! What nginx asks, and what it makes of the answer.

use super::stage;
use crate::proxies::stage::Stage;
use crate::support::http::request;
use crate::support::{Connection, Relay, Upstream, World, nginx};

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn gatepost_is_asked_with_nothing_of_the_clients_but_what_it_decides_by() {
    let allow = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nRemote-User: ada\r\nRemote-Role: \r\n\r\n";
    let gatepost = Upstream::answering(|_| allow.as_bytes().to_vec());
    let upstream = Upstream::start();
    let (_proxy, address) = nginx::start(gatepost.address.into(), upstream.address);
    let headers = [
        ("Host", "App.Example.com:8443"),
        ("Authorization", "Bearer x"),
        ("Cookie", "a=1"),
        ("Cookie", "b=2"),
        ("Accept", "text/html"),
        ("Sec-Fetch-Mode", "navigate"),
        ("User-Agent", "a browser"),
        ("X-Original-URI", "/public"),
        ("X-Original-Method", "HEAD"),
        ("X-Real-IP", "10.0.0.1"),
        ("X-Forwarded-For", "10.0.0.1"),
        ("X-Request", "whatever"),
        ("Content-Type", "text/plain"),
        ("Expect", ""),
    ];
    let target = "/a%20b/../c//d?x=%00";
    Connection::open(address).send(&request("POST", target, &headers, "the body"));
    let asked = gatepost.take();
    let [asked] = asked.as_slice() else { panic!("{asked:?}") };
    assert_eq!((asked.method.as_str(), asked.target.as_str()), ("GET", "/check/nginx"));
    assert_eq!(asked.body, "");
    let mut sent: Vec<_> = asked.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [
            ("Accept", "text/html"),
            ("Authorization", "Bearer x"),
            ("Cookie", "a=1; b=2"),
            ("Host", "gatepost"),
            ("Sec-Fetch-Mode", "navigate"),
            ("User-Agent", "a browser"),
            ("X-Original-Host", "app.example.com"),
            ("X-Original-Method", "POST"),
            ("X-Original-Proto", "http"),
            ("X-Original-URI", target),
            ("X-Real-IP", "127.0.0.1"),
        ]
    );
    // An empty identity header replaces the client's as well, and one that is left out, too.
    let seen = upstream.take();
    assert_eq!(seen[0].header("remote-user"), Some("ada"));
    assert_eq!((seen[0].header("remote-role"), seen[0].header("remote-email")), (None, None));
    assert_eq!(seen[0].body, "the body");
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn one_connection_serves_all_questions() {
    let world = World::without_passwords(&[]);
    let upstream = Upstream::start();
    let relay = Relay::to(world.decision);
    let (_proxy, address) = nginx::start(relay.address.into(), upstream.address);
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
    assert_eq!((relay.connections(), upstream.connections()), (1, 1));
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    let settings = [("portal.url", "http://id.example.com"), ("portal.return_hosts", "app.example.com")];
    let stage = Stage::new(nginx::start, World::without_passwords(&settings));
    let target = format!("{}?tab=1&x=%2f", stage.application());
    let browser = ("Accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let ask = |method: &str, headers: &[(&str, &str)]| {
        let outcome = stage.ask(method, &target, headers);
        assert_eq!(outcome.seen, []);
        let reply = outcome.reply.unwrap();
        assert_eq!(reply.header("cache-control"), Some("no-store"));
        assert!(reply.header("www-authenticate").is_some());
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

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn what_the_application_answers_passes_as_it_is() {
    let stage = stage();
    let answers = ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Internal Server Error", "302 Found"];
    for status in answers {
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nLocation: /own\r\nX-Own: yes\r\n\r\nmine");
        let application = Upstream::answering(move |_| answer.clone().into_bytes());
        let (_proxy, address) = nginx::start(stage.world.decision, application.address);
        let bearer = format!("Bearer {}", stage.world.person("ada").api_key);
        let question = request("GET", &stage.application(), &[("Authorization", &bearer)], "");
        let reply = Connection::open(address).send(&question);
        assert!(status.starts_with(&reply.status.to_string()), "{reply:?}");
        assert_eq!((reply.header("x-own"), reply.body.as_str()), (Some("yes"), "mine"), "{status}");
    }
}
