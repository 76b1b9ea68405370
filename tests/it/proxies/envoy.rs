//! Envoy with `ext_authz`, as `deploy/envoy` configures it: by gRPC, over HTTP, and with the least that is right.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatepost::clock::SystemClock;
use hyper::Request;

use super::matrix::{Cookies, every_cell_holds};
use super::sample;
use super::stage::{Stage, Start};
use super::{attacks, faults};
use crate::support::ext_authz::{GrpcClient, GrpcServer, Manner, frame};
use crate::support::http::request;
use crate::support::{Connection, Upstream, Watched, World, envoy};

/// The hardened configurations.
const HARDENED: [Start; 2] = [envoy::start, envoy::start_http];

fn stage(start: Start) -> Stage {
    Stage::new(start, World::without_passwords(&[]))
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn each_role_may_do_what_the_matrix_says() {
    for start in [envoy::start, envoy::start_http, envoy::start_minimal] {
        sample::each_role(&stage(start));
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn every_cell_of_the_matrix_holds() {
    for start in HARDENED {
        every_cell_holds(&stage(start), Cookies::Kept);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn an_assertion_is_gateposts_or_none() {
    for start in [envoy::start, envoy::start_http, envoy::start_minimal] {
        sample::assertion(start);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_revoked_key_is_refused_by_the_very_next_request() {
    for start in HARDENED {
        sample::revocation(&stage(start));
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed_by_grpc() {
    let stage = stage(envoy::start);
    what_the_client_says_of_itself(&stage);
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed_over_http() {
    let stage = stage(envoy::start_http);
    what_the_client_says_of_itself(&stage);
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn what_the_client_says_of_itself_is_not_believed_with_the_least() {
    attacks::claims(&stage(envoy::start_minimal));
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_target_that_can_be_read_in_two_ways_is_refused_or_rewritten_for_both() {
    for start in HARDENED {
        let stage = stage(start);
        for (target, outcome) in attacks::confused_targets(&stage) {
            // Envoy resolves dots and slashes, for Gatepost and for the application alike.
            if outcome.seen.is_empty() {
                outcome.assert_refused(&[400, 403, 404], &target);
            }
        }
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_raw_fragment_is_refused_because_the_configuration_says_so() {
    let (world, upstream) = (World::without_passwords(&[]), Upstream::start());
    let path = format!("/applications/{}", world.application);
    let bearer = world.person("olga").api_key.clone();
    let head = format!("HTTP/1.1\r\nHost: app.example.com\r\nAuthorization: Bearer {bearer}\r\n\r\n");
    for file in ["envoy/envoy.yaml", "envoy/envoy-http.yaml", "envoy/minimal.yaml"] {
        let guard = "envoy.reloadable_features.http_reject_path_with_fragment: true";
        for target in [format!("{path}#x"), format!("{path}?x#y"), format!("{path}#/../../none")] {
            let ask = |changes: &[_]| {
                let (_proxy, address) = envoy::run(file, world.decision, upstream.address, changes);
                upstream.take();
                Connection::open(address).send(format!("GET {target} {head}").as_bytes()).status
            };
            assert_eq!((ask(&[]), upstream.take()), (400, Vec::new()), "{file}: {target}");
            // So that it is known that it is this line that refuses it.
            let off = guard.replace("true", "false");
            assert_eq!(ask(&[(guard, &off)]), 200, "{file}: {target}");
            assert!(upstream.take().iter().all(|seen| !seen.target.contains('#')), "{file}: {target}");
        }
    }
}

/// Envoy itself refuses names with underscores, and a `Connection` that would take away what it says.
fn what_the_client_says_of_itself(stage: &Stage) {
    attacks::claims_unless(stage, |name| name.contains('_').then_some(400));
    let kept = |named: &str| named.contains("X-Forwarded-For") || named == "Host";
    attacks::hop_by_hop_unless(stage, |named| kept(named).then_some(400));
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn two_hosts_or_two_credentials_are_refused() {
    for start in HARDENED {
        let stage = stage(start);
        let bearer = |username: &str| format!("Bearer {}", stage.world.person(username).api_key);
        let (ada, olga) = (bearer("ada"), bearer("olga"));
        let cookie = |username: &str| format!("__Host-gatepost={}", stage.world.person(username).session);
        for lines in [
            vec![("Host", "app.example.com"), ("Host", "app.example.com"), ("Authorization", olga.as_str())],
            vec![("Host", "app.example.com"), ("Host", "admin.test"), ("Authorization", &olga)],
            vec![("Authorization", &olga), ("Authorization", &olga)],
            vec![("Authorization", &olga), ("Authorization", &ada)],
            vec![("Authorization", &ada), ("Cookie", &cookie("olga"))],
            vec![("Cookie", &cookie("olga")), ("Cookie", &cookie("ada"))],
        ] {
            // Over HTTP two cookies come as one, which is none.
            stage.ask("GET", &stage.application(), &lines).assert_refused(&[400, 401], &format!("{lines:?}"));
        }
        // The absolute form's host is the one that everybody sees.
        let absolute = format!("http://app.example.com{}", stage.application());
        let outcome = stage.ask("GET", &absolute, &[("Host", "admin.test"), ("Authorization", &olga)]);
        stage.assert_decided(outcome.passed(), "olga");
        assert_eq!(outcome.passed().header("host"), Some("app.example.com"));
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn the_session_cookie_stays_with_gatepost_and_the_others_go_on() {
    for start in HARDENED {
        let stage = stage(start);
        let session = format!("__Host-gatepost={}", stage.world.person("olga").session);
        for (cookie, left) in [
            (session.clone(), None),
            (format!("theme=dark; {session}; lang=en"), Some("theme=dark; lang=en")),
            (format!("theme=dark;{session};; "), Some("theme=dark")),
            (format!("__host-gatepost=x; {session}"), None),
        ] {
            let outcome = stage.ask("GET", &stage.application(), &[("Cookie", &cookie)]);
            stage.assert_decided(outcome.passed(), "olga");
            assert_eq!(outcome.passed().header("cookie"), left, "{cookie}");
        }
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn clients_that_speak_http2_are_answered_alike() {
    for start in HARDENED {
        let stage = stage(start);
        let mut client = GrpcClient::open(stage.address.into());
        let session = format!("__Host-gatepost={}", stage.world.person("olga").session);
        let get = || Request::get(format!("https://app.example.com{}", stage.application()));
        // Cookies may come in pieces (RFC 9113, section 8.2.3).
        let pieces = get().header("cookie", "theme=dark").header("cookie", &session).header("cookie", "lang=en");
        let claims = pieces.header("remote-user", "ada").header("x-forwarded-proto", "https");
        assert_eq!(client.ask(claims.body(()).unwrap()), 200);
        let seen = stage.upstream.take();
        let [seen] = seen.as_slice() else { panic!("{seen:?}") };
        assert_eq!(seen.header("cookie"), Some("theme=dark; lang=en"));
        stage.assert_decided(seen, "olga");
        let foreign = format!("__Host-gatepost={}", stage.world.person("ada").session);
        let twice = get().header("cookie", &session).header("cookie", foreign).body(()).unwrap();
        assert_eq!(client.ask(twice), 400);
        assert_eq!(client.ask(get().body(()).unwrap()), 401);
        assert_eq!(stage.upstream.take(), []);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_body_is_not_waited_for_and_passes_whole() {
    for start in HARDENED {
        let stage = stage(start);
        let bearer = format!("Bearer {}", stage.world.person("devi").api_key);
        let target = format!("{}/releases", stage.application());
        let body = "the body".repeat(20_000);
        let outcome = stage.send(&request("POST", &target, &[("Authorization", &bearer)], &body));
        stage.assert_decided(outcome.passed(), "devi");
        assert_eq!(outcome.passed().body, body);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn nothing_changes_the_protocol() {
    for start in HARDENED {
        let stage = stage(start);
        let bearer = format!("Bearer {}", stage.world.person("olga").api_key);
        for (name, value) in [("Upgrade", "h2c"), ("Upgrade", "websocket"), ("Upgrade", "tls/1.0")] {
            let headers =
                [("Authorization", bearer.as_str()), ("Connection", "Upgrade, HTTP2-Settings"), (name, value)];
            let headers = [headers.as_slice(), &[("HTTP2-Settings", "AAMAAABkAAQAAP__")]].concat();
            let outcome = stage.ask("GET", &stage.application(), &headers);
            assert_ne!(outcome.status(), 101, "{value}");
            if let [seen] = outcome.seen.as_slice() {
                stage.assert_decided(seen, "olga");
                assert_eq!(seen.header("upgrade"), None);
            }
        }
        let outcome = stage.ask("CONNECT", "app.example.com:443", &[("Authorization", &bearer)]);
        outcome.assert_refused(&[0, 400, 403, 404, 405], "CONNECT");
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn browsers_are_sent_to_the_log_in_and_programs_are_not() {
    for start in HARDENED {
        sample::browsers_are_sent_to_the_log_in(start);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_refusal_shows_the_client_what_is_meant_for_it() {
    for start in HARDENED {
        let stage = stage(start);
        let reply = stage.ask("GET", &stage.application(), &[]).reply.unwrap();
        let mut names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        let expected = ["cache-control", "content-length", "content-type", "date", "gatepost-decision", "server"];
        assert_eq!(names, [&expected[..], &["www-authenticate"]].concat());
        assert_eq!(reply.header("content-type"), Some("application/problem+json"));
        assert_eq!(reply.json()["decision"].as_str(), reply.header("gatepost-decision"));
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn one_connection_serves_all_questions() {
    for start in HARDENED {
        sample::one_connection_serves_all_questions(start);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn no_answer_is_no_pass() {
    for start in HARDENED {
        faults::no_answer_is_no_pass(start);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn silence_is_not_waited_out() {
    for start in HARDENED {
        faults::silence_is_not_waited_out(start);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_gatepost_that_stops_lets_nobody_through_any_more() {
    for start in HARDENED {
        let Stage { proxy: _proxy, address, upstream, world } = stage(start);
        let bearer = format!("Bearer {}", world.person("ada").api_key);
        let target = format!("/applications/{}", world.application);
        let question = request("GET", &target, &[("Authorization", &bearer)], "");
        let mut client = Connection::open(address);
        assert_eq!(client.send(&question).status, 200);
        drop(world);
        upstream.take();
        assert_eq!(client.send(&question).status, 503);
        for _ in 0..3 {
            assert_eq!(Connection::open(address).send(&question).status, 503);
        }
        assert_eq!(upstream.take(), []);
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn an_answer_that_is_none_of_the_protocols_is_no_pass() {
    let upstream = Upstream::start();
    let gatepost = GrpcServer::start();
    let (_proxy, address) = envoy::start(gatepost.address.into(), upstream.address);
    let sends = |body: &[u8], ends_well| Manner::Sends { body: body.to_vec(), ends_well };
    let manners = ["1", "2", "4", "5", "7", "8", "12", "13", "14", "16", "99", "x", ""].map(Manner::Status);
    let broken = [
        Manner::Http(200),
        Manner::Http(302),
        Manner::Http(403),
        Manner::Http(500),
        Manner::Http(503),
        // A permit, but for the end of it: `status { code: 0 } ok_response { }`.
        sends(&frame(&[10, 0, 26, 0]), false),
        sends(&frame(&[10, 0, 26, 0])[..8], true),
        sends(b"garbage", true),
        sends(&frame(b"\xff\xff\xff"), true),
        sends(&[], true),
        // A refusal without more: `status { code: 7 }`.
        sends(&frame(&[10, 2, 8, 7]), true),
        Manner::Hangs,
    ];
    for manner in manners.into_iter().chain(broken) {
        gatepost.set(manner.clone());
        let began = Instant::now();
        let reply = Connection::open(address).send(&request("GET", "/", &[("Remote-User", "ada")], ""));
        assert_eq!(upstream.take(), [], "{manner:?}");
        assert!([403, 503].contains(&reply.status), "{manner:?}: {reply:?}");
        assert!(began.elapsed() < Duration::from_secs(5), "{manner:?}");
    }
    // So that it is known that this one asks rightly.
    gatepost.set(sends(&frame(&[10, 0, 26, 0]), true));
    assert_eq!(Connection::open(address).send(&request("GET", "/", &[], "")).status, 200);
    assert_eq!(upstream.take().len(), 1);
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn what_gatepost_cannot_decide_is_refused_even_where_errors_pass() {
    let open = [("failure_mode_allow: false", "failure_mode_allow: true")];
    let (world, store) = World::with_store(Arc::new(SystemClock), &[], false, |path| Arc::new(Watched::open(path)));
    let upstream = Upstream::start();
    let (_proxy, address) = envoy::start_changed(world.decision, upstream.address, &open);
    let bearer = format!("Bearer {}", world.person("olga").api_key);
    let ask = |target: &str| Connection::open(address).send(&request("GET", target, &[("Authorization", &bearer)], ""));
    upstream.take();
    store.hang(true);
    let reply = ask(&format!("/applications/{}", world.application));
    store.hang(false);
    assert_eq!((reply.status, reply.header("retry-after")), (503, Some("1")));
    assert_eq!(ask("/a;b").status, 400);
    assert_eq!(upstream.take(), []);
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn a_peer_that_no_address_vouches_for_shows_the_token() {
    let token = "this token is for envoy alone which sends it with each question".replace(' ', "-");
    let settings = [("decision.trusted_peers", "192.0.2.0/24"), ("decision.peer_token", token.as_str())];
    let world = World::without_passwords(&settings);
    let upstream = Upstream::start();
    let target = format!("/applications/{}", world.application);
    let bearer = format!("Bearer {}", world.person("olga").api_key);
    let question = request("GET", &target, &[("Authorization", &bearer), ("Gatepost-Peer-Token", &token)], "");
    for (sent, status) in [(token.as_str(), 200), ("another", 503)] {
        let timeout = "timeout: 2s    # Gatepost answers within one";
        let with_token = format!(
            "{timeout}\n                        initial_metadata: [{{ key: gatepost-peer-token, value: {sent} }}]"
        );
        let (_proxy, address) = envoy::start_changed(world.decision, upstream.address, &[(timeout, &with_token)]);
        assert_eq!(Connection::open(address).send(&question).status, status, "{sent}");
    }
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn behind_a_load_balancer_the_proxy_protocol_tells_the_client() {
    let filter = "
      listener_filters:
        - name: envoy.filters.listener.proxy_protocol
          typed_config:
            \"@type\": type.googleapis.com/envoy.extensions.filters.listener.proxy_protocol.v3.ProxyProtocol
            allow_requests_without_proxy_protocol: true
      filter_chains:";
    let world = World::without_passwords(&[]);
    let upstream = Upstream::start();
    let (_proxy, address) =
        envoy::start_changed(world.decision, upstream.address, &[("\n      filter_chains:", filter)]);
    let bearer = format!("Bearer {}", world.person("olga").api_key);
    let target = format!("/applications/{}", world.application);
    let headers = [("Authorization", bearer.as_str()), ("X-Forwarded-For", "10.0.0.1")];
    let question =
        [&b"PROXY TCP4 192.0.2.7 192.0.2.1 4711 80\r\n"[..], &request("GET", &target, &headers, "")].concat();
    upstream.take();
    assert_eq!(Connection::open(address).send(&question).status, 200);
    let seen = upstream.take();
    assert_eq!(seen[0].header("x-forwarded-for"), Some("192.0.2.7"));
    assert_eq!(world.decision_record(seen[0].header("gatepost-decision").unwrap())["client"], "192.0.2.7");
}
