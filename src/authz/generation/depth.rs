//! Policies and schemas that are nested too deeply to be read.
//!
//! Parsing, validating and evaluating take some stack for each level, and a process at the end of its stack is killed:
//! a server by an edit of its policies. So how deep a text goes is found out before it is parsed, by counting.

use super::files::SourceFile;
use crate::authz::problem::Problem;

/// How deep a text may go, counted in operators. Seen to fit a stack of 2 MiB in builds without optimization.
const MOST: usize = 500;
/// What a pair of brackets takes, counted alike.
const BRACKET: usize = 6;

/// What stands between two brackets: parts, which commas and semicolons end.
#[derive(Default)]
struct Scope {
    at: usize,
    /// How many operators the part has: at most, each is nested in the next.
    operators: usize,
    /// How deep the deepest brackets in the part go.
    inner: usize,
    /// How deep the parts before it go.
    deepest: usize,
}

impl Scope {
    const fn part(&self) -> usize {
        self.operators + self.inner
    }

    fn depth(&self) -> usize {
        self.deepest.max(self.part())
    }
}

/// An error if the file, of policies or of a schema, goes too deep.
pub(in crate::authz) fn check(file: &SourceFile) -> Result<(), Problem> {
    let is_schema = file.name.ends_with(".cedarschema");
    match too_deep(file.text.as_bytes(), is_schema) {
        None => Ok(()),
        Some(at) => {
            let problem = Problem::at(&file.name, &file.text, at..at + 1, "this is nested too deeply");
            Err(problem.help("split it: over several policies, or as a set to be tested with `in` or `contains`"))
        }
    }
}

/// Where it is too deep.
fn too_deep(text: &[u8], is_schema: bool) -> Option<usize> {
    let mut scopes: Vec<Scope> = Vec::new();
    let mut scope = Scope::default();
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        let mut len = 1;
        match byte {
            b'"' => len = string(rest),
            b'/' if rest.starts_with(b"//") => len = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
            b'(' | b'[' | b'{' => scopes.push(std::mem::replace(&mut scope, Scope { at, ..Scope::default() })),
            b'<' if is_schema => scopes.push(std::mem::replace(&mut scope, Scope { at, ..Scope::default() })),
            b')' | b']' | b'}' => close(&mut scopes, &mut scope),
            b'>' if is_schema => close(&mut scopes, &mut scope),
            b',' | b';' => scope = Scope { at: scope.at, deepest: scope.depth(), ..Scope::default() },
            b'&' | b'|' => {
                len = rest.iter().take_while(|&next| next == byte).count().min(2);
                scope.operators += 1;
            }
            b'+' | b'-' | b'*' | b'.' => scope.operators += 1,
            byte if is_of_word(*byte) => {
                let word: &[u8] = rest.split(|byte| !is_of_word(*byte)).next().unwrap_or_default();
                len = word.len();
                // Conditions are joined as if by `&&`.
                scope.operators += usize::from(matches!(word, b"if" | b"when" | b"unless"));
            }
            _ => {}
        }
        if scope.part() > MOST || scopes.len() * BRACKET > MOST {
            return Some(at);
        }
        at += len;
    }
    None
}

fn close(scopes: &mut Vec<Scope>, scope: &mut Scope) {
    // A bracket too many is for the parser to tell.
    if let Some(outer) = scopes.pop() {
        let closed = std::mem::replace(scope, outer);
        scope.inner = scope.inner.max(closed.depth() + BRACKET);
    }
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// The length of the string that the text begins with.
fn string(text: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = text.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(condition: &str) -> Option<usize> {
        too_deep(format!("permit (principal, action, resource) when {{ {condition} }};").as_bytes(), false)
    }

    /// `from` is fine, and `to` is not.
    fn between(from: usize, to: usize, text: impl Fn(usize) -> String) {
        assert_eq!((policy(&text(from)), policy(&text(to)).is_some()), (None, true), "{:.60}", text(to));
    }

    #[test]
    fn every_way_to_nest_is_counted() {
        between(450, 510, |times| vec!["context.host == \"a\""; times / 2].join(" && "));
        between(450, 510, |times| vec!["principal == User::\"a\""; times].join(" || "));
        between(450, 510, |times| vec!["1"; times].join(" + ") + " == 1");
        between(450, 510, |times| format!("context{}", ".a".repeat(times)));
        between(450, 510, |times| format!("{}true", "if true then true else ".repeat(times)));
        for (open, close) in [("(", ")"), ("[", "]"), ("{a: ", "}"), ("f(", ")")] {
            between(75, 90, |times| format!("{}1{}", open.repeat(times), close.repeat(times)));
        }
        between(450, 510, |times| {
            format!("true }} {} when {{ true", "when { true } unless { false }".repeat(times / 2))
        });
        let set = |times: usize| format!("entity A {{ a: {}Long{} }};", "Set<".repeat(times), ">".repeat(times));
        assert_eq!(too_deep(set(75).as_bytes(), true), None);
        assert!(too_deep(set(90).as_bytes(), true).is_some());
    }

    #[test]
    fn what_stands_side_by_side_in_strings_or_comments_does_not_count() {
        assert_eq!(policy(&format!("[{}].contains(1)", "(1 + 2), ".repeat(10_000))), None);
        assert_eq!(policy(&format!("\"{}\\\"((\" == context.host", "(&&".repeat(10_000))), None);
        assert_eq!(policy(&format!("true // {}\n", "(&&".repeat(10_000))), None);
        let many = "permit (principal, action, resource) when { context.host == \"a\" };\n".repeat(10_000);
        assert_eq!(too_deep(many.as_bytes(), false), None);
    }

    #[test]
    fn any_bytes_are_taken() {
        for text in ["\"", "\"\\", "//", "))]}>", "&", "|||&&&", "\"\\\"", "\u{e9}.\u{e9}"] {
            assert_eq!(too_deep(text.as_bytes(), true), None, "{text}");
        }
    }
}
