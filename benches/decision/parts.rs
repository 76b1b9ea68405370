//! The parts that a decision is made of, and what a miss or a change adds.

use std::hint::black_box;

use anyhow::{Result, ensure};
use criterion::Criterion;
use gatepost::accounts::Actor;
use gatepost::authn::Candidate;
use gatepost::authz::Question;
use gatepost::gate::dialect::Dialect;
use gatepost::gate::presented;
use gatepost::http::path::CanonicalPath;
use gatepost::model::{DecisionId, Role};
use gatepost::secret::Digest;

use crate::asked::{ACTION, Asked};
use crate::world::{Caches, Log, Opened, World};

pub(crate) fn bench(criterion: &mut Criterion, world: &World) -> Result<()> {
    let opened = world.open(Log::Off, Caches::On)?;
    reading(criterion, world)?;
    looking_up(criterion, world, &opened)?;
    evaluating(criterion, world)?;
    asking_the_store(criterion, world, &opened)
}

/// From headers to what is looked up.
fn reading(criterion: &mut Criterion, world: &World) -> Result<()> {
    let mut group = criterion.benchmark_group("read");
    let ask = world.allowed()?;
    group.bench_function("dialect: method, host, path, client", |bencher| {
        bencher.iter(|| Dialect::Nginx.read(black_box(&ask.headers)))
    });
    group.bench_function("which credential", |bencher| bencher.iter(|| presented::read(black_box(&ask.headers))));
    let plain = world.restart_target();
    let encoded = plain.replace("restart", "re%73tart%20now");
    for (name, target) in [("canonical path, plain", plain), ("canonical path, encoded", encoded)] {
        ensure!(CanonicalPath::parse(target.as_bytes()).is_ok(), "`{target}` was to be a good path");
        group.bench_function(name, |bencher| bencher.iter(|| CanonicalPath::parse(black_box(&target).as_bytes())));
    }
    for (name, credential) in [("API key", &world.api_key), ("session token", &world.session)] {
        let digest =
            |bencher: &mut criterion::Bencher<'_>| bencher.iter(|| Digest::of(black_box(credential).as_bytes()));
        group.bench_function(format!("SHA-256 of {name}"), digest);
    }
    group.bench_function("API key: form, checksum, SHA-256", |bencher| {
        bencher.iter(|| Candidate::read(black_box(&world.api_key)))
    });
    group.finish();
    Ok(())
}

/// What a warm decision looks up, and what its response and its log record are named by.
fn looking_up(criterion: &mut Criterion, world: &World, opened: &Opened) -> Result<()> {
    let mut group = criterion.benchmark_group("look up");
    let app = &opened.app;
    group.bench_function("clock", |bencher| bencher.iter(|| app.clock.now()));
    let now = app.clock.now();
    group.bench_function("decision's identifier, as text", |bencher| {
        bencher.iter(|| DecisionId::generate(black_box(now)).to_string())
    });
    for (name, credential) in [("API key", &world.api_key), ("session token", &world.session)] {
        let candidate = Candidate::read(credential)?;
        app.verifier.verify(candidate, now)?;
        group.bench_function(format!("verified {name}"), |bencher| {
            bencher.iter(|| app.verifier.cached(black_box(candidate), now))
        });
    }
    let (generation, target) = (app.engine.generation(), world.restart_target());
    let path = CanonicalPath::parse(target.as_bytes())?;
    group.bench_function("route", |bencher| {
        bencher.iter(|| {
            let found = generation.routes().find(black_box("app.example.com"), black_box("POST"), black_box(&path));
            found.map(|found| found.route.action_index)
        })
    });
    let asked = Asked::by_operator(world, opened)?;
    let question = asked.question();
    app.engine.decide(&generation, &question)?;
    group.bench_function("decision, worked out ahead", |bencher| {
        bencher.iter(|| app.engine.cached(&generation, black_box(&question)))
    });
    let remembering = world.open(Log::Off, Caches::Remembered)?;
    let asked = Asked::by_operator(world, &remembering)?;
    let (question, engine) = (asked.question(), &remembering.app.engine);
    let generation = engine.generation();
    engine.decide(&generation, &question)?;
    ensure!(engine.cached(&generation, &question).is_some(), "the decision was to be remembered");
    group.bench_function("decision, remembered", |bencher| {
        bencher.iter(|| engine.cached(&generation, black_box(&question)))
    });
    group.finish();
    Ok(())
}

/// What is done when a decision or a credential is not remembered.
fn evaluating(criterion: &mut Criterion, world: &World) -> Result<()> {
    let mut group = criterion.benchmark_group("evaluate");
    let opened = world.open(Log::Off, Caches::Evaluated)?;
    let asked = Asked::by_operator(world, &opened)?;
    let (question, generation) = (asked.question(), opened.app.engine.generation());
    let engine = &opened.app.engine;
    group.bench_function("Cedar, facts remembered", |bencher| {
        bencher.iter(|| engine.decide(&generation, black_box(&question)))
    });
    group.bench_function("Cedar, facts from the store", |bencher| {
        bencher.iter(|| {
            let Question { subject, resource, circumstances, .. } = black_box(&question);
            engine.decide_in(&*opened.app.store, subject, ACTION, resource, circumstances).is_ok()
        })
    });
    let cold = world.open(Log::Off, Caches::Off)?;
    for (name, credential) in [("session token: Ed25519, user", &world.session), ("API key: key, user", &world.api_key)]
    {
        let (candidate, now) = (Candidate::read(credential)?, cold.app.clock.now());
        ensure!(cold.app.verifier.verify(candidate, now).is_ok(), "the credential was to be good");
        group.bench_function(name, |bencher| bencher.iter(|| cold.app.verifier.verify(black_box(candidate), now)));
    }
    group.finish();
    Ok(())
}

/// What the store costs, its data in the page cache.
fn asking_the_store(criterion: &mut Criterion, world: &World, opened: &Opened) -> Result<()> {
    let mut group = criterion.benchmark_group("store");
    let (app, operator) = (&opened.app, Asked::by_operator(world, opened)?.user());
    let digest = Digest::of(world.api_key.as_bytes());
    ensure!(app.store.credential_by_digest(&digest)?.is_some(), "the key was to be there");
    group.bench_function("read an API key and whose it is", |bencher| {
        bencher.iter(|| app.store.credential_by_digest(black_box(&digest)))
    });
    let (application, device) = (world.application, world.device);
    ensure!(app.store.device_standing(device, Some(operator))?.is_some(), "the device was to be there");
    group.bench_function("read a user's standing towards an application", |bencher| {
        bencher.iter(|| app.store.application_standing(black_box(application), Some(operator)))
    });
    group.bench_function("read a user's standing towards a device", |bencher| {
        bencher.iter(|| app.store.device_standing(black_box(device), Some(operator)))
    });
    group.bench_function("read a role", |bencher| bencher.iter(|| app.store.role(world.application, operator)));
    let end = app.store.position()?;
    group.bench_function("look for changes", |bencher| bencher.iter(|| app.store.changes_since(black_box(end))));
    group.bench_function("commit a role, durably", |bencher| {
        bencher.iter(|| {
            let mut transaction = app.store.begin()?;
            transaction.set_role(world.application, operator, Role::Operator)?;
            transaction.commit()
        })
    });
    group.bench_function("set a role: authorize, record, commit, invalidate", |bencher| {
        bencher.iter(|| app.accounts.set_role(&Actor::console(), world.application, operator, Role::Operator))
    });
    group.finish();
    Ok(())
}
