//! From the texts of entities to those of one generation, held against the schema.

use std::collections::HashMap;

use cedar_policy::{Entity, EntityUid, Schema};
use cedar_policy_core::ast::{Entity as CoreEntity, EntityUID};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::extensions::Extensions;
use cedar_policy_core::jsonvalue::JsonValueWithNoDuplicateKeys;
use serde_json::Value;

use super::files::{Files, SourceFile};
use crate::authz::entities::own_types;
use crate::authz::filed::Filed;
use crate::authz::problem::{Problem, with_causes};

/// The entities of all files together. They are to be used only if no problem was found.
pub(super) fn parse(files: &Files, schema: &Schema, problems: &mut Vec<Problem>) -> Filed {
    let mut reader = Reader { schema, places: HashMap::new(), entities: Vec::new(), problems };
    files.entities.iter().flatten().for_each(|file| reader.file(file));
    reader.check_parents();
    let Reader { entities, problems, .. } = reader;
    let (closed, none) = (TCComputation::ComputeNow, None::<&NoEntitiesSchema>);
    match Entities::from_entities(entities, none, closed, Extensions::all_available()) {
        Ok(entities) => Filed::new(entities),
        Err(error) => {
            problems.push(Problem::with(&format!("{}/entities", files.folder), with_causes(&error)));
            Filed::default()
        }
    }
}

struct Reader<'a, 'p> {
    schema: &'a Schema,
    /// The file that has the entity.
    places: HashMap<EntityUID, &'a SourceFile>,
    entities: Vec<CoreEntity>,
    problems: &'p mut Vec<Problem>,
}

impl<'a> Reader<'a, '_> {
    fn file(&mut self, file: &'a SourceFile) {
        // A key that stands twice in an object would count once, and it is not certain which.
        let items: Vec<JsonValueWithNoDuplicateKeys> = match serde_json::from_str(&file.text) {
            Ok(items) => items,
            Err(error) => {
                let text = error.to_string();
                let message = text.rsplit_once(" at line ").map_or(text.as_str(), |(message, _)| message);
                let at = offset(&file.text, error.line(), error.column());
                let problem =
                    Problem::at(&file.name, &file.text, at..at, format_args!("no list of entities: {message}"));
                self.problems.push(problem);
                return;
            }
        };
        for item in items {
            self.entity(file, (*item).clone());
        }
    }

    fn entity(&mut self, file: &'a SourceFile, item: Value) {
        // Where it stands, as far as that can be told.
        let id = item.pointer("/uid/id").or_else(|| item.pointer("/uid/__entity/id")).and_then(Value::as_str);
        let place = id.map(|id| Value::from(id).to_string());
        let entity = match Entity::from_json_value(item, Some(self.schema)) {
            Ok(entity) => entity,
            Err(error) => {
                self.problems.push(located(file, place.as_deref(), with_causes(&error)));
                return;
            }
        };
        let uid = entity.uid();
        let (core, named): (&CoreEntity, &EntityUID) = (entity.as_ref(), uid.as_ref());
        let is_own = own_types().map_or(true, |own| own.include(named.entity_type()));
        if is_own || named.is_action() {
            let (message, help) = if named.is_action() {
                (format!("`{uid}` is an action"), "actions and their groups stand in the schema")
            } else {
                (format!("`{uid}` is of a type that Gatepost owns"), "what there is of these types stands in the store")
            };
            self.problems.push(located(file, place.as_deref(), message).help(help));
        } else if let Some(first) = self.places.get(named) {
            let problem = located(file, place.as_deref(), format_args!("`{uid}` is told a second time"));
            self.problems.push(problem.help(format_args!("the first time is in {}", first.name)));
        } else {
            self.places.insert(named.clone(), file);
            self.entities.push(core.clone());
        }
    }

    /// What an entity is in must be known for good: then all that it is in follows from the files.
    // INVARIANT: of the types that Gatepost owns, teams and organizations are in nothing.
    fn check_parents(&mut self) {
        let Ok(own) = own_types() else { return };
        for entity in &self.entities {
            for parent in entity.parents().filter(|parent| !self.places.contains_key(*parent)) {
                if [&own.team, &own.organization].contains(&parent.entity_type()) {
                    continue;
                }
                let (uid, parent_uid) = (EntityUid::from(entity.uid().clone()), EntityUid::from(parent.clone()));
                let message = format!("`{uid}` is in `{parent_uid}`, which is in no file");
                let help = if own.include(parent.entity_type()) {
                    "of what the store knows, an entity of a file can be in teams and organizations only"
                } else {
                    "add that entity as well"
                };
                let place = Value::from(parent_uid.id().unescaped()).to_string();
                if let Some(file) = self.places.get(entity.uid()) {
                    self.problems.push(located(file, Some(&place), message).help(help));
                }
            }
        }
    }
}

/// A problem at the first place where `text` stands in the file.
fn located(file: &SourceFile, text: Option<&str>, message: impl std::fmt::Display) -> Problem {
    match text.and_then(|text| Some((file.text.find(text)?, text.len()))) {
        Some((at, len)) => Problem::at(&file.name, &file.text, at..at + len, message),
        None => Problem::with(&file.name, message),
    }
}

/// The byte at a line and a column, both counted from 1.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    before + column.saturating_sub(1)
}
