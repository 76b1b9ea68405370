//! What of the policies tests have exercised: each policy, each of its conditions, and each operand of these.
//!
//! A condition is evaluated as Cedar does it: what `&&` and `||` do not come to is not exercised.

mod parts;

use cedar_policy_core::ast::{ActionConstraint, EntityUID, Literal, Policy, Value, ValueKind};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use self::parts::{Part, Parts};
use super::Asked;
use crate::authz::generation::Generation;

/// The policies, and what of them was exercised.
#[derive(Debug)]
pub struct Coverage {
    policies: Vec<Watched>,
    /// For each action, by its index: which of the policies can be for it.
    of_actions: Vec<Vec<usize>>,
}

#[derive(Debug)]
struct Watched {
    policy: Policy,
    clauses: Vec<Part>,
    covered: PolicyCoverage,
}

/// A policy, and what of it was exercised.
#[derive(Debug, Clone)]
pub struct PolicyCoverage {
    /// The policy.
    pub id: String,
    /// Its file.
    pub file: String,
    /// The line on which it begins, from 1.
    pub line: usize,
    /// Whether it was satisfied by a question.
    pub satisfied: bool,
    /// Its conditions and their operands, in the order of the text.
    pub conditions: Vec<Condition>,
}

/// A condition, or an operand of one.
#[derive(Debug, Clone)]
pub struct Condition {
    /// What it is.
    pub kind: ConditionKind,
    /// Where it begins, from 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Its text.
    pub text: String,
    /// Whether it came out as true.
    pub was_true: bool,
    /// Whether it came out as false.
    pub was_false: bool,
}

/// What a condition is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionKind {
    /// What stands in a `when` or an `unless`.
    Clause,
    /// An operand of `&&` or `||`, or what an `if` asks.
    Operand,
}

impl Coverage {
    pub(super) fn new(generation: &Generation) -> Self {
        let set: &cedar_policy_core::ast::PolicySet = generation.policies().as_ref();
        let mut policies: Vec<Watched> = set.policies().map(|policy| Watched::new(policy, generation)).collect();
        policies.sort_by(|a, b| (&a.covered.file, a.covered.line).cmp(&(&b.covered.file, b.covered.line)));
        let of_action = |action: &crate::authz::actions::Action| {
            let groups: Vec<_> = action.entities().iter().map(cedar_policy::Entity::uid).collect();
            let is_in = |uid: &EntityUID| groups.iter().any(|group| group.as_ref() == uid);
            let can_be_for = |(at, watched): (usize, &Watched)| {
                let holds = match watched.policy.action_constraint() {
                    ActionConstraint::Any => true,
                    ActionConstraint::Eq(uid) => action.uid().as_ref() == &**uid,
                    ActionConstraint::In(uids) => uids.iter().any(|uid| is_in(uid)),
                };
                holds.then_some(at)
            };
            policies.iter().enumerate().filter_map(can_be_for).collect()
        };
        let of_actions = generation.actions().iter().map(of_action).collect();
        Self { policies, of_actions }
    }

    pub(super) fn add(&mut self, _: &Generation, action: u16, asked: &Asked) {
        let evaluator = Evaluator::new(asked.request.clone(), &asked.entities, Extensions::all_available());
        for at in self.of_actions.get(usize::from(action)).into_iter().flatten() {
            if let Some(watched) = self.policies.get_mut(*at) {
                watched.exercise(&evaluator);
            }
        }
    }

    /// Each policy, in the order of the files.
    pub fn policies(&self) -> impl Iterator<Item = &PolicyCoverage> {
        self.policies.iter().map(|watched| &watched.covered)
    }

    /// Whether each policy was satisfied, and each condition came out both ways.
    pub fn is_full(&self) -> bool {
        self.policies().all(|policy| policy.satisfied && policy.conditions.iter().all(Condition::is_covered))
    }
}

impl Condition {
    /// Whether it came out both ways.
    pub fn is_covered(&self) -> bool {
        self.was_true && self.was_false
    }
}

impl Watched {
    fn new(policy: &Policy, generation: &Generation) -> Self {
        let id: cedar_policy::PolicyId = cedar_policy::PolicyId::new(AsRef::<str>::as_ref(policy.id()));
        let mut parts = Parts::default();
        let clauses = parts.of(policy);
        let covered = PolicyCoverage {
            id: id.to_string(),
            file: generation.policy_file(&id).unwrap_or_default().to_owned(),
            line: policy.loc().map_or(1, |loc| parts::place(loc).0),
            satisfied: false,
            conditions: parts.conditions,
        };
        Self { policy: policy.clone(), clauses, covered }
    }

    fn exercise(&mut self, evaluator: &Evaluator<'_>) {
        let scope = [self.policy.principal_constraint().as_expr(), self.policy.resource_constraint().as_expr()];
        let policy = &self.policy;
        let truth = |expr: &_| match evaluator.interpret(expr, policy.env()) {
            Ok(Value { value: ValueKind::Lit(Literal::Bool(truth)), .. }) => Some(truth),
            _ => None,
        };
        if !scope.iter().all(|part| truth(part) == Some(true)) {
            return;
        }
        let conditions = &mut self.covered.conditions;
        // As in Cedar a clause that does not hold ends it.
        let holds = parts::all(&self.clauses, &mut |part| part.exercise(&truth, conditions));
        self.covered.satisfied |= holds == Some(true);
    }
}
