//! Why something was decided so: what held of each policy that decided it, and of each policy that might have permitted it the
//! first part that was false.

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::PolicyId;
use cedar_policy_core::ast::{
    BinaryOp, EntityUID, Expr, ExprKind, Literal, Policy, PrincipalOrResource, Request, Value, ValueKind, Var,
};
use cedar_policy_core::entities::{Dereference, Entities};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use serde::Serialize;

use crate::authz::Decision;
use crate::authz::generation::{Generation, PolicyPlace};
use crate::authz::index::ActionKeys;
use crate::model::Role;

/// How many policies are told whose scope does not hold.
const NEAREST: usize = 5;

/// A decision, why it fell so, and what stood in the way of a permit.
#[derive(Debug)]
pub struct Explained {
    /// The decision.
    pub decision: Decision,
    /// The policies that determined it: the permits of what is permitted, the forbids of what is forbidden.
    pub deciding: Vec<Deciding>,
    /// The policies that permit the action in general, and did not here: those whose scope holds first, and of the others the
    /// nearest.
    pub misses: Vec<Miss>,
    /// The least role on the resource's application with which the subject would be permitted it, if there is one.
    pub least_role: Option<Role>,
}

/// A policy that determined a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Deciding {
    /// The policy's identifier.
    pub policy: String,
    /// `permit` or `forbid`.
    pub effect: String,
    /// Where it stands.
    pub place: Option<PolicyPlace>,
    /// Its annotations, but for its identifier.
    pub annotations: BTreeMap<String, String>,
    /// What its conditions ask for, all of which held; nothing if it has none.
    pub held: Vec<Held>,
}

/// A clause that held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Held {
    /// As it is written; an `unless` with that word, as what is in it is false.
    pub clause: String,
    /// What it looked at.
    pub values: BTreeMap<String, String>,
}

/// What was asked of policies, and from which entities.
pub(in crate::authz) struct Reviewed {
    pub(in crate::authz) deciding: Vec<Deciding>,
    pub(in crate::authz) misses: Vec<Miss>,
}

/// A policy that would have permitted it, but for one clause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Miss {
    /// The policy's identifier.
    pub policy: String,
    /// Where it stands.
    pub place: Option<PolicyPlace>,
    /// The first part of its scope, or clause of its conditions, that was false, as it is written.
    pub clause: String,
    /// Why it could not be evaluated, if that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// What the clause looked at.
    pub values: BTreeMap<String, String>,
}

/// Looks at the policies with the identifiers `deciding`, which are satisfied, and if `is_denied` for the first false part of
/// each permit for the action that is not.
pub(in crate::authz) fn review(
    generation: &Generation,
    action: &ActionKeys,
    (request, entities): (&Request, &Entities),
    deciding: &[Arc<str>],
    is_denied: bool,
) -> Reviewed {
    let evaluator = Evaluator::new(request.clone(), entities, Extensions::all_available());
    let looked = Looked { request, entities, evaluator };
    let held = |id: &Arc<str>| {
        let policy: &Policy = generation.policies().policy(&PolicyId::new(&**id))?.as_ref();
        Some(looked.deciding(policy, generation.policy_place(id)))
    };
    let deciding = deciding.iter().filter_map(held).collect();
    if !is_denied {
        return Reviewed { deciding, misses: Vec::new() };
    }
    let (within, beside) = generation.index().unsatisfied(action, request, entities);
    let place = |policy: &Policy| generation.policy_place(AsRef::<str>::as_ref(policy.id()));
    let misses = within.into_iter().filter_map(|policy| looked.miss(policy, place(policy)));
    let beside = beside.into_iter().filter_map(|policy| looked.miss_of_scope(policy, place(policy)));
    Reviewed { deciding, misses: misses.chain(beside.take(NEAREST)).collect() }
}

/// A request, and what it is decided from.
struct Looked<'a> {
    request: &'a Request,
    entities: &'a Entities,
    evaluator: Evaluator<'a>,
}

impl Looked<'_> {
    fn deciding(&self, policy: &Policy, place: Option<PolicyPlace>) -> Deciding {
        let annotations = policy.annotations().filter(|(name, _)| name.as_ref() != "id");
        let annotations = annotations.map(|(name, annotation)| (name.to_string(), annotation.val.to_string()));
        let mut clauses = Vec::new();
        policy.non_scope_constraints().into_iter().for_each(|condition| add_clauses(condition, &mut clauses));
        let held = clauses.into_iter().map(|clause| Held { clause: text(clause), values: self.values(clause, policy) });
        Deciding {
            policy: policy.id().to_string(),
            effect: policy.effect().to_string(),
            place,
            annotations: annotations.collect(),
            held: held.collect(),
        }
    }

    fn miss(&self, policy: &Policy, place: Option<PolicyPlace>) -> Option<Miss> {
        let mut clauses = Vec::new();
        add_clauses(policy.non_scope_constraints()?, &mut clauses);
        clauses.into_iter().find_map(|clause| {
            let error = match self.evaluator.interpret(clause, policy.env()) {
                Ok(Value { value: ValueKind::Lit(Literal::Bool(true)), .. }) => return None,
                Ok(_) => None,
                Err(error) => Some(error.to_string()),
            };
            let (place, values) = (place.clone(), self.values(clause, policy));
            Some(Miss { policy: policy.id().to_string(), place, clause: text(clause), error, values })
        })
    }

    /// The part of its scope that is false: who asks, or on what.
    fn miss_of_scope(&self, policy: &Policy, place: Option<PolicyPlace>) -> Option<Miss> {
        let parts = [
            policy.principal_constraint().into_inner().as_expr(PrincipalOrResource::Principal),
            policy.resource_constraint().into_inner().as_expr(PrincipalOrResource::Resource),
        ];
        let is_false = |part: &&Expr| {
            let value = self.evaluator.interpret(part, policy.env());
            !matches!(value, Ok(Value { value: ValueKind::Lit(Literal::Bool(true)), .. }))
        };
        let part = parts.iter().find(is_false)?;
        let mut values = self.values(part, policy);
        for (name, uid) in [("principal", self.request.principal().uid()), ("resource", self.request.resource().uid())]
        {
            if let Some(uid) = uid.filter(|_| part.subexpressions().any(|expr| path(expr).as_deref() == Some(name))) {
                values.insert(name.to_owned(), uid.to_string());
            }
        }
        let clause = part.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        Some(Miss { policy: policy.id().to_string(), place, clause, error: None, values })
    }

    fn values(&self, clause: &Expr, policy: &Policy) -> BTreeMap<String, String> {
        values(clause, policy, self.request, self.entities, &self.evaluator)
    }
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
