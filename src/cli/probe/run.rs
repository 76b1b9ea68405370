//! The cases, one after the other: so what happens meanwhile is because of the case.

use std::time::Duration;

use anyhow::{Result, bail};
use zeroize::Zeroizing;

use super::cases::{Case, Given, Meanings};
use super::client::{self, Answer};
use super::decisions::{DecisionLog, Record};
use super::fault::Fault;
use super::head::Head;
use super::judge::{self, Finding, Judge, Observed, Request, State, Usual, Verdict};
use super::report::Entry;
use super::upstream::Upstream;
use crate::cli::endpoint::Transport;
use crate::cli::failure::UsageError;

/// How long a decision may take to be in the log that nobody was told of: it is told, and nothing follows from it.
const GLANCE: Duration = Duration::from_millis(10);
/// How long a decision may take to be in the log without which something has got through.
pub(super) const LOOK: Duration = Duration::from_millis(500);

/// Begins the mark of each case.
const AGENT: &str = "gatepost-probe/";
/// Always sent, and first.
const ALLOWED: &str = "control/allowed-path";
const NOBODY: &str = "control/no-credential";
/// By these it shows whether a path is changed after the decision.
const DOTS: &str = "path/dot-dot-inside";
const ENCODED: &str = "path/encoded-letters";

/// All that takes part.
pub(super) struct Run {
    pub(super) transport: Transport,
    pub(super) meanings: Meanings,
    pub(super) upstream: Option<Upstream>,
    pub(super) log: Option<DecisionLog>,
    /// How long each case may take.
    pub(super) patience: Duration,
    /// How long a decision is looked for without which something has got through.
    pub(super) look: Duration,
    /// What was decided since the beginning.
    pub(super) decided: Vec<Record>,
    /// What the application got only after its case was over, which its mark tells.
    pub(super) late: Vec<Head>,
}

/// The controls, and the cases that are asked for: all, if none is.
pub(super) fn chosen(cases: Vec<Case>, chosen: &[String]) -> Result<Vec<Case>, UsageError> {
    if let Some(unknown) = chosen.iter().find(|name| !cases.iter().any(|case| case.is_called(name))) {
        return Err(UsageError::new(format!("there is no case `{unknown}`, and no class of this name")));
    }
    let is_chosen =
        |case: &Case| chosen.is_empty() || case.is_called("control") || chosen.iter().any(|name| case.is_called(name));
    Ok(cases.into_iter().filter(is_chosen).collect())
}

impl Run {
    /// Sends all of `cases`; gives what came of them.
    pub(super) async fn all(mut self, cases: &[Case], given: &Given<'_>) -> Result<Vec<Entry>> {
        let nonce: u64 = rand::random();
        let agent = |number: usize| format!("{AGENT}{nonce:016x}-{number}");
        let secrets: Vec<&str> =
            [Some(given.key), given.other, given.session, given.other_session].into_iter().flatten().collect();
        let usual = self.usual(cases, &agent(0)).await?;
        let mut judge = Judge { denied: given.denied, secrets, is_public: false, usual };
        if let Some(observed) = self.observe_called(NOBODY, cases, &agent(0)).await? {
            judge.is_public = observed.answer.is_success();
        }
        let mut judged = Vec::new();
        for (number, case) in cases.iter().enumerate() {
            let agent = agent(number + 1);
            let Some(bytes) = self.meanings.bytes(case, &agent) else {
                judged.push(Judged { case, agent, bytes: Zeroizing::default(), came: None });
                continue;
            };
            let observed = self.observe(case, &bytes, &agent).await?;
            let mut verdict = judge.judge(case, &bytes, &observed);
            if case.is_called(ALLOWED) && observed.seen.is_some() && !judge.usual.has_identity() {
                verdict.findings.push(Finding { fault: Fault::Anonymous, detail: "no `Remote-User`".to_owned() });
            }
            judged.push(Judged { case, agent, bytes, came: Some((observed, verdict)) });
        }
        self.judge_late(&judge, &mut judged)?;
        find_rewriting(&mut judged, given);
        let entries = judged.into_iter().map(|Judged { case, came, .. }| match came {
            Some((observed, verdict)) => Entry::new(case, &observed, verdict, &judge.secrets),
            None => Entry::left_out(case),
        });
        Ok(entries.collect())
    }

