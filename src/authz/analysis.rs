//! What can be told of policies beyond their decisions: nothing here decides, prints or changes anything.

pub mod explain;
pub mod format;
pub mod lint;
