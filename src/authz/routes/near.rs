//! The routes that come nearest to a request that none takes.

use super::pattern::{Pattern, Segment};
use super::{Route, Routes};
use crate::http::path::CanonicalPath;

/// How many routes are told.
const TOLD: usize = 3;

/// A route that would take the request, but for one thing.
#[derive(Debug)]
pub struct Near<'r> {
    /// The route.
    pub route: &'r Route,
    /// In what the request is another one.
    pub differs: Differs,
}

/// In what a request is another one than a route takes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Differs {
    /// Host and path are right.
    Method,
    /// Method and path are right.
    Host,
    /// Method and host are right. The path goes another way after so many segments, one at least.
    Path {
        /// How many segments are right.
        after: usize,
        /// How many bytes of the next one are.
        alike: usize,
    },
}

impl Routes {
    /// The nearest routes, nearest first, for a request that none takes: those that want another method or another host for
    /// this path, and those whose path begins alike.
    pub fn near(&self, host: &str, method: &str, path: &CanonicalPath<'_>) -> Vec<Near<'_>> {
        let mut near: Vec<Near<'_>> =
            self.routes.iter().filter_map(|route| differs(route, host, method, path)).collect();
        near.sort_by_key(|near| match near.differs {
            Differs::Method => (0, 0, 0),
            Differs::Host => (1, 0, 0),
            // The more is right, the nearer.
            Differs::Path { after, alike } => (2, usize::MAX - after, usize::MAX - alike),
        });
        near.truncate(TOLD);
        near
    }
}

fn differs<'r>(route: &'r Route, host: &str, method: &str, path: &CanonicalPath<'_>) -> Option<Near<'r>> {
    let pattern = Pattern::parse(&route.path).ok()?;
    let is_method = route.methods.iter().any(|known| **known == *method);
    let is_host = route.host.as_deref().is_none_or(|known| known == host);
    let (after, alike, is_path) = agrees(pattern.segments(), path.as_str());
    let differs = match (is_method, is_host, is_path) {
        (false, true, true) => Differs::Method,
        (true, false, true) => Differs::Host,
        (true, true, false) if after > 0 => Differs::Path { after, alike },
        _ => return None,
    };
    Some(Near { route, differs })
}

/// How many segments of the path are what the pattern says, one after the other, how many bytes of the next one are, and
/// whether that is all of both.
fn agrees(pattern: &[Segment], path: &str) -> (usize, usize, bool) {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/');
    for (at, wanted) in pattern.iter().enumerate() {
        let (is_right, alike) = match (wanted, segments.next()) {
            (Segment::Rest(_), Some(_)) => return (at, 0, true),
            (Segment::Literal(text), Some(segment)) => {
                (**text == *segment, text.bytes().zip(segment.bytes()).take_while(|(a, b)| a == b).count())
            }
            (Segment::Parameter(_), Some(segment)) => (!segment.is_empty(), 0),
            (_, None) => (false, 0),
        };
        if !is_right {
            return (at, alike, false);
        }
    }
    (pattern.len(), 0, segments.next().is_none())
}
