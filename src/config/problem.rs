//! What is wrong with a configuration.

use std::fmt;

use super::{Key, Origin};

/// The configuration cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ConfigError {
    /// Everything that is wrong, in the order of the file, the environment and the flags.
    pub problems: Vec<Problem>,
}

impl ConfigError {
    pub(super) fn new(mut problems: Vec<Problem>) -> Self {
        problems.sort_by(|one, other| one.origin.cmp(&other.origin));
        Self { problems }
    }
}

/// One thing that is wrong: where, with which key, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Where it was found, if at any place at all.
    pub origin: Option<Origin>,
    /// The key that it is about, if any.
    pub key: Option<String>,
    /// What was expected and what was found. It never holds a secret.
    pub message: String,
}

impl Problem {
    pub(super) fn new(origin: Origin, key: impl Into<String>, message: impl Into<String>) -> Self {
        Self { origin: Some(origin), key: Some(key.into()), message: message.into() }
    }

    /// The value that was found is not what the key expects.
    pub(super) fn value(key: &Key, origin: &Origin, found: &str) -> Self {
        let expected = key.expected();
        let message = match found {
            "" => format!("expected {expected}, found nothing"),
            _ if key.is_secret() => format!("expected {expected}, found something else (not shown)"),
            _ => format!("expected {expected}, found `{}`", printable(found)),
        };
        Self::new(origin.clone(), key.name, message)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.origin, &self.key) {
            (Some(origin @ Origin::File { .. }), Some(key)) => write!(f, "{origin}: {key}: ")?,
            (None | Some(Origin::Default), Some(key)) => write!(f, "{key}: ")?,
            (Some(origin), _) => write!(f, "{origin}: ")?,
            (None, None) => {}
        }
        f.write_str(&self.message)
    }
}

/// The text with its control characters escaped, so that it stays on its line.
pub(super) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Names as a message lists them.
pub(super) fn listed<T: fmt::Display>(names: impl IntoIterator<Item = T>) -> String {
    names.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
