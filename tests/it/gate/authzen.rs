//! AuthZEN's Authorization API 1.0 over the decision listener: the certification scenario of its working group, what the
//! store and files know, and what must not be believed.

mod attacks;
mod callers;
mod certification;
mod registered;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Reply, World, send};

const EVALUATION: &str = "/access/v1/evaluation";
const EVALUATIONS: &str = "/access/v1/evaluations";
const SEARCH_SUBJECT: &str = "/access/v1/search/subject";
const SEARCH_RESOURCE: &str = "/access/v1/search/resource";
const SEARCH_ACTION: &str = "/access/v1/search/action";

/// Folders with the shipped policies and schema, and the fixture of the certification beside them.
pub struct Folders(TempDir);

impl Folders {
    pub fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let folders = Self(tempfile::tempdir().unwrap());
        for from in [root.to_owned(), root.join("tests/cases/authzen")] {
            for name in ["policies", "schema", "schema/entities"] {
                let (from, to) = (from.join(name), folders.path(name));
                fs::create_dir_all(&to).unwrap();
                let Ok(entries) = fs::read_dir(from) else { continue };
                for path in entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
                    fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
                }
            }
        }
        folders
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(self, name: &str, text: &str) -> Self {
        fs::write(self.path(name), text).unwrap();
        self
    }

    pub fn world(&self, settings: &[(&'static str, &str)]) -> World {
        let (policies, schema) = (self.path("policies"), self.path("schema"));
        let mut all =
            vec![("policy.policies", policies.to_str().unwrap()), ("policy.schema", schema.to_str().unwrap())];
        all.extend(settings);
        World::without_passwords(&all)
    }
}

/// A world with the fixture, for all tests that change nothing.
fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(|| Folders::new().world(&[]));
    &WORLD
}

/// Posts JSON.
fn ask(world: &World, path: &str, body: &Value) -> Reply {
    post(world, path, &[("Content-Type", "application/json")], &body.to_string())
}

fn post(world: &World, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
    send(world.decision, "POST", path, headers, body)
}

/// The answer without what may be said beside it.
fn plain(mut answer: Value) -> Value {
    if let Some(fields) = answer.as_object_mut() {
        fields.remove("context");
    }
    for item in answer.get_mut("evaluations").and_then(Value::as_array_mut).into_iter().flatten() {
        item.as_object_mut().unwrap().remove("context");
    }
    answer
}

/// The decision, which must be one.
fn decision(world: &World, body: &Value) -> bool {
    let reply = ask(world, EVALUATION, body);
    assert_eq!(reply.status, 200, "{body}: {}", reply.body);
    reply.json()["decision"].as_bool().unwrap()
}

/// The identifiers that a search finds, all pages together.
fn found(world: &World, path: &str, body: &Value) -> Vec<String> {
    let (mut body, mut all) = (body.clone(), Vec::new());
    loop {
        let reply = ask(world, path, &body);
        assert_eq!(reply.status, 200, "{body}: {}", reply.body);
        let answer = reply.json();
        let name = if path == SEARCH_ACTION { "name" } else { "id" };
        all.extend(answer["results"].as_array().unwrap().iter().map(|found| found[name].as_str().unwrap().to_owned()));
        match answer["page"]["next_token"].as_str() {
            None | Some("") => return all,
            Some(token) => body["page"]["token"] = token.into(),
        }
    }
}
