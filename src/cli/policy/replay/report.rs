//! Who gains and who loses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::Verdict;
use crate::cli::output::{aligned, printable};

/// How a decision changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    /// What was denied is allowed.
    Gain,
    /// What was allowed is denied.
    Loss,
}

/// One decision that changes.
#[derive(Debug, Serialize)]
pub(super) struct Changed {
    pub(super) decision: String,
    pub(super) principal: String,
    pub(super) method: String,
    pub(super) path: String,
}

/// What changes in the same way, by the same policies.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    change: Change,
    action: String,
    resource_type: String,
    policies: Vec<String>,
}

#[derive(Debug, Default)]
struct Group {
    count: u64,
    examples: Vec<Changed>,
}

/// All of it.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) records: u64,
    /// Lines that are no records.
    pub(super) unreadable: u64,
    /// Records that do not tell what was asked, or of whom, and those of accounts that are gone.
    pub(super) left_out: u64,
    same: u64,
    groups: BTreeMap<Key, Group>,
    examples: usize,
}

impl Report {
    /// With so many examples of each group.
    pub(super) fn new(examples: usize) -> Self {
        Self { records: 0, unreadable: 0, left_out: 0, same: 0, groups: BTreeMap::new(), examples }
    }

    /// Adds a decision that was `before`, and how it falls now.
    pub(super) fn add(&mut self, before: bool, after: &Verdict, changed: impl FnOnce() -> Changed) {
        let change = match (before, after.allowed) {
            (false, true) => Change::Gain,
            (true, false) => Change::Loss,
            _ => {
                self.same += 1;
                return;
            }
        };
        let key = Key {
            change,
            action: after.action.clone(),
            resource_type: after.resource_type.clone(),
            policies: after.policies.iter().map(ToString::to_string).collect(),
        };
        let group = self.groups.entry(key).or_default();
        group.count += 1;
        if group.examples.len() < self.examples {
            group.examples.push(changed());
        }
    }

    /// How many decisions change in this way.
    pub(super) fn count(&self, change: Change) -> u64 {
        self.groups.iter().filter(|(key, _)| key.change == change).map(|(_, group)| group.count).sum()
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = aligned(&[
            vec!["records:".to_owned(), self.records.to_string()],
            vec!["same:".to_owned(), self.same.to_string()],
            vec!["gain:".to_owned(), self.count(Change::Gain).to_string()],
            vec!["lose:".to_owned(), self.count(Change::Loss).to_string()],
            vec![
                "left out:".to_owned(),
                format!("{} and {} lines that are no records", self.left_out, self.unreadable),
            ],
        ]);
        for (Key { change, action, resource_type, policies }, Group { count, examples }) in &self.groups {
            let (verb, by) = match (change, policies.is_empty()) {
                (Change::Gain, _) => ("gain", format!("by {}", policies.join(", "))),
                (Change::Loss, false) => ("lose", format!("by {}", policies.join(", "))),
                (Change::Loss, true) => ("lose", "as no policy permits it".to_owned()),
            };
            let what = if action.is_empty() {
                "what no route takes".to_owned()
            } else {
                format!("{action} on {resource_type}")
            };
            text.push_str(&format!("\n{count} {verb} {} {}\n", printable(&what), printable(&by)));
            for Changed { decision, principal, method, path } in examples {
                let example = format!("{principal}: {method} {path} ({decision})");
                text.push_str(&format!("  {}\n", printable(&example)));
            }
        }
        text
    }
}

impl Serialize for Report {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let groups: Vec<_> = self
            .groups
            .iter()
            .map(|(Key { change, action, resource_type, policies }, Group { count, examples })| {
                serde_json::json!({
                    "change": change, "action": action, "resource_type": resource_type, "policies": policies,
                    "count": count, "examples": examples,
                })
            })
            .collect();
        serde_json::json!({
            "records": self.records, "same": self.same, "gain": self.count(Change::Gain),
            "loss": self.count(Change::Loss), "left_out": self.left_out, "unreadable": self.unreadable, "groups": groups,
        })
        .serialize(serializer)
    }
}
