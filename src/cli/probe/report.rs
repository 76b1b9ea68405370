//! What was found, for people and for programs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::cases::{Case, Outcome};
use super::client::Answer;
use super::decisions::Record;
use super::fault::Fault;
use super::head::Head;
use super::judge::{Observed, State, Verdict};
use crate::cli::output::{aligned, printable};

/// How many cases are told of a fault; the others are told by `--all` and `--output json`.
const TOLD: usize = 8;
/// Longer texts are cut.
const MAX_SHOWN: usize = 200;

/// What was found.
#[derive(Serialize)]
pub(super) struct Report {
    target: String,
    looked_into: LookedInto,
    cases: Vec<Entry>,
    summary: BTreeMap<&'static str, usize>,
}

/// What there was to look into besides the answers.
#[derive(Serialize)]
pub(super) struct LookedInto {
    pub(super) decisions: bool,
    pub(super) application: bool,
}

/// What came of a case.
#[derive(Serialize)]
pub(super) struct Entry {
    case: String,
    /// The first line, with names in braces.
    sent: String,
    required: Outcome,
    state: State,
    client: String,
    decided: Option<Vec<String>>,
    application: Option<Vec<String>>,
    findings: Vec<Told>,
    reason: Option<String>,
    why: Option<String>,
    reference: Vec<String>,
}

/// A finding.
#[derive(Serialize)]
struct Told {
    fault: Fault,
    means: &'static str,
    detail: String,
    is_wrong: bool,
    defences: Vec<String>,
}

impl Entry {
    /// Nothing of `secrets` is in it, whatever the application got.
    pub(super) fn new(case: &Case, observed: &Observed, verdict: Verdict, secrets: &[&str]) -> Self {
        let hidden =
            |text: &str| shown(&secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "…")));
        let told = verdict.findings.into_iter().map(|finding| Told {
            fault: finding.fault,
            means: finding.fault.words(),
            detail: hidden(&finding.detail),
            is_wrong: finding.fault.is_wrong(),
            defences: finding.fault.defences().iter().map(|line| format!("{}: {}", line.file, line.text)).collect(),
        });
        let told = told.collect();
        let records =
            observed.records.as_ref().map(|records| records.iter().map(|record| hidden(&decision(record))).collect());
        let seen = observed.seen.as_ref().map(|seen| seen.iter().map(|head| hidden(&application(head))).collect());
        let (client, reason) = (client(&observed.answer), verdict.reason.map(|reason| hidden(&reason)));
        Self { client, decided: records, application: seen, findings: told, reason, ..Self::of(case, verdict.state) }
    }

    /// A case that needs what is not given.
    pub(super) fn left_out(case: &Case) -> Self {
        Self::of(case, State::LeftOut)
    }

    fn of(case: &Case, state: State) -> Self {
        Self {
            case: case.id(),
            sent: shown(case.first_line()),
            required: case.outcome,
            state,
            client: String::new(),
            decided: None,
            application: None,
            findings: Vec::new(),
            reason: None,
            why: case.why.clone(),
            reference: case.reference.clone(),
        }
    }

    fn has(&self, fault: Fault) -> bool {
        self.findings.iter().any(|told| told.fault == fault)
    }

    /// The case, and what was seen of it.
    fn lines(&self) -> String {
        let list = |all: &Option<Vec<String>>| match all.as_deref() {
            None => "not looked into".to_owned(),
            Some([]) => "nothing".to_owned(),
            Some(all) => all.join("; "),
        };
        let mut lines = vec![
            vec!["    sent".to_owned(), self.sent.clone()],
            vec!["    client".to_owned(), self.client.clone()],
            vec!["    decided".to_owned(), list(&self.decided)],
            vec!["    application".to_owned(), list(&self.application)],
        ];
        if !self.reference.is_empty() {
            lines.push(vec!["    as in".to_owned(), self.reference.join(", ")]);
        }
        format!("  {}\n{}", self.case, aligned(&lines))
    }
}

impl Report {
    pub(super) fn new(target: String, looked_into: LookedInto, cases: Vec<Entry>) -> Self {
        let mut summary = BTreeMap::from([("cases", cases.len())]);
        for state in STATES {
            summary.insert(state.word(), cases.iter().filter(|entry| entry.state == state).count());
        }
        Self { target, looked_into, cases, summary }
    }

    /// Whether nothing got through.
    pub(super) fn is_well(&self) -> bool {
        self.cases.iter().all(|entry| entry.state != State::Wrong)
    }

    /// For people; with each case, if `all`.
    pub(super) fn text(&self, all: bool) -> String {
        let mut text = String::new();
        if all {
            let header = ["CASE", "REQUIRED", "CLIENT", "DECIDED", "APPLICATION", ""].map(str::to_owned).into();
            let rows = self.cases.iter().map(|entry| {
                let list = |all: &Option<Vec<String>>| all.as_ref().map_or_else(String::new, |all| all.join("; "));
                let required = format!("{:?}", entry.required).to_lowercase();
                let (decided, application) = (list(&entry.decided), list(&entry.application));
                vec![
                    entry.case.clone(),
                    required,
                    entry.client.clone(),
                    decided,
                    application,
                    entry.state.word().to_owned(),
                ]
            });
            text.push_str(&aligned(&std::iter::once(header).chain(rows).collect::<Vec<_>>()));
            text.push('\n');
        }
        for (fault, label) in self.faults() {
            self.tell(fault, label, &mut text);
        }
        self.tell_unverified(&mut text);
        text.push_str(&self.totals());
        text
    }

