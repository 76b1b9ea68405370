//! What the candidate would change, summed up.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use super::line::{Counts, Disagreement, Line, Said};
use super::places::Places;
use crate::authz::generation::PolicyPlace;
use crate::cli::output::{aligned, printable};
use crate::model::Role;
use crate::telemetry::ShadowResult;

/// What differs in the same way, for the same kind of caller, by the same policies.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    change: ShadowResult,
    /// What was decided, and what the candidate would have.
    decisions: [String; 2],
    who: Who,
    action: String,
    resource_type: String,
    live: Vec<String>,
    shadow: Vec<String>,
}

/// Who asked, as policies tell people apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Who {
    Anonymous,
    Roleless,
    Administrator,
    Developer,
    Operator,
    Observer,
}

/// Of those that differ in the same way.
#[derive(Debug, Default)]
struct Group {
    count: u64,
    /// The newest generation that decided so.
    generation: u64,
    examples: Vec<Example>,
}

#[derive(Debug, Serialize)]
struct Example {
    decision_id: String,
    time: String,
    principal: Option<String>,
    method: String,
    host: String,
    path: String,
    /// What goes wrong in the candidate, if something does.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// What the lines about one candidate come to.
#[derive(Debug, Default)]
pub(super) struct Sum {
    pub(super) lines: u64,
    pub(super) generations: BTreeSet<u64>,
    since: String,
    /// The newest time.
    pub(super) until: String,
    /// What the tallies say.
    tallied: Counts,
    dropped: u64,
    /// What is told one by one.
    told: Counts,
    groups: BTreeMap<Key, Group>,
}

/// A policy, and where it stands if that can be told.
#[derive(Serialize)]
struct Policy {
    policy: String,
    place: Option<PolicyPlace>,
}

#[derive(Serialize)]
struct Difference {
    change: ShadowResult,
    from: String,
    to: String,
    who: Who,
    action: String,
    resource_type: String,
    live: Vec<Policy>,
    shadow: Vec<Policy>,
    count: u64,
    examples: Vec<Example>,
}

/// All of it.
#[derive(Serialize)]
pub(super) struct Report {
    candidate: String,
    generations: BTreeSet<u64>,
    since: String,
    until: String,
    compared: u64,
    same: u64,
    gains: u64,
    loses: u64,
    error: u64,
    stale: u64,
    dropped: u64,
    differences: Vec<Difference>,
    /// How many lines there are about each other candidate.
    other_candidates: BTreeMap<String, u64>,
    other_lines: u64,
    unreadable: u64,
}

impl Who {
    const fn of(principal: Option<&String>, role: Option<Role>) -> Self {
        match (principal, role) {
            (None, _) => Self::Anonymous,
            (Some(_), None) => Self::Roleless,
            (Some(_), Some(Role::Administrator)) => Self::Administrator,
            (Some(_), Some(Role::Developer)) => Self::Developer,
            (Some(_), Some(Role::Operator)) => Self::Operator,
            (Some(_), Some(Role::Observer)) => Self::Observer,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Roleless => "a user without a role",
            Self::Administrator => "administrator",
            Self::Developer => "developer",
            Self::Operator => "operator",
            Self::Observer => "observer",
        }
    }
}

impl Sum {
    /// Adds a line. Of those that differ alike so many `examples` are kept.
    pub(super) fn add(&mut self, line: Line, examples: usize) {
        let Line { time, generation, said, .. } = line;
        self.lines += 1;
        self.generations.insert(generation);
        let since = match &said {
            Said::Tally { since, .. } => since,
            Said::Disagreement(_) => &time,
        };
        // Times are written in one way, so that texts compare as they do.
        if self.since.is_empty() || *since < self.since {
            self.since.clone_from(since);
        }
        if time > self.until {
            self.until.clone_from(&time);
        }
        match said {
            Said::Tally { compared, dropped, .. } => {
                self.tallied = self.tallied.plus(compared);
                self.dropped = self.dropped.saturating_add(dropped);
            }
            Said::Disagreement(disagreement) => self.tell(*disagreement, time, generation, examples),
        }
    }

    fn tell(&mut self, disagreement: Disagreement, time: String, generation: u64, examples: usize) {
        let Disagreement { decision_id, change, principal, role, action, resource, method, host, path, live, shadow } =
            disagreement;
        self.told = self.told.plus(Counts::one(change));
        let key = Key {
            change,
            decisions: [live.decision, shadow.decision],
            who: Who::of(principal.as_ref(), role),
            action,
            resource_type: resource.entity_type,
            live: live.policies,
            shadow: shadow.policies,
        };
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        group.generation = group.generation.max(generation);
        if group.examples.len() < examples {
            let error = shadow.errors.into_iter().next();
            group.examples.push(Example { decision_id, time, principal, method, host, path, error });
        }
    }
}

impl Counts {
    fn one(change: ShadowResult) -> Self {
        let mut counts = Self::default();
        match change {
            ShadowResult::Same => counts.same = 1,
            ShadowResult::Gains => counts.gains = 1,
            ShadowResult::Loses => counts.loses = 1,
            ShadowResult::Error => counts.error = 1,
            ShadowResult::Stale => counts.stale = 1,
        }
        counts
    }

