//! Which routes no request can take, because others take all that they could.

use super::pattern::{Pattern, Segment};
use super::tree::Node;
use super::{Route, Routes};
use crate::http::host::CanonicalHost;
use crate::http::path::CanonicalPath;

/// A route that no request takes, at least not with some of its methods.
#[derive(Debug)]
pub struct Unreached<'r> {
    /// The route.
    pub route: &'r Route,
    /// The methods.
    pub methods: Vec<&'r str>,
    /// Why.
    pub why: Why<'r>,
}

/// Why a route is not taken.
#[derive(Debug)]
pub enum Why<'r> {
    /// More specific ones take all that it could, these.
    Shadowed(Vec<&'r Route>),
    /// No request has such a path or host, for this reason.
    Impossible(String),
}

impl Routes {
    /// The routes that no request can take, in the order of the file.
    pub fn unreached(&self) -> Vec<Unreached<'_>> {
        self.routes.iter().enumerate().filter_map(|(at, route)| self.unreached_at(at, route)).collect()
    }

    fn unreached_at<'r>(&'r self, at: usize, route: &'r Route) -> Option<Unreached<'r>> {
        let pattern = Pattern::parse(&route.path).ok()?;
        let fresh = self.fresh_segment();
        if let Some(reason) = impossible(route, &pattern, &fresh) {
            let methods = route.methods.iter().map(|method| &**method).collect();
            return Some(Unreached { route, methods, why: Why::Impossible(reason) });
        }
        let witnesses = self.witnesses(&pattern, &fresh);
        let (mut methods, mut shadowing) = (Vec::new(), Vec::new());
        for method in &route.methods {
            let Some(tree) = self.tree(method, route.host.as_deref()) else { continue };
            let taken: Vec<usize> = witnesses.iter().filter_map(|path| tree.find(path.as_bytes())).collect();
            if !taken.contains(&at) {
                methods.push(&**method);
                shadowing.extend(taken);
            }
        }
        shadowing.sort_unstable();
        shadowing.dedup();
        let by = shadowing.into_iter().filter_map(|at| self.routes.get(at)).collect();
        (!methods.is_empty()).then_some(Unreached { route, methods, why: Why::Shadowed(by) })
    }

    fn tree(&self, method: &str, host: Option<&str>) -> Option<&Node> {
        let (_, hosts) = self.methods.iter().find(|(name, _)| **name == *method)?;
        host.map_or(Some(&hosts.any), |host| hosts.named.get(host))
    }

    /// Paths, without their leading `/`, of which the route takes one if it takes any.
    // INVARIANT: a path takes the same way in all trees if its segments that are no literal of any route are replaced by
    // other such segments; and one with a literal in place of such a segment meets all routes that the other meets, and
    // more specific ones. So the segments that a pattern leaves open need only be tried with one that is no literal, and
    // beyond the longest route there is nothing new.
    fn witnesses(&self, pattern: &Pattern, fresh: &str) -> Vec<String> {
        let fixed = filled(pattern.segments(), fresh);
        if !matches!(pattern.segments().last(), Some(Segment::Rest(_))) {
            return vec![fixed.join("/")];
        }
        let longest = self.routes.iter().map(|route| route.path.split('/').count()).max().unwrap_or_default();
        let mut paths = Vec::new();
        for more in 0..=longest {
            let mut path = fixed.clone();
            path.extend(std::iter::repeat_n(fresh, more));
            if more > 0 {
                paths.push(path.join("/"));
            }
            path.push("");
            paths.push(path.join("/"));
        }
        paths
    }

    /// A segment that is no literal of any route.
    fn fresh_segment(&self) -> String {
        let mut fresh = String::from("x");
        while self.routes.iter().any(|route| route.path.contains(&fresh)) {
            fresh.push('x');
        }
        fresh
    }
}

/// The segments but for the rest, each parameter as `fresh`.
fn filled<'a>(segments: &'a [Segment], fresh: &'a str) -> Vec<&'a str> {
    let segments = segments.iter().filter_map(|segment| match segment {
        Segment::Literal(text) => Some(&**text),
        Segment::Parameter(_) => Some(fresh),
        Segment::Rest(_) => None,
    });
    segments.collect()
}

/// Why no request has the route's path or host.
fn impossible(route: &Route, pattern: &Pattern, fresh: &str) -> Option<String> {
    let encoded = filled(pattern.segments(), fresh).iter().map(|segment| encoded(segment)).collect::<Vec<_>>();
    let host = route.host.as_deref().map(|host| CanonicalHost::parse_text(host).map(drop));
    let path = format!("/{}", encoded.join("/"));
    match (CanonicalPath::parse(path.as_bytes()), host) {
        (Err(error), _) => Some(error.to_string()),
        (_, Some(Err(error))) => Some(error.to_string()),
        (Ok(_), _) => None,
    }
}

/// The segment as requests send it.
fn encoded(segment: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    segment.bytes().map(byte).collect()
}
