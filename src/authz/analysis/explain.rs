//! Why something is not permitted: of each policy that might have permitted it, the first clause that was false.

use std::collections::BTreeMap;

use cedar_policy_core::ast::{BinaryOp, EntityUID, Expr, ExprKind, Literal, Policy, Request, Value, ValueKind, Var};
use cedar_policy_core::entities::{Dereference, Entities};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use serde::Serialize;

use crate::authz::Decision;
use crate::model::Role;

/// A decision, and what stood in the way of a permit.
#[derive(Debug)]
pub struct Explained {
    /// The decision.
    pub decision: Decision,
    /// The policies that permit the action in general, and did not here.
    pub misses: Vec<Miss>,
    /// The least role on the resource's application with which the subject would be permitted it, if there is one.
    pub least_role: Option<Role>,
}

/// A policy that would have permitted it, but for one clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Miss {
    /// The policy's identifier.
    pub policy: String,
    /// The first clause of its conditions that was false, as it is written.
    pub clause: String,
    /// Why it could not be evaluated, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the clause looked at.
    pub values: BTreeMap<String, String>,
}

/// Looks for the first false clause of each of `policies`, none of which is satisfied by the request.
pub(in crate::authz) fn misses(policies: &[&Policy], request: &Request, entities: &Entities) -> Vec<Miss> {
    let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
    policies.iter().filter_map(|policy| miss(policy, request, entities, &evaluator)).collect()
}

fn miss(policy: &Policy, request: &Request, entities: &Entities, evaluator: &Evaluator<'_>) -> Option<Miss> {
    let mut clauses = Vec::new();
    add_clauses(policy.non_scope_constraints()?, &mut clauses);
    for clause in clauses {
        let error = match evaluator.interpret(clause, policy.env()) {
            Ok(Value { value: ValueKind::Lit(Literal::Bool(true)), .. }) => continue,
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        return Some(Miss {
            policy: policy.id().to_string(),
            clause: text(clause),
            error,
            values: values(clause, policy, request, entities, evaluator),
        });
    }
    None
}

/// What must all be true: `when` and `unless` clauses are joined by `&&`, as operands of it are.
fn add_clauses<'e>(condition: &'e Expr, to: &mut Vec<&'e Expr>) {
    match condition.expr_kind() {
        ExprKind::And { left, right } => {
            add_clauses(left, to);
            add_clauses(right, to);
        }
        // What Cedar puts in place of no condition at all.
        ExprKind::Lit(Literal::Bool(true)) => {}
        _ => to.push(condition),
    }
}

/// As it is written, on one line.
fn text(clause: &Expr) -> String {
    let written = clause.source_loc().and_then(|loc| loc.snippet()).map(str::to_owned);
    let written = written.unwrap_or_else(|| clause.to_string());
    written.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn values(
    clause: &Expr,
    policy: &Policy,
    request: &Request,
    entities: &Entities,
    evaluator: &Evaluator<'_>,
) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for expr in clause.subexpressions() {
        let Some(path) = path(expr).filter(|path| path.contains('.')) else { continue };
        let value = evaluator.interpret(expr, policy.env());
        found.insert(path, value.map_or_else(|_| "absent".to_owned(), |value| value.to_string()));
    }
    let inner: Vec<String> = found.keys().filter(|path| leads_on(path, &found)).cloned().collect();
    for path in inner {
        found.remove(&path);
    }
    for (name, uid) in [("principal", request.principal().uid()), ("resource", request.resource().uid())] {
        if let Some(uid) = uid.filter(|_| asks_what_is_in(clause, name)) {
            found.insert(format!("{name} is in"), containers(uid, entities));
        }
    }
    found
}

/// Whether a longer path begins with this one, and so tells more.
fn leads_on(path: &str, all: &BTreeMap<String, String>) -> bool {
    all.keys().any(|other| other.strip_prefix(path).is_some_and(|rest| rest.starts_with('.')))
}

/// `principal.a.b`: a variable and attributes that lead on from it.
fn path(expr: &Expr) -> Option<String> {
    match expr.expr_kind() {
        ExprKind::Var(var) => Some(var.to_string()),
        ExprKind::GetAttr { expr, attr } => path(expr).map(|before| format!("{before}.{attr}")),
        _ => None,
    }
}

fn asks_what_is_in(clause: &Expr, name: &str) -> bool {
    clause.subexpressions().any(|expr| match expr.expr_kind() {
        ExprKind::BinaryApp { op: BinaryOp::In, arg1, .. } => {
            matches!(arg1.expr_kind(), ExprKind::Var(var @ (Var::Principal | Var::Resource)) if var.to_string() == name)
        }
        _ => false,
    })
}

fn containers(uid: &EntityUID, entities: &Entities) -> String {
    let mut containers: Vec<String> = match entities.entity(uid) {
        Dereference::Data(entity) => entity.ancestors().map(ToString::to_string).collect(),
        _ => Vec::new(),
    };
    containers.sort_unstable();
    if containers.is_empty() { "nothing".to_owned() } else { containers.join(", ") }
}
