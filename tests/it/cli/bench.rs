//! `gatepost bench`.

mod peer;

use serde_json::{Value, json};

use self::peer::{Next, Peer};
use super::program::{Program, Run};

/// The demonstration's key of a user, and a path that is about its application.
fn seeded(document: &Value, user: usize, path: &str) -> (String, String) {
    let key = document["users"][user]["api_key"].as_str().unwrap().to_owned();
    (key, format!("/applications/{}{path}", document["application"]["id"].as_str().unwrap()))
}

/// Loads `url` over so many connections for a second with nothing before it.
fn bench_over(connections: &str, program: &Program, url: &str, arguments: &[&str]) -> Run {
    let short = ["bench", url, "--duration", "1s", "--warm-up", "0s", "--connections", connections, "--output", "json"];
    program.run(&[&short, arguments].concat())
}

fn bench(program: &Program, url: &str, arguments: &[&str]) -> Run {
    bench_over("4", program, url, arguments)
}

#[test]
fn a_decision_is_asked_for_at_the_given_rate() {
    let mut program = Program::new();
    let server = program.serve(&["--demo"]);
    let (key, path) = seeded(&server.document(), 1, "/releases");
    program.set("GATEPOST_BENCH_KEY", &key);
    let url = format!("http://{}/check/nginx", server.decision());
    let run = bench(&program, &url, &["--method", "POST", "--path", &path, "--rate", "200", "--histogram", "h.txt"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(!run.out.contains(&key));
    let report = run.json();
    assert_eq!((&report["requests"], &report["statuses"]), (&json!(200), &json!({"200": 200})));
    assert_eq!(
        (&report["loop"], &report["expected"], &report["dialect"]),
        (&json!("open"), &json!(200), &json!("nginx"))
    );
    assert_eq!(report["question"], json!(format!("POST localhost{path}")));
    assert_eq!(report["errors"], json!({"not_connected": 0, "broken": 0, "timed_out": 0, "not_sent": 0}));
    let latency = |name: &str| report["latency_us"][name].as_f64().unwrap();
    assert!(latency("p50") > 0.0 && latency("p50") <= latency("p99") && latency("p99") <= latency("max"), "{report}");
    assert!(report["late_us"]["p50"].is_f64() && report["bytes_read"].as_u64().unwrap() > 10_000, "{report}");
    let histogram = std::fs::read_to_string(program.folder().join("h.txt")).unwrap();
    assert!(histogram.contains("Total count    =          200]"), "{histogram}");
}

#[test]
fn each_dialect_and_each_source_of_the_key_gets_the_same_answer() {
    let program = Program::new();
    let server = program.serve(&["--demo"]);
    let (key, path) = seeded(&server.document(), 1, "/releases");
    std::fs::write(program.folder().join("key.txt"), format!("{key}\n")).unwrap();
    let url = format!("http://{}", server.decision());
    for dialect in ["nginx", "caddy", "traefik"] {
        let asked = ["--dialect", dialect, "--method", "POST", "--path", &path, "--host", "app.example.com"];
        let short = ["bench", &url, "--duration", "100ms", "--warm-up", "0s", "--threads", "2", "--expect", "200"];
        let run = program.run(&[&short, &asked[..], &["--client", "192.0.2.1", "--key-file", "key.txt"]].concat());
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{dialect}");
        for shown in
            ["closed loop of 32 connections and 2 threads", " of 200\n", &format!("/check/{dialect}\n"), "p99.9:"]
        {
            assert!(run.out.contains(shown), "{shown} in\n{}", run.out);
        }
        let stdin = program.run_with(&[&short, &asked[..], &["--key-stdin"]].concat(), &key);
        assert_eq!((stdin.code, stdin.err.as_str()), (0, ""), "{dialect}");
    }
    let denied = bench(&program, &format!("{url}/check/nginx"), &["--path", &path, "--expect", "200"]);
    assert_eq!((denied.code, denied.out.as_str()), (1, ""));
    assert!(denied.err.contains("the first answer was 401 Unauthorized, and 200 OK was expected"), "{}", denied.err);
}

#[test]
fn a_request_is_late_by_as_long_as_it_was_not_sent() {
    let program = Program::new();
    let stalling = || Peer::tcp(|number| if number == 50 { Next::Pause(600) } else { Next::Status(200) });
    let report = |arguments: &[&str]| {
        let run = bench_over("1", &program, &stalling().url, arguments);
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        run.json()
    };
    let micros = |report: &Value, name: &str| report["latency_us"][name].as_f64().unwrap();
    let open = report(&["--rate", "200"]);
    assert_eq!(open["requests"], json!(200));
    // Of the 200, some 120 were due during the pause.
    assert!(micros(&open, "p90") > 300_000.0 && micros(&open, "p50") > 10_000.0, "{open}");
    let closed = report(&[]);
    assert!(micros(&closed, "max") >= 600_000.0 && micros(&closed, "p90") < 300_000.0, "{closed}");
}

#[test]
fn what_was_due_and_could_not_be_sent_counts_as_waited_for() {
    let program = Program::new();
    let silent = Peer::tcp(|number| if number < 10 { Next::Status(200) } else { Next::Silence });
    let run = bench_over("1", &program, &silent.url, &["--rate", "100", "--timeout", "300ms"]);
    assert_eq!(run.code, 1);
    let report = run.json();
    let count = |name: &str| report["errors"][name].as_u64().unwrap();
    assert_eq!(report["requests"], json!(100));
    assert!(count("timed_out") >= 2 && count("not_sent") >= 50, "{report}");
    assert!(report["latency_us"]["p50"].as_f64().unwrap() >= 300_000.0, "{report}");
}

#[test]
fn any_other_status_and_any_error_is_counted_and_makes_it_fail() {
    let program = Program::new();
    let changing = Peer::tcp(|number| Next::Status(if number % 4 == 3 { 503 } else { 200 }));
    let run = bench(&program, &changing.url, &["--rate", "100"]);
    assert_eq!((run.code, run.err.as_str()), (1, ""));
    let report = run.json();
    assert_eq!((&report["statuses"], &report["unexpected"]), (&json!({"200": 75, "503": 25}), &json!(25)));

    let breaking = Peer::tcp(|number| if number % 4 == 3 { Next::Break } else { Next::Status(200) });
    let run = bench(&program, &breaking.url, &["--rate", "100"]);
    assert_eq!((run.code, &run.json()["errors"]["broken"]), (1, &json!(25)));

    let nobody = format!("http://{}/", crate::support::program::free_address());
    let error = program.failure(&["bench", &nobody]);
    assert!(error.contains("cannot reach `http://127.0.0.1:") && error.contains("refused"), "{error}");
}

#[test]
fn a_connection_that_the_server_closes_is_opened_again() {
    let program = Program::new();
    let closing = Peer::tcp(|number| if number % 5 == 4 { Next::Close } else { Next::Status(200) });
    let run = bench(&program, &closing.url, &["--rate", "100"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    let report = run.json();
    assert_eq!(report["statuses"], json!({"200": 100}));
    assert!(report["connections_opened"].as_u64().unwrap() >= 15, "{report}");
}

#[test]
fn unix_sockets_and_tls_are_loaded_alike() {
    let program = Program::new();
    let socket = program.folder().join("app.sock");
    let unix = Peer::unix(&socket, |_| Next::Status(200));
    let run = bench(&program, &format!("unix:{}:/status?token=secret", socket.display()), &["--rate", "50"]);
    assert_eq!((run.code, &run.json()["statuses"]), (0, &json!({"200": 50})));
    assert!(!run.out.contains("secret"));
    assert!(unix.first().starts_with("GET /status?token=secret HTTP/1.1\r\n"), "{}", unix.first());

    let tls = Peer::tls(&program.folder().join("ca.pem"), |_| Next::Status(200));
    std::fs::write(program.folder().join("headers"), "Cookie: a=b\n\nX-More: 1\n").unwrap();
    let headers = ["-H", "@headers", "-H", "Accept: text/html", "--rate", "50"];
    let run = bench(&program, &tls.url, &[&headers[..], &["--ca-file", "ca.pem"]].concat());
    assert_eq!((run.code, &run.json()["statuses"]), (0, &json!({"200": 50})), "{}", run.err);
    for line in ["host: localhost:", "cookie: a=b", "x-more: 1", "accept: text/html"] {
        assert!(tls.first().contains(&format!("\r\n{line}")), "{line} in {}", tls.first());
    }
    let untrusted = program.failure(&["bench", &tls.url]);
    assert!(untrusted.contains("invalid peer certificate"), "{untrusted}");
}

#[test]
fn a_secret_is_not_an_argument_and_does_not_cross_a_network_in_the_clear() {
    let mut program = Program::new();
    program.set("GATEPOST_BENCH_KEY", "gp_secret");
    for arguments in [
        &["bench", "http://192.0.2.1/"][..],
        &["bench", "http://127.0.0.1:1/", "-H", "Authorization: Bearer x"],
        &["bench", "http://127.0.0.1:1/", "-H", "cookie: x"],
        &["bench", "http://127.0.0.1:1/", "-H", "Connection: close"],
        &["bench", "http://127.0.0.1:1/", "--path", "/x"],
        &["bench", "http://127.0.0.1:1/check/nginx"],
        &["bench", "unix:/nowhere.sock", "--dialect", "squid", "--path", "/"],
        &["bench", "127.0.0.1:7180"],
        &["bench", "http://127.0.0.1:1/", "--duration", "11m"],
        &["bench", "http://127.0.0.1:1/", "--rate", "0"],
        &["bench", "http://127.0.0.1:1/", "--expect", "never"],
        &["bench", "http://127.0.0.1:1/", "--key-stdin", "--key-file", "x"],
        &["bench", "http://127.0.0.1:1/", "--server", "http://127.0.0.1:2"],
    ] {
        let run = program.run(arguments);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{arguments:?}: {}", run.err);
        assert!(!run.err.contains("gp_secret"), "{}", run.err);
    }
}