    fn plus(self, more: Self) -> Self {
        self.each(more, u64::saturating_add)
    }

    /// Whichever says more: what is told one by one is not in a tally yet, or what is counted is not told any more.
    fn most(self, other: Self) -> Self {
        self.each(other, u64::max)
    }

    fn each(self, other: Self, of: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            same: of(self.same, other.same),
            gains: of(self.gains, other.gains),
            loses: of(self.loses, other.loses),
            error: of(self.error, other.error),
            stale: of(self.stale, other.stale),
        }
    }
}

impl Report {
    pub(super) fn new(
        candidate: String,
        sum: Sum,
        other_candidates: BTreeMap<String, u64>,
        other_lines: u64,
        unreadable: u64,
        places: &Places,
    ) -> Self {
        let Sum { generations, since, until, tallied, dropped, told, groups, .. } = sum;
        let Counts { same, gains, loses, error, stale } = tallied.most(told);
        let difference = |(key, group): (Key, Group)| {
            let Key { change, decisions: [from, to], who, action, resource_type, live, shadow } = key;
            let Group { count, generation, examples } = group;
            let live = live.into_iter().map(|policy| Policy { place: places.live(generation, &policy), policy });
            let shadow = shadow.into_iter().map(|policy| Policy { place: places.candidate(&policy), policy });
            let (live, shadow) = (live.collect(), shadow.collect());
            Difference { change, from, to, who, action, resource_type, live, shadow, count, examples }
        };
        let mut differences: Vec<Difference> = groups.into_iter().map(difference).collect();
        differences.sort_by_key(|difference| std::cmp::Reverse(difference.count));
        Self {
            candidate,
            generations,
            since,
            until,
            compared: [same, gains, loses, error, stale].into_iter().fold(0, u64::saturating_add),
            same,
            gains,
            loses,
            error,
            stale,
            dropped,
            differences,
            other_candidates,
            other_lines,
            unreadable,
        }
    }

    /// Whether the candidate has disagreed at all.
    pub(super) fn differs(&self) -> bool {
        self.gains > 0 || self.loses > 0 || self.error > 0
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let generations: Vec<String> = self.generations.iter().map(ToString::to_string).collect();
        let short: String = self.candidate.chars().take(12).collect();
        let mut lines = vec![
            ("candidate:", format!("{short} beside generation {}", generations.join(", "))),
            ("time:", format!("{} to {}", self.since, self.until)),
            ("compared:", self.compared.to_string()),
            ("same:", self.same.to_string()),
            ("gains:", self.gains.to_string()),
            ("loses:", self.loses.to_string()),
            ("error:", self.error.to_string()),
            ("stale:", self.stale.to_string()),
            ("dropped:", self.dropped.to_string()),
        ];
        let others: Vec<String> = self
            .other_candidates
            .iter()
            .map(|(candidate, lines)| format!("{} ({lines} lines)", candidate.chars().take(12).collect::<String>()))
            .collect();
        if !others.is_empty() {
            lines.push(("other candidates:", others.join(", ")));
        }
        if self.other_lines + self.unreadable > 0 {
            let left_out = format!("{} lines of other logs, {} that cannot be read", self.other_lines, self.unreadable);
            lines.push(("left out:", left_out));
        }
        let lines: Vec<_> = lines.into_iter().map(|(name, value)| vec![name.to_owned(), printable(&value)]).collect();
        let mut text = aligned(&lines);
        for difference in &self.differences {
            let Difference { change, from, to, who, action, resource_type, live, shadow, count, examples } = difference;
            let (from, to) = (verdict(from, live, false), verdict(to, shadow, *change == ShadowResult::Error));
            let line =
                format!("{count} {} {action} on {resource_type}, {}: {from} → {to}", change.as_str(), who.words());
            let _ = write!(text, "\n{}\n", printable(&line));
            for Example { decision_id, principal, method, host, path, error, .. } in examples {
                let principal = principal.as_deref().unwrap_or("anonymous");
                let error = error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
                let _ = writeln!(
                    text,
                    "  {decision_id}  {}",
                    printable(&format!("{principal}: {method} {host} {path}{error}"))
                );
            }
        }
        text
    }
}

/// `deny by own (policies/own.cedar:3)`
fn verdict(decision: &str, policies: &[Policy], fails: bool) -> String {
    let policies: Vec<String> = policies
        .iter()
        .map(|Policy { policy, place }| match place {
            Some(place) => format!("{policy} ({place})"),
            None => policy.clone(),
        })
        .collect();
    match (fails, policies.as_slice()) {
        (true, _) => format!("{decision}, as a policy fails"),
        (false, []) => format!("{decision}, as no policy permits it"),
        (false, policies) => format!("{decision} by {}", policies.join(", ")),
    }
}
