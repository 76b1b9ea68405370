//! Envoy's own protocol, as far as it can be told without Envoy.

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use crate::support::ext_authz::{CHECK, CheckRequest, GrpcClient, HeaderLine, HeaderLines, HttpRequest, frame, header};
use crate::support::{World, send};

fn start(settings: &[(&'static str, &str)]) -> (World, GrpcClient) {
    let world = World::without_passwords(settings);
    let client = GrpcClient::open(world.decision);
    (world, client)
}

fn bearer(world: &World, username: &str) -> String {
    format!("Bearer {}", world.person(username).api_key)
}

/// What is answered: 200 for a permit.
fn status(client: &mut GrpcClient, question: &CheckRequest) -> u16 {
    let response = client.check(question);
    if response.allows() {
        response.permit();
        return 200;
    }
    response.refusal().0
}

#[test]
fn a_permit_says_who_it_is_and_takes_the_credential_out() {
    let (world, mut client) = start(&[]);
    let target = format!("/applications/{}?q=/../x", world.application);
    let (olga, session) = (bearer(&world, "olga"), world.person("olga").session.clone());
    let cookies = format!("theme=dark; __Host-gatepost={session}; lang=en");
    for (credential, kind, cookie, removes_cookie) in [
        (("authorization", olga.as_str()), "api_key", None, false),
        (("cookie", cookies.as_str()), "session", Some("theme=dark; lang=en"), false),
        (("cookie", &cookies[12..cookies.len() - 9]), "session", None, true),
    ] {
        for question in [CheckRequest::raw, CheckRequest::joined] {
            let response = client.check(&question("GET", &target, &[credential, ("user-agent", "curl")]));
            let permit = response.permit();
            let id = header(&permit.headers, "gatepost-decision").unwrap();
            for (name, value) in [
                ("remote-user", Some("olga")),
                ("remote-email", Some("olga@example.com")),
                ("remote-role", Some("observer")),
                ("remote-credential", Some(kind)),
                ("cookie", cookie),
            ] {
                assert_eq!(header(&permit.headers, name), value, "{name} by {credential:?}");
            }
            assert_eq!(permit.headers.len(), 5 + usize::from(cookie.is_some()));
            assert_eq!(permit.response_headers_to_add, []);
            let removes = |name: &str| permit.headers_to_remove.iter().any(|removed| removed == name);
            assert!(removes("authorization") && removes("x-forwarded-user") && removes("remote-groups"));
            assert!(removes("gatepost-assertion"), "there is none to overwrite the client's");
            assert!(!removes("remote-user") && !removes("user-agent"));
            assert_eq!(removes("cookie"), removes_cookie, "{credential:?}");

            let record = world.decision_record(id);
            let told = ["method", "host", "path", "client", "credential"].map(|name| record[name].as_str().unwrap());
            let path = format!("/applications/{}", world.application);
            assert_eq!(told, ["GET", "app.example.com", &path, "192.0.2.1", kind]);
            assert_eq!(response.dynamic_metadata.as_ref().unwrap().fields["decision"].string_value, id);
        }
    }
}

#[test]
fn a_refusal_is_what_the_client_gets() {
    let settings = [("portal.url", "https://id.example.com"), ("portal.return_hosts", "app.example.com")];
    let (world, mut client) = start(&settings);
    let target = format!("/applications/{}", world.application);
    let html = ("accept", "text/html");
    for (sent, expected, name, value) in [
        (vec![], 401, "www-authenticate", "Bearer realm=\"gatepost\""),
        (
            vec![("authorization", "Bearer x")],
            401,
            "www-authenticate",
            "Bearer realm=\"gatepost\", error=\"invalid_token\"",
        ),
        (
            vec![("authorization", bearer(&world, "otto").leak() as &str)],
            403,
            "content-type",
            "application/problem+json",
        ),
        (vec![html, ("sec-fetch-mode", "cors")], 401, "cache-control", "no-store"),
    ] {
        let response = client.check(&CheckRequest::raw("GET", &target, &sent));
        let (status, denied) = response.refusal();
        assert_eq!((status, header(&denied.headers, name)), (expected, Some(value)), "{sent:?}");
        let body: serde_json::Value = serde_json::from_str(&denied.body).unwrap();
        assert_eq!(body["status"], expected);
        assert_eq!(body["decision"].as_str(), header(&denied.headers, "gatepost-decision"));
    }
    let response = client.check(&CheckRequest::raw("GET", &target, &[html]));
    let (status, denied) = response.refusal();
    let location = header(&denied.headers, "location").unwrap();
    assert_eq!((status, denied.body.as_str()), (302, ""));
    assert!(location.starts_with("https://id.example.com/login?return_to=https%3A%2F%2Fapp%2Eexample%2Ecom%2Fapp"));
}

#[test]
fn what_can_be_read_in_two_ways_is_refused() {
    let (world, mut client) = start(&[]);
    let target = format!("/applications/{}", world.application);
    let (ada, olga) = (bearer(&world, "ada"), bearer(&world, "olga"));
    let session = format!("__Host-gatepost={}", world.person("olga").session);
    let read = |lines: &[(&str, &str)]| {
        [CheckRequest::raw("GET", &target, lines), CheckRequest::joined("GET", &target, lines)]
    };
    for lines in [
        vec![("authorization", olga.as_str()), ("authorization", &olga)],
        vec![("authorization", &olga), ("authorization", &ada)],
        vec![("authorization", &ada), ("cookie", &session)],
    ] {
        for question in read(&lines) {
            assert_eq!(status(&mut client, &question), 400, "{lines:?}");
        }
    }
    // Joined by a comma, two session cookies are one that is no token.
    let [raw, joined] = read(&[("cookie", session.as_str()), ("cookie", &session)]);
    assert_eq!((status(&mut client, &raw), status(&mut client, &joined)), (400, 401));
    let [raw, joined] = read(&[("cookie", "a=b"), ("cookie", &session)]);
    assert_eq!((status(&mut client, &raw), status(&mut client, &joined)), (200, 401));

    let http = || HttpRequest {
        headers: [("authorization".to_owned(), olga.clone())].into(),
        ..CheckRequest::http("GET", &target)
    };
    let line = |key: &str, value: &str, raw_value: &str| HeaderLine {
        key: key.to_owned(),
        value: value.to_owned(),
        raw_value: raw_value.as_bytes().to_vec(),
    };
    let both = |line: HeaderLine| HttpRequest { header_map: Some(HeaderLines { headers: vec![line] }), ..http() };
    assert_eq!(status(&mut client, &CheckRequest::about(http())), 200);
    assert_eq!(status(&mut client, &CheckRequest::about(both(line("x", "y", "")))), 200);
    for (what, http) in [
        ("two values", both(line("x", "a", "b"))),
        ("in both places", both(line("authorization", "", &ada))),
        ("twice in another case", both(line("Authorization", "", &olga))),
        ("no header's value", both(line("cookie", "", "a=\nb"))),
        ("no header's name", both(line("caf\u{e9}", "", ""))),
        ("no method", HttpRequest { method: String::new(), ..http() }),
        ("no path", HttpRequest { path: String::new(), ..http() }),
        ("no host", HttpRequest { host: String::new(), ..http() }),
        ("no scheme", HttpRequest { scheme: String::new(), ..http() }),
        ("two hosts", HttpRequest { host: "app.example.com,evil.test".to_owned(), ..http() }),
        ("another path", HttpRequest { path: format!("{target}/../x"), ..http() }),
        ("another method", HttpRequest { method: "get".to_owned(), ..http() }),
        ("another scheme", HttpRequest { scheme: "ws".to_owned(), ..http() }),
    ] {
        assert_eq!(status(&mut client, &CheckRequest::about(http)), 400, "{what}");
    }
    assert_eq!(status(&mut client, &CheckRequest::default()), 400);
}

#[test]
fn pseudo_headers_and_other_peoples_headers_say_nothing() {
    let (world, mut client) = start(&[]);
    let target = format!("/applications/{}", world.application);
    let olga = bearer(&world, "olga");
    let lines = [
        ("authorization", olga.as_str()),
        (":path", "/admin"),
        (":method", "DELETE"),
        (":authority", "admin.test"),
        (":scheme", "http"),
        ("x-forwarded-for", "10.0.0.1"),
        ("x-original-uri", "/admin"),
        ("x-forwarded-uri", "/admin"),
        ("gatepost-peer-token", "x"),
        ("remote-user", "ada"),
        ("remote_user", "ada"),
        ("remote.user", "ada"),
        ("gatepost~decision", "x"),
        ("x_forwarded_host", "admin.test"),
        ("x_auth_request_user", "ada"),
        ("x-own", "yes"),
    ];
    let response = client.check(&CheckRequest::raw("GET", &target, &lines));
    let permit = response.permit();
    assert_eq!(header(&permit.headers, "remote-user"), Some("olga"));
    let record = world.decision_record(header(&permit.headers, "gatepost-decision").unwrap());
    let told = ["method", "host", "path", "client"].map(|name| record[name].as_str().unwrap());
    assert_eq!(told, ["GET", "app.example.com", &target, "192.0.2.1"]);
    for (name, is_removed) in [
        ("remote-user", false),
        ("remote_user", true),
        ("remote.user", true),
        ("gatepost~decision", true),
        ("gatepost-peer-token", true),
        ("x_forwarded_host", true),
        ("x_auth_request_user", true),
        ("x-original-uri", true),
        ("x-forwarded-for", false),
        ("x-own", false),
        (":path", false),
    ] {
        assert_eq!(permit.headers_to_remove.iter().any(|removed| removed == name), is_removed, "{name}");
    }
}

#[test]
fn cookies_are_cut_as_gatepost_reads_them() {
    let (world, mut client) = start(&[]);
    let target = format!("/applications/{}", world.application);
    let (olga, session) = (bearer(&world, "olga"), world.person("olga").session.clone());
    for (sent, expected) in [
        (vec!["theme=dark".to_owned()], None),
        (vec![format!("__Host-gatepost={session}")], Some("")),
        (vec![format!(" \t__Host-gatepost = {session};;")], Some("")),
        (vec![format!("a=1;__Host-gatepost={session};b=2")], Some("a=1; b=2")),
        (vec![format!("a=1; b=\"__Host-gatepost\"; __Host-gatepost={session}")], Some("")),
        (vec![format!("a=1; __host-gatepost=x; __Host-gatepost={session}")], Some("")),
        (vec!["a=1".to_owned(), format!("__Host-gatepost={session}; b=2")], Some("a=1; b=2")),
    ] {
        let mut lines = vec![("authorization", olga.as_str())];
        if sent.iter().any(|line| line.contains(&session)) {
            lines.clear();
        }
        lines.extend(sent.iter().map(|line| ("cookie", line.as_str())));
        let response = client.check(&CheckRequest::raw("GET", &target, &lines));
        let permit = response.permit();
        let removed = permit.headers_to_remove.iter().any(|removed| removed == "cookie");
        let left = if removed { Some("") } else { header(&permit.headers, "cookie") };
        assert_eq!(left, expected, "{sent:?}");
    }
}

#[test]
fn identity_headers_keep_their_configured_names() {
    let settings = [("decision.header_user", "X-Forwarded-User"), ("decision.header_decision", "X-Decision")];
    let (world, mut client) = start(&settings);
    let olga = bearer(&world, "olga");
    let lines = [("authorization", olga.as_str()), ("x-forwarded-user", "ada"), ("x_forwarded_user", "ada")];
    let target = format!("/applications/{}", world.application);
    let response = client.check(&CheckRequest::raw("GET", &target, &lines));
    let permit = response.permit();
    assert_eq!(header(&permit.headers, "x-forwarded-user"), Some("olga"));
    assert!(header(&permit.headers, "x-decision").is_some_and(|id| !id.is_empty()));
    let removes = |name: &str| permit.headers_to_remove.iter().any(|removed| removed == name);
    assert!(!removes("x-forwarded-user") && removes("x_forwarded_user") && removes("remote-user"));
}

#[test]
fn nothing_that_is_no_question_is_allowed_or_an_error_of_grpc() {
    let (world, mut client) = start(&[]);
    let olga = bearer(&world, "olga");
    let target = format!("/applications/{}", world.application);
    let good = prost::Message::encode_to_vec(&CheckRequest::raw("GET", &target, &[("authorization", &olga)]));
    let long = CheckRequest::about(HttpRequest { body: "a".repeat(256 * 1024), ..CheckRequest::http("GET", "/") });
    let longest = CheckRequest::about(HttpRequest {
        body: "a".repeat(200 * 1024),
        headers: [("authorization".to_owned(), olga.clone())].into(),
        ..CheckRequest::http("GET", &target)
    });
    assert_eq!(status(&mut client, &longest), 200, "an ordinary body is passed over");
    for (what, body) in [
        ("nothing", Vec::new()),
        ("no message", frame(&[])),
        ("a message that is cut", frame(&good)[..40].to_vec()),
        ("a length that is too long", [&[0, 0, 0, 255, 255][..], &good].concat()),
        ("a length beyond all bounds", [&[0, 255, 255, 255, 255][..], &good].concat()),
        ("a compressed message", [&[1][..], &frame(&good)[1..]].concat()),
        ("an unknown flag", [&[7][..], &frame(&good)[1..]].concat()),
        ("text", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("an over-long message", frame(&prost::Message::encode_to_vec(&long))),
        ("another type of wire", frame(&[8, 1])),
    ] {
        let (code, _) = (client.send(body).response().refusal().0, what);
        assert_eq!(code, 400, "{what}");
    }
    // Any bytes, and any changes to a good message.
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        (0..good.len(), any::<u8>()).prop_map({
            let good = good.clone();
            move |(at, byte)| {
                let mut changed = good.clone();
                changed[at] = byte;
                changed
            }
        }),
        (0..good.len()).prop_map({
            let good = good.clone();
            move |end| good[..end].to_vec()
        }),
    ];
    let mut runner = TestRunner::new(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) });
    let client = std::cell::RefCell::new(client);
    let asked = |message: &[u8]| client.borrow_mut().send(frame(message)).response();
    let allowed = std::cell::RefCell::new(Vec::new());
    let outcome = runner.run(&bytes, |message| {
        let response = asked(&message);
        if response.allows() {
            let permit = response.permit();
            prop_assert_eq!(header(&permit.headers, "remote-user"), Some("olga"));
            allowed.borrow_mut().push(header(&permit.headers, "gatepost-decision").unwrap().to_owned());
        } else {
            response.refusal();
        }
        Ok(())
    });
    outcome.unwrap();
    // What was allowed still was olga's question about something that she may read, to the letter.
    let allowed = allowed.into_inner();
    world.decision_record(allowed.last().expect("some changes are to what does not count"));
    let records = world.decision_records();
    for id in allowed {
        assert_eq!(records[&id]["path"].as_str(), Some(target.as_str()));
    }
}

#[test]
fn only_trusted_peers_may_ask() {
    let (_world, mut client) = start(&[("decision.trusted_peers", "192.0.2.0/24")]);
    let reply = client.send(frame(&[]));
    assert_eq!((reply.http_status, reply.status), (403, None));
}

#[test]
fn it_is_one_method_of_one_service() {
    let (world, _client) = start(&[]);
    assert_eq!(send(world.decision, "GET", CHECK, &[], "").status, 405);
    assert_eq!(send(world.decision, "POST", "/envoy.service.auth.v3.Authorization/Watch", &[], "").status, 404);
    assert_eq!(send(world.decision, "POST", "/envoy.service.auth.v2.Authorization/Check", &[], "").status, 404);
}
