//! The pattern of a route's path.

/// A path with parameters, itself in canonical form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Segment>);

/// What a pattern takes at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// A segment with exactly this text. Empty at the end only, for a path that ends with `/`.
    Literal(Box<str>),
    /// Any segment that is not empty.
    Parameter(Box<str>),
    /// All segments that are left, one at least.
    Rest(Box<str>),
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("a path begins with `/`")]
    NoSlash,
    #[error("the path has an empty segment, and no request's path has one")]
    EmptySegment,
    #[error("the path has a `.` or `..` segment, and no request's path has one")]
    DotSegment,
    #[error("the path has the character `{0}`, and no request's path has it where a literal could match")]
    Character(char),
    #[error("the path has a percent sign: write the path as it is after decoding")]
    Percent,
    #[error("`{0}` is not a parameter: expected a whole segment like `{{device}}`, or `{{*rest}}` at the end")]
    Parameter(String),
    #[error("`{0}` takes all that is left, so it can only be the last segment")]
    RestNotLast(String),
    #[error("the path has two parameters with the name `{0}`")]
    Duplicate(String),
}

impl Pattern {
    /// Reads a pattern such as `/devices/{device}/{*rest}`.
    pub(super) fn parse(text: &str) -> Result<Self, PatternError> {
        let path = text.strip_prefix('/').ok_or(PatternError::NoSlash)?;
        let mut segments: Vec<Segment> = Vec::new();
        let mut parts = path.split('/').peekable();
        while let Some(part) = parts.next() {
            let segment = Segment::parse(part)?;
            match &segment {
                Segment::Literal(text) if text.is_empty() && parts.peek().is_some() => {
                    return Err(PatternError::EmptySegment);
                }
                Segment::Rest(_) if parts.peek().is_some() => return Err(PatternError::RestNotLast(part.to_owned())),
                Segment::Parameter(name) | Segment::Rest(name) if segments.iter().any(|s| s.name() == Some(name)) => {
                    return Err(PatternError::Duplicate(name.to_string()));
                }
                _ => {}
            }
            segments.push(segment);
        }
        Ok(Self(segments))
    }

    /// What it takes at each position.
    pub(super) fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// The position of the parameter with this name, and what it takes.
    pub(super) fn parameter(&self, name: &str) -> Option<(usize, &Segment)> {
        self.0.iter().enumerate().find(|(_, segment)| segment.name() == Some(name))
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(inner) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let (rest, name) = match inner.strip_prefix('*') {
                Some(name) => (true, name),
                None => (false, inner),
            };
            let good = name.starts_with(|c: char| c.is_ascii_lowercase())
                && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
            return match (good, rest) {
                (false, _) => Err(PatternError::Parameter(text.to_owned())),
                (true, true) => Ok(Self::Rest(name.into())),
                (true, false) => Ok(Self::Parameter(name.into())),
            };
        }
        if matches!(text, "." | "..") {
            return Err(PatternError::DotSegment);
        }
        match text.chars().find(|&c| c.is_control() || "%{}*\\?#;".contains(c)) {
            None => Ok(Self::Literal(text.into())),
            Some('%') => Err(PatternError::Percent),
            Some('{' | '}' | '*') => Err(PatternError::Parameter(text.to_owned())),
            Some(other) => Err(PatternError::Character(other)),
        }
    }

    fn name(&self) -> Option<&str> {
        match self {
            Self::Literal(_) => None,
            Self::Parameter(name) | Self::Rest(name) => Some(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_canonical_path_could_match_is_refused() {
        use PatternError::{Character, DotSegment, Duplicate, EmptySegment, NoSlash, Parameter, Percent, RestNotLast};
        for (text, error) in [
            ("", NoSlash),
            ("a", NoSlash),
            ("*", NoSlash),
            ("//", EmptySegment),
            ("/a//b", EmptySegment),
            ("/./a", DotSegment),
            ("/a/..", DotSegment),
            ("/a?x", Character('?')),
            ("/a#x", Character('#')),
            ("/a;x", Character(';')),
            ("/a\\b", Character('\\')),
            ("/a\u{0}", Character('\0')),
            ("/a%20b", Percent),
            ("/{}", Parameter("{}".into())),
            ("/{*}", Parameter("{*}".into())),
            ("/*", Parameter("*".into())),
            ("/{a}b", Parameter("{a}b".into())),
            ("/{a}{b}", Parameter("{a}{b}".into())),
            ("/{a", Parameter("{a".into())),
            ("/a}", Parameter("a}".into())),
            ("/{A}", Parameter("{A}".into())),
            ("/{1a}", Parameter("{1a}".into())),
            ("/{*rest}/a", RestNotLast("{*rest}".into())),
            ("/{*rest}/", RestNotLast("{*rest}".into())),
            ("/{a}/{a}", Duplicate("a".into())),
            ("/{a}/{*a}", Duplicate("a".into())),
        ] {
            assert_eq!(Pattern::parse(text), Err(error), "{text}");
        }
    }

    #[test]
    fn parameters_have_positions() {
        let pattern = Pattern::parse("/a/{b}/caf\u{e9} x/{*rest}").unwrap();
        assert_eq!(pattern.parameter("b"), Some((1, &Segment::Parameter("b".into()))));
        assert_eq!(pattern.parameter("rest"), Some((3, &Segment::Rest("rest".into()))));
        assert_eq!(pattern.parameter("a"), None);
        assert_eq!(Pattern::parse("/").unwrap().segments(), [Segment::Literal("".into())]);
        assert_eq!(Pattern::parse("/a/").unwrap().segments().len(), 2);
    }
}
