//! What the client says is not believed, and what could be read in two ways does not get through.

use super::stage;
use crate::proxies::attacks;
use crate::support::http::request;
use crate::support::upstream::BODY;

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_target_that_can_be_read_in_two_ways_is_refused() {
    let stage = stage();
    for (target, outcome) in attacks::confused_targets(&stage) {
        outcome.assert_refused(&[400], &target);
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_target_with_one_reading_is_decided_by_it_and_passed_on_as_it_is() {
    let stage = stage();
    let application = stage.application();
    let id = stage.world.application.to_string();
    let olga = format!("Bearer {}", stage.world.person("olga").api_key);
    for (target, status) in [
        (format!("/%61pplications/{id}"), 200),
        (format!("{application}/"), 200),
        (format!("{application}/a%20b/caf%C3%A9"), 200),
        (format!("{application}/...?x=/../%2e%2e//;%00%zz"), 200),
        (format!("{application}?"), 200),
        // The decoded path is what is decided about: olga is no operator.
        (format!("{application}/%64evices/{}/s%73h", stage.world.device), 403),
        // Case is significant, and the query is no part of it.
        (application.to_uppercase(), 403),
        (format!("/Applications/{id}"), 403),
        (format!("/elsewhere?path={application}"), 403),
        (format!("/?{application}"), 403),
    ] {
        let outcome = stage.ask("GET", &target, &[("Authorization", &olga)]);
        if status == 200 {
            assert_eq!(outcome.passed().target, target);
            stage.assert_decided(outcome.passed(), "olga");
        } else {
            outcome.assert_refused(&[status], &target);
        }
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed() {
    attacks::claims(&stage());
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn the_client_cannot_have_headers_removed() {
    attacks::hop_by_hop(&stage());
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn there_is_one_host_for_everybody() {
    let stage = stage();
    let target = stage.application();
    let ada = format!("Authorization: Bearer {}", stage.world.person("ada").api_key);
    let absolute = format!("http://other.test{target}");
    for (first, host, decided) in [
        (target.as_str(), "Host: a.B.Example.COM\r\n", Some("a.b.example.com")),
        (&target, "Host: app.example.com.\r\n", Some("app.example.com")),
        (&target, "Host: app.example.com:8443\r\n", Some("app.example.com")),
        (&target, "Host: xn--bcher-kva.example\r\n", Some("xn--bcher-kva.example")),
        (&target, "Host: [::1]:80\r\n", Some("[::1]")),
        // The absolute form wins (RFC 9112, section 3.2.2), for the application as well.
        (&absolute, "Host: app.example.com\r\n", Some("other.test")),
        (&absolute, "Host: other.test\r\n", Some("other.test")),
        (&target, "", None),
        (&target, "Host:\r\n", None),
        (&target, "Host: a.test\r\nHost: b.test\r\n", None),
        (&target, "Host: a.test\r\nHost: a.test\r\n", None),
        (&target, "Host: a.test,b.test\r\n", None),
        (&target, "Host: ada@a.test\r\n", None),
        (&target, "Host: a..test\r\n", None),
        (&target, "Host: a.test/admin\r\n", None),
        (&target, "Host: a.test#\r\n", None),
        (&target, "Host: a%2etest\r\n", None),
        (&target, "Host: b\u{fc}cher.example\r\n", None),
        (&format!("http://ada@other.test{target}"), "Host: app.example.com\r\n", None),
        (&format!("//other.test{target}"), "Host: app.example.com\r\n", None),
    ] {
        let outcome = stage.send(format!("GET {first} HTTP/1.1\r\n{host}{ada}\r\n\r\n").as_bytes());
        match decided {
            Some(decided) => {
                let seen = outcome.passed();
                stage.assert_decided(seen, "ada");
                assert_eq!((seen.header("host"), &seen.target), (Some(decided), &target), "{first} {host}");
            }
            None => outcome.assert_refused(&[400], &format!("{first} {host}")),
        }
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn an_odd_method_is_refused() {
    let stage = stage();
    let ada = format!("Bearer {}", stage.world.person("ada").api_key);
    let (target, long) = (stage.application(), "A".repeat(33));
    for method in ["get", "Get", "GET_", "G-E-T", "TRACE", "CONNECT", "PROPFIND", "PURGE", "DELETE2", &long] {
        stage.ask(method, &target, &[("Authorization", &ada)]).assert_refused(&[400, 403, 405], method);
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn no_second_request_is_hidden_in_the_first() {
    let stage = stage();
    let (application, olga) = (stage.application(), &stage.world.person("olga").api_key);
    let ada = &stage.world.person("ada").api_key;
    let hidden = format!("DELETE {application} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ada}\r\n\r\n");
    let outcome = stage.send(&request("GET", &application, &[("Authorization", &format!("Bearer {olga}"))], &hidden));
    assert_eq!(outcome.passed().body, hidden);
    stage.assert_decided(outcome.passed(), "olga");

    let head = format!("POST {application}/members HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {ada}\r\n");
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
        "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
        "Content-Length: +4\r\n\r\nabcd",
        "Content-Length: -1\r\n\r\n",
    ] {
        let outcome = stage.send(format!("{head}{framing}").as_bytes());
        outcome.assert_refused(&[400, 501], framing);
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn only_websocket_changes_the_protocol() {
    let stage = stage();
    let target = format!("{}/devices/{}/ssh", stage.application(), stage.world.device);
    let bearer = |username: &str| format!("Bearer {}", stage.world.person(username).api_key);
    let (oleg, olga) = (bearer("oleg"), bearer("olga"));
    let upgrade = |to, who| [("Authorization", who), ("Connection", "Upgrade, HTTP2-Settings"), ("Upgrade", to)];
    let outcome = stage.ask("GET", &target, &upgrade("websocket", &oleg));
    assert_eq!(outcome.passed().header("upgrade"), Some("websocket"));
    assert_eq!(outcome.passed().header("connection"), Some("upgrade"));
    stage.assert_decided(outcome.passed(), "oleg");
    for to in ["h2c", "h2c, websocket", "TLS/1.3"] {
        let outcome = stage.ask("GET", &target, &upgrade(to, &oleg));
        assert_eq!(outcome.passed().all("upgrade"), [""; 0], "{to}");
        assert!(outcome.passed().header("connection").is_none_or(|c| !c.to_lowercase().contains("upgrade")), "{to}");
    }
    stage.ask("GET", &target, &upgrade("websocket", &olga)).assert_refused(&[403], "no operator");
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn the_session_stays_with_gatepost_and_other_cookies_do_not() {
    let stage = stage();
    let target = stage.application();
    let person = stage.world.person("olga");
    let session = format!("__Host-gatepost={}", person.session);
    let foreign = format!("__Host-gatepost={}", stage.world.person("ada").session);
    for (lines, passed) in [
        (vec![session.clone()], Some(None)),
        (vec![format!("a=1; {session}; b=2")], Some(Some("a=1; b=2"))),
        (vec![format!("{session}; b=2")], Some(Some("b=2"))),
        (vec![format!("a=1;{session}")], Some(Some("a=1"))),
        (vec!["a=1".to_owned(), session.clone(), "b=2".to_owned()], Some(Some("a=1; b=2"))),
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
                assert_eq!(seen.header("cookie"), cookies, "{lines:?}");
                stage.assert_decided(seen, "olga");
            }
            None => outcome.assert_refused(&[400], &format!("{lines:?}")),
        }
    }
    let bearer = format!("Bearer {}", person.session);
    let both = [("Authorization", bearer.as_str()), ("Cookie", foreign.as_str())];
    stage.ask("GET", &target, &both).assert_refused(&[400], "two users at once");
    let same = [("Authorization", bearer.as_str()), ("Cookie", session.as_str())];
    stage.assert_decided(stage.ask("GET", &target, &same).passed(), "olga");
    let twice = [("Authorization", bearer.as_str()), ("Authorization", bearer.as_str())];
    stage.ask("GET", &target, &twice).assert_refused(&[400], "two authorization headers");
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn the_question_cannot_be_asked_by_clients() {
    let stage = stage();
    let bearer = format!("Bearer {}", stage.world.person("ada").api_key);
    for target in [
        "/_gatepost/check",
        "/%5fgatepost/check",
        "/./_gatepost/check",
        "/x/../_gatepost/check",
        "/_gatepost/check?x=1",
        "/_gatepost/check/",
        "/@gatepost_unauthorized",
    ] {
        let outcome = stage.ask("GET", target, &[("Authorization", &bearer)]);
        outcome.assert_refused(&[400, 403, 404], target);
        assert!(outcome.reply.is_some_and(|reply| reply.header("remote-user").is_none() && reply.body != BODY));
    }
}
