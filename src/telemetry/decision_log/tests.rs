//! What is written, what is dropped, and that nothing waits.

use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::{Arc, LazyLock, Mutex, mpsc};
use std::{fs, io, thread};

use proptest::prelude::*;

use super::*;
use crate::model::{CredentialKind, DecisionId, Timestamp, UserId};
use crate::telemetry::Outcome;
use crate::telemetry::line_log::CAPACITY;

const PATIENCE: Duration = Duration::from_secs(60);

static OPERATOR: LazyLock<[Arc<str>; 1]> = LazyLock::new(|| ["operator".into()]);
static ASKER: LazyLock<AskerRecord> = LazyLock::new(|| {
    let user = UserId::from_bytes([2; 16]);
    AskerRecord::new(user, CredentialKind::ApiKey, "03030303-0303-0303-0303-030303030303")
});
static ROUTE: LazyLock<RouteRecord> = LazyLock::new(|| RouteRecord::new("DeviceAction", "Device"));

fn record(path: &str) -> DecisionRecord<'_> {
    DecisionRecord {
        at: Timestamp::from_micros(1_764_000_000_123_456),
        id: DecisionId::from_bytes([1; 16]),
        generation: 3,
        asker: Some(&ASKER),
        route: Some((&ROUTE, "d1")),
        decision: Outcome::Allow,
        policies: &*OPERATOR,
        errors: &[],
        client: Some([192, 0, 2, 7].into()),
        request: Some(RequestRecord { method: "POST", host: "api.example.com", path }),
        cause: None,
        latency: Duration::from_micros(42),
    }
}

const UNKNOWN: DecisionRecord<'_> = DecisionRecord {
    at: Timestamp::from_micros(1_764_000_000_123_456),
    id: DecisionId::from_bytes([1; 16]),
    generation: 3,
    asker: None,
    route: None,
    decision: Outcome::Malformed,
    policies: &[],
    errors: &[],
    client: None,
    request: None,
    cause: Some("the path holds a `;` parameter"),
    latency: Duration::from_micros(42),
};

fn line(record: &DecisionRecord<'_>) -> String {
    let mut made = Vec::new();
    assert!(line::with(record, |line| {
        made.extend_from_slice(line);
        true
    }));
    String::from_utf8(made).unwrap()
}

fn started(output: impl io::Write + Send + 'static, metrics: &Metrics, capacity: usize) -> DecisionLog {
    DecisionLog(LineLog::start(Name::Decisions, output, metrics.decision_log_dropped(), capacity).unwrap())
}

#[test]
fn each_decision_is_a_line_of_json_in_a_file_of_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.log");
    fs::write(&path, "what was there\n").unwrap();
    let other = folder.path().join("other.log");
    for file in [&path, &other] {
        let log = DecisionLog::open(Output::File(file), &Metrics::new()).unwrap();
        log.record(&record("/a"));
        log.record(&record("/b\n{\"forged\":true}"));
        assert!(log.shutdown(PATIENCE));
        assert_eq!(log.dropped(), 0);
    }
    assert!(fs::read_to_string(&path).unwrap().starts_with("what was there\n{"));
    assert_eq!(fs::metadata(&other).unwrap().permissions().mode() & 0o777, 0o600);

    let text = fs::read_to_string(&other).unwrap();
    let lines: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[1]["path"], "/b\n{\"forged\":true}");
    insta::assert_snapshot!(text.lines().next().unwrap(), @r#"{"time":"2025-11-24T16:00:00.123456Z","id":"01010101-0101-0101-0101-010101010101","generation":3,"principal":"02020202-0202-0202-0202-020202020202","credential":"api_key","credential_id":"03030303-0303-0303-0303-030303030303","action":"DeviceAction","resource":{"type":"Device","id":"d1"},"decision":"allow","policies":["operator"],"errors":[],"client":"192.0.2.7","method":"POST","host":"api.example.com","path":"/a","cause":null,"latency_us":42}"#);
}

/// Records `path`, and waits until the file `at` has it.
fn recorded(log: &DecisionLog, path: &str, at: &std::path::Path) {
    log.record(&record(path));
    while !fs::read_to_string(at).is_ok_and(|text| text.contains(&format!("\"{path}\"")) && text.ends_with('\n')) {
        thread::yield_now();
    }
}

