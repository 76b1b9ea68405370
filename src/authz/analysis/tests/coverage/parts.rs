//! The conditions of a policy, taken apart.

use cedar_policy_core::ast::{Expr, ExprKind, Policy, UnaryOp};
use cedar_policy_core::parser::Loc;

use super::{Condition, ConditionKind};
use crate::authz::problem::Problem;

/// A condition, or an operand of one.
#[derive(Debug)]
pub(super) struct Part {
    /// Its number among the policy's.
    number: usize,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    One(Expr),
    All(Vec<Part>),
    Any(Vec<Part>),
    Not(Box<Shape>),
    If(Box<Part>, Box<Shape>, Box<Shape>),
}

/// The conditions that were found so far.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) conditions: Vec<Condition>,
}

impl Parts {
    /// The policy's clauses, each `when` and each `unless`.
    pub(super) fn of(&mut self, policy: &Policy) -> Vec<Part> {
        let mut clauses = Vec::new();
        let mut rest = policy.non_scope_constraints();
        while let Some(expr) = rest {
            // Cedar joins clauses with an `&&` that has the place of the whole policy.
            let (clause, others) = match expr.expr_kind() {
                ExprKind::And { left, right } if expr.source_loc() == policy.loc() => (&**left, Some(&**right)),
                _ => (expr, None),
            };
            clauses.push(self.part(clause, ConditionKind::Clause));
            rest = others;
        }
        clauses
    }

    fn part(&mut self, expr: &Expr, kind: ConditionKind) -> Part {
        let number = self.conditions.len();
        let (line, column) = expr.source_loc().map_or((1, 1), place);
        let snippet = expr.source_loc().and_then(Loc::snippet);
        let text = snippet
            .map_or_else(|| expr.to_string(), |snippet| snippet.split_whitespace().collect::<Vec<_>>().join(" "));
        self.conditions.push(Condition { kind, line, column, text, was_true: false, was_false: false });
        Part { number, shape: self.shape(expr) }
    }

    fn shape(&mut self, expr: &Expr) -> Shape {
        match expr.expr_kind() {
            ExprKind::And { .. } => Shape::All(self.operands(expr)),
            ExprKind::Or { .. } => Shape::Any(self.operands(expr)),
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => Shape::Not(Box::new(self.shape(arg))),
            ExprKind::If { test_expr, then_expr, else_expr } => Shape::If(
                Box::new(self.part(test_expr, ConditionKind::Operand)),
                Box::new(self.shape(then_expr)),
                Box::new(self.shape(else_expr)),
            ),
            _ => Shape::One(expr.clone()),
        }
    }

    fn operands(&mut self, expr: &Expr) -> Vec<Part> {
        let mut operands = Vec::new();
        flatten(expr, &mut operands);
        operands.into_iter().map(|operand| self.part(operand, ConditionKind::Operand)).collect()
    }
}

/// The operands of a chain of the same operator.
fn flatten<'e>(expr: &'e Expr, operands: &mut Vec<&'e Expr>) {
    let same = |other: &Expr| std::mem::discriminant(other.expr_kind()) == std::mem::discriminant(expr.expr_kind());
    if let ExprKind::And { left, right } | ExprKind::Or { left, right } = expr.expr_kind() {
        for operand in [left, right] {
            if same(operand) {
                flatten(operand, operands);
            } else {
                operands.push(operand);
            }
        }
    }
}

impl Part {
    /// Evaluates it by `truth`, which gives nothing if something fails, and notes how it and its operands came out.
    pub(super) fn exercise(
        &self,
        truth: &impl Fn(&Expr) -> Option<bool>,
        conditions: &mut Vec<Condition>,
    ) -> Option<bool> {
        let outcome = self.shape.exercise(truth, conditions);
        if let (Some(outcome), Some(condition)) = (outcome, conditions.get_mut(self.number)) {
            condition.was_true |= outcome;
            condition.was_false |= !outcome;
        }
        outcome
    }
}

impl Shape {
    fn exercise(&self, truth: &impl Fn(&Expr) -> Option<bool>, conditions: &mut Vec<Condition>) -> Option<bool> {
        match self {
            Self::One(expr) => truth(expr),
            Self::All(parts) => all(parts, &mut |part| part.exercise(truth, conditions)),
            Self::Any(parts) => {
                for part in parts {
                    if part.exercise(truth, conditions)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            Self::Not(shape) => shape.exercise(truth, conditions).map(|outcome| !outcome),
            Self::If(test, then, otherwise) => {
                let branch = if test.exercise(truth, conditions)? { then } else { otherwise };
                branch.exercise(truth, conditions)
            }
        }
    }
}

/// Whether all parts hold; what comes after one that does not is not looked at.
pub(super) fn all(parts: &[Part], exercise: &mut impl FnMut(&Part) -> Option<bool>) -> Option<bool> {
    for part in parts {
        if !exercise(part)? {
            return Some(false);
        }
    }
    Some(true)
}

/// The line and the column where it begins.
pub(super) fn place(loc: &Loc) -> (usize, usize) {
    let problem = Problem::at("", &loc.src, loc.start()..loc.start(), "");
    (problem.line().unwrap_or(1), problem.column().unwrap_or(1))
}
