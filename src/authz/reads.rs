//! What a policy can read besides the entities, found from its syntax tree.
//!
//! A Cedar expression gets at a value in few ways: by a variable, by the attribute of a value, and by naming an entity.
//! So which parts of `context` a policy can depend on, and whether it treats one entity unlike all others, stands in the
//! tree itself. What is found here says how far a decision may be remembered or worked out ahead of time; where a tree
//! could mean more than is understood, it is taken to read everything.

use cedar_policy_core::ast::{Expr, ExprKind, Literal, Policy, Var};

/// Parts of `context`, as a set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ContextParts(u16);

impl ContextParts {
    /// Whether there is a credential, and all of it that stays the same for as long as it is valid: all but its age.
    pub const CREDENTIAL: Self = Self(1);
    /// The credential's age.
    pub const AGE: Self = Self(1 << 1);
    /// The client's address.
    pub const CLIENT: Self = Self(1 << 2);
    /// The request's method.
    pub const METHOD: Self = Self(1 << 3);
    /// The request's host.
    pub const HOST: Self = Self(1 << 4);
    /// The request's path.
    pub const PATH: Self = Self(1 << 5);
    /// Whom an action on a member concerns, with which role, and whether they come back.
    pub const MEMBER: Self = Self(1 << 6);
    /// All of these, and what may come to be known later.
    pub const EVERYTHING: Self = Self(u16::MAX);

    /// Nothing.
    pub const fn none() -> Self {
        Self(0)
    }

    /// Both sets together.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this set and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether some part is in both sets.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all parts of this set are in `other`.
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The part that an attribute path from `context` reads. `has` asks whether it is there, and not what it is.
    fn at(path: &[&str], has: bool) -> Self {
        match path {
            ["credential"] if has => Self::CREDENTIAL,
            ["credential", attribute, ..] if LASTING.contains(attribute) => Self::CREDENTIAL,
            ["credential", "age_seconds", ..] => Self::CREDENTIAL.with(Self::AGE),
            ["client", ..] => Self::CLIENT,
            ["method", ..] => Self::METHOD,
            ["host", ..] => Self::HOST,
            ["path", ..] => Self::PATH,
            ["member" | "role" | "returning", ..] => Self::MEMBER,
            _ => Self::EVERYTHING,
        }
    }
}

/// What stays the same for as long as a credential is valid.
const LASTING: [&str; 7] = ["kind", "id", "mfa", "scopes", "read_only", "actions", "applications"];

/// What a policy's conditions can read besides the attributes and the ancestors of entities.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reads {
    /// Which parts of `context`.
    pub context: ContextParts,
    /// Whether they look at the principal or the resource.
    pub entities: bool,
    /// Whether they name an entity other than an action, so that this one may be treated unlike all others.
    pub names_entities: bool,
}

impl Reads {
    /// What the conditions of `policy` can read. Its scope is not looked at.
    pub fn of(policy: &Policy) -> Self {
        let mut reads = Self::default();
        if let Some(condition) = policy.non_scope_constraints() {
            reads.walk(condition);
        }
        reads
    }

    /// What either can read.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self {
            context: self.context.with(other.context),
            entities: self.entities || other.entities,
            names_entities: self.names_entities || other.names_entities,
        }
    }

    // INVARIANT: every kind of expression is either a read that is recorded here, or all its parts are walked. A kind
    // that Cedar adds does not compile, because there is no arm for "all others".
    fn walk(&mut self, expr: &Expr) {
        match expr.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(uid)) => self.names_entities |= !uid.is_action(),
            ExprKind::Lit(Literal::Bool(_) | Literal::Long(_) | Literal::String(_)) => {}
            ExprKind::Var(Var::Principal | Var::Resource) => self.entities = true,
            ExprKind::Var(Var::Action) => {}
            ExprKind::Var(Var::Context) | ExprKind::Slot(_) | ExprKind::Unknown(_) => self.everything(),
            ExprKind::If { test_expr, then_expr, else_expr } => {
                [test_expr, then_expr, else_expr].into_iter().for_each(|part| self.walk(part));
            }
            ExprKind::And { left, right } | ExprKind::Or { left, right } => {
                self.walk(left);
                self.walk(right);
            }
            ExprKind::UnaryApp { op: _, arg } => self.walk(arg),
            ExprKind::BinaryApp { op: _, arg1, arg2 } => {
                self.walk(arg1);
                self.walk(arg2);
            }
            ExprKind::ExtensionFunctionApp { fn_name: _, args } => args.iter().for_each(|arg| self.walk(arg)),
            ExprKind::GetAttr { expr: of, attr } => self.attributes(of, &mut vec![attr.as_str()], false),
            ExprKind::HasAttr { expr: of, attr } => self.attributes(of, &mut vec![attr.as_str()], true),
            ExprKind::ExtHasAttr { expr: of, attrs } => {
                let mut path = attrs.iter().map(|attr| attr.as_str()).rev().collect();
                self.attributes(of, &mut path, true);
            }
            ExprKind::Like { expr: of, pattern: _ } | ExprKind::Is { expr: of, entity_type: _ } => self.walk(of),
            ExprKind::Set(items) => items.iter().for_each(|item| self.walk(item)),
            ExprKind::Record(fields) => fields.values().for_each(|field| self.walk(field)),
        }
    }

    /// A chain of attributes: what is read where it begins at `context`. `path` has its end first.
    fn attributes<'e>(&mut self, of: &'e Expr, path: &mut Vec<&'e str>, has: bool) {
        match of.expr_kind() {
            ExprKind::GetAttr { expr, attr } => {
                path.push(attr.as_str());
                self.attributes(expr, path, has);
            }
            ExprKind::Var(Var::Context) => {
                path.reverse();
                self.context = self.context.with(ContextParts::at(path, has));
            }
            _ => self.walk(of),
        }
    }

    fn everything(&mut self) {
        *self = Self { context: ContextParts::EVERYTHING, entities: true, names_entities: true };
    }
}

#[cfg(test)]
mod tests;
