//! What is written, what is dropped, and that nothing waits.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;

use super::*;

const PATIENCE: Duration = Duration::from_secs(60);

fn record(path: &str) -> DecisionRecord {
    DecisionRecord {
        at: Timestamp::from_micros(1_764_000_000_123_456),
        id: DecisionId::from_bytes([1; 16]),
        generation: 3,
        principal: Some(UserId::from_bytes([2; 16])),
        credential_kind: Some(CredentialKind::ApiKey),
        credential_id: Some("03030303-0303-0303-0303-030303030303".to_owned()),
        action: Some("DeviceAction".into()),
        resource_type: Some("Device".into()),
        resource_id: Some("d1".to_owned()),
        decision: Outcome::Allow,
        policies: Arc::new(["operator".into()]),
        errors: Arc::new([]),
        client: Some([192, 0, 2, 7].into()),
        method: Some("POST".to_owned()),
        host: Some("api.example.com".to_owned()),
        path: Some(path.to_owned()),
        cause: None,
        latency: Duration::from_micros(42),
    }
}

#[test]
fn each_decision_is_a_line_of_json_in_a_file_of_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("decisions.log");
    fs::write(&path, "what was there\n").unwrap();
    let other = folder.path().join("other.log");
    for file in [&path, &other] {
        let log = DecisionLog::to_file(file, &Metrics::new()).unwrap();
        log.record(record("/a"));
        log.record(record("/b\n{\"forged\":true}"));
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

#[test]
fn what_is_not_known_is_null() {
    let unknown = DecisionRecord {
        principal: None,
        credential_kind: None,
        credential_id: None,
        action: None,
        resource_type: None,
        resource_id: None,
        decision: Outcome::Malformed,
        policies: Arc::new([]),
        client: None,
        method: None,
        host: None,
        path: None,
        cause: Some("the path holds a `;` parameter".to_owned()),
        ..record("/")
    };
    let mut lines = Vec::new();
    line::append(&mut lines, &unknown);
    insta::assert_snapshot!(String::from_utf8(lines).unwrap(), @r#"{"time":"2025-11-24T16:00:00.123456Z","id":"01010101-0101-0101-0101-010101010101","generation":3,"principal":null,"credential":null,"credential_id":null,"action":null,"resource":null,"decision":"malformed","policies":[],"errors":[],"client":null,"method":null,"host":null,"path":null,"cause":"the path holds a `;` parameter","latency_us":42}"#);
}

#[test]
fn a_log_that_is_off_keeps_and_counts_nothing() {
    let log = DecisionLog::off();
    assert!(!log.is_on());
    log.record(record("/"));
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
    let log = DecisionLog::start(Gate { entered, open }, &metrics, 2).unwrap();
    log.record(record("/taken"));
    has_entered.recv().unwrap();
    for _ in 0..5 {
        log.record(record("/"));
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
    let dropped = Counter::default();
    let (sender, receiver) = mpsc::sync_channel(4);
    let writing = thread::spawn({
        let output = Broken { writes: 0, written: Arc::clone(&written) };
        let writer = writer::Writer::new(output, dropped.clone());
        move || writer.write(&receiver)
    });
    sender.send(record("/lost")).unwrap();
    while dropped.get() == 0 {
        thread::yield_now();
    }
    sender.send(record("/kept")).unwrap();
    drop(sender);
    writing.join().unwrap();
    let text = String::from_utf8(written.lock().unwrap().clone()).unwrap();
    let last = text.lines().next_back().unwrap();
    assert_eq!(serde_json::from_str::<serde_json::Value>(last).unwrap()["path"], "/kept");
    assert_eq!(dropped.get(), 1);
}
