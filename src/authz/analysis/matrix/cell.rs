//! One cell: what the policies say of the samples that stand for it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use cedar_policy_core::ast::{ActionConstraint, Effect, EntityUID, EntityUIDEntry, Policy, Request};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use std::sync::Arc;

use super::open::{Left, Opened};
use crate::authz::generation::Generation;
use crate::authz::prepared::PreparedAction;
use crate::authz::question::Circumstances;
use crate::authz::table::kind::{Class, State};
use crate::authz::table::sample::Sample;
use crate::model::{Role, UserId};

/// What is said to whoever a column is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// Whether they may.
    pub may: May,
    /// The policies that decide, whatever else holds.
    pub policies: Vec<String>,
    /// The policies that permit under a condition, if none permits without.
    pub permits: Vec<Conditional>,
    /// The policies that forbid under a condition.
    pub forbids: Vec<Conditional>,
}

impl Cell {
    /// Never, as no policy permits it.
    pub(super) const NO: Self = Self { may: May::No, policies: Vec::new(), permits: Vec::new(), forbids: Vec::new() };
}

/// Whether somebody may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    /// Always.
    Yes,
    /// Never.
    No,
    /// It depends on what the conditions say.
    Depends,
}

/// A policy, and what it depends on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conditional {
    /// The policy.
    pub policy: String,
    /// What is left of its conditions, in Cedar.
    pub condition: String,
}

/// Asks the policies of a generation.
pub(super) struct Asker<'g> {
    generation: &'g Generation,
    policies: Vec<(&'g Policy, Opened)>,
}

impl<'g> Asker<'g> {
    pub(super) fn new(generation: &'g Generation) -> Self {
        let set: &cedar_policy_core::ast::PolicySet = generation.policies().as_ref();
        let mut policies: Vec<_> = set.policies().map(|policy| (policy, Opened::new(policy))).collect();
        policies.sort_by(|(a, _), (b, _)| AsRef::<str>::as_ref(a.id()).cmp(AsRef::<str>::as_ref(b.id())));
        Self { generation, policies }
    }

    /// The cell that these samples stand for, each with what distinguishes it from those after it. Nothing if there is
    /// none, or if the action does not apply to any.
    pub(super) fn cell(
        &self,
        action: &PreparedAction,
        variants: &[(Option<&'static str>, Class, State)],
    ) -> Option<Cell> {
        let mut labels = Vec::with_capacity(variants.len());
        // For each policy, what it leaves of each sample.
        let mut left: BTreeMap<&str, (Effect, Vec<Left>)> = BTreeMap::new();
        for (label, class, state) in variants {
            labels.push(*label);
            for (policy, said) in self.ask(action, Sample::new(*class, *state))? {
                let (_, said_before) =
                    left.entry(AsRef::<str>::as_ref(policy.id())).or_insert((policy.effect(), Vec::new()));
                said_before.push(said);
            }
        }
        if variants.is_empty() {
            return None;
        }
        Some(conclude(left.into_iter().map(|(id, (effect, said))| (id, effect, put_together(&labels, said)))))
    }

    /// What each policy that can be for the action leaves. Nothing if the schema takes no such question.
    fn ask(&self, action: &PreparedAction, sample: Sample) -> Option<Vec<(&'g Policy, Left)>> {
        let told = Circumstances { client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)), ..Circumstances::UNTOLD };
        let member = UserId::from_bytes([9; 16]);
        let of_member =
            Circumstances { member: Some(member), role: Some(Role::Administrator), returning: true, ..told };
        let asked = sample.asked_under(&told)?;
        let fits = |circumstances| action.fits(&asked.principal, &asked.resource, circumstances);
        let asked = match (fits(&of_member), fits(&told)) {
            (true, _) => sample.asked_under(&of_member)?,
            (false, true) => asked,
            (false, false) => return None,
        };
        let of_action = self.generation.actions().iter().find(|known| known.uid().as_ref() == &*action.uid)?;
        let groups = of_action.entities().iter().map(|entity| entity.as_ref().clone());
        let entities = Entities::from_entities(
            asked.entities.into_iter().chain(groups),
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        );
        let entities = entities.ok()?;
        let known = |uid: &Arc<EntityUID>| EntityUIDEntry::Known { euid: Arc::clone(uid), loc: None };
        let request = Request::new_unchecked(
            known(&asked.principal),
            known(&action.uid),
            known(&asked.resource),
            Some(asked.context),
        );
        let evaluator = Evaluator::new(request, &entities, Extensions::all_available());
        let is_in = |uid: &EntityUID| of_action.entities().iter().any(|entity| entity.uid().as_ref() == uid);
        let concerning = self.policies.iter().filter(|(policy, _)| match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => **uid == *action.uid,
            ActionConstraint::In(uids) => uids.iter().any(|uid| is_in(uid)),
        });
        let left = concerning
            .map(|(policy, opened)| (*policy, opened.left(&evaluator, policy, &asked.principal, &asked.resource)));
        Some(left.collect())
    }
}

/// What a policy leaves of all samples.
fn put_together(labels: &[Option<&'static str>], said: Vec<Left>) -> Left {
    let same = said.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
    match said.as_slice() {
        [first, ..] if same => first.clone(),
        [with, without] => {
            let label = labels.first().copied().flatten().unwrap_or("true");
            let of = |label: String, left: &Left| match left {
                Left::Nothing => None,
                Left::Everything => Some(label),
                Left::Condition(condition) => Some(format!("{label} && ({condition})")),
                Left::Error => Some(format!("{label} && (it fails)")),
            };
            match (of(label.to_owned(), with), of(format!("!({label})"), without)) {
                (Some(with), Some(without)) => Left::Condition(format!("({with}) || ({without})")),
                (Some(one), None) | (None, Some(one)) => Left::Condition(one),
                (None, None) => Left::Nothing,
            }
        }
        _ => Left::Error,
    }
}

/// As Cedar combines policies, but that one that fails denies.
fn conclude<'p>(said: impl Iterator<Item = (&'p str, Effect, Left)>) -> Cell {
    let (mut permitting, mut forbidding, mut failing) = (Vec::new(), Vec::new(), Vec::new());
    let (mut permits, mut forbids) = (Vec::new(), Vec::new());
    for (id, effect, left) in said {
        let policy = id.to_owned();
        match (left, effect) {
            (Left::Nothing, _) => {}
            (Left::Error, _) => failing.push(policy),
            (Left::Everything, Effect::Permit) => permitting.push(policy),
            (Left::Everything, Effect::Forbid) => forbidding.push(policy),
            (Left::Condition(condition), Effect::Permit) => permits.push(Conditional { policy, condition }),
            (Left::Condition(condition), Effect::Forbid) => forbids.push(Conditional { policy, condition }),
        }
    }
    let never = |policies| Cell { policies, ..Cell::NO };
    if permitting.is_empty() && permits.is_empty() {
        return Cell::NO;
    }
    if !failing.is_empty() || !forbidding.is_empty() {
        forbidding.extend(failing);
        return never(forbidding);
    }
    let depends = permitting.is_empty() || !forbids.is_empty();
    let permits = if permitting.is_empty() { permits } else { Vec::new() };
    Cell { may: if depends { May::Depends } else { May::Yes }, policies: permitting, permits, forbids }
}
