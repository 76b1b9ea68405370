//! Tests in TOML: `[[test]]`, one expectation for each of some questions, and `[[table]]`, a row for each action.

mod words;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;

use serde::Deserialize;
use serde::de::IgnoredAny;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use self::words::{On, Who};
use super::case::{OTHER, Question, SUBJECT, Told};
use super::{Because, Body, Case, Expected, Outcome};
use crate::authz::generation::{Generation, SourceFile};
use crate::authz::problem::Problem;
use crate::model::{Role, UserId};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTest {
    name: Option<String>,
    who: Spanned<toml::Value>,
    action: Spanned<toml::Value>,
    on: Spanned<toml::Value>,
    context: Option<Spanned<RawContext>>,
    expect: Spanned<String>,
    because: Option<Vec<Spanned<String>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTable {
    name: Option<String>,
    who: Spanned<toml::Value>,
    on: Spanned<toml::Value>,
    context: Option<Spanned<RawContext>>,
    /// A row for each action: whether each of `who` may do it.
    may: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct RawContext {
    client: Option<IpAddr>,
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    member: Option<String>,
    role: Option<Role>,
    returning: bool,
}

/// Reads the file: its tests, and what is wrong with it.
pub(super) fn read(file: &SourceFile, generation: &Generation, problems: &mut Vec<Problem>) -> Vec<Case> {
    let mut reader = Reader { file, generation, problems, cases: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(&file.text);
    if errors.is_empty() {
        reader.document(document.into_inner());
    } else {
        errors.into_iter().for_each(|error| reader.toml(&error, 0..0));
    }
    let mut cases = reader.cases;
    cases.sort_by_key(|case| case.span.start);
    cases
}

struct Reader<'a> {
    file: &'a SourceFile,
    generation: &'a Generation,
    problems: &'a mut Vec<Problem>,
    cases: Vec<Case>,
}

/// What the cases of one entry of the file have in common.
struct Common<'a> {
    name: Option<&'a str>,
    told: Told,
}

impl Reader<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl std::fmt::Display) {
        self.problems.push(Problem::at(&self.file.name, &self.file.text, span, message));
    }

    fn toml(&mut self, error: &toml::de::Error, fallback: Range<usize>) {
        // The library gives several lines for some errors; the first says what is wrong.
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        self.problem(error.span().unwrap_or(fallback), message);
    }

    fn document(&mut self, document: DeTable<'_>) {
        for (key, value) in document {
            let span = value.span();
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("test", DeValue::Array(tests)) => tests.into_iter().for_each(|test| self.entry(test, Self::test)),
                ("table", DeValue::Array(tables)) => {
                    tables.into_iter().for_each(|table| self.entry(table, Self::table));
                }
                ("test" | "table", _) => {
                    self.problem(span, "expected a list, each entry of which begins with `[[test]]` or `[[table]]`");
                }
                (other, _) => {
                    self.problem(key.span(), format!("unknown key `{other}`: expected `[[test]]` or `[[table]]`"));
                }
            }
        }
    }

    fn entry<T: for<'d> Deserialize<'d>>(&mut self, value: Spanned<DeValue<'_>>, add: fn(&mut Self, T, Range<usize>)) {
        let span = value.span();
        let header = span.start..span.start.saturating_add(1);
        let DeValue::Table(table) = value.into_inner() else {
            return self.problem(header, "expected a table, which begins with `[[test]]` or `[[table]]`");
        };
        match T::deserialize(Deserializer::from(Spanned::new(span.clone(), table))) {
            Ok(raw) => add(self, raw, span),
            Err(error) => self.toml(&error, header),
        }
    }

    fn test(&mut self, raw: RawTest, span: Range<usize>) {
        let (who, on) = (self.each(&raw.who, Who::read), self.each(&raw.on, On::read));
        let actions = self.each(&raw.action, |value| match value {
            toml::Value::String(name) => Ok(name.clone()),
            _ => Err("expected the name of an action, or a list of names".to_owned()),
        });
        let told = self.told(raw.context.as_ref());
        let outcome = Outcome::ALL.into_iter().find(|outcome| outcome.as_str() == raw.expect.get_ref());
        if outcome.is_none() {
            self.problem(raw.expect.span(), "expected `allow`, `deny` or `error`");
        }
        let because = raw.because.map(|policies| self.policies(policies));
        let (Some(told), Some(outcome)) = (told, outcome) else { return };
        let common = Common { name: raw.name.as_deref(), told };
        for action in &actions {
            for (who, on) in who.iter().flat_map(|who| on.iter().map(move |on| (who, on))) {
                let because = because.clone().map_or(Because::Untold, Because::Exactly);
                let expected = Expected { outcome, because, errors: None };
                self.add(&common, who, (action, raw.action.span()), on, expected, span.clone());
            }
        }
    }

    fn table(&mut self, raw: RawTable, _: Range<usize>) {
        let (who, on) = (self.each(&raw.who, Who::read), self.each(&raw.on, On::read));
        let Some(told) = self.told(raw.context.as_ref()) else { return };
        let common = Common { name: raw.name.as_deref(), told };
        for (action, row) in &raw.may {
            let cells: Vec<Option<bool>> = row.get_ref().split_whitespace().map(yes_or_no).collect();
            if cells.len() != who.len() || cells.contains(&None) {
                let message = format!("expected `yes` or `no` {} times, once for each of `who`", who.len());
                self.problem(row.span(), message);
                continue;
            }
            for (who, may) in who.iter().zip(cells.into_iter().flatten()) {
                for on in &on {
                    let outcome = if may { Outcome::Allow } else { Outcome::Deny };
                    let expected = Expected { outcome, because: Because::Untold, errors: None };
                    self.add(&common, who, (action.get_ref(), action.span()), on, expected, action.span());
                }
            }
        }
    }

    fn add(
        &mut self,
        common: &Common<'_>,
        who: &Who,
        (action, action_span): (&str, Range<usize>),
        on: &On,
        expected: Expected,
        span: Range<usize>,
    ) {
        let Some((index, _)) = self.generation.action_by_name(action) else {
            return self.problem(action_span, format!("the schema has no action `{action}`"));
        };
        let question = who.asker().zip(on.resource(who));
        let Some((asker, (resource, facts))) = question else {
            return self.problem(action_span, format!("`{who}` or `{on}` cannot be made up"));
        };
        let asked = format!("{who}: {action} on {on}");
        let name = common.name.map_or_else(|| asked.clone(), |name| format!("{name} ({asked})"));
        let question = Question { asker, action: index, resource, facts, told: common.told.clone() };
        self.cases.push(Case { name, span, body: Body::Told(Box::new(question)), expected });
    }

    /// What each value is, of a list or of one alone.
    fn each<T>(&mut self, value: &Spanned<toml::Value>, read: impl Fn(&toml::Value) -> Result<T, String>) -> Vec<T> {
        let values = match value.get_ref() {
            toml::Value::Array(values) => values.as_slice(),
            one => std::slice::from_ref(one),
        };
        if values.is_empty() {
            self.problem(value.span(), "expected at least one");
        }
        let mut read_ones = Vec::with_capacity(values.len());
        for one in values {
            match read(one) {
                Ok(one) => read_ones.push(one),
                Err(message) => self.problem(value.span(), message),
            }
        }
        read_ones
    }

    fn policies(&mut self, policies: Vec<Spanned<String>>) -> Vec<String> {
        for policy in &policies {
            let is_known = self.generation.policies().policy(&cedar_policy::PolicyId::new(policy.get_ref())).is_some();
            if !is_known {
                self.problem(policy.span(), format!("there is no policy `{}`", policy.get_ref()));
            }
        }
        policies.into_iter().map(Spanned::into_inner).collect()
    }

    fn told(&mut self, context: Option<&Spanned<RawContext>>) -> Option<Told> {
        let default = RawContext::default();
        let raw = context.map_or(&default, Spanned::get_ref);
        let member = match raw.member.as_deref().map(member).transpose() {
            Ok(member) => member,
            Err(IgnoredAny) => {
                let span = context.map(Spanned::span).unwrap_or_default();
                self.problem(span, "`member` is not `asker` or `other`");
                return None;
            }
        };
        let text = |text: &Option<String>, default: &str| text.clone().unwrap_or_else(|| default.to_owned());
        Some(Told {
            client: raw.client,
            method: text(&raw.method, "GET"),
            host: text(&raw.host, "localhost"),
            path: text(&raw.path, "/"),
            member,
            role: raw.role,
            returning: raw.returning,
        })
    }
}

fn yes_or_no(word: &str) -> Option<bool> {
    match word {
        "yes" => Some(true),
        "no" => Some(false),
        _ => None,
    }
}

fn member(name: &str) -> Result<UserId, IgnoredAny> {
    match name {
        "asker" => Ok(SUBJECT),
        "other" => Ok(OTHER),
        _ => Err(IgnoredAny),
    }
}
