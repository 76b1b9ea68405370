//! Holds what came of a case against what must come of it.

mod request;

use serde::{Serialize, Serializer};

pub(super) use self::request::Request;
use self::request::{IDENTITY, OF_DECISION, identity};
use super::cases::{Case, Outcome};
use super::client::Answer;
use super::decisions::Record;
use super::fault::Fault;
use super::head::Head;
use crate::http::path::CanonicalPath;

/// What was seen of a case, from each place that could be looked into.
pub(super) struct Observed {
    pub(super) answer: Answer,
    /// By the application.
    pub(super) seen: Option<Vec<Head>>,
    /// By the decision point.
    pub(super) records: Option<Vec<Record>>,
}

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// The application has not seen it.
    Refused,
    /// The application has seen what was decided about.
    Same,
    /// That, and it had to.
    Allowed,
    /// That cannot be told from here.
    Unverified,
    /// It must not be so.
    Wrong,
    /// It was not sent.
    LeftOut,
}

/// Something that is wrong, or worth a look.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) fault: Fault,
    pub(super) detail: String,
}

/// What is to be said of a case.
pub(super) struct Verdict {
    pub(super) state: State,
    pub(super) findings: Vec<Finding>,
    /// Why it cannot be told.
    pub(super) reason: Option<String>,
}

/// What a case is held against.
pub(super) struct Judge<'a> {
    pub(super) denied: &'a str,
    /// What must not reach the application.
    pub(super) secrets: Vec<&'a str>,
    /// Whether anybody may do what the credential may.
    pub(super) is_public: bool,
    /// What came of a plain request with the credential.
    pub(super) usual: Usual,
}

/// A plain request: who the application is told that it is, and what was decided.
#[derive(Default)]
pub(super) struct Usual {
    identity: Vec<(String, String)>,
    record: Option<Record>,
}

impl Usual {
    pub(super) fn new(head: Option<&Head>, record: Option<Record>) -> Self {
        Self { identity: head.map(identity).unwrap_or_default(), record }
    }

    /// Whether the application is told who it is.
    pub(super) fn has_identity(&self) -> bool {
        self.identity.iter().any(|(name, value)| name == "remote-user" && !value.is_empty())
    }
}

impl State {
    /// A word for people and programs.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Same => "same",
            Self::Allowed => "allowed",
            Self::Unverified => "unverified",
            Self::Wrong => "WRONG",
            Self::LeftOut => "left out",
        }
    }
}

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.word().to_ascii_lowercase().replace(' ', "_"))
    }
}

