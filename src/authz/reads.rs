//! What policies can read, found from their syntax trees.
//!
//! A Cedar expression gets at a value in few ways: by a variable, by the attribute of a value, and by naming an entity.
//! So what a policy can depend on stands in the tree itself. What is found here says which entities are built for a
//! decision, and how far it may be remembered or worked out ahead of time; where a tree could mean more than is understood,
//! it is taken to read everything.

mod attributes;
mod context;
mod strays;

use std::ops::BitOr;

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, Policy, Var};

pub(super) use self::attributes::{Attribute, Attributes};
pub(super) use self::context::ContextParts;
pub(super) use self::strays::Strays;

/// What conditions can read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reads {
    /// Which parts of `context`.
    pub(super) context: ContextParts,
    /// Which attributes, whatever has them.
    pub(super) attributes: Attributes,
    /// Whether they look at the principal or the resource.
    pub(super) entities: bool,
    /// Whether they name an entity other than an action, so that this one may be treated unlike all others.
    pub(super) names_entities: bool,
    /// Whether an entity may be looked at because they name it, and not because others lead to it.
    pub(super) follows_literals: bool,
}

impl Reads {
    /// Whatever there is to read.
    pub(super) const EVERYTHING: Self = Self {
        context: ContextParts::EVERYTHING,
        attributes: Attributes::ALL,
        entities: true,
        names_entities: true,
        follows_literals: true,
    };

    /// What the conditions of `policy` can read. Its scope is not looked at.
    pub(super) fn of(policy: &Policy) -> Self {
        let mut reads = Self::default();
        if let Some(condition) = policy.non_scope_constraints() {
            reads.walk(condition);
        }
        reads
    }

    /// Whether the entity in this attribute may be looked at.
    // INVARIANT: to look at an entity takes a value that is its identifier: a variable, an attribute, or a literal.
    pub(super) const fn reach(self, attribute: Attribute) -> bool {
        self.attributes.include(attribute) || self.follows_literals
    }

    // INVARIANT: every kind of expression is either a read that is recorded here, or all its parts are walked. A kind
    // that Cedar adds does not compile, because there is no arm for "all others".
    fn walk(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(literal) => {
                self.name(literal);
                self.follows_literals |= matches!(literal, Literal::EntityUID(_));
            }
            ExprKind::Var(Var::Principal | Var::Resource) => self.entities = true,
            ExprKind::Var(Var::Action) => {}
            ExprKind::Var(Var::Context) | ExprKind::Slot(_) | ExprKind::Unknown(_) => *self = Self::EVERYTHING,
            ExprKind::If { test_expr, then_expr, else_expr } => {
                [test_expr, then_expr, else_expr].into_iter().for_each(|part| self.walk(part));
            }
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                self.walk(left);
                self.walk(right);
            }
            ExprKind::UnaryApp { op: _, arg } => self.walk(arg),
            ExprKind::BinaryApp { op, arg1, arg2 } => {
                self.operand(arg1, *op == BinaryOp::Eq);
                self.operand(arg2, matches!(op, BinaryOp::Eq | BinaryOp::In));
            }
            ExprKind::ExtensionFunctionApp { fn_name: _, args } => args.iter().for_each(|arg| self.walk(arg)),
            ExprKind::GetAttr { expr: of, attr } => self.chain(of, &mut vec![attr.as_str()], false),
            ExprKind::HasAttr { expr: of, attr } => self.chain(of, &mut vec![attr.as_str()], true),
            ExprKind::ExtHasAttr { expr: of, attrs } => {
                self.chain(of, &mut attrs.iter().map(|attr| attr.as_str()).rev().collect(), true);
            }
            ExprKind::Like { expr: of, pattern: _ } | ExprKind::Is { expr: of, entity_type: _ } => self.walk(of),
            ExprKind::Set(items) => items.iter().for_each(|item| self.walk(item)),
            ExprKind::Record(fields) => fields.values().for_each(|field| self.walk(field)),
        }
    }

    /// A side of a comparison. Literals that something is compared with, or may be in, are named and not looked at.
    fn operand(&mut self, expr: &Expr, is_compared_with: bool) {
        let items = match expr.expr_kind() {
            ExprKind::Set(items) => items.as_slice(),
            _ => std::slice::from_ref(expr),
        };
        let literals = items.iter().map(|item| match item.expr_kind() {
            ExprKind::Lit(literal) => Some(literal),
            _ => None,
        });
        match literals.collect::<Option<Vec<_>>>() {
            Some(literals) if is_compared_with => literals.into_iter().for_each(|literal| self.name(literal)),
            _ => self.walk(expr),
        }
    }

    fn name(&mut self, literal: &Literal) {
        self.names_entities |= matches!(literal, Literal::EntityUID(uid) if !uid.is_action());
    }

    /// A chain of attributes, and what of the context is read if it begins there. `path` has the chain's end first.
    fn chain<'e>(&mut self, of: &'e Expr, path: &mut Vec<&'e str>, has: bool) {
        if let ExprKind::GetAttr { expr, attr } = of.expr_kind() {
            path.push(attr.as_str());
            return self.chain(expr, path, has);
        }
        path.iter().for_each(|name| self.attributes.add(name));
        match of.expr_kind() {
            ExprKind::Var(Var::Context) => {
                path.reverse();
                self.context = self.context.with(ContextParts::at(path, has));
            }
            _ => self.walk(of),
        }
    }
}

/// What either reads.
impl BitOr for Reads {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            context: self.context.with(other.context),
            attributes: self.attributes.with(other.attributes),
            entities: self.entities || other.entities,
            names_entities: self.names_entities || other.names_entities,
            follows_literals: self.follows_literals || other.follows_literals,
        }
    }
}

#[cfg(test)]
mod tests;
