//! What policies read of entities: a slice can do without the rest.

use std::ops::BitOr;
use std::sync::Arc;

use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, ExprVisitor, Literal, Policy};
use cedar_policy_core::parser::Loc;

use crate::model::Role;

/// The attributes that entities are built with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Attribute {
    Administrators,
    Application,
    Developers,
    Email,
    InstallationAdministrator,
    Observers,
    Operators,
    Organization,
    Owner,
    Plan,
    Type,
    Username,
}

impl Attribute {
    const ALL: [Self; 12] = [
        Self::Administrators,
        Self::Application,
        Self::Developers,
        Self::Email,
        Self::InstallationAdministrator,
        Self::Observers,
        Self::Operators,
        Self::Organization,
        Self::Owner,
        Self::Plan,
        Self::Type,
        Self::Username,
    ];

    /// The team of those who have `role`.
    pub(super) const fn team(role: Role) -> Self {
        match role {
            Role::Administrator => Self::Administrators,
            Role::Developer => Self::Developers,
            Role::Operator => Self::Operators,
            Role::Observer => Self::Observers,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Administrators => "administrators",
            Self::Application => "application",
            Self::Developers => "developers",
            Self::Email => "email",
            Self::InstallationAdministrator => "installation_administrator",
            Self::Observers => "observers",
            Self::Operators => "operators",
            Self::Organization => "organization",
            Self::Owner => "owner",
            Self::Plan => "plan",
            Self::Type => "type",
            Self::Username => "username",
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// What some policies read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::authz) struct AttributeReads {
    attributes: u16,
    follows_literals: bool,
}

impl AttributeReads {
    /// Whatever there is to read.
    pub(in crate::authz) const EVERYTHING: Self = Self { attributes: u16::MAX, follows_literals: true };

    /// What the conditions of `policy` read.
    // INVARIANT: an attribute is read by its name only, by `.`, `[…]` or `has`, and the name stands in the condition. To
    // look at an entity takes a value that is its identifier. Such a value is a variable, an attribute, or a literal.
    pub(in crate::authz) fn of(policy: &Policy) -> Self {
        let mut reads = Self::default();
        for expression in policy.non_scope_constraints().into_iter().flat_map(Expr::subexpressions) {
            match expression.expr_kind() {
                ExprKind::GetAttr { attr, .. } | ExprKind::HasAttr { attr, .. } => reads.add(attr),
                ExprKind::ExtHasAttr { attrs, .. } => attrs.iter().for_each(|attr| reads.add(attr)),
                _ => {}
            }
        }
        reads.follows_literals =
            policy.non_scope_constraints().is_some_and(|condition| Followed.visit_expr(condition).is_some());
        reads
    }

    fn add(&mut self, name: &str) {
        let known = Attribute::ALL.into_iter().find(|known| known.name() == name);
        self.attributes |= known.map_or(0, Attribute::bit);
    }

    pub(super) fn includes(self, attribute: Attribute) -> bool {
        self.attributes & attribute.bit() != 0
    }

    /// Whether the entity in this attribute may be looked at.
    pub(super) fn reaches(self, attribute: Attribute) -> bool {
        self.includes(attribute) || self.follows_literals
    }

    /// Whether entities may be looked at because a policy names them, not because others lead to them.
    pub(in crate::authz) fn follows_literals(self) -> bool {
        self.follows_literals
    }
}

impl BitOr for AttributeReads {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            attributes: self.attributes | other.attributes,
            follows_literals: self.follows_literals || other.follows_literals,
        }
    }
}

/// Finds a literal entity that may be looked at: any but those which something is compared with, or may be in.
struct Followed;

impl ExprVisitor for Followed {
    type Output = ();

    fn visit_literal(&mut self, literal: &Literal, _: Option<&Loc>) -> Option<()> {
        matches!(literal, Literal::EntityUID(_)).then_some(())
    }

    fn visit_binary_op(&mut self, op: BinaryOp, left: &Arc<Expr>, right: &Arc<Expr>, _: Option<&Loc>) -> Option<()> {
        let left_is_compared = op == BinaryOp::Eq && is_literal(left);
        let right_is_compared = match op {
            BinaryOp::Eq => is_literal(right),
            BinaryOp::In => is_literal(right) || is_literals(right),
            _ => false,
        };
        let visit = |visitor: &mut Self, side, is_compared| if is_compared { None } else { visitor.visit_expr(side) };
        visit(self, left, left_is_compared).or_else(|| visit(self, right, right_is_compared))
    }
}

fn is_literal(expression: &Expr) -> bool {
    matches!(expression.expr_kind(), ExprKind::Lit(_))
}

fn is_literals(expression: &Expr) -> bool {
    matches!(expression.expr_kind(), ExprKind::Set(items) if items.iter().all(is_literal))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reads(condition: &str) -> (Vec<&'static str>, bool) {
        let text = format!("permit (principal, action, resource) {condition};");
        let policy: cedar_policy::Policy = text.parse().unwrap_or_else(|error| panic!("{condition}: {error:?}"));
        let reads = AttributeReads::of(policy.as_ref());
        let names = Attribute::ALL.into_iter().filter(|known| reads.includes(*known)).map(Attribute::name);
        (names.collect(), reads.follows_literals())
    }

    #[test]
    fn attributes_are_found_wherever_they_are_read() {
        for (condition, expected) in [
            ("", &[][..]),
            ("when { principal in resource.operators }", &["operators"]),
            ("when { resource has owner && resource[\"owner\"] == principal }", &["owner"]),
            ("unless { resource has organization.plan }", &["organization", "plan"]),
            (
                "when { {a: principal}.a.email like \"*\" } unless { context.member.username == \"x\" }",
                &["email", "username"],
            ),
            (
                "when { if true then principal.email == \"type\" else [resource.type].contains(\"plan\") }",
                &["email", "type"],
            ),
            ("when { context.method == \"owner\" }", &[]),
        ] {
            assert_eq!(reads(condition), (expected.to_vec(), false), "{condition}");
        }
    }

    #[test]
    fn what_is_compared_with_is_not_followed() {
        for condition in [
            "when { principal == User::\"a\" || User::\"a\" == principal }",
            "when { action in [Action::\"a\", Action::\"b\"] && principal in Team::\"a\" }",
        ] {
            assert_eq!(reads(condition), (Vec::new(), false), "{condition}");
        }
        for condition in [
            "when { Action::\"a\" in Action::\"b\" }",
            "when { User::\"a\".flag }",
            "when { Organization::\"a\" has flag }",
            "when { (if true then User::\"a\" else principal).flag }",
            "when { {a: User::\"a\"}.a in Team::\"b\" }",
            "when { principal in [if true then Team::\"a\" else Team::\"b\"] }",
            "when { [User::\"a\"].contains(principal) }",
        ] {
            assert_eq!(reads(condition), (Vec::new(), true), "{condition}");
        }
    }
}
