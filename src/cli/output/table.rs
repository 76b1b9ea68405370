//! Text for people: aligned columns, one thing on one line.

use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::Value;
use unicode_width::UnicodeWidthStr as _;

/// Between two columns.
const GAP: usize = 2;

/// A table with a header of `columns`, the names of members of each row.
pub(in crate::cli) fn rows<T: Serialize>(columns: &[&str], rows: &[T]) -> Result<String> {
    let header = columns.iter().map(|column| column.replace('_', " ").to_uppercase()).collect();
    let rows = rows.iter().map(|row| Ok(cells(columns, row)?.collect()));
    let table: Vec<Vec<String>> = std::iter::once(Ok(header)).chain(rows).collect::<Result<_>>()?;
    Ok(aligned(&table))
}

/// A line for each of `columns`, the names of members of `thing`.
pub(in crate::cli) fn members<T: Serialize>(columns: &[&str], thing: &T) -> Result<String> {
    let names = columns.iter().map(|column| format!("{}:", column.replace('_', " ")));
    let lines: Vec<Vec<String>> = names.zip(cells(columns, thing)?).map(|(name, cell)| vec![name, cell]).collect();
    Ok(aligned(&lines))
}

/// The lines, their cells padded to columns.
pub(in crate::cli) fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for line in lines {
        let mut pending = 0;
        for (cell, width) in line.iter().zip(&widths) {
            // No line ends with spaces.
            if !cell.is_empty() {
                text.extend(std::iter::repeat_n(' ', pending));
                text.push_str(cell);
                pending = 0;
            }
            pending += width.saturating_sub(if cell.is_empty() { 0 } else { cell.width() }) + GAP;
        }
        text.push('\n');
    }
    text
}

fn cells<T: Serialize>(columns: &[&str], thing: &T) -> Result<impl Iterator<Item = String>> {
    let Value::Object(mut members) = serde_json::to_value(thing)? else {
        anyhow::bail!("only objects have columns");
    };
    let cells = columns.iter().map(|column| {
        let value = members.remove(*column).with_context(|| format!("there is no member `{column}`"))?;
        Ok(cell(&value))
    });
    Ok(cells.collect::<Result<Vec<_>>>()?.into_iter())
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => printable(text),
        Value::Array(items) if items.is_empty() => "-".to_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(", "),
        other => printable(&other.to_string()),
    }
}

/// The text with what a terminal would obey escaped, so that it stays on its line and looks like what it is.
pub(in crate::cli) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Whether the character ends the line, moves the cursor, or turns the direction of text.
pub(super) fn is_harmful(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_what_a_terminal_shows() {
        let things = [
            json!({"name": "\u{6e29}\u{5ea6}\u{8a08}", "scopes": [], "shared": true, "not_shown": 1}),
            json!({"name": "ab", "scopes": ["x", "y"], "shared": null}),
        ];
        let table = rows(&["name", "scopes", "shared"], &things).unwrap();
        assert_eq!(table, "NAME    SCOPES  SHARED\n\u{6e29}\u{5ea6}\u{8a08}  -       yes\nab      x, y    -\n");
    }

    #[test]
    fn one_thing_has_a_line_for_each_member() {
        let thing = json!({"id": "7", "created_at": "now", "more": true});
        assert_eq!(members(&["id", "created_at"], &thing).unwrap(), "id:          7\ncreated at:  now\n");
    }

    #[test]
    fn a_cell_cannot_leave_its_line() {
        let table = rows(&["a"], &[json!({"a": "x\n\u{1b}[2K\u{202e}y\u{85}"})]).unwrap();
        assert_eq!(table.lines().count(), 2);
        assert!(!table.replace('\n', "").chars().any(is_harmful), "{table:?}");
    }

    #[test]
    fn no_line_ends_with_spaces() {
        let lines = [vec!["a".to_owned(), String::new()], vec!["long".to_owned(), "b".to_owned()]];
        assert_eq!(aligned(&lines), "a\nlong  b\n");
    }

    #[test]
    fn a_column_that_does_not_exist_is_an_error() {
        assert!(rows(&["a"], &[json!({"b": 1})]).is_err());
    }
}
