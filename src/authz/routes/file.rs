//! `routes.toml`: its form, and what must hold between it and the schema.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use cedar_policy::{EntityTypeName, Schema};
use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

use super::pattern::{Pattern, Segment};
use super::{ResourceId, Route};
use crate::authz::actions::{Action, Actions};
use crate::authz::problem::Problem;
use crate::telemetry::RouteRecord;

/// A route by itself in order.
pub(super) struct Entry {
    pub(super) route: Route,
    pub(super) pattern: Pattern,
    pub(super) path_span: Range<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRoute {
    host: Option<Spanned<String>>,
    method: Spanned<Vec<Spanned<String>>>,
    path: Spanned<String>,
    action: Spanned<String>,
    resource: RawResource,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawResource {
    #[serde(rename = "type")]
    kind: Spanned<String>,
    id: Spanned<String>,
}

/// Reads the file: its routes that are in order by themselves, and the problems of the others.
pub(super) fn read(file: &str, text: &str, schema: &Schema, actions: &Actions) -> (Vec<Entry>, Vec<Problem>) {
    let mut reader = Reader { file, text, schema, actions, problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        let entries = reader.document(document.into_inner());
        (entries, reader.problems)
    } else {
        errors.into_iter().for_each(|error| reader.toml(error, 0..0));
        (Vec::new(), reader.problems)
    }
}

struct Reader<'a> {
    file: &'a str,
    text: &'a str,
    schema: &'a Schema,
    actions: &'a Actions,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn problem(&mut self, span: Range<usize>, message: impl std::fmt::Display) {
        self.problems.push(Problem::at(self.file, self.text, span, message));
    }

    fn problem_with_help(&mut self, span: Range<usize>, message: impl std::fmt::Display, help: impl std::fmt::Display) {
        self.problems.push(Problem::at(self.file, self.text, span, message).help(help));
    }

    fn toml(&mut self, error: toml::de::Error, fallback: Range<usize>) {
        // The library gives several lines for some errors; the first says what is wrong.
        let message = error.message().lines().next().unwrap_or("not TOML").to_owned();
        self.problem(error.span().unwrap_or(fallback), message);
    }

    fn document(&mut self, document: DeTable<'_>) -> Vec<Entry> {
        let mut entries = Vec::new();
        for (key, value) in document {
            let span = value.span();
            match (key.get_ref().as_ref(), value.into_inner()) {
                ("route", DeValue::Array(routes)) => {
                    entries.extend(routes.into_iter().filter_map(|route| self.route(route)));
                }
                ("route", _) => self.problem(span, "expected a list of routes, each of which begins with `[[route]]`"),
                (other, _) => self.problem(key.span(), format!("unknown key `{other}`: expected `[[route]]`")),
            }
        }
        entries
    }

    fn route(&mut self, value: Spanned<DeValue<'_>>) -> Option<Entry> {
        let span = value.span();
        let DeValue::Table(table) = value.into_inner() else {
            self.problem(span, "expected a route, which begins with `[[route]]`");
            return None;
        };
        let raw = RawRoute::deserialize(Deserializer::from(Spanned::new(span.clone(), table)));
        let raw = raw.map_err(|error| self.toml(error, span.clone())).ok()?;
        // Each part is read before any of them is missed, so that all problems are told at once.
        let (host, methods) = (self.host(raw.host), self.methods(&raw.method));
        let (action, resource_type) = (self.action(&raw.action), self.resource_type(&raw.resource.kind));
        if let (Some((_, action)), Some(resource_type)) = (action, &resource_type) {
            self.applies(action, resource_type, raw.resource.kind.span());
        }
        let pattern = Pattern::parse(raw.path.get_ref());
        let pattern = pattern.map_err(|error| self.problem(raw.path.span(), error)).ok();
        let resource_id = pattern.as_ref().and_then(|pattern| self.resource_id(&raw.resource.id, pattern));
        let ((action_index, action), resource_type_name) = (action?, resource_type?);
        let resource_type: Arc<str> = resource_type_name.to_string().into();
        Some(Entry {
            route: Route {
                line: 1 + self.text.bytes().take(span.start).filter(|&byte| byte == b'\n').count(),
                host: host?,
                methods: methods?,
                path: raw.path.get_ref().as_str().into(),
                action: Arc::clone(action.name()),
                action_index,
                action_uid: action.uid().clone(),
                record: RouteRecord::new(action.name(), &resource_type),
                resource_type,
                resource_type_name,
                resource_id: resource_id?,
            },
            pattern: pattern?,
            path_span: raw.path.span(),
        })
    }

