//! Comments of policies, which their syntax tree does not have.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'a> {
    /// From `//` to the end of the line, which is not in it.
    Comment(&'a str),
    /// One `;`: the end of a policy.
    End,
    /// Anything else, strings whole.
    Other(&'a str),
}

/// What stands between two policies, before the first, or behind the last: comments and empty lines.
#[derive(Debug, Default)]
struct Gap<'a> {
    comments: Vec<Comment<'a>>,
    /// Line breaks since the last comment.
    breaks: usize,
}

#[derive(Debug)]
struct Comment<'a> {
    text: &'a str,
    /// Whether an empty line is before it, and behind it.
    before: bool,
    behind: bool,
}

/// All comments, without the space around them.
pub(super) fn all(text: &str) -> Vec<&str> {
    let comments = parts(text).filter_map(|part| match part {
        Part::Comment(comment) => Some(comment.trim_end()),
        _ => None,
    });
    comments.collect()
}

/// The text that was laid out, with the empty lines that `original` has after comments between policies: the formatter
/// takes these away, though they tell what a comment is about.
pub(super) fn with_empty_lines(original: &str, laid_out: String) -> String {
    let (wanted, found) = (gaps(original), gaps(&laid_out));
    let has_same = |(wanted, found): (&Gap<'_>, &Gap<'_>)| {
        wanted.comments.iter().map(|comment| comment.text).eq(found.comments.iter().map(|comment| comment.text))
    };
    if wanted.len() != found.len() || !wanted.iter().zip(&found).all(has_same) {
        return laid_out;
    }
    let (wanted, found) =
        (wanted.into_iter().flat_map(|gap| gap.comments), found.into_iter().flat_map(|gap| gap.comments));
    let mut missing =
        wanted.zip(found).map(|(wanted, found)| (wanted.before && !found.before, wanted.behind && !found.behind));
    let mut text = String::with_capacity(laid_out.len());
    let mut is_between = true;
    for part in parts(&laid_out) {
        match part {
            Part::Comment(comment) => {
                let (before, behind) = if is_between { missing.next().unwrap_or_default() } else { (false, false) };
                text.push_str(if before { "\n" } else { "" });
                text.push_str(comment.trim_end());
                text.push_str(if behind { "\n" } else { "" });
            }
            Part::End => {
                text.push(';');
                is_between = true;
            }
            Part::Other(other) => {
                text.push_str(other);
                is_between &= other.trim().is_empty();
            }
        }
    }
    text
}

fn gaps(text: &str) -> Vec<Gap<'_>> {
    let mut gaps = vec![Gap::default()];
    let mut is_between = true;
    for part in parts(text) {
        let is_first = gaps.len() == 1;
        let Some(gap) = gaps.last_mut() else { break };
        match part {
            Part::Comment(comment) if is_between => {
                gap.close();
                // What is between two comments is told by the former; before the first policy nothing is wanted.
                let before = !is_first && gap.comments.is_empty() && gap.breaks > 1;
                gap.comments.push(Comment { text: comment.trim_end(), before, behind: false });
                gap.breaks = 0;
            }
            Part::Comment(_) => {}
            Part::End => {
                is_between = true;
                gaps.push(Gap::default());
            }
            Part::Other(other) if !is_between || other.trim().is_empty() => {
                gap.breaks += if is_between { other.matches('\n').count() } else { 0 };
            }
            Part::Other(other) => {
                // The white space before the policy still belongs to the gap.
                let before = other.len() - other.trim_start().len();
                gap.breaks += other.get(..before).unwrap_or_default().matches('\n').count();
                gap.close();
                is_between = false;
            }
        }
    }
    gaps
}

impl Gap<'_> {
    /// Notes what follows the last comment.
    fn close(&mut self) {
        if let Some(comment) = self.comments.last_mut() {
            comment.behind = self.breaks > 1;
        }
    }
}

fn parts(text: &str) -> impl Iterator<Item = Part<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let len = match rest.bytes().next()? {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'"' => string_len(rest),
            b';' => 1,
            b'/' => 1,
            _ => rest.find(['/', '"', ';']).unwrap_or(rest.len()),
        };
        let (part, next) = rest.split_at_checked(len)?;
        let is_comment = part.starts_with("//");
        rest = next;
        Some(match part {
            ";" => Part::End,
            _ if is_comment => Part::Comment(part),
            _ => Part::Other(part),
        })
    })
}

/// The length of the string that the text begins with, its quotes included.
fn string_len(text: &str) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
