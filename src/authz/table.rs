//! Decisions that were worked out when the policies were loaded.
//!
//! Most questions differ only in who asks and on what, and policies mostly do not care: what matters is the role, and
//! now and then the plan or the kind of credential. So for each action, kind of principal and kind of resource Cedar
//! itself is asked ahead of time, about a sample that stands for all such questions: an application somewhere, and
//! somebody who has, say, the role Operator there. Every attribute that could make a difference between two such
//! questions is left unknown, and Cedar's partial evaluation tells which of them a policy needs. For these the question
//! is split, once for each value. What results is a small tree; walking it takes a few nanoseconds.
//!
//! Where a policy needs what cannot be split (an address, a name, the time), the tree says so, and Cedar is asked when
//! the question is.

mod compile;
pub(super) mod kind;
pub(super) mod sample;

use std::sync::Arc;

use self::kind::{Class, Dimension, State};
use super::decision::Decision;
use super::engine::Question;
use super::facts::Facts;
use super::index::PolicyIndex;
use super::prepared::Prepared;

/// The trees of one generation.
#[derive(Debug, Default)]
pub(super) struct Tables {
    /// By the action's index, then by the class.
    actions: Vec<[Option<Tree>; Class::COUNT]>,
}

/// By the state of the sample.
type Tree = Box<[Node]>;

#[derive(Debug)]
enum Node {
    /// It is decided.
    Decided(Arc<Decision>),
    /// It depends on this as well: one branch for each value.
    Split(Dimension, Box<[Node]>),
    /// It depends on what only the question itself tells.
    Open,
}

impl Tables {
    /// Works out the trees of the generation with this number.
    pub(super) fn new(generation: u64, prepared: &Prepared, index: &PolicyIndex) -> Self {
        compile::tables(generation, prepared, index).unwrap_or_default()
    }

    /// Whether some questions of this kind are decided by their facts alone, so that these are worth looking up.
    pub(super) fn covers(&self, question: &Question<'_>) -> bool {
        Class::of(&question.subject, question.resource).is_some_and(|class| self.tree(question, class).is_some())
    }

    /// The decision, if it was worked out ahead of time. `facts` are those of the question's subject and resource.
    pub(super) fn find(&self, question: &Question<'_>, facts: &Facts) -> Option<&Arc<Decision>> {
        let class = Class::of(&question.subject, question.resource)?;
        let state = State::of(&question.subject, question.resource, facts)?;
        let mut node = self.tree(question, class)?.get(state.index())?;
        loop {
            match node {
                Node::Decided(decision) => return Some(decision),
                Node::Open => return None,
                Node::Split(dimension, branches) => {
                    node = branches.get(dimension.value(&question.subject, facts)?)?;
                }
            }
        }
    }

    fn tree(&self, question: &Question<'_>, class: Class) -> Option<&Tree> {
        // INVARIANT: samples are of requests that a proxy asks about, whose contexts tell no member.
        if question.circumstances.tells_member() {
            return None;
        }
        self.actions.get(usize::from(question.action))?.get(class.index())?.as_ref()
    }
}

#[cfg(test)]
mod tests;
