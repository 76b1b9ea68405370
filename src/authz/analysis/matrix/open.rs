//! What a policy says of a sample: its conditions with what is not known left open, and put in words again.

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy_core::ast::{
    BinaryOp, EntityReference, EntityUID, Expr, ExprKind, Literal, PartialValue, Policy, PrincipalOrResourceConstraint,
    UnaryOp, Unknown, Value, ValueKind, Var,
};
use cedar_policy_core::evaluator::Evaluator;
use smol_str::SmolStr;

/// The parts of the context that are not always told, whatever the credential.
const NOT_ALWAYS_TOLD: [&str; 4] = ["client", "member", "role", "returning"];

/// The operators by which one entity is told from another.
const COMPARING: [BinaryOp; 5] =
    [BinaryOp::Eq, BinaryOp::In, BinaryOp::Contains, BinaryOp::ContainsAll, BinaryOp::ContainsAny];

/// What a policy leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Left {
    /// It is not satisfied.
    Nothing,
    /// It is satisfied.
    Everything,
    /// It is satisfied if this holds.
    Condition(String),
    /// It fails.
    Error,
}

/// A policy whose every mention of an entity, and of what the context may not tell, is an unknown.
pub(super) struct Opened {
    condition: Expr,
    /// What stands for each of these unknowns.
    mentions: HashMap<SmolStr, Expr>,
}

impl Opened {
    pub(super) fn new(policy: &Policy) -> Self {
        let mut opened = Self { condition: Expr::val(true), mentions: HashMap::new() };
        // The action is looked at by whoever asks.
        let scope = [
            (policy.principal_constraint().into_inner(), policy.principal_constraint().as_expr(), Var::Principal),
            (policy.resource_constraint().into_inner(), policy.resource_constraint().as_expr(), Var::Resource),
        ];
        let mut parts: Vec<Expr> =
            scope.iter().map(|(constraint, expr, of)| opened.scope(constraint, expr, *of)).collect();
        parts.extend(policy.non_scope_constraints().map(|condition| opened.open(condition)));
        opened.condition = parts.into_iter().rev().fold(Expr::val(true), |all, part| Expr::and(part, all));
        opened
    }

    /// What the policy leaves of the question that the evaluator is about.
    pub(super) fn left(
        &self,
        evaluator: &Evaluator<'_>,
        policy: &Policy,
        principal: &EntityUID,
        resource: &EntityUID,
    ) -> Left {
        let rest = match evaluator.partial_interpret(&self.condition, policy.env()) {
            Err(_) => return Left::Error,
            Ok(PartialValue::Value(value)) => return of_value(&value),
            Ok(PartialValue::Residual(rest)) => rest,
        };
        let words = Words { mentions: &self.mentions, principal, resource };
        let said = words.of(&rest);
        match truth(&said) {
            Some(true) => Left::Everything,
            Some(false) => Left::Nothing,
            None => Left::Condition(said.to_string()),
        }
    }

    fn scope(&mut self, constraint: &PrincipalOrResourceConstraint, expr: &Expr, of: Var) -> Expr {
        use PrincipalOrResourceConstraint::{Eq, In, IsIn};
        match constraint {
            Eq(EntityReference::EUID(_)) | In(EntityReference::EUID(_)) => self.mention(expr),
            IsIn(entity_type, EntityReference::EUID(group)) => {
                let within = Expr::is_in(Expr::var(of), Expr::val(Arc::clone(group)));
                Expr::and(Expr::is_entity_type(Expr::var(of), (**entity_type).clone()), self.mention(&within))
            }
            _ => expr.clone(),
        }
    }

    fn mention(&mut self, expr: &Expr) -> Expr {
        let name = SmolStr::new(expr.to_string());
        self.mentions.insert(name.clone(), expr.clone());
        Expr::unknown(Unknown::new_untyped(name))
    }

    fn open(&mut self, expr: &Expr) -> Expr {
        let is_mention = match expr.expr_kind() {
            ExprKind::BinaryApp { op, arg1, arg2 } if COMPARING.contains(op) => {
                let is_about_action =
                    [arg1, arg2].iter().any(|arg| matches!(arg.expr_kind(), ExprKind::Var(Var::Action)));
                !is_about_action && (names_entities(arg1) || names_entities(arg2))
            }
            ExprKind::HasAttr { expr, attr } => is_context(expr) && NOT_ALWAYS_TOLD.contains(&attr.as_str()),
            ExprKind::ExtHasAttr { expr, attrs } => {
                is_context(expr) && NOT_ALWAYS_TOLD.contains(&attrs.first().as_str())
            }
            _ => false,
        };
        if is_mention { self.mention(expr) } else { rebuilt(expr, &mut |part| self.open(part)) }
    }
}

fn is_context(expr: &Expr) -> bool {
    matches!(expr.expr_kind(), ExprKind::Var(Var::Context))
}