    fn host(&mut self, host: Option<Spanned<String>>) -> Option<Option<Box<str>>> {
        let Some(host) = host else { return Some(None) };
        if is_canonical_host(host.get_ref()) {
            return Some(Some(host.get_ref().as_str().into()));
        }
        let message = format!("`{}` is not a host", host.get_ref());
        self.problem_with_help(host.span(), message, "write it in lower case, without port and without a final dot");
        None
    }

    fn methods(&mut self, methods: &Spanned<Vec<Spanned<String>>>) -> Option<Vec<Box<str>>> {
        let before = self.problems.len();
        let mut names: Vec<Box<str>> = Vec::new();
        for method in methods.get_ref() {
            let name = method.get_ref().as_str();
            if name.is_empty() || !name.bytes().all(|byte| matches!(byte, b'A'..=b'Z' | b'-')) {
                let message = format!("`{name}` is not a method: methods are written in upper case, like `GET`");
                self.problem(method.span(), message);
            } else if names.iter().any(|known| **known == *name) {
                self.problem(method.span(), format!("`{name}` is listed twice"));
            }
            names.push(name.into());
        }
        if names.is_empty() {
            self.problem(methods.span(), "a route names at least one method, like `[\"GET\", \"HEAD\"]`");
        }
        (self.problems.len() == before).then_some(names)
    }

    fn resource_type(&mut self, kind: &Spanned<String>) -> Option<EntityTypeName> {
        let name = EntityTypeName::from_str(kind.get_ref()).ok();
        let known = name.filter(|name| self.schema.entity_types().any(|known| known == name));
        if known.is_none() {
            let message = format!("the schema has no entity type `{}`", kind.get_ref());
            let types = listed(self.schema.resources().map(ToString::to_string).collect());
            self.problem_with_help(kind.span(), message, format!("its resource types are {types}"));
        }
        known
    }

    fn applies(&mut self, action: &Action, resource_type: &EntityTypeName, span: Range<usize>) {
        let types: Vec<String> =
            self.schema.resources_for_action(action.uid()).into_iter().flatten().map(ToString::to_string).collect();
        if types.contains(&resource_type.to_string()) {
            return;
        }
        let message = format!("the action `{}` does not apply to `{resource_type}`", action.name());
        let help = match types.as_slice() {
            [] => "it is a group: name one of its actions".to_owned(),
            _ => format!("the schema says that it applies to {}", listed(types)),
        };
        self.problem_with_help(span, message, help);
    }

    fn resource_id(&mut self, id: &Spanned<String>, pattern: &Pattern) -> Option<ResourceId> {
        let text = id.get_ref().as_str();
        let parameter = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
        match parameter {
            None if text.is_empty() || text.contains(['{', '}']) => {
                let message =
                    format!("`{text}` is neither one parameter of the path, like `{{device}}`, nor a literal");
                self.problem(id.span(), message);
                None
            }
            None => Some(ResourceId::Literal(text.into())),
            Some(name) => match pattern.parameter(name) {
                Some((position, Segment::Rest(_))) => Some(ResourceId::Rest(position)),
                Some((position, _)) => Some(ResourceId::Segment(position)),
                None => {
                    self.problem(id.span(), format!("the path has no parameter `{name}`"));
                    None
                }
            },
        }
    }
}

impl<'a> Reader<'a> {
    fn action(&mut self, action: &Spanned<String>) -> Option<(u16, &'a Action)> {
        let found = self.actions.find(action.get_ref());
        if found.is_none() {
            let message = format!("the schema has no action `{}`", action.get_ref());
            let all = self.actions.as_slice().iter().map(|action| action.name().to_string()).collect();
            self.problem_with_help(action.span(), message, format!("its actions are {}", listed(all)));
        }
        found
    }
}

fn listed(mut names: Vec<String>) -> String {
    names.sort();
    names.dedup();
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Whether a request's canonical host could be this: labels in lower case, or an IPv6 address in brackets.
fn is_canonical_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<std::net::Ipv6Addr>().is_ok_and(|parsed| parsed.to_string() == address);
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
    };
    host.len() <= 253 && host.split('.').all(label)
}
