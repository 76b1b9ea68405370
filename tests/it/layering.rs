//! Holds the imports of `src/` against the layers: a module may use modules of the layers above its own and nothing
//! else. One crate gives no compiler check for this.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The layers, leaves first. Within a layer nobody uses a neighbour.
const LAYERS: &[&[&str]] = &[
    &["model", "secret", "clock"],
    &["config", "telemetry", "http", "cache", "store", "mail"],
    &["audit"],
    &["authn", "authz"],
    &["accounts"],
    &["gate", "api", "portal"],
    &["app"],
    &["cli"],
];

/// Inside the first layer: identifiers and records hold secrets, the clock gives times.
const WITHIN: &[(&str, &str)] = &[("model", "secret"), ("clock", "model")];

/// Surfaces go through `accounts`, so that no write can skip authorization, audit or invalidation.
const FORBIDDEN: &[(&str, &str)] = &[("gate", "store"), ("api", "store"), ("portal", "store")];

#[test]
fn modules_use_only_layers_above_their_own() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut violations = Vec::new();
    let mut seen = BTreeSet::new();
    for file in rust_files(&source) {
        let room = room(&source, &file);
        if room == "lib" || room == "main" {
            continue;
        }
        let own = layer(&room).unwrap_or_else(|| panic!("the room `{room}` is in no layer"));
        seen.insert(room.clone());
        for used in used_rooms(&fs::read_to_string(&file).unwrap()) {
            if used == room {
                continue;
            }
            let theirs = layer(&used).unwrap_or_else(|| panic!("{}: `crate::{used}` is in no layer", file.display()));
            let within = WITHIN.contains(&(room.as_str(), used.as_str()));
            let forbidden = FORBIDDEN.contains(&(room.as_str(), used.as_str()));
            if forbidden || (theirs >= own && !within) {
                violations.push(format!("{}: `{room}` uses `{used}`", file.display()));
            }
        }
    }
    assert!(violations.is_empty(), "\n{}", violations.join("\n"));
    assert!(seen.len() >= 13, "only {seen:?} were looked at");
}

#[test]
fn files_are_short_enough_to_read() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for file in rust_files(&source) {
        if file.ends_with("tests.rs") || file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = fs::read_to_string(&file).unwrap();
        let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).count();
        assert!(lines <= 400, "{} has {lines} lines without its tests", file.display());
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn room(source: &Path, file: &Path) -> String {
    let first = file.strip_prefix(source).unwrap().components().next().unwrap();
    first.as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn layer(room: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&room))
}

/// The first segments of all paths that begin with `crate::`, in braces too.
fn used_rooms(text: &str) -> BTreeSet<String> {
    let identifier = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut rooms = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                let list = &list[..list.find('}').unwrap()];
                rooms.extend(list.split(',').map(|item| identifier(item.trim())).filter(|room| !room.is_empty()));
            }
            None => drop(rooms.insert(identifier(rest))),
        }
    }
    rooms
}
