//! How results are printed: as tables for people, and as JSON for programs.

mod json;
mod table;

use std::io::{self, Write as _};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use serde::{Serialize, Serializer};

pub(super) use self::json::to_line;
pub(super) use self::table::{aligned, members, printable};
use crate::secret::Secret;

/// The form of what is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    #[default]
    #[value(alias = "text")]
    Table,
    Json,
    /// JSON in the form that code hosts take findings in, for `gatepost policy check` only.
    #[value(hide = true)]
    Sarif,
}

/// Something that is printed: the members of its JSON object that people see, in their order.
pub(super) trait Shown: Serialize {
    /// Names of members.
    const COLUMNS: &'static [&'static str];
}

/// Standard output.
#[derive(Clone, Copy)]
pub(super) struct Output {
    format: Format,
}

impl Output {
    pub(super) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// The form that is asked for.
    pub(super) const fn format(self) -> Format {
        self.format
    }

    /// Prints a list: a table with a header, or an array.
    pub(super) fn list<T: Shown>(self, rows: &[T]) -> Result<()> {
        match self.format {
            Format::Json | Format::Sarif => self.json(rows),
            Format::Table => self.text(&table::rows(T::COLUMNS, rows)?),
        }
    }

    /// Prints one thing: a line for each member, or an object.
    pub(super) fn one<T: Shown>(self, thing: &T) -> Result<()> {
        match self.format {
            Format::Json | Format::Sarif => self.json(thing),
            Format::Table => self.text(&table::members(T::COLUMNS, thing)?),
        }
    }

    /// Prints what was done: a sentence, or an object.
    pub(super) fn done(self, document: &impl Serialize, sentence: &str) -> Result<()> {
        match self.format {
            Format::Json | Format::Sarif => self.json(document),
            Format::Table => self.text(&format!("{}\n", printable(sentence))),
        }
    }

    /// Prints whichever of both is asked for.
    pub(super) fn either(
        self,
        document: &(impl Serialize + ?Sized),
        text: impl FnOnce() -> Result<String>,
    ) -> Result<()> {
        match self.format {
            Format::Json | Format::Sarif => self.json(document),
            Format::Table => self.text(&text()?),
        }
    }

    /// Prints a document, whatever form is asked for.
    pub(super) fn json(self, document: &(impl Serialize + ?Sized)) -> Result<()> {
        let mut line = to_line(document)?;
        line.push('\n');
        self.text(&line)
    }

    /// Prints a text as it is, whatever form is asked for.
    pub(super) fn text(self, text: &str) -> Result<()> {
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()).context("cannot write to standard output")
    }
}

/// Serializes a secret: for the documents that a secret is sent or kept in, and the few that show one.
pub(super) fn expose<S: Serializer>(secret: &Secret, serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
