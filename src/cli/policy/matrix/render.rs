//! The matrix as a table for terminals, as Markdown, JSON and HTML. The same matrix always gives the same text.

use anyhow::Result;
use serde_json::{Value, json};

use crate::authz::analysis::matrix::{Cell, Column, Conditional, Matrix, May, Row};
use crate::cli::output::{aligned, printable, to_line};

/// The matrix, with its notes.
pub(super) struct Rendered<'m> {
    matrix: &'m Matrix,
    notes: Vec<Note<'m>>,
}

/// What cells depend on.
#[derive(PartialEq, Eq)]
struct Note<'m> {
    permits: bool,
    left: &'m Conditional,
}

impl<'m> Rendered<'m> {
    pub(super) fn new(matrix: &'m Matrix) -> Self {
        let mut notes = Vec::new();
        for cell in matrix.rows.iter().flat_map(|row| &row.cells) {
            for note in notes_of(cell) {
                if !notes.contains(&note) {
                    notes.push(note);
                }
            }
        }
        notes.sort_by_key(|note| note.left);
        Self { matrix, notes }
    }

    /// For terminals.
    pub(super) fn table(&self) -> String {
        let mut lines = vec![self.header()];
        lines.extend(self.matrix.rows.iter().map(|row| self.cells(row)));
        let lines: Vec<Vec<String>> =
            lines.into_iter().map(|cells| cells.iter().map(|cell| printable(cell)).collect()).collect();
        let mut text = aligned(&lines);
        if !self.notes.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            text.push_str(&printable(&format!("{} {}", self.label(note), note.text(str::to_owned))));
            text.push('\n');
        }
        for other in self.others() {
            text.push_str(&format!("\n{}\n", printable(&other)));
        }
        text
    }

    /// For a file that is committed.
    pub(super) fn markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let header = self.header();
        let mut text = String::from(
            "# Who may do what\n\n\
             As the policies answer, for credentials that are not narrowed by scopes. Made by `gatepost policy matrix \
             --format markdown`;\n`gatepost policy matrix --check` tells what differs.\n\n",
        );
        text.push_str(&line(&header));
        text.push_str(&line(&header.iter().map(|_| "---".to_owned()).collect::<Vec<_>>()));
        for row in &self.matrix.rows {
            let cells: Vec<String> = self.cells(row).iter().map(|cell| cell.replace('|', "\\|")).collect();
            text.push_str(&line(&cells));
        }
        if !self.notes.is_empty() {
            text.push('\n');
        }
        for note in &self.notes {
            let said = note.text(|code| format!("`{}`", printable(code)));
            text.push_str(&format!("- {} {said}\n", self.label(note)));
        }
        self.others().for_each(|other| text.push_str(&format!("\n{other}\n")));
        text
    }

    /// For a browser: a page without anything from elsewhere.
    pub(super) fn html(&self) -> String {
        let row = |tag: &str, cells: &[String]| {
            let cells: String = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect();
            format!("<tr>{cells}</tr>\n")
        };
        let mut text = String::from(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Who may do what</title>\n\
             <style>body{font-family:sans-serif}table{border-collapse:collapse}th,td{border:1px solid #999;\
             padding:.3em .6em;text-align:left}</style>\n<h1>Who may do what</h1>\n\
             <p>As the policies answer, for credentials that are not narrowed by scopes.</p>\n<table>\n",
        );
        text.push_str(&format!("<thead>\n{}</thead>\n<tbody>\n", row("th", &self.header())));
        self.matrix.rows.iter().for_each(|line| text.push_str(&row("td", &self.cells(line))));
        text.push_str("</tbody>\n</table>\n<ul>\n");
        for note in &self.notes {
            // The text is escaped as a whole, so that what marks code stays.
            let marked = note.text(|code| format!("\u{1}{code}\u{2}"));
            let marked = escaped(&marked).replace('\u{1}', "<code>").replace('\u{2}', "</code>");
            text.push_str(&format!("<li>{} {marked}</li>\n", escaped(&self.label(note))));
        }
        text.push_str("</ul>\n");
        self.others().for_each(|other| text.push_str(&format!("<p>{}</p>\n", escaped(&other))));
        text
    }

    /// For programs.
    pub(super) fn json(&self) -> Result<String> {
        let left = |all: &[Conditional]| -> Vec<Value> {
            all.iter().map(|one| json!({ "policy": one.policy, "condition": one.condition })).collect()
        };
        let cell = |(column, cell): (Column, &Cell)| {
            json!({
                "column": column.title(),
                "may": match cell.may { May::Yes => "yes", May::No => "no", May::Depends => "depends" },
                "policies": cell.policies,
                "permits": left(&cell.permits),
                "forbids": left(&cell.forbids),
            })
        };
        let row = |row: &Row| {
            let cells: Vec<Value> = Column::ALL.into_iter().zip(&row.cells).map(cell).collect();
            json!({ "group": row.group, "action": row.action, "on": row.on, "cells": cells })
        };
        let rows: Vec<Value> = self.matrix.rows.iter().map(row).collect();
        Ok(to_line(&json!({ "rows": rows, "others": self.matrix.others }))? + "\n")
    }

    fn header(&self) -> Vec<String> {
        let columns = Column::ALL.into_iter().map(|column| column.title().to_owned());
        ["Group", "Action", "On"].map(str::to_owned).into_iter().chain(columns).collect()
    }

    fn cells(&self, row: &Row) -> Vec<String> {
        let cells = row.cells.iter().map(|cell| self.cell(cell));
        [row.group.clone(), row.action.clone(), row.on.join(", ")].into_iter().chain(cells).collect()
    }

    /// `yes`, `no`, or which policies it depends on.
    fn cell(&self, cell: &Cell) -> String {
        let labels = |permits: bool| {
            let labels = notes_of(cell).filter(|note| note.permits == permits).map(|note| self.label(&note));
            labels.collect::<Vec<_>>().join(" ")
        };
        match (cell.may, labels(true), labels(false)) {
            (May::Yes, _, _) => "yes".to_owned(),
            (May::No, _, _) => "no".to_owned(),
            (May::Depends, permits, forbids) if permits.is_empty() => format!("yes, unless {forbids}"),
            (May::Depends, permits, forbids) if forbids.is_empty() => format!("if {permits}"),
            (May::Depends, permits, forbids) => format!("if {permits}, unless {forbids}"),
        }
    }

    /// The policy, with a number if cells leave several conditions of it.
    fn label(&self, note: &Note<'_>) -> String {
        let policy = &note.left.policy;
        let mut same = self.notes.iter().filter(|known| known.left.policy == *policy);
        match (same.clone().count(), same.position(|known| known == note)) {
            (2.., Some(at)) => format!("[{policy}#{}]", at.saturating_add(1)),
            _ => format!("[{policy}]"),
        }
    }

    fn others(&self) -> impl Iterator<Item = String> {
        let others = &self.matrix.others;
        let text = format!("Not shown, as they are about nothing that Gatepost owns: {}.", others.join(", "));
        (!others.is_empty()).then_some(text).into_iter()
    }
}

impl Note<'_> {
    fn text(&self, code: impl Fn(&str) -> String) -> String {
        let does = if self.permits { "permits" } else { "forbids" };
        format!("{does} if {}", code(&self.left.condition))
    }
}

fn notes_of(cell: &Cell) -> impl Iterator<Item = Note<'_>> {
    let permits = cell.permits.iter().map(|left| Note { permits: true, left });
    permits.chain(cell.forbids.iter().map(|left| Note { permits: false, left }))
}

/// The text within HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
