//! Reads the TOML file. What is wrong with it is reported with its line, and does not hide what else is wrong.

use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

use super::key::{Key, SECTIONS, Section, Shape};
use super::problem::{Problem, listed, printable};
use super::raw::{Origin, RawConfig, Setting, Value};
use crate::secret::Secret;

/// Adds what the file says.
pub(super) fn read(path: &Path, raw: &mut RawConfig, problems: &mut Vec<Problem>) {
    match std::fs::read_to_string(path) {
        Ok(text) => File { path, text: &text, broken: Vec::new(), raw, problems }.read(),
        Err(cause) => {
            let message = format!("cannot read the configuration file `{}`: {cause}", path.display());
            problems.push(Problem { origin: None, key: None, message });
        }
    }
}

struct File<'a> {
    path: &'a Path,
    text: &'a str,
    /// The places of what is no TOML. What the parser made of these lines is a guess, and not judged.
    broken: Vec<Origin>,
    raw: &'a mut RawConfig,
    problems: &'a mut Vec<Problem>,
}

impl File<'_> {
    fn read(mut self) {
        let (document, errors) = DeTable::parse_recoverable(self.text);
        for error in errors {
            // The text that the parser complains of is not shown: it could be a secret without its quotes.
            let span = error.span().unwrap_or(0..0);
            let origin = self.origin(&span);
            self.broken.push(origin.clone());
            let key = self.key_written_at(span.start);
            self.problems.push(Problem { origin: Some(origin), key, message: error.message().to_owned() });
        }
        for (name, value) in document.get_ref() {
            match SECTIONS.iter().find(|section| section.name == name.get_ref()) {
                Some(section) => self.section(section, value),
                None => {
                    let expected = listed(SECTIONS.iter().map(|section| section.name));
                    let message = format!("no section has this name, expected one of {expected}");
                    self.problem(&name.span(), printable(name.get_ref()), message);
                }
            }
        }
    }

    fn section(&mut self, section: &'static Section, value: &Spanned<DeValue<'_>>) {
        let DeValue::Table(table) = value.get_ref() else {
            let message = format!("expected a section `[{}]`, found {}", section.name, kind(value.get_ref()));
            return self.problem(&value.span(), section.name, message);
        };
        for (name, value) in table {
            match section.keys.iter().find(|key| key.short_name() == name.get_ref()) {
                Some(key) => self.key(key, &name.span(), value),
                None => {
                    let expected = listed(section.keys.iter().map(|key| key.short_name()));
                    let message = format!("no key has this name, expected one of {expected}");
                    self.problem(&name.span(), format!("{}.{}", section.name, printable(name.get_ref())), message);
                }
            }
        }
    }

    fn key(&mut self, key: &'static Key, span: &Range<usize>, value: &Spanned<DeValue<'_>>) {
        match read_value(key, value.get_ref()) {
            Ok(value) => {
                let origin = self.origin(span);
                if !self.broken.contains(&origin) {
                    self.raw.push(Setting { key, value, origin });
                }
            }
            Err(found) => self.problem(span, key.name, format!("expected {}, found {found}", key.expected())),
        }
    }

    fn problem(&mut self, span: &Range<usize>, key: impl Into<String>, message: String) {
        let origin = self.origin(span);
        if !self.broken.contains(&origin) {
            self.problems.push(Problem::new(origin, key, message));
        }
    }

    fn origin(&self, span: &Range<usize>) -> Origin {
        let before = self.text.as_bytes().get(..span.start).unwrap_or(self.text.as_bytes());
        Origin::File { path: self.path.to_owned(), line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
    }

    /// The key on the line at this offset, with the section above it, by what the lines look like.
    fn key_written_at(&self, offset: usize) -> Option<String> {
        let before = self.text.get(..offset)?;
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let (name, _) = self.text.get(start..)?.lines().next()?.split_once('=')?;
        let name = name.trim();
        let is_bare = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let header = before.lines().rev().find_map(|line| line.trim().strip_prefix('[')?.split(']').next());
        match header {
            _ if name.is_empty() || !is_bare(name) => None,
            Some(section) if is_bare(section) => Some(format!("{section}.{name}")),
            _ => Some(name.to_owned()),
        }
    }
}

/// Reads a value of the key's shape, or says what it is instead.
fn read_value(key: &Key, value: &DeValue<'_>) -> Result<Value, String> {
    match (&key.shape, value) {
        (Shape::Text(_) | Shape::Secret(_), DeValue::String(text)) if text.is_empty() => Err("nothing".to_owned()),
        (Shape::Text(_), DeValue::String(text)) => Ok(Value::Text(text.clone().into_owned())),
        (Shape::Secret(_), DeValue::String(text)) => Ok(Value::Secret(Secret::new(text.clone().into_owned()))),
        (Shape::Number(_), DeValue::Integer(number)) => decimal(number).map(Value::Text),
        (Shape::Flag, DeValue::Boolean(flag)) => Ok(Value::Text(flag.to_string())),
        (Shape::List(_), DeValue::Array(items)) => {
            let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
                DeValue::String(text) => Ok(text.clone().into_owned()),
                other => Err(format!("{} in the array", kind(other))),
            };
            items.iter().map(text).collect::<Result<_, _>>().map(Value::List)
        }
        (_, other) => Err(kind(other).to_owned()),
    }
}

fn decimal(number: &DeInteger<'_>) -> Result<String, String> {
    match i128::from_str_radix(number.as_str(), number.radix()) {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(format!("`{number}`")),
    }
}

const fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
