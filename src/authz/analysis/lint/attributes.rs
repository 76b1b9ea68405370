//! Attributes that no policy reads.

use std::collections::HashSet;

use cedar_policy_core::ast::ExprKind;
use cedar_policy_core::parser::Loc;
use cedar_policy_core::validator::ValidatorSchema;

use super::{Lint, Rule};
use crate::authz::entities::own_types;

impl Lint<'_> {
    /// Of types that Gatepost does not own: those of its own are built by the program and stay as they are.
    pub(super) fn unread_attributes(&mut self) {
        let generation = self.generation;
        let mut read: HashSet<&str> = HashSet::new();
        for expr in generation.index().conditions().flat_map(|condition| condition.subexpressions()) {
            match expr.expr_kind() {
                ExprKind::GetAttr { attr, .. } | ExprKind::HasAttr { attr, .. } => drop(read.insert(attr.as_str())),
                ExprKind::ExtHasAttr { attrs, .. } => read.extend(attrs.iter().map(|attr| attr.as_str())),
                _ => {}
            }
        }
        let Ok(own) = own_types() else { return };
        let schema: &ValidatorSchema = generation.schema().as_ref();
        for entity_type in schema.entity_types().filter(|entity_type| !own.include(entity_type.name())) {
            let unread = entity_type.attributes().iter().filter(|(name, _)| !read.contains(name.as_str()));
            for (name, _) in unread {
                let place = entity_type.loc.as_ref().map(|loc| attribute(loc, name));
                let message = format!("no policy reads the attribute `{name}` of `{}`", entity_type.name());
                let problem = self.at(place.as_ref(), message);
                self.find(Rule::AttributeUnread, problem.help("it need not be sent or kept in files for decisions"));
            }
        }
    }
}

/// Where the declaration of a type at `loc` has the attribute, or else the whole.
fn attribute(loc: &Loc, name: &str) -> Loc {
    let declaration = loc.snippet().unwrap_or_default();
    let is_name = |at: usize| {
        let before = declaration.get(..at).and_then(|text| text.chars().next_back());
        let after = declaration.get(at + name.len()..).unwrap_or_default().trim_start_matches(['"', '?', ' ']);
        after.starts_with(':') && !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
    };
    let found = declaration.match_indices(name).map(|(at, _)| at).find(|&at| is_name(at));
    found.map_or_else(|| loc.clone(), |at| loc.span((loc.start() + at, name.len())))
}
