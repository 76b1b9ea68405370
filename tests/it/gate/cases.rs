//! `tests/cases/ambiguous.json`: malformed and ambiguous questions, each in the words of every dialect. None is answered
//! with 2xx, and each with exactly the status that it has in the file.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use gatepost::authn::ApiKeyText;
use serde::Deserialize;

use crate::support::{Connection, Reply, World, send};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    about: Vec<String>,
    dialects: BTreeMap<String, BTreeMap<String, String>>,
    base: Vec<(String, String)>,
    cases: Vec<Case>,
    wire: Vec<Wire>,
}

/// A question with other headers than those of the base.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    class: String,
    name: String,
    #[serde(default)]
    dialects: Vec<String>,
    #[serde(default)]
    omit: Vec<String>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    first: Vec<(String, String)>,
    #[serde(default)]
    add: Vec<(String, String)>,
    status: u16,
}

/// A whole request.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    name: String,
    send: String,
    status: u16,
}

/// What may stand in the head of a refusal.
const HEADERS: [&str; 7] =
    ["cache-control", "connection", "content-length", "content-type", "date", "gatepost-decision", "www-authenticate"];

impl Suite {
    fn read() -> Self {
        let suite: Self = serde_json::from_str(include_str!("../../cases/ambiguous.json")).unwrap();
        assert!(!suite.about.is_empty() && suite.cases.len() >= 100);
        suite
    }
}

impl Case {
    fn headers(&self, base: &[(String, String)]) -> Vec<(String, String)> {
        let kept = base.iter().filter(|(name, _)| !self.omit.contains(name));
        let kept = kept.map(|(name, value)| (name.clone(), self.set.get(name).unwrap_or(value).clone()));
        self.first.iter().cloned().chain(kept).chain(self.add.iter().cloned()).collect()
    }
}

/// What the names in braces stand for, braces included.
pub struct Meanings(pub Vec<(String, String)>);

impl Meanings {
    fn new(world: &World, names: &BTreeMap<String, String>, base: &[(String, String)]) -> Self {
        let (ada, devi) = (world.person("ada"), world.person("devi"));
        let damaged = |text: &str| {
            let (start, end) = text.split_at(text.len() - 2);
            let other = if end.starts_with('A') { "B" } else { "A" };
            format!("{start}{other}{}", &end[1..])
        };
        let unsigned = &ada.session[..=ada.session.rfind('.').unwrap()];
        let claims = unsigned.split('.').nth(1).unwrap();
        let meanings = [
            ("application", world.application.to_string()),
            ("key", ada.api_key.clone()),
            ("session", ada.session.clone()),
            ("other_key", devi.api_key.clone()),
            ("other_session", devi.session.clone()),
            ("basic_key", STANDARD.encode(format!("ada:{}", ada.api_key))),
            ("basic_session", STANDARD.encode(format!("ada:{}", ada.session))),
            ("basic_key_as_user", STANDARD.encode(format!("{}:", ada.api_key))),
            ("damaged_key", damaged(&ada.api_key)),
            ("damaged_session", damaged(&ada.session)),
            ("short_key", ada.api_key[..ada.api_key.len() - 1].to_owned()),
            ("upper_key", ada.api_key.to_uppercase()),
            ("unknown_key", ApiKeyText::generate().into_secret().expose().to_owned()),
            ("unsigned_session", unsigned.to_owned()),
            ("none_session", format!("{}.{claims}.", URL_SAFE_NO_PAD.encode("{\"alg\":\"none\"}"))),
        ];
        let mut meanings: Vec<_> = meanings.into_iter().map(|(name, text)| (format!("{{{name}}}"), text)).collect();
        for (meaning, name) in names {
            meanings.push((format!("{{{meaning}}}"), name.clone()));
            meanings.push((format!("{{{meaning}_}}"), name.replace('-', "_")));
        }
        let mut meanings = Self(meanings);
        let question: String = base.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let question = meanings.expand(&question);
        meanings.0.push(("{question}".to_owned(), question));
        meanings
    }

    fn expand(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (name, meaning) in &self.0 {
            text = text.replace(name, meaning);
        }
        while let Some((before, (what, times), after)) = repetition(&text) {
            let repeated: String = (0..times)
                .map(|n| if what == "lines" { format!("X-Line-{n}: x\r\n") } else { what.to_owned() })
                .collect();
            text = format!("{before}{repeated}{after}");
        }
        text
    }

