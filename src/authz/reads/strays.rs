//! What policies look at beyond a question's own entities.
//!
//! A slice has the principal, the resource, what that belongs to, and the teams of these that the principal is in. Nearly
//! all policies look at nothing else. One that names a team of its own, or looks at an application by its name, at an owner
//! or at a member, does: to Cedar an entity that is not there is in nothing and has nothing, which is no error. So whatever
//! such a policy could look at has to be there.

use std::collections::HashSet;
use std::ops::BitOr;

use cedar_policy_core::ast::{BinaryOp, EntityUID, Expr, ExprKind, Literal, Policy, Var};

use crate::authz::entities::own_types;

/// What policies look at beyond a slice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::authz) struct Strays {
    /// Whether there is any such thing.
    any: bool,
    /// What the store may know of it, as far as policies name it: all else is led to.
    named: HashSet<EntityUID>,
}

/// What leads from the principal, the resource and the context to entities that a slice does not have.
const LEADING_AWAY: [&str; 2] = ["owner", "member"];

impl Strays {
    /// What `policy` looks at.
    // INVARIANT: what an entity has and is in is looked at by the operators of `condition`, and by `in` of the scope, whose
    // left side a slice always has with all but the teams that others are asked about.
    pub(in crate::authz) fn of(policy: &Policy) -> Self {
        let mut strays = Self::default();
        for scope in [policy.principal_constraint().as_expr(), policy.resource_constraint().as_expr()] {
            strays.teams(&scope);
        }
        if let Some(condition) = policy.non_scope_constraints() {
            strays.condition(condition);
        }
        strays
    }

    /// Whether a slice is not enough.
    pub(in crate::authz) fn is_any(&self) -> bool {
        self.any
    }

    /// What of the store is named, and could be looked at.
    pub(in crate::authz) fn named(&self) -> &HashSet<EntityUID> {
        &self.named
    }

    fn condition(&mut self, condition: &Expr) {
        self.teams(condition);
        for part in condition.subexpressions() {
            match part.expr_kind() {
                ExprKind::GetAttr { expr, .. } | ExprKind::HasAttr { expr, .. } => self.look_at(expr, &[]),
                ExprKind::ExtHasAttr { expr, attrs } => {
                    let attrs: Vec<&str> = attrs.iter().map(|attr| attr.as_str()).collect();
                    self.look_at(expr, attrs.split_last().map_or(&[], |(_, before)| before));
                }
                ExprKind::BinaryApp { op: BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag, arg1, .. } => {
                    self.look_at(arg1, &[]);
                }
                ExprKind::Unknown(_) | ExprKind::Slot(_) => self.any = true,
                _ => {}
            }
        }
    }

    /// Whoever is in a team that is named may be in it for another resource than the one that is asked about.
    fn teams(&mut self, expr: &Expr) {
        let own = own_types().ok();
        self.name(expr, |uid| own.as_ref().is_none_or(|own| *uid.entity_type() == own.team));
    }

    /// An entity is looked at: what `expr`, and then this way of attributes, comes to.
    fn look_at(&mut self, expr: &Expr, way: &[&str]) {
        if leads_within(expr, way) {
            return;
        }
        self.any = true;
        self.name(expr, |uid| !uid.is_action() && is_own(uid));
    }

    fn name(&mut self, expr: &Expr, is_wanted: impl Fn(&EntityUID) -> bool) {
        for part in expr.subexpressions() {
            if let ExprKind::Lit(Literal::EntityUID(uid)) = part.expr_kind()
                && is_wanted(uid)
            {
                self.any = true;
                self.named.insert((**uid).clone());
            }
        }
    }
}

/// Whether what this comes to is no entity of the store, or one that a slice has.
fn leads_within(expr: &Expr, way: &[&str]) -> bool {
    if way.iter().any(|step| LEADING_AWAY.contains(step)) {
        return false;
    }
    match expr.expr_kind() {
        ExprKind::Var(Var::Principal | Var::Action | Var::Resource | Var::Context) => true,
        ExprKind::GetAttr { expr, attr } => !LEADING_AWAY.contains(&attr.as_str()) && leads_within(expr, &[]),
        // Entities of files are found by their names already, and so is what these lead to.
        ExprKind::Lit(Literal::EntityUID(uid)) => uid.is_action() || !is_own(uid),
        ExprKind::Lit(_) => true,
        _ => false,
    }
}

fn is_own(uid: &EntityUID) -> bool {
    own_types().map_or(true, |own| own.include(uid.entity_type()))
}

/// What either looks at.
impl BitOr for Strays {
    type Output = Self;

    fn bitor(mut self, other: Self) -> Self {
        self.any |= other.any;
        self.named.extend(other.named);
        self
    }
}
