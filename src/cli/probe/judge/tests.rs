use serde_json::json;

use super::*;
use crate::cli::probe::cases::published;

const ID: &str = "01a20d90-ca60-742d-ada5-39942891caac";
const SENT: &[u8] = b"GET /a HTTP/1.1\r\nHost: app.test\r\n\r\n";
/// What the application gets of a plain request.
const GOOD: &str = "Host: app.test\nRemote-User: ada\nRemote-Email: a@b\nRemote-Role: observer\n\
                    Remote-Credential: api_key\nGatepost-Decision: 01a20d90-ca60-742d-ada5-39942891caac\n";

fn head(first: &str, headers: &str) -> Head {
    Head::read(format!("{first} HTTP/1.1\r\n{headers}\r\n").as_bytes()).unwrap()
}

fn record(change: serde_json::Value) -> Record {
    let mut record = json!({
        "id": ID, "decision": "allow", "principal": "1", "credential": "api_key", "client": "127.0.0.1",
        "method": "GET", "host": "app.test", "path": "/a", "resource": {"type": "A", "id": "1"}, "cause": null,
    });
    record.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    serde_json::from_value(record).unwrap()
}

fn answer(status: u16) -> Answer {
    Answer::Head(Head::read(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).unwrap())
}

fn judge(outcome: Outcome, observed: &Observed) -> Verdict {
    let mut case = published().unwrap().swap_remove(0);
    case.outcome = outcome;
    let usual = Usual::new(Some(&head("GET /a", GOOD)), Some(record(json!({}))));
    Judge { denied: "/no", secrets: vec!["gp_secret"], is_public: false, usual }.judge(&case, SENT, observed)
}

fn seen(heads: Vec<Head>, records: Option<Vec<Record>>) -> Observed {
    Observed { answer: answer(200), seen: Some(heads), records }
}

fn faults(verdict: &Verdict) -> Vec<Fault> {
    let mut faults: Vec<_> = verdict.findings.iter().map(|finding| finding.fault).collect();
    faults.dedup();
    faults
}

#[test]
fn what_was_decided_about_may_pass() {
    let observed = || seen(vec![head("GET /a?q", GOOD)], Some(vec![record(json!({}))]));
    for (outcome, state) in [(Outcome::Same, State::Same), (Outcome::Allowed, State::Allowed)] {
        let verdict = judge(outcome, &observed());
        assert_eq!((verdict.state, faults(&verdict)), (state, vec![]));
    }
    let verdict = judge(Outcome::Refused, &observed());
    assert_eq!((verdict.state, faults(&verdict)), (State::Wrong, vec![Fault::LetThrough]));
    let verdict = judge(Outcome::Anonymous, &observed());
    assert_eq!((verdict.state, faults(&verdict).contains(&Fault::Identity)), (State::Wrong, true));
}

#[test]
fn whatever_differs_from_what_was_decided_about_is_found() {
    for (first, headers, change, fault) in [
        ("GET /b", "", json!({}), Fault::Path),
        ("GET /a/%2e%2e/b", "", json!({}), Fault::Path),
        ("GET *", "", json!({}), Fault::Path),
        ("POST /a", "", json!({}), Fault::Method),
        ("GET /a", "", json!({"host": "other.test"}), Fault::Host),
        ("GET /a", "Host: other.test\n", json!({}), Fault::Host),
        ("GET http://other.test/a", "", json!({}), Fault::Host),
        ("GET /a", "", json!({"principal": "2"}), Fault::Principal),
        ("GET /a", "", json!({"client": "192.0.2.1"}), Fault::Client),
        ("GET /a", "", json!({"decision": "deny"}), Fault::Undecided),
        ("GET /a", "", json!({"id": "another"}), Fault::Undecided),
        ("GET /a", "", json!({"principal": null}), Fault::Identity),
        ("GET /a", "", json!({"credential": "session"}), Fault::Identity),
        ("GET /a", "Remote-User: bob\n", json!({}), Fault::Identity),
        ("GET /a", "Remote_User: bob\n", json!({}), Fault::Identity),
        ("GET /a", "Remote-Groups: x\n", json!({}), Fault::Identity),
        ("GET /a", "Gatepost-Decision: x\n", json!({}), Fault::Identity),
        ("GET /a", "Gatepost-Assertion: x\n", json!({}), Fault::Identity),
        ("GET /a", "X-Webauth-User: Forged\n", json!({}), Fault::Identity),
        ("GET /a", "X-Forwarded-For: 192.0.2.66, 127.0.0.1\n", json!({}), Fault::Claim),
        ("GET /a", "X-Original-URI: /forged\n", json!({}), Fault::Claim),
        ("GET /a", "Connection: close, Remote-User\n", json!({}), Fault::HopByHop),
        ("GET /a", "Upgrade: h2c\n", json!({}), Fault::Tunnel),
        ("GET /a", "Content-Length: 1\nTransfer-Encoding: chunked\n", json!({}), Fault::Framing),
        ("GET /a", "Content-Length: 1\nContent-Length: 1\n", json!({}), Fault::Framing),
        ("GET /no", "", json!({"path": "/no"}), Fault::LetThrough),
    ] {
        let observed = seen(vec![head(first, &format!("{GOOD}{headers}"))], Some(vec![record(change.clone())]));
        let verdict = judge(Outcome::Same, &observed);
        assert_eq!((verdict.state, faults(&verdict)), (State::Wrong, vec![fault]), "{first} {headers} {change}");
    }
}

