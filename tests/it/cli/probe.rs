//! `gatepost probe`, through real proxies: as they are shipped, and with one mistake each.

use std::net::SocketAddr;

use serde_json::{Value, json};

use super::program::{Program, Run};
use crate::proxies::stage::Start;
use crate::support::program::free_address;
use crate::support::{Address, Upstream, World, caddy, envoy, haproxy, nginx, traefik};

/// A Gatepost, a proxy that asks it, and the address at which the probe is the application.
struct Setting {
    program: Program,
    world: World,
    proxy: SocketAddr,
    application: SocketAddr,
    _running: crate::support::Program,
}

impl Setting {
    fn new(start: impl FnOnce(Address, SocketAddr) -> (crate::support::Program, SocketAddr)) -> Self {
        Self::with(&[], start)
    }

    /// With a Gatepost that is configured so.
    fn with(
        settings: &[(&'static str, &str)],
        start: impl FnOnce(Address, SocketAddr) -> (crate::support::Program, SocketAddr),
    ) -> Self {
        let (mut program, world, application) = (Program::new(), World::without_passwords(settings), free_address());
        let (running, proxy) = start(world.decision, application);
        let (olga, devi) = (world.person("olga"), world.person("devi"));
        program.set("GATEPOST_PROBE_KEY", &olga.api_key);
        for (name, secret) in [("other", &devi.api_key), ("session", &olga.session), ("other-session", &devi.session)] {
            std::fs::write(program.folder().join(name), format!("{secret}\n")).unwrap();
        }
        Self { program, world, proxy, application, _running: running }
    }

    /// With nothing to look into.
    fn probe(&self, arguments: &[&str]) -> Run {
        let url = format!("http://{}", self.proxy);
        let path = format!("/applications/{}", self.world.application);
        let own = ["probe", &url, "--allowed-path", &path, "--host", "app.example.com", "--timeout", "2s"];
        let run = self.program.run(&[&own, arguments].concat());
        for person in ["olga", "devi"].map(|name| self.world.person(name)) {
            for secret in [&person.api_key, &person.session] {
                assert!(!run.out.contains(secret) && !run.err.contains(secret));
            }
        }
        run
    }

    /// As the application, and with the decision log.
    fn probe_within(&self, arguments: &[&str]) -> Run {
        let log = self.world.folder.path().join("decisions.log");
        let application = self.application.to_string();
        let within = ["--listen-upstream", &application, "--decision-log", log.to_str().unwrap()];
        self.probe(&[&within, arguments].concat())
    }
}

/// The faults of a document, with the number of cases that have them.
fn faults(document: &Value) -> Vec<String> {
    let findings = document["cases"].as_array().unwrap().iter().flat_map(|case| case["findings"].as_array().unwrap());
    let mut faults: Vec<_> = findings.map(|finding| finding["fault"].as_str().unwrap().to_owned()).collect();
    faults.sort_unstable();
    faults.dedup();
    faults
}

fn nothing_gets_through(start: Start, settings: &[(&'static str, &str)]) {
    let setting = Setting::with(settings, start);
    let others = ["--other-key-file", "other", "--session-file", "session", "--other-session-file", "other-session"];
    let run = setting.probe_within(&[&others[..], &["--danger-key-in-query", "--output", "json"]].concat());
    let report = run.json();
    let mut odd = report["cases"].as_array().unwrap().clone();
    odd.retain(|case| case["state"] == "wrong" || case["state"] == "unverified");
    let odd = odd.iter().map(Value::to_string).collect::<Vec<_>>().join("\n");
    assert_eq!((run.code, run.err.as_str(), faults(&report)), (0, "", vec![]), "{odd}");
    let summary = &report["summary"];
    assert_eq!((&summary["WRONG"], &summary["left out"]), (&json!(0), &json!(0)), "{summary}");
    let count = |state: &str| summary[state].as_u64().unwrap();
    assert!(count("refused") > 300 && count("same") > 100 && count("allowed") == 7, "{summary}");
    assert!(count("unverified") < 10, "{summary}\n{odd}");

    // Without the other users, and only a class.
    let run = setting.probe_within(&["--case", "credential"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains(" left out, ") && run.out.ends_with(" 0 WRONG\n"), "{}", run.out);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn nothing_gets_through_the_shipped_nginx() {
    nothing_gets_through(nginx::start, &[("decision.assertion_audience", "https://app.example.com")]);
}

#[test]
#[ignore = "needs caddy: tests/run.sh"]
fn nothing_gets_through_the_shipped_caddy() {
    nothing_gets_through(caddy::start, &[]);
}

#[test]
#[ignore = "needs traefik: tests/run.sh"]
fn nothing_gets_through_the_shipped_traefik() {
    nothing_gets_through(traefik::start, &[]);
}

#[test]
#[ignore = "needs haproxy: tests/run.sh"]
fn nothing_gets_through_the_shipped_haproxy() {
    nothing_gets_through(haproxy::start, &[]);
}

#[test]
#[ignore = "needs envoy: tests/run.sh"]
fn nothing_gets_through_the_shipped_envoy() {
    nothing_gets_through(envoy::start, &[]);
}

/// A mistake in nginx's configuration, the class of cases that finds it, and how it is told.
struct Mistake {
    changes: &'static [(&'static str, &'static str)],
    class: &'static str,
    faults: &'static [&'static str],
    words: &'static str,
    line: &'static str,
}

const MISTAKES: &[Mistake] = &[
    Mistake {
        changes: &[("proxy_pass http://app;", "proxy_pass http://app/;")],
        class: "path",
        faults: &["rewritten"],
        words: "not the bytes that were decided about",
        line: "proxy_pass http://app;",
    },
    Mistake {
        changes: &[
            ("X-Original-URI    $request_uri;", "X-Original-URI    $asked;"),
            ("    location / {", "    location / {\n        set $asked $uri;"),
        ],
        class: "path",
        faults: &["path"],
        words: "or one that it can read in another way",
        line: "X-Original-URI $request_uri;",
    },
    Mistake {
        changes: &[
            ("X-Original-URI    $request_uri;", "X-Original-URI    $asked;"),
            (
                "    location / {",
                "    set $asked $request_uri;\n    if ($http_x_original_uri) { set $asked $http_x_original_uri; }\n    \
                 location / {",
            ),
        ],
        class: "header",
        faults: &["let_through", "path"],
        words: "another path than the one that was decided about",
        line: "X-Original-URI $request_uri;",
    },
    Mistake {
        changes: &[("X-Original-Host   $host;", "X-Original-Host   app.example.com;")],
        class: "host",
        faults: &["host"],
        words: "another host than the one that was decided about",
        line: "X-Original-Host $host;",
    },
    Mistake {
        changes: &[("X-Original-Method $request_method;", "X-Original-Method GET;")],
        class: "caller",
        faults: &["method"],
        words: "another method than the one that was decided about",
        line: "X-Original-Method $request_method;",
    },
    Mistake {
        changes: &[("proxy_set_header Remote-User       $gatepost_user;", "")],
        class: "identity",
        faults: &["anonymous", "identity"],
        words: "forge the headers that tell the application who it is",
        line: "Remote-User $gatepost_user;",
    },
    Mistake {
        changes: &[
            ("underscores_in_headers off;", "underscores_in_headers on;"),
            ("proxy_set_header Remote_User       \"\";", ""),
        ],
        class: "identity",
        faults: &["identity"],
        words: "forge the headers that tell the application who it is",
        line: "underscores_in_headers off;",
    },
    Mistake {
        changes: &[("Connection $gatepost_connection;", "Connection $http_connection;")],
        class: "hop-by-hop",
        faults: &["hop_by_hop"],
        words: "names headers that the next server removes",
        line: "Connection $gatepost_connection;",
    },
    Mistake {
        changes: &[("proxy_set_header Upgrade    $gatepost_upgrade;", "proxy_set_header Upgrade $http_upgrade;")],
        class: "upgrade",
        faults: &["tunnel"],
        words: "can change the protocol",
        line: "Upgrade $gatepost_upgrade;",
    },
    Mistake {
        changes: &[("X-Forwarded-For   $remote_addr;", "X-Forwarded-For $proxy_add_x_forwarded_for;")],
        class: "address",
        faults: &["claim"],
        words: "which may believe it",
        line: "X-Forwarded-For $remote_addr;",
    },
    Mistake {
        changes: &[
            ("X-Real-IP         $remote_addr;\n        # Who asks", "X-Real-IP $asker;\n        # Who asks"),
            (
                "    location / {",
                "    set $asker $remote_addr;\n    if ($http_x_real_ip) { set $asker $http_x_real_ip; }\n    location / {",
            ),
        ],
        class: "address",
        faults: &["client"],
        words: "the address that is decided by is what the client says",
        line: "X-Real-IP $remote_addr;",
    },
    Mistake {
        changes: &[("proxy_set_header Authorization \"\";", "")],
        class: "control",
        faults: &["credential"],
        words: "the application gets the credential",
        line: "proxy_set_header Authorization \"\";",
    },
    Mistake {
        changes: &[("    location / {", "    location / {\n        auth_request off;")],
        class: "caller",
        faults: &["anonymous", "identity", "let_through", "undecided"],
        words: "the decision point has allowed nothing",
        line: "auth_request /_gatepost/check;",
    },
];

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn each_mistake_is_found_and_named() {
    for Mistake { changes, class, faults: expected, words, line } in MISTAKES {
        let setting = Setting::new(|decision, app| nginx::start_changed(decision, app, changes));
        let run = setting.probe_within(&["--case", class, "--output", "json"]);
        // What may be meant is told, and no failure.
        let code = i32::from(*expected != ["credential"]);
        assert_eq!((run.code, run.err.as_str()), (code, ""), "{changes:?}");
        assert_eq!(faults(&run.json()), *expected, "{changes:?}: {}", run.out);
        for told in [words, line] {
            assert!(run.out.contains(json!(told).to_string().trim_matches('"')), "{told} in\n{}", run.out);
        }
        if *class == "hop-by-hop" {
            let run = setting.probe_within(&["--case", class]);
            assert_eq!(run.code, code);
            for told in
                ["WRONG (", words, line, "sent         GET {path} HTTP/1.1", "decided      allow GET app.example.com/"]
            {
                assert!(run.out.contains(told), "{told} in\n{}", run.out);
            }
            let run = setting.probe_within(&["--case", class, "--all"]);
            assert!(run.out.contains("\nhop-by-hop/remote-user "), "{}", run.out);
        }
    }
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn a_route_that_does_not_lead_to_the_probe_is_told() {
    let setting = Setting::new(nginx::start);
    let elsewhere = free_address().to_string();
    let run = setting.probe(&["--listen-upstream", &elsewhere]);
    assert_eq!((run.code, run.out.as_str()), (1, ""));
    assert!(run.err.contains("the allowed path is not allowed: the answer was 502"), "{}", run.err);
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
fn without_anything_to_look_into_the_answers_are_told() {
    let application = Upstream::start();
    let setting = Setting::new(|decision, _| nginx::start(decision, application.address));
    let run = setting.probe(&["--output", "json"]);
    let report = run.json();
    assert_eq!((run.code, run.err.as_str(), faults(&report)), (0, "", vec![]));
    assert_eq!(report["looked_into"], json!({"decisions": false, "application": false}));
    assert!(report["summary"]["unverified"].as_u64().unwrap() > 100, "{}", report["summary"]);
    assert_ne!(application.take(), []);

    // The decisions tell more.
    let log = setting.world.folder.path().join("decisions.log");
    let run = setting.probe(&["--decision-log", log.to_str().unwrap()]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("use --listen-upstream"), "{}", run.out);
}

#[test]
fn a_server_that_lets_everybody_in_is_found() {
    let (mut program, application) = (Program::new(), Upstream::start());
    program.set("GATEPOST_PROBE_KEY", "gp_whatever");
    let url = format!("http://{}", application.address);
    let run = program.run(&["probe", &url, "--allowed-path", "/x", "--case", "caller", "--timeout", "1s"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    assert!(run.out.contains("WRONG") && run.out.contains("what must be refused was let through"), "{}", run.out);
    assert!(
        run.out.contains("the path is open to everybody") && run.out.contains("control/denied-path"),
        "{}",
        run.out
    );
    assert!(application.take().iter().all(|seen| ["GET", "HEAD", "OPTIONS"].contains(&seen.method.as_str())));
}

#[test]
fn a_wrong_use_is_told() {
    let mut program = Program::new();
    let url = "http://127.0.0.1:9";
    let missing = program.run(&["probe", url, "--allowed-path", "/x"]);
    assert_eq!(missing.code, 2);
    assert!(missing.err.contains("GATEPOST_PROBE_KEY"), "{}", missing.err);
    program.set("GATEPOST_PROBE_KEY", "gp_secret");
    for (arguments, words) in [
        (&["http://127.0.0.1:9/x", "--allowed-path", "/x"][..], "--allowed-path"),
        (&[url, "--allowed-path", "/x/"], "a slash at its end"),
        (&[url], "--allowed-path"),
        (&["http://app.example.com", "--allowed-path", "/x"], "--danger-plain-http"),
        (&[url, "--allowed-path", "/x", "--case", "nonsense"], "there is no case `nonsense`"),
        (&[url, "--allowed-path", "/x", "--timeout", "2m"], "a minute at most"),
        (&[url, "--allowed-path", "/x", "--server", "http://127.0.0.1:1"], "--server"),
    ] {
        let run = program.run(&[&["probe"], arguments].concat());
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(words) && !run.err.contains("gp_secret"), "{words} in {}", run.err);
    }
    let unreachable = program.run(&["probe", url, "--allowed-path", "/x"]);
    assert_eq!((unreachable.code, unreachable.out.as_str()), (1, ""));
    assert!(unreachable.err.contains("cannot reach `http://127.0.0.1:9/`"), "{}", unreachable.err);
}
