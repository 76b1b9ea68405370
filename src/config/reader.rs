//! From a key's text to its typed value, gathering what is wrong on the way.

use super::key::{Key, Shape};
use super::problem::Problem;
use super::raw::{Origin, RawConfig, Setting, Value};

/// Reads typed values. Whatever gives nothing has added a problem.
pub(super) struct Reader<'a> {
    raw: &'a RawConfig,
    problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    /// Reads from `raw`, and adds to `problems`.
    pub(super) const fn new(raw: &'a RawConfig, problems: Vec<Problem>) -> Self {
        Self { raw, problems }
    }

    /// All problems.
    pub(super) fn into_problems(self) -> Vec<Problem> {
        self.problems
    }

    /// The value of a key that has one.
    pub(super) fn one<T>(&mut self, key: &'static Key, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let value = self.optional(key, parse)?;
        if value.is_none() {
            self.problems.push(Problem::value(key, &Origin::Default, ""));
        }
        value
    }

    /// The value of a key that may have none.
    pub(super) fn optional<T>(&mut self, key: &'static Key, parse: impl Fn(&str) -> Option<T>) -> Option<Option<T>> {
        self.each(key, |value| match value {
            Value::Text(text) => read(text, &parse),
            Value::Secret(secret) => read(secret.expose(), &parse),
            Value::List(items) => Err(items.join(",")),
        })
    }

    /// The number that a key is set to, within its limits.
    pub(super) fn number(&mut self, key: &'static Key) -> Option<u64> {
        self.one(key, |text| match &key.shape {
            Shape::Number(range) => text.parse().ok().filter(|number| range.contains(number)),
            Shape::Text(_) | Shape::Secret(_) | Shape::List(_) | Shape::Flag => None,
        })
    }

    /// Whether a key is set to `true`.
    pub(super) fn flag(&mut self, key: &'static Key) -> Option<bool> {
        self.one(key, |text| text.parse().ok())
    }

    /// The items of a list, each of them read.
    pub(super) fn list<T>(&mut self, key: &'static Key, parse: impl Fn(&str) -> Option<T>) -> Option<Vec<T>> {
        let list = self.each(key, |value| match value {
            Value::List(items) => items.iter().map(|item| read(item, &parse)).collect(),
            Value::Text(_) | Value::Secret(_) => Err(String::new()),
        });
        list.map(Option::unwrap_or_default)
    }

    /// Makes sure that no two of the keys have the same name for a value, as far as they have been read.
    pub(super) fn all_different_names(&mut self, values: &[(&'static Key, Option<String>)]) -> Option<()> {
        let mut result = Some(());
        for (at, (key, value)) in values.iter().enumerate() {
            let Some(value) = value else { continue };
            let same = |(_, other): &&(&'static Key, Option<String>)| other.as_ref() == Some(value);
            if let Some((other, _)) = values.iter().take(at).find(same) {
                self.report_same(key, other);
                result = None;
            }
        }
        result
    }

    /// Adds a problem with a key, found where the key was set last.
    pub(super) fn blame(&mut self, key: &'static Key, message: impl Into<String>) {
        self.problems.push(Problem::new(self.origin(key), key.name, message));
    }

    /// Whether a source other than the defaults says something about the key, be it good or bad.
    pub(super) fn is_set(&self, key: &'static Key) -> bool {
        self.origin(key) != Origin::Default
    }

    /// Blames the key that was configured, not the one whose default is in the way.
    fn report_same(&mut self, one: &'static Key, other: &'static Key) {
        let (blamed, other) = if self.origin(other) > self.origin(one) { (other, one) } else { (one, other) };
        self.blame(blamed, format!("expected another name than that of `{}`, found the same", other.name));
    }

    /// Where the setting that is in force comes from.
    pub(super) fn origin(&self, key: &'static Key) -> Origin {
        self.raw.of(key).next_back().map_or(Origin::Default, |setting| setting.origin.clone())
    }

    /// Reads all that is said of a key, so that a bad value is a problem even where it is beaten; gives the last.
    fn each<T>(&mut self, key: &'static Key, read: impl Fn(&Value) -> Result<T, String>) -> Option<Option<T>> {
        let mut result = Some(None);
        for Setting { value, origin, .. } in self.raw.of(key) {
            match read(value) {
                Ok(value) => result = result.map(|_| Some(value)),
                Err(found) => {
                    self.problems.push(Problem::value(key, origin, &found));
                    result = None;
                }
            }
        }
        result
    }
}

/// No value holds control characters. The error is what was found.
fn read<T>(text: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, String> {
    let value = if text.contains(char::is_control) { None } else { parse(text) };
    value.ok_or_else(|| text.to_owned())
}