    /// What was found, what is wrong first.
    fn faults(&self) -> Vec<(Fault, &'static str)> {
        let mut faults: Vec<_> = self.cases.iter().flat_map(|entry| &entry.findings).map(|told| told.fault).collect();
        faults.sort_by_key(|fault| (!fault.is_wrong(), *fault));
        faults.dedup();
        faults.into_iter().map(|fault| (fault, if fault.is_wrong() { "WRONG" } else { "note" })).collect()
    }

    fn tell(&self, fault: Fault, label: &str, text: &mut String) {
        let entries: Vec<_> = self.cases.iter().filter(|entry| entry.has(fault)).collect();
        text.push_str(&format!("{label} ({} cases): {}\n", entries.len(), fault.words()));
        if !fault.defences().is_empty() {
            text.push_str("  The shipped configurations keep it out by\n");
            let lines = fault.defences().iter().map(|line| vec![format!("    {}", line.file), line.text.to_owned()]);
            text.push_str(&aligned(&lines.collect::<Vec<_>>()));
        } else if fault == Fault::Framing {
            text.push_str("  No line of a configuration keeps it out: use a current version of the proxy.\n");
        }
        for entry in entries.iter().take(if fault.is_wrong() { TOLD } else { 1 }) {
            text.push_str(&entry.lines());
            for told in entry.findings.iter().filter(|told| told.fault == fault) {
                text.push_str(&format!("    {}\n", told.detail));
            }
            if let Some(why) = &entry.why {
                text.push_str(&format!("    {why}\n"));
            }
        }
        if entries.len() > TOLD && fault.is_wrong() {
            text.push_str(&format!("  and {} more, which --all lists\n", entries.len() - TOLD));
        }
        text.push('\n');
    }

    fn tell_unverified(&self, text: &mut String) {
        let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in self.cases.iter().filter(|entry| entry.state == State::Unverified) {
            *reasons.entry(entry.reason.as_deref().unwrap_or_default()).or_default() += 1;
        }
        let mut reasons: Vec<_> = reasons.into_iter().collect();
        reasons.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        for (reason, count) in reasons.iter().take(TOLD) {
            text.push_str(&format!("unverified ({count} cases): {reason}\n"));
        }
    }

    fn totals(&self) -> String {
        let count = |state: State| self.summary.get(state.word()).copied().unwrap_or_default();
        let parts: Vec<_> = STATES
            .into_iter()
            .filter(|state| count(*state) > 0 || matches!(state, State::Refused | State::Same | State::Wrong))
            .map(|state| format!("{} {}", count(state), state.word()))
            .collect();
        format!("{} cases: {}\n", self.cases.len(), parts.join(", "))
    }
}

const STATES: [State; 6] =
    [State::Refused, State::Same, State::Allowed, State::LeftOut, State::Unverified, State::Wrong];

fn client(answer: &Answer) -> String {
    match answer {
        Answer::Head(head) => shown(head.word(1)),
        Answer::Garbage => "no status".to_owned(),
        Answer::Closed => "closed".to_owned(),
        Answer::Silence => "silence".to_owned(),
        Answer::NotConnected => "no connection".to_owned(),
    }
}

fn decision(record: &Record) -> String {
    let Record { id, decision, method, host, path, cause, .. } = record;
    let what = match (method, host, path) {
        (Some(method), Some(host), Some(path)) => format!("{method} {host}{path}"),
        _ => cause.clone().unwrap_or_default(),
    };
    format!("{decision} {what} ({id})")
}

fn application(head: &Head) -> String {
    let host = head.all("host").collect::<Vec<_>>().join(" ");
    format!("{} {} at {host}", head.word(0), head.word(1))
}

/// On one line, with nothing that a terminal would obey.
fn shown(text: &str) -> String {
    let mut shown: String = printable(text).chars().take(MAX_SHOWN).collect();
    if shown.len() < text.len() && text.chars().count() > MAX_SHOWN {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::probe::cases::published;
    use crate::cli::probe::judge::Finding;

    #[test]
    fn a_secret_that_the_application_got_is_not_told() {
        let head = Head::read(b"GET /x?token=gp_secret HTTP/1.1\r\nHost: gp_secret\r\n\r\n").unwrap();
        let findings =
            vec![Finding { fault: Fault::Claim, detail: "the application got `X: gp_secret, forged`".to_owned() }];
        let verdict = Verdict { state: State::Wrong, findings, reason: Some("gp_secret".to_owned()) };
        let observed = Observed { answer: Answer::Closed, seen: Some(vec![head]), records: None };
        let entry = Entry::new(published().unwrap().first().unwrap(), &observed, verdict, &["gp_secret"]);
        let looked_into = LookedInto { decisions: false, application: true };
        let report = Report::new("http://a.test/".to_owned(), looked_into, vec![entry]);
        for text in [report.text(true), serde_json::to_string(&report).unwrap()] {
            assert!(text.contains("GET /x?token=… at …") && text.contains("X: …, forged"), "{text}");
            assert!(!text.contains("gp_secret"), "{text}");
        }
    }

    #[test]
    fn a_text_stays_on_its_line_and_in_its_bounds() {
        assert_eq!(shown("a\u{1b}[2Jb\nc"), "a\\u{1b}[2Jb\\nc");
        assert_eq!(shown(&"a".repeat(MAX_SHOWN + 1)).chars().count(), MAX_SHOWN + 1);
    }
}
