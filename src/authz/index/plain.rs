//! Conditions without their places in the policies' texts.
//!
//! An evaluation copies the place of each expression that it comes by, and counts each copy where all threads count:
//! in the text that they share. An error's place is found by evaluating the policy itself.

use std::sync::Arc;

use cedar_policy_core::ast::{Expr, ExprKind};

/// The same expression, as it is evaluated.
pub(super) fn plain(expression: &Expr) -> Expr {
    let one = |inner: &Arc<Expr>| plain(inner);
    match expression.expr_kind() {
        ExprKind::Lit(_) | ExprKind::Var(_) | ExprKind::Slot(_) | ExprKind::Unknown(_) => {
            expression.clone().with_maybe_source_loc(None)
        }
        ExprKind::If { test_expr, then_expr, else_expr } => Expr::ite(one(test_expr), one(then_expr), one(else_expr)),
        ExprKind::And { left, right } => Expr::and(one(left), one(right)),
        ExprKind::Or { left, right } => Expr::or(one(left), one(right)),
        ExprKind::UnaryApp { op, arg } => Expr::unary_app(*op, one(arg)),
        ExprKind::BinaryApp { op, arg1, arg2 } => Expr::binary_app(*op, one(arg1), one(arg2)),
        ExprKind::ExtensionFunctionApp { fn_name, args } => {
            Expr::call_extension_fn(fn_name.clone(), args.iter().map(plain).collect())
        }
        ExprKind::GetAttr { expr, attr } => Expr::get_attr(one(expr), attr.clone()),
        ExprKind::HasAttr { expr, attr } => Expr::has_attr(one(expr), attr.clone()),
        ExprKind::ExtHasAttr { expr, attrs } => Expr::extended_has_attr(one(expr), attrs.clone()),
        ExprKind::Like { expr, pattern } => Expr::like(one(expr), pattern.clone()),
        ExprKind::Is { expr, entity_type } => Expr::is_entity_type(one(expr), entity_type.clone()),
        ExprKind::Set(items) => Expr::set(items.iter().map(plain)),
        ExprKind::Record(fields) => {
            Expr::record_arc(Arc::new(fields.iter().map(|(name, value)| (name.clone(), plain(value))).collect()))
        }
    }
}
