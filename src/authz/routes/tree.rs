//! The look-up of a path: a tree with one level for each segment.

use super::pattern::Segment;

/// Up to this many literals are compared one after the other: mostly their lengths differ already.
const FEW: usize = 8;

/// How long the first segment is. Segments are short, and a search for many bytes at once takes longer to begin.
pub(super) fn segment_len(path: &[u8]) -> usize {
    path.iter().position(|&byte| byte == b'/').unwrap_or(path.len())
}

/// What may follow the segments that lead here. Values are the positions of routes.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Sorted by their text.
    literals: Vec<(Box<[u8]>, Node)>,
    parameter: Option<Box<Node>>,
    rest: Option<usize>,
    end: Option<usize>,
}

impl Node {
    /// Adds a route, unless there is one already that takes the same paths: then gives that one.
    pub(super) fn insert(&mut self, segments: &[Segment], route: usize) -> Option<usize> {
        let leaf = match segments {
            [] => &mut self.end,
            [Segment::Rest(_), ..] => &mut self.rest,
            [Segment::Parameter(_), next @ ..] => return self.parameter.get_or_insert_default().insert(next, route),
            [Segment::Literal(text), next @ ..] => {
                let at = match self.position(text.as_bytes()) {
                    Ok(at) => at,
                    Err(at) => {
                        self.literals.insert(at, (text.as_bytes().into(), Self::default()));
                        at
                    }
                };
                return self.literals.get_mut(at).and_then(|(_, node)| node.insert(next, route));
            }
        };
        if leaf.is_some() {
            return *leaf;
        }
        *leaf = Some(route);
        None
    }

    /// The most specific route for a path, given without its leading `/`. Each node is visited at most once, so the
    /// number of routes bounds the work, whatever the path.
    pub(super) fn find(&self, path: &[u8]) -> Option<usize> {
        let (segment, next) = path.split_at_checked(segment_len(path))?;
        let follow = |node: &Self| next.split_first().map_or(node.end, |(_, next)| node.find(next));
        if let Some(route) = self.literal(segment).and_then(follow) {
            return Some(route);
        }
        let parameter = self.parameter.as_deref().filter(|_| !segment.is_empty());
        parameter.and_then(follow).or(self.rest)
    }

    fn literal(&self, text: &[u8]) -> Option<&Self> {
        if self.literals.len() <= FEW {
            return self.literals.iter().find(|(literal, _)| **literal == *text).map(|(_, node)| node);
        }
        self.position(text).ok().and_then(|at| self.literals.get(at)).map(|(_, node)| node)
    }

    fn position(&self, text: &[u8]) -> Result<usize, usize> {
        self.literals.binary_search_by(|(literal, _)| (**literal).cmp(text))
    }
}