#[test]
fn a_file_that_is_moved_away_or_removed_is_replaced_by_the_next_line() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("decisions.log"), folder.path().join("decisions.log.1"));
    let log = DecisionLog::open(Output::File(&path), &Metrics::new()).unwrap();
    recorded(&log, "/a", &path);
    fs::rename(&path, &moved).unwrap();
    recorded(&log, "/b", &path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    fs::remove_file(&path).unwrap();
    recorded(&log, "/c", &path);
    fs::rename(&path, folder.path().join("decisions.log.2")).unwrap();
    fs::write(&path, "of whoever rotates\n").unwrap();
    recorded(&log, "/d", &path);
    assert!(log.shutdown(PATIENCE));
    assert_eq!(log.dropped(), 0);
    assert_eq!(fs::read_to_string(&moved).unwrap(), line(&record("/a")));
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("of whoever rotates\n{}", line(&record("/d"))));
}

#[test]
fn without_a_line_a_file_is_opened_again_when_that_is_wished() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("decisions.log"), folder.path().join("decisions.log.1"));
    let log = DecisionLog::open(Output::File(&path), &Metrics::new()).unwrap();
    fs::rename(&path, &moved).unwrap();
    log.reopen();
    assert_eq!(fs::read_to_string(&path).unwrap(), "");
    recorded(&log, "/a", &path);
    assert_eq!(fs::read_to_string(&moved).unwrap(), "");
}

#[test]
fn where_no_file_can_be_opened_the_old_one_is_written_until_one_can() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("decisions.log"), folder.path().join("decisions.log.1"));
    let log = DecisionLog::open(Output::File(&path), &Metrics::new()).unwrap();
    recorded(&log, "/a", &path);
    fs::rename(&path, &moved).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
    recorded(&log, "/b", &moved);
    fs::remove_dir(&path).unwrap();
    recorded(&log, "/c", &path);
    assert_eq!(log.dropped(), 0);
    assert_eq!(fs::read_to_string(&moved).unwrap(), line(&record("/a")) + &line(&record("/b")));
}

