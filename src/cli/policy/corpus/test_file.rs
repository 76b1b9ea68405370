//! The files of a test, in the format of Cedar's integration tests.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, anyhow};
use cedar_policy::{Context, Decision, Entities, EntityUid, PolicySet, Request, Schema, ValidationMode, Validator};
use serde::Deserialize;
use serde_json::Value;

use super::report::Answer;

/// A test. The paths in it start in the corpus's folder.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TestFile {
    policies: String,
    policy_format: Option<Format>,
    entities: String,
    schema: String,
    schema_format: Option<Format>,
    pub(super) should_validate: bool,
    #[serde(alias = "queries")]
    pub(super) requests: Vec<TestRequest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Cedar,
    Json,
}

/// A request, and what it must be answered.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TestRequest {
    pub(super) description: String,
    principal: Value,
    action: Value,
    resource: Value,
    context: Value,
    #[serde(default = "yes")]
    validate_request: bool,
    decision: Expected,
    #[serde(alias = "reasons")]
    reason: Vec<String>,
    errors: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Expected {
    #[serde(alias = "Allow")]
    Allow,
    #[serde(alias = "Deny")]
    Deny,
}

const fn yes() -> bool {
    true
}

impl TestFile {
    /// Reads the file; nothing if it is JSON of another kind, such as entities.
    pub(super) fn read(file: &Path) -> Result<Option<Self>> {
        let text = fs::read_to_string(file).context("cannot read the file")?;
        let value: Value = serde_json::from_str(&text).context("not JSON")?;
        if ["requests", "queries"].iter().all(|name| value.get(name).is_none()) {
            return Ok(None);
        }
        serde_path_to_error::deserialize(value).map(Some).context("not a test")
    }
}

impl TestRequest {
    pub(super) fn answer(&self) -> Answer {
        let decision = match self.decision {
            Expected::Allow => Decision::Allow,
            Expected::Deny => Decision::Deny,
        };
        let (reason, errors) = (self.reason.clone(), self.errors.clone());
        let mut answer = Answer { decision, reason, errors, messages: Vec::new() };
        answer.sort();
        answer
    }
}

/// What a test is about.
pub(super) struct Test {
    pub(super) policies: PolicySet,
    pub(super) schema: Schema,
    pub(super) entities: Entities,
}

impl Test {
    pub(super) fn load(folder: &Path, file: &TestFile) -> Result<Self> {
        let read = |path: &str| -> Result<String> {
            let found = find(folder, path).with_context(|| format!("there is no file `{path}`"))?;
            fs::read_to_string(found).with_context(|| format!("cannot read `{path}`"))
        };
        let text = read(&file.policies)?;
        let policies = match format(file.policy_format, &file.policies) {
            Format::Cedar => text.parse::<PolicySet>().map_err(anyhow::Error::from),
            Format::Json => PolicySet::from_json_str(&text).map_err(anyhow::Error::from),
        };
        let policies = policies.with_context(|| format!("`{}` has no policies", file.policies))?;
        let text = read(&file.schema)?;
        let schema = match format(file.schema_format, &file.schema) {
            Format::Cedar => Schema::from_cedarschema_str(&text).map(|(schema, _)| schema).map_err(anyhow::Error::from),
            Format::Json => Schema::from_json_str(&text).map_err(anyhow::Error::from),
        };
        let schema = schema.with_context(|| format!("`{}` is no schema", file.schema))?;
        let entities = Entities::from_json_str(&read(&file.entities)?, Some(&schema));
        let entities = entities.with_context(|| format!("`{}` has no entities of the schema", file.entities))?;
        Ok(Self { policies, schema, entities })
    }

    /// Whether the policies fit the schema.
    pub(super) fn validates(&self) -> bool {
        Validator::new(self.schema.clone()).validate(&self.policies, ValidationMode::Strict).validation_passed()
    }

    pub(super) fn request(&self, request: &TestRequest) -> Result<Request> {
        let uid = |what: &str, json: &Value| {
            EntityUid::from_json(json.clone()).map_err(|error| anyhow!("the {what} cannot be read: {error}"))
        };
        let (principal, action) = (uid("principal", &request.principal)?, uid("action", &request.action)?);
        let resource = uid("resource", &request.resource)?;
        // An action that the schema does not have says nothing about a context.
        let is_known = self.schema.actions().any(|known| *known == action);
        let schema = is_known.then_some((&self.schema, &action));
        let context =
            Context::from_json_value(request.context.clone(), schema).context("the context cannot be read")?;
        let schema = request.validate_request.then_some(&self.schema);
        Request::new(principal, action, resource, context, schema).context("the request does not fit the schema")
    }
}

/// The format that is told, or else that of the name.
fn format(told: Option<Format>, path: &str) -> Format {
    told.unwrap_or(if path.ends_with(".json") { Format::Json } else { Format::Cedar })
}

/// The file in the folder, or else in the nearest of those that the folder is in.
fn find(folder: &Path, path: &str) -> Option<PathBuf> {
    let folder = folder.canonicalize().ok()?;
    folder.ancestors().map(|folder| folder.join(path)).find(|file| file.is_file())
}
