//! A warm decision against Cedar's own evaluator, in interleaved rounds, so that what slows the machine down slows both.
//!
//! Gatepost goes the whole way, from a proxy's headers to the response. Cedar gets the same request, the same entities
//! and the whole policy set, through its public interface: once with request and entities made ahead of time, which no
//! server can do, and once making both for each decision, from values that are there already.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityUid, Request, Response,
    RestrictedExpression as Value,
};
use gatepost::authz::generation::Generation;

use crate::asked::{ACTION, Asked};
use crate::world::{Caches, Log, World};

const ROUNDS: usize = 101;

/// Makes sure that both sides give the same answer; then compares, and prints a table and a line of JSON.
#[expect(clippy::print_stdout, reason = "a bench prints its figures")]
pub(crate) fn compare(world: &World, is_measuring: bool) -> Result<()> {
    let opened = world.open(Log::Off, Caches::On)?;
    let ask = world.allowed()?;
    ask.warm(&opened)?;
    let cedar = Cedar::new(world, &opened)?;
    if !is_measuring {
        return Ok(());
    }
    let [mut gatepost, mut evaluation, mut whole] = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        gatepost.push(nanos_each(4_000, || drop(black_box(black_box(&ask).now(&opened)))));
        evaluation.push(nanos_each(400, || drop(black_box(black_box(&cedar).evaluate()))));
        whole.push(nanos_each(200, || drop(black_box(black_box(&cedar).ask()))));
    }
    ask.warm(&opened)?;

    let against = |other: &[f64]| sorted(other.iter().zip(&gatepost).map(|(other, own)| other / own).collect());
    let (to_evaluation, to_whole) = (against(&evaluation), against(&whole));
    let [gatepost, evaluation, whole] = [gatepost, evaluation, whole].map(sorted);
    println!("\n{:<44} {:>10} {:>22}", "one decision, warm", "median ns", "times Gatepost's");
    println!("{:<44} {:>10.0}", "Gatepost: from headers to response", at(&gatepost, 50));
    for (name, nanos, ratio) in [
        ("Cedar: evaluation alone", &evaluation, &to_evaluation),
        ("Cedar: request and entities made as well", &whole, &to_whole),
    ] {
        let (low, median, high) = (at(ratio, 25), at(ratio, 50), at(ratio, 75));
        println!("{name:<44} {:>10.0} {median:>8.1} ({low:.1} to {high:.1})", at(nanos, 50));
    }
    let line = serde_json::json!({
        "bench": "decision/against-cedar", "rounds": ROUNDS, "gatepost_ns": at(&gatepost, 50),
        "cedar_evaluation_ns": at(&evaluation, 50), "cedar_whole_ns": at(&whole, 50),
        "ratio_evaluation": at(&to_evaluation, 50), "ratio_whole": at(&to_whole, 50),
    });
    println!("{line}");
    Ok(())
}

fn nanos_each(times: u32, mut what: impl FnMut()) -> f64 {
    let began = Instant::now();
    for _ in 0..times {
        what();
    }
    began.elapsed().as_secs_f64() * 1e9 / f64::from(times)
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_unstable_by(f64::total_cmp);
    values
}

/// The value below which so many hundredths of them are.
fn at(sorted: &[f64], hundredths: usize) -> f64 {
    sorted.get(sorted.len() * hundredths / 100).copied().unwrap_or(f64::NAN)
}

/// What Cedar needs to answer the question itself.
struct Cedar {
    generation: Arc<Generation>,
    principal: EntityUid,
    action: EntityUid,
    resource: EntityUid,
    credential_id: String,
    target: String,
    slice: Vec<Entity>,
    request: Request,
    entities: Entities,
}

impl Cedar {
    fn new(world: &World, opened: &crate::world::Opened) -> Result<Self> {
        let asked = Asked::by_operator(world, opened)?;
        let engine = &opened.app.engine;
        let generation = Arc::clone(&engine.generation());
        let question = asked.question();
        let json = engine.entities_json(&*opened.app.store, &question.subject, question.resource)?;
        let mut slice = Vec::new();
        for entity in json.as_array().context("expected a list of entities")? {
            slice.push(Entity::from_json_value(entity.clone(), None)?);
        }
        let (_, action) = generation.action_by_name(ACTION).context("the action was to be there")?;
        slice.extend(action.entities().iter().cloned());
        let uid = |entity_type: &str, id: String| {
            anyhow::Ok(EntityUid::from_type_name_and_id(entity_type.parse()?, EntityId::new(id)))
        };
        let (principal, resource) = (uid("User", asked.user().to_string())?, world.application.to_string());
        let (resource, action) = (uid("Application", resource)?, action.uid().clone());
        let (credential_id, target) = (asked.credential_id().to_owned(), world.restart_target());
        let context = context(&credential_id, &target)?;
        let schema = generation.schema();
        let request = Request::new(principal.clone(), action.clone(), resource.clone(), context, Some(schema))?;
        let entities = Entities::from_entities(slice.iter().cloned(), None)?;
        let cedar = Self { generation, principal, action, resource, credential_id, target, slice, request, entities };
        for response in [cedar.evaluate(), cedar.ask()?] {
            let determining: Vec<String> = response.diagnostics().reason().map(ToString::to_string).collect();
            let is_right = response.decision() == Decision::Allow && determining == ["operator"];
            ensure!(is_right, "expected `operator` to allow it, got {determining:?}");
        }
        Ok(cedar)
    }

    fn evaluate(&self) -> Response {
        Authorizer::new().is_authorized(&self.request, self.generation.policies(), &self.entities)
    }

    fn ask(&self) -> Result<Response> {
        let (principal, action, resource) = (self.principal.clone(), self.action.clone(), self.resource.clone());
        let context = context(&self.credential_id, &self.target)?;
        let request = Request::new(principal, action, resource, context, Some(self.generation.schema()))?;
        let entities = Entities::from_entities(self.slice.iter().cloned(), None)?;
        Ok(Authorizer::new().is_authorized(&request, self.generation.policies(), &entities))
    }
}

/// As Gatepost makes it for the same request.
fn context(credential_id: &str, target: &str) -> Result<Context> {
    let text = |text: &str| Value::new_string(text.to_owned());
    let credential = Value::new_record([
        ("kind".to_owned(), text("api_key")),
        ("id".to_owned(), text(credential_id)),
        ("mfa".to_owned(), Value::new_bool(false)),
        ("scopes".to_owned(), Value::new_set([])),
        ("read_only".to_owned(), Value::new_bool(false)),
        ("age_seconds".to_owned(), Value::new_long(1)),
    ])?;
    Ok(Context::from_pairs([
        ("method".to_owned(), text("POST")),
        ("host".to_owned(), text("app.example.com")),
        ("path".to_owned(), text(target)),
        ("credential".to_owned(), credential),
        ("client".to_owned(), Value::new_ip("192.0.2.1")),
    ])?)
}
