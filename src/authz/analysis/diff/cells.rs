//! Which kinds of requests are answered otherwise.
//!
//! Both generations are asked every question; those whose answers differ are put together by who asks, the action and the
//! type of the resource, and what they have in common is found.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cedar_policy::RequestEnv;
use cedar_policy_core::validator::ValidatorSchema;
use serde::Serialize;

use super::questions::{Situation, Trait};
use crate::authz::analysis::scope::Policies;
use crate::authz::decision::Decision;
use crate::authz::evaluate::evaluate;
use crate::authz::generation::Generation;
use crate::authz::question::{Circumstances, Resource, Subject};
use crate::model::UserId;

/// Questions of one kind whose answers differ in the same way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cell {
    /// In which way.
    pub turn: Turn,
    /// Who asks: the role, mostly.
    pub who: String,
    /// The action's name.
    pub action: String,
    /// The resource's type.
    pub resource_type: String,
    /// What they have in common, and others of their kind have not.
    pub when: Vec<Condition>,
    /// Whether `when` says it all: every question of their kind that it holds for is one of them.
    pub exact: bool,
    /// How many there are.
    pub questions: usize,
    /// How many there are of their kind.
    pub of: usize,
    /// The policies that determined the answers, before and after.
    pub policies: BTreeSet<String>,
}

/// In which way the answers differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Turn {
    /// What was denied is permitted.
    Opens,
    /// What was permitted is denied.
    Closes,
}

impl Turn {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Opens => "opens",
            Self::Closes => "closes",
        }
    }
}

/// Something that questions have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Condition {
    /// Such as `credential`.
    pub what: String,
    /// Which of the values that there are.
    pub is: Vec<String>,
}

/// Cells put together that differ only in who asks, the action and the resource's type: every combination of these.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// In which way the answers differ.
    pub turn: Turn,
    /// Who asks.
    pub who: Vec<String>,
    /// The actions.
    pub actions: Vec<String>,
    /// The resources' types.
    pub resource_types: Vec<String>,
    /// What the questions have in common.
    pub when: Vec<Condition>,
    /// Whether that says it all.
    pub exact: bool,
}

/// Questions of one kind.
#[derive(Default)]
struct Group {
    all: Vec<Vec<Trait>>,
    /// By the way in which the answers differ: the positions in `all`.
    turned: BTreeMap<Turn, Vec<usize>>,
    policies: BTreeMap<Turn, BTreeSet<String>>,
}

/// How many questions were asked, and the cells whose answers differ. Nothing is asked that is decided by the same policies
/// and by the same schema.
pub(super) fn differing(old: &Generation, new: &Generation) -> (usize, Vec<Cell>) {
    let situations = Situation::all();
    let mut count = 0;
    let mut cells = Vec::new();
    for (action, kinds) in kinds(old, new) {
        let mut groups: BTreeMap<(usize, String), Group> = BTreeMap::new();
        let mut order: Vec<&str> = Vec::new();
        for situation in &situations {
            let resource_type = situation.resource.entity_type();
            if !kinds.contains(&(situation.principal_type.to_owned(), resource_type.to_owned())) {
                continue;
            }
            let row = order.iter().position(|who| *who == situation.who).unwrap_or_else(|| {
                order.push(situation.who);
                order.len() - 1
            });
            let group = groups.entry((row, resource_type.to_owned())).or_default();
            // Which credentials there are for an action is a matter of its groups, which either may know.
            let Some((_, known)) = new.action_by_name(&action).or_else(|| old.action_by_name(&action)) else {
                continue;
            };
            situation.ask(known, |subject, circumstances, traits| {
                let decide = |generation| decide(generation, &action, situation, subject, circumstances);
                count += 1;
                group.add(traits, &decide(old), &decide(new));
            });
        }
        for ((row, resource_type), group) in groups {
            let who = order.get(row).copied().unwrap_or_default();
            cells.extend(group.cells(who, &action, &resource_type));
        }
    }
    (count, cells)
}

/// The types of principals and resources for each action, by their names, which different policies are for.
fn kinds(old: &Generation, new: &Generation) -> BTreeMap<String, BTreeSet<(String, String)>> {
    let (old_schema, new_schema): (&ValidatorSchema, &ValidatorSchema) = (old.schema().as_ref(), new.schema().as_ref());
    let (old_policies, new_policies) = (Policies::of(old), Policies::of(new));
    let differs = |kind: &RequestEnv| {
        let (before, after) = (old_policies.relevant(kind), new_policies.relevant(kind));
        old_schema != new_schema || before.keys().ne(after.keys())
    };
    let mut kinds: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    for generation in [old, new] {
        let differing: Vec<RequestEnv> = generation.schema().request_envs().filter(differs).collect();
        for action in generation.actions() {
            let of_action = differing.iter().filter(|kind| kind.action() == action.uid());
            let types = of_action.map(|kind| (kind.principal().to_string(), kind.resource().to_string()));
            kinds.entry(action.name().to_string()).or_default().extend(types);
        }
    }
    kinds
}

