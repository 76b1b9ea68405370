//! What is wrong with a file that people edit, told so that they find the place.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

/// How many characters of a line are shown, and how many of them before the marked text: lines may be of any length.
const SHOWN: usize = 160;
const SHOWN_BEFORE: usize = 60;

/// A problem with a file: where, what, the line with a caret below it, and what to do.
///
/// Its text is several lines; control characters of the file do not get into it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    file: String,
    place: Option<Place>,
    message: String,
    help: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    line: usize,
    column: usize,
    excerpt: String,
    width: usize,
}

impl Problem {
    /// A problem with the file (or folder) as a whole.
    pub fn with(file: &str, message: impl fmt::Display) -> Self {
        Self { file: file.to_owned(), place: None, message: message.to_string(), help: None }
    }

    /// A problem with the bytes `span` of the file's content `text`; of a longer span the first line is shown.
    pub fn at(file: &str, text: &str, span: Range<usize>, message: impl fmt::Display) -> Self {
        Self { place: Some(Place::of(text, span)), ..Self::with(file, message) }
    }

    /// The same problem, with what to do about it.
    #[must_use]
    pub fn help(self, help: impl fmt::Display) -> Self {
        Self { help: Some(help.to_string()), ..self }
    }

    /// Another message for the same place.
    #[must_use]
    pub(super) fn saying(self, message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), ..self }
    }

    /// Sorts problems by their place, and tells one only of those that share it.
    pub fn one_per_place(mut problems: Vec<Self>) -> Vec<Self> {
        problems.sort();
        let groups = problems.chunk_by(|a, b| (&a.file, &a.place) == (&b.file, &b.place));
        let told = groups.filter_map(|group| {
            let mut first = group.first()?.clone();
            if let Some(more) = group.len().checked_sub(1).filter(|&more| more > 0) {
                first.message.push_str(&format!(" (and {more} more at this place)"));
            }
            Some(first)
        });
        told.collect()
    }

    /// The file.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }

    /// The column, in characters, counted from 1.
    pub fn column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column)
    }

    /// The column behind the marked text, in characters, counted from 1.
    pub fn end_column(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.column + place.width)
    }

    /// The line's text.
    pub fn excerpt(&self) -> Option<&str> {
        self.place.as_ref().map(|place| place.excerpt.as_str())
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl Place {
    fn of(text: &str, span: Range<usize>) -> Self {
        let start = floor_char_boundary(text, span.start);
        let (before, after) = text.split_at_checked(start).unwrap_or((text, ""));
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let head = before.get(line_start..).unwrap_or_default();
        let tail = after.lines().next().unwrap_or_default();
        let marked = tail.get(..floor_char_boundary(tail, span.end.saturating_sub(start))).unwrap_or_default();
        Self {
            line: 1 + before.bytes().filter(|&byte| byte == b'\n').count(),
            column: 1 + head.chars().count(),
            excerpt: head.chars().chain(tail.chars()).map(|c| if c.is_control() { ' ' } else { c }).collect(),
            width: marked.trim_end().chars().count().max(1),
        }
    }
}

impl Place {
    /// Of the line what is shown, after how many characters of that the marked text begins, and how many it has there.
    fn window(&self) -> (Cow<'_, str>, usize, usize) {
        let at = self.column.saturating_sub(1);
        if self.excerpt.chars().nth(SHOWN).is_none() {
            return (self.excerpt.as_str().into(), at, self.width);
        }
        let from = at.saturating_sub(SHOWN_BEFORE);
        let mut rest = self.excerpt.chars().skip(from);
        let mut shown = if from > 0 { "…".to_owned() } else { String::new() };
        let indent = at - from + shown.chars().count();
        shown.extend(rest.by_ref().take(SHOWN));
        if rest.next().is_some() {
            shown.push('…');
        }
        (shown.into(), indent, self.width.min(SHOWN - (at - from)))
    }
}

/// The error with its causes: Cedar's first message alone mostly says only that there is one.
pub(super) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}

fn floor_char_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place, message, help } = self;
        match place {
            None => write!(f, "{file}: {message}")?,
            Some(place) => {
                let Place { line, column, .. } = place;
                let gutter = line.to_string().len();
                let (shown, indent, width) = place.window();
                writeln!(f, "{file}:{line}:{column}: {message}")?;
                writeln!(f, "{:gutter$} |", "")?;
                writeln!(f, "{line} | {shown}")?;
                write!(f, "{:gutter$} | {}{}", "", " ".repeat(indent), "^".repeat(width))?;
            }
        }
        if let Some(help) = help {
            write!(f, "\n  help: {help}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_the_place_with_a_caret() {
        let text = "first\n\tsecond line\nthird\n";
        let problem = Problem::at("a.cedar", text, 7..13, "this is wrong").help("write it otherwise");
        assert_eq!(
            problem.to_string(),
            "a.cedar:2:2: this is wrong\n  |\n2 |  second line\n  |  ^^^^^^\n  help: write it otherwise"
        );
    }

    #[test]
    fn a_span_of_several_lines_is_marked_on_its_first() {
        let problem = Problem::at("a", "one\ntwo \nthree", 4..14, "x");
        assert_eq!(problem.to_string(), "a:2:1: x\n  |\n2 | two \n  | ^^^");
    }

    #[test]
    fn of_a_long_line_the_part_around_the_mark_is_shown() {
        let text = format!("{}wrong{}", "é".repeat(100_000), "x".repeat(1_000));
        let lines = |start: usize, end: usize| -> Vec<String> {
            Problem::at("a", &text, start..end, "x").to_string().lines().map(str::to_owned).collect()
        };
        let (e, x) = (|times| "é".repeat(times), |times| "x".repeat(times));
        let told = lines(200_000, 200_005);
        assert_eq!(told[0], "a:1:100001: x");
        assert_eq!(told[2], format!("1 | …{}wrong{}…", e(60), x(95)));
        assert_eq!(told[3], format!("  | {}^^^^^", " ".repeat(61)));
        let told = lines(0, text.len());
        assert_eq!(told[2..], [format!("1 | {}…", e(160)), format!("  | {}", "^".repeat(160))]);
        let told = lines(text.len(), text.len());
        assert_eq!(told[2..], [format!("1 | …{}", x(60)), format!("  | {}^", " ".repeat(61))]);
    }

    #[test]
    fn any_span_has_a_place() {
        let text = "caf\u{e9}\n\u{1b}[31m";
        for start in 0..12 {
            for end in 0..12 {
                let problem = Problem::at("a", text, start..end, "x");
                assert!(problem.line().is_some_and(|line| (1..=2).contains(&line)), "{start}..{end}");
                assert!(!problem.to_string().contains('\u{1b}'));
            }
        }
        assert_eq!(Problem::at("a", "", 0..0, "x").line(), Some(1));
    }
}