    /// The bytes of a text in which each character stands for one.
    pub fn bytes(&self, text: &str) -> Vec<u8> {
        self.expand(text).chars().map(|c| u8::try_from(c).unwrap()).collect()
    }
}

/// Finds `{text*times}`.
fn repetition(text: &str) -> Option<(&str, (&str, usize), &str)> {
    text.match_indices('*').find_map(|(star, _)| {
        let open = text[..star].rfind('{')?;
        let close = star + text[star..].find('}')?;
        let times = text[star + 1..close].parse().ok()?;
        Some((&text[..open], (&text[open + 1..star], times), &text[close + 1..]))
    })
}

fn assert_refused(reply: &Reply, status: u16, what: &str) {
    assert_eq!(reply.status, status, "{what}: {reply:?}");
    assert!(!(200..300).contains(&reply.status), "{what}");
    for (name, _) in &reply.headers {
        assert!(HEADERS.contains(&name.as_str()), "{what}: {name}");
    }
}

#[test]
fn no_odd_question_is_answered_with_anything_but_its_refusal() {
    let (suite, world) = (Suite::read(), World::without_passwords(&[]));
    for (dialect, names) in &suite.dialects {
        let meanings = Meanings::new(&world, names, &suite.base);
        let ask = |headers: &[(String, String)]| {
            let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
            let request = format!("GET {{check}} HTTP/1.1\r\nHost: gatepost\r\n{lines}\r\n");
            Connection::open(world.decision).send(&meanings.bytes(&request))
        };
        assert_eq!(ask(&suite.base).status, 200, "{dialect}");
        let cases = suite.cases.iter().filter(|case| case.dialects.is_empty() || case.dialects.contains(dialect));
        let replies: Vec<_> = cases.map(|case| (case, ask(&case.headers(&suite.base)))).collect();
        world.decision_record(replies.last().unwrap().1.header("gatepost-decision").unwrap());
        let records = world.decision_records();
        for (case, reply) in &replies {
            let what = format!("{dialect}, {}: {}", case.class, case.name);
            assert_refused(reply, case.status, &what);
            assert_eq!(reply.header("cache-control"), Some("no-store"), "{what}");
            let record = &records[reply.header("gatepost-decision").unwrap()];
            let outcome = if case.status == 400 { "malformed" } else { "unauthenticated" };
            assert_eq!(record["decision"], outcome, "{what}");
            if case.status == 400 {
                assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
                assert_eq!(reply.json()["detail"], record["cause"], "{what}");
            }
        }
        assert_eq!(ask(&suite.base).status, 200, "{dialect}");
    }
    assert_eq!(send(world.decision, "GET", "/healthz", &[], "").status, 200);
}

#[test]
fn no_odd_message_is_taken_for_a_question() {
    let (suite, world) = (Suite::read(), World::without_passwords(&[]));
    for (dialect, names) in &suite.dialects {
        let meanings = Meanings::new(&world, names, &suite.base);
        for Wire { name, send, status } in &suite.wire {
            let mut connection = Connection::open(world.decision);
            let reply = connection.send(&meanings.bytes(send));
            assert_refused(&reply, *status, &format!("{dialect}: {name}"));
        }
        let good = "GET {check}?x=/applications HTTP/1.1\r\nHost: gatepost\r\n{question}\r\n";
        let reply = Connection::open(world.decision).send(&meanings.bytes(good));
        assert_eq!(reply.status, 200, "{dialect}: a check's own query means nothing");
    }
    assert_eq!(send(world.decision, "GET", "/healthz", &[], "").status, 200);
}

#[test]
fn nothing_is_hidden_behind_a_question() {
    let (suite, world) = (Suite::read(), World::without_passwords(&[]));
    let meanings = Meanings::new(&world, &suite.dialects["nginx"], &suite.base);
    // After a message that could end in two places nothing more is read.
    for framing in ["Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "Content-Length: 4\r\nContent-Length: 5\r\n"]
    {
        let text = format!("GET {{check}} HTTP/1.1\r\nHost: gatepost\r\n{framing}{{question}}\r\n0\r\n\r\n");
        let hidden = "GET {check} HTTP/1.1\r\nHost: gatepost\r\n{question}\r\n";
        let mut connection = Connection::open(world.decision);
        assert_eq!(connection.send(&meanings.bytes(&(text + hidden))).status, 400, "{framing}");
        assert!(connection.is_closed(), "{framing}");
    }
}
