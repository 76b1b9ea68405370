//! What the tests share: a world with a database, people in it, and answers that are checked as they come in.

mod answer;
mod world;

pub(crate) use answer::Answer;
pub(crate) use world::{PASSWORD, Person, World};
