//! Which action on which resource a request is: the table of `routes.toml`.
//!
//! Only canonical paths are matched, so what is matched here is what the application behind the proxy will serve.

mod file;
mod pattern;
mod reach;
mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use cedar_policy::{EntityTypeName, EntityUid, Schema};

use self::pattern::Pattern;
pub use self::reach::{Unreached, Why};
use self::tree::{Node, segment_len};
use super::actions::Actions;
use super::problem::Problem;
use crate::http::path::CanonicalPath;
use crate::telemetry::RouteRecord;

/// A validated entry of the table.
#[derive(Debug, Clone)]
pub struct Route {
    /// The line of the file on which it begins.
    pub line: usize,
    /// The host that it is for; every host, if there is none.
    pub host: Option<Box<str>>,
    /// The methods that it is for.
    pub methods: Vec<Box<str>>,
    /// Its path as written, such as `/applications/{application}`.
    pub path: Box<str>,
    /// The action's name.
    pub action: Arc<str>,
    /// The action's index among the generation's actions.
    pub action_index: u16,
    /// The action in Cedar.
    pub action_uid: EntityUid,
    /// The resource's type.
    pub resource_type: Arc<str>,
    /// The resource's type in Cedar.
    pub resource_type_name: EntityTypeName,
    /// What the decision log says of it.
    pub record: RouteRecord,
    resource_id: ResourceId,
}

/// Where a route takes the resource's identifier from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum ResourceId {
    /// The file.
    Literal(Box<str>),
    /// The path's segment with this position.
    Segment(usize),
    /// The path from the segment with this position on.
    Rest(usize),
}

impl Route {
    fn resource_id<'a>(&'a self, path: &'a str) -> Option<&'a str> {
        match &self.resource_id {
            ResourceId::Literal(id) => Some(id),
            ResourceId::Rest(position) => path.get(segment_start(path, *position)?..),
            ResourceId::Segment(position) => {
                let rest = path.get(segment_start(path, *position)?..)?;
                rest.get(..segment_len(rest.as_bytes()))
            }
        }
    }
}

/// Where the segment with this position begins.
fn segment_start(path: &str, position: usize) -> Option<usize> {
    let slashes = path.bytes().enumerate().filter(|(_, byte)| *byte == b'/');
    slashes.map(|(slash, _)| slash + 1).nth(position)
}

/// The route that a request takes.
#[derive(Debug, Clone, Copy)]
pub struct Match<'r, 'p> {
    /// The route.
    pub route: &'r Route,
    /// The identifier of the resource: a part of the request's path, or what the route says.
    pub resource_id: &'p str,
}

/// The table.
#[derive(Debug, Clone, Default)]
pub struct Routes {
    routes: Vec<Route>,
    /// One look-up for each method. There are few, so a list is the fastest map.
    methods: Vec<(Box<str>, Hosts)>,
}

#[derive(Debug, Clone, Default)]
struct Hosts {
    named: HashMap<Box<str>, Node>,
    any: Node,
}

impl Routes {
    /// Reads the table from `text`, the content of the file `file`. Gives the table, or everything that is wrong with
    /// it, held against `schema`, whose actions are `actions`.
    pub fn parse(file: &str, text: &str, schema: &Schema, actions: &Actions) -> Result<Self, Vec<Problem>> {
        let (entries, mut problems) = file::read(file, text, schema, actions);
        let mut table = Self::default();
        for entry in entries {
            let span = entry.path_span.clone();
            if let Err(Tie { method, line }) = table.insert(entry.route, &entry.pattern) {
                let message = format!("this route and the one on line {line} tie: the same host, method and shape");
                let help = format!("a {method} request would take both: remove one of them, or one of its methods");
                problems.push(Problem::at(file, text, span, message).help(help));
            }
        }
        if problems.is_empty() { Ok(table) } else { Err(problems) }
    }

    /// All routes, in the order of the file.
    pub fn as_slice(&self) -> &[Route] {
        &self.routes
    }

    /// The most specific route that a request takes, if any: with its host before without, then segment by segment a
    /// literal before a parameter before the rest. `host` is in canonical form (lower case, without port), `method` as
    /// it was sent.
    pub fn find<'r: 'p, 'p>(&'r self, host: &str, method: &str, path: &'p CanonicalPath<'_>) -> Option<Match<'r, 'p>> {
        let (_, hosts) = self.methods.iter().find(|(name, _)| **name == *method)?;
        let path = path.as_str();
        let segments = path.as_bytes().strip_prefix(b"/")?;
        let named = if hosts.named.is_empty() { None } else { hosts.named.get(host) };
        let index = named.and_then(|tree| tree.find(segments)).or_else(|| hosts.any.find(segments))?;
        let route = self.routes.get(index)?;
        Some(Match { route, resource_id: route.resource_id(path)? })
    }

    fn insert(&mut self, route: Route, pattern: &Pattern) -> Result<(), Tie> {
        let index = self.routes.len();
        for method in &route.methods {
            let hosts = match self.methods.iter().position(|(name, _)| name == method) {
                Some(position) => self.methods.get_mut(position),
                None => {
                    self.methods.push((method.clone(), Hosts::default()));
                    self.methods.last_mut()
                }
            };
            let Some((_, hosts)) = hosts else { continue };
            let tree = match &route.host {
                Some(host) => hosts.named.entry(host.clone()).or_default(),
                None => &mut hosts.any,
            };
            if let Some(other) = tree.insert(pattern.segments(), index) {
                let line = self.routes.get(other).map_or(route.line, |other| other.line);
                return Err(Tie { method: method.clone(), line });
            }
        }
        self.routes.push(route);
        Ok(())
    }
}

/// Another route takes the same requests.
struct Tie {
    method: Box<str>,
    line: usize,
}

#[cfg(test)]
mod tests;