/// Whether it is an entity that is named, or has one in it.
fn names_entities(expr: &Expr) -> bool {
    expr.subexpressions().any(|part| matches!(part.expr_kind(), ExprKind::Lit(Literal::EntityUID(_))))
}

fn of_value(value: &Value) -> Left {
    match value.value_kind() {
        ValueKind::Lit(Literal::Bool(true)) => Left::Everything,
        ValueKind::Lit(Literal::Bool(false)) => Left::Nothing,
        _ => Left::Error,
    }
}

/// Puts what is left in the words of policies.
struct Words<'a> {
    mentions: &'a HashMap<SmolStr, Expr>,
    principal: &'a EntityUID,
    resource: &'a EntityUID,
}

impl Words<'_> {
    fn of(&self, expr: &Expr) -> Expr {
        match expr.expr_kind() {
            ExprKind::Unknown(unknown) => {
                self.mentions.get(&unknown.name).cloned().unwrap_or_else(|| self.path(&unknown.name))
            }
            ExprKind::Lit(Literal::EntityUID(uid)) if **uid == *self.principal => Expr::var(Var::Principal),
            ExprKind::Lit(Literal::EntityUID(uid)) if **uid == *self.resource => Expr::var(Var::Resource),
            ExprKind::And { left, right } => {
                let (left, right) = (self.of(left), self.of(right));
                match (truth(&left), truth(&right)) {
                    (Some(true), _) => right,
                    (_, Some(true)) => left,
                    // What fails denies as well, so it makes no difference that the left side could.
                    (Some(false), _) | (_, Some(false)) => Expr::val(false),
                    (None, None) => Expr::and(left, right),
                }
            }
            ExprKind::Or { left, right } => {
                let (left, right) = (self.of(left), self.of(right));
                match (truth(&left), truth(&right)) {
                    (Some(false), _) => right,
                    (_, Some(false)) => left,
                    (Some(true), _) | (_, Some(true)) => Expr::val(true),
                    (None, None) => Expr::or(left, right),
                }
            }
            ExprKind::UnaryApp { op: UnaryOp::Not, arg } => {
                let arg = self.of(arg);
                match truth(&arg) {
                    Some(truth) => Expr::val(!truth),
                    None => Expr::not(arg),
                }
            }
            _ => rebuilt(expr, &mut |part| self.of(part)),
        }
    }

    /// Where the unknown value of this name is found, from the variables of policies.
    fn path(&self, name: &str) -> Expr {
        let mut steps = name.split('.');
        let of = self.resource.entity_type().to_string();
        let (start, way): (Var, &[&str]) = match (steps.next().unwrap_or_default(), of.as_str()) {
            ("context", _) => (Var::Context, &[]),
            ("principal", _) => (Var::Principal, &[]),
            ("Application", "Device") => (Var::Resource, &["application"]),
            ("Organization", "Application") => (Var::Resource, &["organization"]),
            ("Organization", "Device") => (Var::Resource, &["application", "organization"]),
            _ => (Var::Resource, &[]),
        };
        let way = way.iter().copied().chain(steps);
        way.fold(Expr::var(start), |expr, step| Expr::get_attr(expr, SmolStr::new(step)))
    }
}

fn truth(expr: &Expr) -> Option<bool> {
    match expr.expr_kind() {
        ExprKind::Lit(Literal::Bool(truth)) => Some(*truth),
        _ => None,
    }
}

/// The same expression, of other parts.
fn rebuilt(expr: &Expr, part: &mut impl FnMut(&Expr) -> Expr) -> Expr {
    match expr.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => expr.clone(),
        ExprKind::If { test_expr, then_expr, else_expr } => {
            Expr::ite(part(test_expr), part(then_expr), part(else_expr))
        }
        ExprKind::And { left, right } => Expr::and(part(left), part(right)),
        ExprKind::Or { left, right } => Expr::or(part(left), part(right)),
        ExprKind::UnaryApp { op, arg } => Expr::unary_app(*op, part(arg)),
        ExprKind::BinaryApp { op, arg1, arg2 } => Expr::binary_app(*op, part(arg1), part(arg2)),
        ExprKind::ExtensionFunctionApp { fn_name, args } => {
            Expr::call_extension_fn(fn_name.clone(), args.iter().map(part).collect())
        }
        ExprKind::GetAttr { expr, attr } => Expr::get_attr(part(expr), attr.clone()),
        ExprKind::HasAttr { expr, attr } => Expr::has_attr(part(expr), attr.clone()),
        ExprKind::ExtHasAttr { expr, attrs } => Expr::extended_has_attr(part(expr), attrs.clone()),
        ExprKind::Like { expr, pattern } => Expr::like(part(expr), pattern.clone()),
        ExprKind::Is { expr, entity_type } => Expr::is_entity_type(part(expr), entity_type.clone()),
        ExprKind::Set(items) => Expr::set(items.iter().map(part)),
        ExprKind::Record(fields) => {
            Expr::record_arc(Arc::new(fields.iter().map(|(name, value)| (name.clone(), part(value))).collect()))
        }
    }
}
