//! From the texts of schemas to one schema, and whether it fits what Gatepost itself builds.

use std::ops::Range;

use cedar_policy::{CedarSchemaError, Entities, Entity, EntityTypeName, Schema, SchemaFragment};
use miette::Diagnostic;

use super::depth;
use super::files::{Files, SourceFile};
use super::policies::diagnosed;
use crate::authz::problem::Problem;

/// The schema of all files together.
pub(super) fn parse(files: &Files, problems: &mut Vec<Problem>) -> Option<Schema> {
    let before = problems.len();
    let mut fragments = Vec::new();
    for file in &files.cedar {
        if let Err(problem) = depth::check(file) {
            problems.push(problem);
            continue;
        }
        match SchemaFragment::from_cedarschema_str(&file.text) {
            Ok((fragment, warnings)) => {
                fragments.push(fragment);
                problems.extend(warnings.map(|warning| diagnosed(file, &warning, 0..0)));
            }
            Err(error) => problems.extend(in_file(&error).map(|error| diagnosed(file, error, 0..0))),
        }
    }
    if problems.len() > before {
        return None;
    }
    let schema = match Schema::from_schema_fragments(fragments) {
        Ok(schema) => schema,
        Err(error) => {
            problems.push(match (file_of(&files.cedar, &error), files.cedar.as_slice()) {
                (Some(file), _) => diagnosed(file, &error, 0..0),
                (None, [file]) => with_help(Problem::with(&file.name, &error), &error),
                (None, _) => with_help(Problem::with(&files.folder, &error), &error),
            });
            return None;
        }
    };
    if !schema.is_complete() {
        problems
            .push(Problem::with(&files.folder, "the schema refers to external types or actions that nothing defines"));
        return None;
    }
    Some(schema)
}

/// The file that the error marks, as the marked text tells; nothing if it stands in several at that place.
fn file_of<'a>(files: &'a [SourceFile], error: &dyn Diagnostic) -> Option<&'a SourceFile> {
    let label = error.labels()?.next()?;
    let marked = error.source_code()?.read_span(label.inner(), 0, 0).ok()?;
    let span = label.offset()..label.offset() + label.len();
    let mut fitting = files.iter().filter(|file| file.text.as_bytes().get(span.clone()) == Some(marked.data()));
    fitting.next().filter(|_| fitting.next().is_none())
}

/// A parse error carries the further ones as related.
fn in_file(error: &CedarSchemaError) -> impl Iterator<Item = &dyn Diagnostic> {
    std::iter::once(error as &dyn Diagnostic).chain(error.related().into_iter().flatten())
}

fn with_help(problem: Problem, error: &dyn Diagnostic) -> Problem {
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

/// Holds samples of the entities that Gatepost builds against what the schema says of their types, where it has them.
pub(super) fn check_built_entities(files: &Files, schema: &Schema, built: &[Entity], problems: &mut Vec<Problem>) {
    for entity in built {
        let uid = entity.uid();
        if !schema.entity_types().any(|known| known == uid.type_name()) {
            continue;
        }
        if let Err(error) = Entities::from_entities([entity.clone()], Some(schema)) {
            let message = format!("the schema's `{}` is not what Gatepost knows of it: {error}", uid.type_name());
            let help = "policies may be given more types, but these are built by the program: leave them as they are";
            let place = files.cedar.iter().find_map(|file| {
                let at = declaration(&file.text, uid.type_name())?;
                Some(Problem::at(&file.name, &file.text, at, &message))
            });
            problems.push(place.unwrap_or_else(|| Problem::with(&files.folder, &message)).help(help));
        }
    }
}

/// The line that begins with `entity <name>`.
fn declaration(text: &str, name: &EntityTypeName) -> Option<Range<usize>> {
    let name = name.to_string();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let declared = line.trim_start().strip_prefix("entity ").unwrap_or_default().trim_start();
        let word = declared.split(|c: char| !c.is_alphanumeric() && !"_:".contains(c)).next();
        if word == Some(name.as_str()) {
            return Some(at..at + line.trim_end().len());
        }
        at += line.len();
    }
    None
}