/// What the engine says. Nothing if there is no such action.
fn decide(
    generation: &Generation,
    action: &str,
    situation: &Situation,
    subject: &Subject<'_>,
    circumstances: &Circumstances<'_>,
) -> Option<Decision> {
    let (action, _) = generation.action_by_name(action)?;
    let Situation { resource, facts, .. } = situation;
    let load = |user: Option<UserId>, of: &Resource| Ok(Arc::new(facts.alone(subject, resource, user, of)));
    evaluate(generation, action, subject, resource, facts, circumstances, &load).ok()
}

impl Group {
    fn add(&mut self, traits: &[Trait], old: &Option<Decision>, new: &Option<Decision>) {
        let allows =
            |decision: &Option<Decision>| decision.as_ref().is_some_and(|decision| decision.permit().is_some());
        let turn = match (allows(old), allows(new)) {
            (false, true) => Some(Turn::Opens),
            (true, false) => Some(Turn::Closes),
            (true, true) | (false, false) => None,
        };
        if let Some(turn) = turn {
            let policies =
                old.iter().chain(new).flat_map(|decision| decision.policies().iter()).map(ToString::to_string);
            self.policies.entry(turn).or_default().extend(policies);
            self.turned.entry(turn).or_default().push(self.all.len());
        }
        self.all.push(traits.to_vec());
    }

    fn cells(&self, who: &str, action: &str, resource_type: &str) -> Vec<Cell> {
        let cell = |(turn, turned): (&Turn, &Vec<usize>)| {
            let differing: Vec<&Vec<Trait>> = turned.iter().filter_map(|&at| self.all.get(at)).collect();
            let when = in_common(&self.all, &differing);
            let holds = |traits: &&Vec<Trait>| when.iter().all(|(what, is)| is.contains(&value(traits, what)));
            Cell {
                turn: *turn,
                who: who.to_owned(),
                action: action.to_owned(),
                resource_type: resource_type.to_owned(),
                exact: self.all.iter().filter(holds).count() == differing.len(),
                when: when.into_iter().map(Condition::from).collect(),
                questions: differing.len(),
                of: self.all.len(),
                policies: self.policies.get(turn).cloned().unwrap_or_default(),
            }
        };
        self.turned.iter().map(cell).collect()
    }
}

impl From<(&str, Vec<Option<&str>>)> for Condition {
    fn from((what, is): (&str, Vec<Option<&str>>)) -> Self {
        Self { what: what.to_owned(), is: is.into_iter().map(|value| value.unwrap_or("none").to_owned()).collect() }
    }
}

fn value(traits: &[Trait], what: &str) -> Option<&'static str> {
    traits.iter().find(|(found, _)| *found == what).map(|(_, value)| *value)
}

/// Of what all questions of a kind have the values of only some: these.
fn in_common(all: &[Vec<Trait>], some: &[&Vec<Trait>]) -> Vec<(&'static str, Vec<Option<&'static str>>)> {
    let mut whats: Vec<&'static str> = Vec::new();
    for (what, _) in all.iter().flatten() {
        if !whats.contains(what) {
            whats.push(*what);
        }
    }
    let values = |what, of: &mut dyn Iterator<Item = &Vec<Trait>>| {
        let mut values = Vec::new();
        for value in of.map(|traits| value(traits, what)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    };
    let conditions = whats.into_iter().filter_map(|what| {
        let is = values(what, &mut some.iter().copied());
        (is.len() < values(what, &mut all.iter()).len()).then_some((what, is))
    });
    conditions.collect()
}

/// The cells, put together as far as they go.
pub fn rows(cells: &[Cell]) -> Vec<Row> {
    let rows = cells.iter().map(|cell| Row {
        turn: cell.turn,
        who: vec![cell.who.clone()],
        actions: vec![cell.action.clone()],
        resource_types: vec![cell.resource_type.clone()],
        when: cell.when.clone(),
        exact: cell.exact,
    });
    let rows = joined(rows.collect(), |row| &mut row.who);
    let rows = joined(rows, |row| &mut row.resource_types);
    let mut rows = joined(rows, |row| &mut row.actions);
    rows.sort_by_key(|row| row.turn);
    rows
}

/// Puts together the rows that differ in this list only, in their order.
fn joined(rows: Vec<Row>, list: impl Fn(&mut Row) -> &mut Vec<String>) -> Vec<Row> {
    let mut all: Vec<Row> = Vec::new();
    for mut row in rows {
        let values = std::mem::take(list(&mut row));
        let same = all.iter_mut().find(|known| {
            let mut blank = (*known).clone();
            list(&mut blank).clear();
            blank == row
        });
        match same {
            Some(known) => list(known).extend(values),
            None => {
                *list(&mut row) = values;
                all.push(row);
            }
        }
    }
    all
}