    /// Adds what came late to the cases that it belongs to.
    fn judge_late(&mut self, judge: &Judge<'_>, judged: &mut [Judged<'_>]) -> Result<()> {
        if let Some(log) = &mut self.log {
            self.decided.extend(log.read()?);
        }
        let records = self.log.is_some().then_some(self.decided.as_slice());
        for head in self.late.drain(..).chain(self.upstream.iter().flat_map(Upstream::take)) {
            let agent = head.header("user-agent").unwrap_or_default();
            let Some(Judged { case, bytes, came: Some((observed, verdict)), .. }) =
                judged.iter_mut().find(|judged| judged.agent == agent)
            else {
                continue;
            };
            judge.add(case, bytes, &head, records, verdict);
            observed.seen.get_or_insert_default().push(head);
        }
        Ok(())
    }

    /// What comes of a plain request. An error, if by this nothing can be told of the others.
    async fn usual(&mut self, cases: &[Case], agent: &str) -> Result<Usual> {
        let Some(observed) = self.observe_called(ALLOWED, cases, agent).await? else { return Ok(Usual::default()) };
        match &observed.answer {
            Answer::NotConnected => bail!("the proxy accepts no connection"),
            answer if !answer.is_success() => bail!(
                "the allowed path is not allowed: the answer was {}. Name one that the key may GET, as the proxy's host (--host)",
                answer.status().map_or_else(|| "none".to_owned(), |status| status.to_string())
            ),
            _ => {}
        }
        let head = match observed.seen.as_deref() {
            Some([]) => bail!(
                "the proxy has answered, and not through --listen-upstream: point its route there, at this address"
            ),
            seen => seen.and_then(|seen| seen.first()),
        };
        let record = match observed.records.as_deref() {
            Some(records) => match find(head, records) {
                Some(record) => Some(record.clone()),
                // Something that decides nothing has nothing to log: the cases will show that, and need not wait for it.
                None if head.is_some_and(|head| head.header("gatepost-decision").is_none()) => {
                    self.look = GLANCE;
                    None
                }
                None => bail!("the decision is not in the log: name the file of the Gatepost that this proxy asks"),
            },
            None => None,
        };
        Ok(Usual::new(head, record))
    }

    async fn observe_called(&mut self, id: &str, cases: &[Case], agent: &str) -> Result<Option<Observed>> {
        let Some(case) = cases.iter().find(|case| case.is_called(id)) else { return Ok(None) };
        let Some(bytes) = self.meanings.bytes(case, agent) else { return Ok(None) };
        self.observe(case, &bytes, agent).await.map(Some)
    }

    /// Sends a case, and looks everywhere.
    async fn observe(&mut self, case: &Case, bytes: &[u8], agent: &str) -> Result<Observed> {
        // What happened before is not this case's.
        if let Some(log) = &mut self.log {
            self.decided.extend(log.read()?);
        }
        if let Some(upstream) = &self.upstream {
            self.late.extend(upstream.take());
        }
        let answer = client::send(&self.transport, bytes, case.is_head(), case.holds_more(), self.patience).await;
        let seen = self.upstream.as_ref().map(|upstream| {
            let is_late = |head: &mut Head| {
                head.header("user-agent").is_some_and(|given| given.starts_with(AGENT) && given != agent)
            };
            let mut seen = upstream.take();
            self.late.extend(seen.extract_if(.., is_late));
            seen
        });
        let records = match &mut self.log {
            Some(log) => Some(records(log, self.look, &answer, seen.as_deref()).await?),
            None => None,
        };
        self.decided.extend(records.iter().flatten().cloned());
        Ok(Observed { answer, seen, records })
    }
}

/// What was decided, as far as it is told of, or must have been.
async fn records(log: &mut DecisionLog, look: Duration, answer: &Answer, seen: Option<&[Head]>) -> Result<Vec<Record>> {
    let mut records = Vec::new();
    let told = seen.unwrap_or_default().iter().chain(match answer {
        Answer::Head(head) => Some(head),
        _ => None,
    });
    let ids: Vec<&str> = told.filter_map(|head| head.header("gatepost-decision")).filter(|id| id.len() == 36).collect();
    if !ids.is_empty() {
        let has_all = |records: &[Record]| ids.iter().all(|id| records.iter().any(|record| record.id == *id));
        log.read_until(&mut records, None, has_all).await?;
    } else if seen.is_some_and(|seen| !seen.is_empty()) || (seen.is_none() && answer.is_success()) {
        log.read_until(&mut records, Some(look), |records| records.iter().any(Record::is_allow)).await?;
    }
    if records.is_empty() {
        log.read_until(&mut records, Some(GLANCE), |records| !records.is_empty()).await?;
    }
    Ok(records)
}

fn find<'a>(head: Option<&Head>, records: &'a [Record]) -> Option<&'a Record> {
    match head {
        Some(head) => judge::decided(head, &Request::read(head).ok()?, records),
        None => records.iter().find(|record| record.is_allow()),
    }
}

/// A case, and what came of it if it was sent.
struct Judged<'a> {
    case: &'a Case,
    agent: String,
    bytes: Zeroizing<Vec<u8>>,
    came: Option<(Observed, Verdict)>,
}

/// If the decision point sees dot segments, the proxy asks about the path as it was sent; if the application then gets
/// letters decoded that were not, the path was changed after the decision.
fn find_rewriting(judged: &mut [Judged<'_>], given: &Given<'_>) {
    let sees_dots = judged.iter().filter(|judged| judged.case.is_called(DOTS)).any(|judged| {
        let records = judged.came.iter().flat_map(|(observed, _)| observed.records.iter().flatten());
        records.filter_map(|record| record.cause.as_deref()).any(|cause| cause.contains("`..`"))
    });
    let encoded = judged.iter_mut().find(|judged| judged.case.is_called(ENCODED));
    let Some((observed, verdict)) = encoded.and_then(|judged| judged.came.as_mut()) else { return };
    let mut targets = observed.seen.iter().flatten().map(|head| head.word(1));
    if sees_dots && targets.any(|target| target == given.path) {
        let detail = format!("the application got `{}`, which was sent with its letters encoded", given.path);
        verdict.findings.push(Finding { fault: Fault::Rewritten, detail });
        verdict.state = State::Wrong;
    }
}
