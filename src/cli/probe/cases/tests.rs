use std::collections::BTreeSet;

use super::*;

fn given() -> Given<'static> {
    Given {
        authority: "app.test:8443",
        path: "/a/b-1",
        denied: "/no",
        cookie_name: "c",
        key: "k_1",
        other: None,
        session: None,
        other_session: None,
        key_in_query: false,
    }
}

fn case(send: &str) -> Case {
    let (class, name) = ("class".to_owned(), "name".to_owned());
    Case { class, name, send: send.to_owned(), outcome: Outcome::Same, why: None, reference: Vec::new() }
}

fn sent(send: &str, given: &Given<'_>) -> Option<String> {
    let bytes = Meanings::new(given).bytes(&case(send), "agent/1")?;
    Some(bytes.iter().copied().map(char::from).collect())
}

#[test]
fn what_is_published_is_whole() {
    let cases = published().unwrap();
    assert!(cases.len() >= 200, "{}", cases.len());
    let ids: BTreeSet<_> = cases.iter().map(Case::id).collect();
    assert_eq!(ids.len(), cases.len(), "each has a name of its own");
    let given = Given { other: Some("o"), session: Some("s"), other_session: Some("t"), key_in_query: true, ..given() };
    let meanings = Meanings::new(&given);
    for case in &cases {
        assert!(case.send.chars().all(|c| u32::from(c) < 256), "{}", case.id());
        let bytes = meanings.bytes(case, "agent").unwrap_or_else(|| panic!("{} lacks something", case.id()));
        let text: String = bytes.iter().copied().map(char::from).collect();
        for braced in text.split('{').skip(1) {
            let name = braced.split('}').next().unwrap();
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            assert!(!is_name, "{}: `{name}` stands for nothing", case.id());
        }
        assert!(case.why.as_ref().is_none_or(|why| why.ends_with('.')), "{}", case.id());
        for reference in &case.reference {
            assert!(["CVE-", "GHSA-"].iter().any(|kind| reference.starts_with(kind)), "{}", case.id());
        }
    }
    for outcome in [Outcome::Allowed, Outcome::Anonymous, Outcome::Refused, Outcome::Same] {
        assert!(cases.iter().any(|case| case.outcome == outcome), "{outcome:?}");
    }
}

#[test]
fn only_harmless_methods_are_sent() {
    for case in published().unwrap() {
        for method in ["POST", "PUT", "PATCH", "DELETE", "PURGE", "BAN", "MKCOL", "MOVE", "COPY", "LOCK"] {
            let begins = case.send.split('\n').any(|line| line.trim_start().starts_with(&format!("{method} ")));
            assert!(!begins, "{} sends {method}", case.id());
        }
    }
}

#[test]
fn names_stand_for_what_is_configured() {
    for (send, bytes) in [
        ("GET {path} {upper} {encoded}", "GET /a/b-1 /A/B-1 /%61/%62-1"),
        ("{authority} {host} {upper_host}", "app.test:8443 app.test APP.TEST"),
        ("{denied}{upper_denied}{encoded_denied}", "/no/NO/%6e%6f"),
        ("{authorization} {key} {short_key} {basic}", "Bearer k_1 k_1 k_ cHJvYmU6a18x"),
        ("{agent} {cookie_name}", "agent/1 c"),
        ("{a*3} {/..*2} {, *2} {lines*2}", "aaa /../.. , ,  X-Line-0: x\r\nX-Line-1: x\r\n"),
        ("{} {|} {x} {} *} {a*b} \u{ff}", "{} {|} {x} {} *} {a*b} \u{ff}"),
        ("{", "{"),
    ] {
        assert_eq!(sent(send, &given()).as_deref(), Some(bytes), "{send}");
    }
    let local = Given { authority: "[::1]", ..given() };
    assert_eq!(sent("{host}", &local).as_deref(), Some("[::1]"));
}

#[test]
fn what_is_not_given_is_not_made_up() {
    for name in ["other", "cookie", "other_cookie", "query_key"] {
        assert_eq!(sent(&format!("GET {{{name}}}"), &given()), None, "{name}");
    }
    let given = Given { session: Some("s"), ..given() };
    assert_eq!(sent("{cookie}", &given).as_deref(), Some("c=s"));
}

#[test]
fn a_message_may_hold_more_than_one_request() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\n";
    assert!(!case(&format!("{head}\r\n")).holds_more());
    for more in ["\r\nx", "\n\nGET", ""] {
        assert!(case(&format!("{head}{more}")).holds_more(), "{more:?}");
    }
}