#[test]
fn what_is_not_known_is_null() {
    insta::assert_snapshot!(line(&UNKNOWN), @r#"{"time":"2025-11-24T16:00:00.123456Z","id":"01010101-0101-0101-0101-010101010101","generation":3,"principal":null,"credential":null,"credential_id":null,"action":null,"resource":null,"decision":"malformed","policies":[],"errors":[],"client":null,"method":null,"host":null,"path":null,"cause":"the path holds a `;` parameter","latency_us":42}"#);
}

proptest! {
    #[test]
    fn a_line_says_what_the_record_says(
        texts in any::<[String; 8]>(),
        lists in any::<[Vec<String>; 2]>(),
        ids in any::<([u8; 16], [u8; 16])>(),
        numbers in any::<(u64, u32, i64)>(),
        client: IpAddr,
    ) {
        let [credential, action, kind, resource, method, host, path, cause] = texts.each_ref().map(String::as_str);
        let [policies, errors] = lists.each_ref().map(|texts| texts.iter().map(|text| text.as_str().into()).collect::<Vec<Arc<str>>>());
        let user = UserId::from_bytes(ids.1);
        let known = DecisionRecord {
            at: Timestamp::from_micros(numbers.2),
            id: DecisionId::from_bytes(ids.0),
            generation: numbers.0,
            asker: Some(&AskerRecord::new(user, CredentialKind::Session, credential)),
            route: Some((&RouteRecord::new(action, kind), resource)),
            decision: Outcome::Deny,
            policies: &policies,
            errors: &errors,
            client: Some(client),
            request: Some(RequestRecord { method, host, path }),
            cause: Some(cause),
            latency: Duration::from_micros(numbers.1.into()),
        };
        let made = line(&known);
        prop_assert_eq!(made.find(|c: char| c < ' '), Some(made.len() - 1));
        // As a serializer that does the whole at once writes it, byte for byte.
        let expected = serde_json::json!({
            "time": known.at, "id": known.id, "generation": known.generation, "principal": user,
            "credential": "session", "credential_id": credential, "action": action,
            "resource": {"type": kind, "id": resource}, "decision": "deny", "policies": lists[0], "errors": lists[1],
            "client": client, "method": method, "host": host, "path": path, "cause": cause, "latency_us": numbers.1,
        });
        prop_assert_eq!(made, format!("{expected}\n"));
    }

    #[test]
    fn one_escaped_character_is_seen_wherever_it_stands(clean in "[ !#-\\[\\]-~é\u{7f}]{0,40}", odd in "[\u{0}-\u{1f}\"\\\\]", at: prop::sample::Index) {
        let mut cause = clean.clone();
        let made = line(&DecisionRecord { cause: Some(&cause), ..UNKNOWN });
        prop_assert!(made.contains(&format!(r#""cause":"{cause}""#)), "{}", made);
        let places: Vec<usize> = clean.char_indices().map(|(at, _)| at).chain([clean.len()]).collect();
        cause.insert_str(*at.get(&places), &odd);
        let made = line(&DecisionRecord { cause: Some(&cause), ..UNKNOWN });
        prop_assert_eq!(&serde_json::from_str::<serde_json::Value>(&made).unwrap()["cause"], &cause);
    }

    #[test]
    fn times_are_written_as_elsewhere(micros in any::<Vec<i32>>()) {
        for micros in micros {
            let at = Timestamp::from_micros(i64::from(micros) * 3);
            let begin = format!(r#"{{"time":"{at}","id""#);
            prop_assert!(line(&DecisionRecord { at, ..UNKNOWN }).starts_with(&begin), "{}", begin);
        }
    }
}

#[test]
fn a_log_that_is_off_keeps_and_counts_nothing() {
    let log = DecisionLog::open(Output::Off, &Metrics::new()).unwrap();
    assert!(!log.is_on());
    log.record(&record("/"));
    assert_eq!(log.dropped(), 0);
    assert!(log.shutdown(PATIENCE));
}

/// An output that says when it is written to, and then waits until it is let go.
struct Gate {
    entered: mpsc::Sender<()>,
    open: mpsc::Receiver<()>,
}

impl io::Write for Gate {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.entered.send(());
        let _ = self.open.recv();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_stuck_output_delays_no_decision_and_is_counted() {
    let (entered, has_entered) = mpsc::channel();
    let (let_go, open) = mpsc::channel();
    let metrics = Metrics::new();
    let two_lines = 2 * line(&record("/")).len();
    let log = started(Gate { entered, open }, &metrics, two_lines);
    log.record(&record("/taken"));
    has_entered.recv().unwrap();
    for _ in 0..5 {
        log.record(&record("/"));
    }
    assert_eq!(log.dropped(), 3);
    assert!(metrics.render().contains("gatepost_decision_log_dropped_total 3\n"));
    assert!(!log.shutdown(Duration::ZERO));
    drop(let_go);
    assert!(log.shutdown(PATIENCE));
    assert!(!log.is_on());
}

/// An output that fails at first, after half a line.
struct Broken {
    writes: u32,
    written: Arc<Mutex<Vec<u8>>>,
}

impl io::Write for Broken {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        let bytes = match self.writes {
            1 => &bytes[..10],
            2 => return Err(io::ErrorKind::StorageFull.into()),
            _ => bytes,
        };
        self.written.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn after_a_failed_write_the_next_record_is_on_a_line_of_its_own() {
    let written = Arc::new(Mutex::new(Vec::new()));
    let output = Broken { writes: 0, written: Arc::clone(&written) };
    let log = started(output, &Metrics::new(), CAPACITY);
    log.record(&record("/lost"));
    while log.dropped() == 0 {
        thread::yield_now();
    }
    log.record(&record("/kept"));
    assert!(log.shutdown(PATIENCE));
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let last = text.lines().next_back().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["path"], "/kept");
    assert_eq!(log.dropped(), 1);
}

#[test]
fn many_lines_from_many_threads_are_all_written_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.log");
    let log = DecisionLog::open(Output::File(&path), &Metrics::new()).unwrap();
    let long = format!("/{}", "a".repeat(800));
    thread::scope(|scope| {
        for thread in 0..4 {
            let (log, long) = (&log, &long);
            scope.spawn(move || {
                for n in 0..250 {
                    // Some are longer than what is written at once.
                    let cause = if n % 50 == 0 { long.repeat(100) } else { String::new() };
                    log.record(&DecisionRecord { generation: thread * 1_000 + n, cause: Some(&cause), ..record(long) });
                }
            });
        }
    });
    assert!(log.shutdown(PATIENCE));
    assert_eq!(log.dropped(), 0);
    let text = fs::read_to_string(&path).unwrap();
    let mut seen: Vec<u64> = text
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["generation"].as_u64().unwrap())
        .collect();
    seen.sort_unstable();
    let expected: Vec<u64> = (0..4).flat_map(|thread| (0..250).map(move |n| thread * 1_000 + n)).collect();
    assert_eq!(seen, expected);
}