#[test]
fn what_is_usual_is_no_fault() {
    for (first, headers, change) in [
        ("GET /%61", "", json!({})),
        ("GET http://app.test:80/a", "", json!({})),
        ("GET /a", "Connection: Upgrade\nUpgrade: websocket\n", json!({})),
        ("GET /a", "X-Forwarded-For: 127.0.0.1\nTransfer-Encoding: chunked\n", json!({})),
    ] {
        let observed = seen(vec![head(first, &format!("{GOOD}{headers}"))], Some(vec![record(change)]));
        let verdict = judge(Outcome::Same, &observed);
        assert_eq!((verdict.state, faults(&verdict)), (State::Same, vec![]), "{first} {headers}");
    }
    // A role is that on the resource.
    let elsewhere = record(json!({"resource": {"type": "A", "id": "2"}}));
    let told = GOOD.replace("observer", "developer");
    let verdict = judge(Outcome::Same, &seen(vec![head("GET /a", &told)], Some(vec![elsewhere])));
    assert_eq!(verdict.state, State::Same);
    let verdict = judge(Outcome::Same, &seen(vec![head("GET /a", &told)], Some(vec![record(json!({}))])));
    assert_eq!(faults(&verdict), [Fault::Identity]);
    // What may be meant is told.
    let told = format!("{GOOD}Authorization: Bearer gp_secret\n");
    let verdict = judge(Outcome::Same, &seen(vec![head("GET /a", &told)], Some(vec![record(json!({}))])));
    assert_eq!((verdict.state, faults(&verdict)), (State::Same, vec![Fault::Credential]));
}

#[test]
fn without_the_decisions_only_what_is_sent_can_be_told() {
    let verdict = judge(Outcome::Same, &seen(vec![head("GET /a", GOOD)], None));
    assert_eq!(verdict.state, State::Same);
    let verdict = judge(Outcome::Same, &seen(vec![head("GET /b", GOOD)], None));
    assert_eq!(verdict.state, State::Unverified);
    // A second request, which nobody has sent as one.
    let verdict = judge(Outcome::Same, &seen(vec![head("GET /a", GOOD), head("GET /no", GOOD)], None));
    assert_eq!((verdict.state, faults(&verdict)), (State::Wrong, vec![Fault::LetThrough]));
}

#[test]
fn without_the_application_the_answer_tells() {
    for (outcome, status, records, state) in [
        (Outcome::Refused, 403, vec![], State::Refused),
        (Outcome::Refused, 204, vec![], State::Wrong),
        (Outcome::Refused, 101, vec![], State::Wrong),
        (Outcome::Anonymous, 401, vec![], State::Refused),
        (Outcome::Anonymous, 200, vec![], State::Wrong),
        (Outcome::Allowed, 200, vec![], State::Allowed),
        (Outcome::Allowed, 403, vec![], State::Wrong),
        (Outcome::Same, 400, vec![], State::Refused),
        (Outcome::Same, 200, vec![], State::Unverified),
        (Outcome::Same, 200, vec![record(json!({"path": "/b"}))], State::Unverified),
        (Outcome::Same, 200, vec![record(json!({}))], State::Same),
    ] {
        let observed = Observed { answer: answer(status), seen: None, records: Some(records) };
        assert_eq!(judge(outcome, &observed).state, state, "{outcome:?} {status}");
    }
    let observed = Observed { answer: Answer::Closed, seen: None, records: None };
    assert_eq!(judge(Outcome::Refused, &observed).state, State::Refused);
}
