//! What can be told of policies beyond their decisions.

pub mod explain;