impl Judge<'_> {
    /// What is to be said of `case`, which was sent as `bytes`.
    pub(super) fn judge(&self, case: &Case, bytes: &[u8], observed: &Observed) -> Verdict {
        let mut findings = Vec::new();
        let mut reason = None;
        let state = match &observed.seen {
            Some(seen) if seen.is_empty() => self.judge_unseen(case, &observed.answer, &mut findings, &mut reason),
            Some(seen) => {
                for head in seen {
                    let unknown = self.check(case, bytes, head, observed.records.as_deref(), &mut findings);
                    reason = reason.or(unknown);
                }
                if case.outcome == Outcome::Refused {
                    let what = seen.iter().map(|head| head.first.as_str()).collect::<Vec<_>>().join("`, `");
                    findings
                        .push(Finding { fault: Fault::LetThrough, detail: format!("the application got `{what}`") });
                }
                if case.outcome == Outcome::Allowed { State::Allowed } else { State::Same }
            }
            None => self.judge_by_answer(case, bytes, observed, &mut findings, &mut reason),
        };
        findings.sort_by_key(|finding| finding.fault);
        findings.dedup_by(|one, other| (one.fault, &one.detail) == (other.fault, &other.detail));
        let state = match () {
            () if findings.iter().any(|finding| finding.fault.is_wrong()) => State::Wrong,
            () if reason.is_some() => State::Unverified,
            () => state,
        };
        Verdict { state, findings, reason }
    }

    /// Adds what the application has seen of `case` only now.
    pub(super) fn add(
        &self,
        case: &Case,
        bytes: &[u8],
        head: &Head,
        records: Option<&[Record]>,
        verdict: &mut Verdict,
    ) {
        let unknown = self.check(case, bytes, head, records, &mut verdict.findings);
        if case.outcome == Outcome::Refused {
            let detail = format!("the application got `{}`", head.first);
            verdict.findings.push(Finding { fault: Fault::LetThrough, detail });
        }
        verdict.state = match () {
            () if verdict.findings.iter().any(|finding| finding.fault.is_wrong()) => State::Wrong,
            () if unknown.is_some() => State::Unverified,
            () if verdict.state == State::Refused => State::Same,
            () => verdict.state,
        };
        verdict.reason = verdict.reason.take().or(unknown);
    }

    /// The application can be looked into and has seen nothing.
    fn judge_unseen(
        &self,
        case: &Case,
        answer: &Answer,
        findings: &mut Vec<Finding>,
        reason: &mut Option<String>,
    ) -> State {
        match case.outcome {
            Outcome::Allowed => findings.push(not_allowed(answer)),
            Outcome::Refused if answer.is_success() => {
                *reason = Some("the proxy itself, or another application, has answered with success".to_owned());
            }
            _ => {}
        }
        State::Refused
    }

    /// There is nothing but the answer, and perhaps the decision.
    fn judge_by_answer(
        &self,
        case: &Case,
        bytes: &[u8],
        observed: &Observed,
        findings: &mut Vec<Finding>,
        reason: &mut Option<String>,
    ) -> State {
        let answer = &observed.answer;
        let served = || {
            let status = answer.status().unwrap_or_default();
            Finding { fault: Fault::LetThrough, detail: format!("the client was answered with {status}") }
        };
        if matches!(answer, Answer::Garbage) {
            *reason = Some("the answer has no status".to_owned());
            return State::Unverified;
        }
        match case.outcome {
            Outcome::Allowed if answer.is_success() => return State::Allowed,
            Outcome::Allowed => findings.push(not_allowed(answer)),
            _ if !answer.is_success() => return State::Refused,
            Outcome::Refused => findings.push(served()),
            Outcome::Anonymous if self.is_public => {
                *reason = Some("the path is open to everybody: name one that needs a credential".to_owned());
            }
            Outcome::Anonymous => findings.push(served()),
            Outcome::Same => {
                let sent = Head::read(bytes).and_then(|head| Request::read(&head).ok());
                let records = observed.records.as_deref().unwrap_or_default();
                let allowed = records.iter().find(|record| record.is_allow());
                let is_same = sent.zip(allowed).is_some_and(|(sent, record)| {
                    record.path.as_deref() == Some(&*sent.path) && record.method.as_deref() == Some(&*sent.method)
                });
                if !is_same {
                    *reason =
                        Some("it passed, and only the application knows as what: use --listen-upstream".to_owned());
                }
            }
        }
        State::Same
    }

    /// Holds what the application has seen against what was decided. Gives why that cannot be done.
    pub(super) fn check(
        &self,
        case: &Case,
        bytes: &[u8],
        head: &Head,
        records: Option<&[Record]>,
        findings: &mut Vec<Finding>,
    ) -> Option<String> {
        request::check_claims(head, findings);
        request::check_transport(head, findings);
        for (name, value) in &head.headers {
            if self.secrets.iter().any(|secret| value.contains(secret)) {
                findings.push(Finding { fault: Fault::Credential, detail: format!("in `{name}`") });
            }
        }
        let seen = match Request::read(head) {
            Ok(seen) => seen,
            Err(finding) => {
                findings.push(finding);
                return None;
            }
        };
        let denied = CanonicalPath::parse(self.denied.as_bytes());
        if denied.is_ok_and(|denied| seen.path.starts_with(denied.as_str())) {
            findings
                .push(Finding { fault: Fault::LetThrough, detail: format!("the application got `{}`", head.first) });
        }
        let record = records.map(|records| decided(head, &seen, records));
        self.check_identity(case, head, record.flatten(), findings);
        match record {
            Some(Some(record)) => {
                seen.check(record, findings);
                self.check_caller(record, findings);
                None
            }
            Some(None) => {
                let detail = format!("nothing was allowed when the application got `{}`", head.first);
                findings.push(Finding { fault: Fault::Undecided, detail });
                None
            }
            None => {
                let sent = Head::read(bytes).and_then(|head| Request::read(&head).ok());
                let is_same = sent.is_some_and(|sent| sent.path == seen.path && sent.method == seen.method);
                (!is_same).then(|| {
                    format!(
                        "the application got `{}`: whether that was decided about is told by --decision-log",
                        head.first
                    )
                })
            }
        }
    }

    /// Holds the identity headers against the decision.
    fn check_identity(&self, case: &Case, head: &Head, record: Option<&Record>, findings: &mut Vec<Finding>) {
        let told = identity(head);
        let is_nobody = told.iter().all(|(name, value)| value.is_empty() || OF_DECISION.contains(&name.as_str()));
        let must_be_nobody =
            case.outcome == Outcome::Anonymous || record.is_some_and(|record| record.principal.is_none());
        if is_nobody && (must_be_nobody || record.is_none()) {
            return;
        }
        let mut wrong = |detail: String| findings.push(Finding { fault: Fault::Identity, detail });
        for (name, value) in &told {
            if !IDENTITY.contains(&name.as_str()) {
                wrong(format!("the application got `{name}: {value}`"));
            } else if must_be_nobody && !OF_DECISION.contains(&name.as_str()) && !value.is_empty() {
                wrong(format!("nobody has asked, and the application got `{name}: {value}`"));
            }
        }
        if must_be_nobody {
            return;
        }
        let values = |of: &[(String, String)], name: &str| -> Vec<String> {
            of.iter().filter(|(given, _)| given == name).map(|(_, value)| value.clone()).collect()
        };
        for name in IDENTITY {
            let (usual, now) = (values(&self.usual.identity, name), values(&told, name));
            let is_right = match name {
                "gatepost-decision" | "gatepost-assertion" => {
                    if now.len() != usual.len() {
                        wrong(format!("the application got {} `{name}` instead of {}", now.len(), usual.len()));
                    }
                    continue;
                }
                "remote-credential" => {
                    let decided = record.and_then(|record| record.credential.clone());
                    now.len() == usual.len() && decided.is_none_or(|kind| now.iter().all(|value| *value == kind))
                }
                // On another resource it may be another one.
                "remote-role" => {
                    let resource = self.usual.record.as_ref().map(|record| &record.resource);
                    let is_elsewhere = record.is_some_and(|record| Some(&record.resource) != resource);
                    now == usual || (is_elsewhere && now.len() == usual.len())
                }
                _ => now == usual,
            };
            if !is_right {
                wrong(format!(
                    "the application got `{name}: {}` instead of `{}`",
                    now.join("`, `"),
                    usual.join("`, `")
                ));
            }
        }
    }

    /// Holds who was decided about against who has sent it.
    fn check_caller(&self, record: &Record, findings: &mut Vec<Finding>) {
        let Some(usual) = &self.usual.record else { return };
        if record.principal.is_some() && record.principal != usual.principal {
            findings.push(Finding { fault: Fault::Principal, detail: format!("decision {}", record.id) });
        }
        if record.client != usual.client {
            let [now, before] = [&record.client, &usual.client].map(|client| client.as_deref().unwrap_or("nobody"));
            findings
                .push(Finding { fault: Fault::Client, detail: format!("decided for `{now}` instead of `{before}`") });
        }
    }
}

fn not_allowed(answer: &Answer) -> Finding {
    let status = answer.status().map_or_else(|| "nothing".to_owned(), |status| status.to_string());
    Finding { fault: Fault::NotAllowed, detail: format!("the client was answered with {status}") }
}

/// The decision by which this came through: the one that the application was told of, or else one that was made
/// meanwhile.
pub(super) fn decided<'a>(head: &Head, seen: &Request, records: &'a [Record]) -> Option<&'a Record> {
    let allowed = || records.iter().filter(|record| record.is_allow());
    match head.header("gatepost-decision").filter(|id| !id.is_empty()) {
        Some(id) => allowed().find(|record| record.id == id),
        None => allowed()
            .find(|record| {
                record.path.as_deref() == Some(&*seen.path) && record.method.as_deref() == Some(&*seen.method)
            })
            .or_else(|| allowed().next_back()),
    }
}

#[cfg(test)]
mod tests;
