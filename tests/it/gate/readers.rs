//! What the caches do not have: many who ask for it at once, and a store that does not answer.

use std::sync::{Arc, Barrier};
use std::thread::available_parallelism;
use std::time::{Duration, Instant};

use gatepost::clock::SystemClock;

use super::caches::question;
use crate::support::http::request;
use crate::support::{Connection, Watched, World, until};

const PATIENCE: Duration = Duration::from_secs(10);

/// A world with the store that it asks. What made it was noticed, so that nothing is forgotten from now on.
fn world(settings: &[(&'static str, &str)]) -> (World, Arc<Watched>) {
    let (world, store) =
        World::with_store(Arc::new(SystemClock), settings, false, |path| Arc::new(Watched::open(path)));
    world.app.coherence.catch_up().unwrap();
    (world, store)
}

/// May somebody connect to the device?
fn may(world: &World, who: &str) -> Vec<u8> {
    question("POST", &format!("/devices/{}/ssh", world.device), &world.person(who).api_key)
}

#[test]
fn a_herd_reads_the_store_a_few_times() {
    let (world, store) = world(&[("decision.deadline_ms", "5000")]);
    let question = may(&world, "oleg");
    let (together, readers) = (Barrier::new(201), available_parallelism().map_or(2, |cores| cores.get().max(2)));
    store.hang(true);
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| {
                let mut client = Connection::open(world.decision);
                together.wait();
                assert_eq!(client.send(&question).status, 200);
            });
        }
        together.wait();
        // As many as can read at once do, and all others wait for them.
        let begun = || (store.reads("credential_by_digest") == readers).then_some(());
        until(PATIENCE, "the first reads", begun);
        store.hang(false);
    });
    for read in ["credential_by_digest", "device_standing"] {
        let times = store.reads(read);
        assert!((1..=readers).contains(&times), "{read}: {times} times");
    }
}

#[test]
fn a_store_that_hangs_holds_up_nothing_that_can_be_answered_without_it() {
    let (world, store) = world(&[("decision.deadline_ms", "300")]);
    let (known, unknown) = (may(&world, "oleg"), may(&world, "devi"));
    let mut client = Connection::open(world.decision);
    assert_eq!(client.send(&known).status, 200);
    store.hang(true);
    std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..20)
            .map(|_| {
                scope.spawn(|| {
                    let (mut client, began) = (Connection::open(world.decision), Instant::now());
                    let reply = client.send(&unknown);
                    assert_eq!(reply.status, 503);
                    assert_eq!(reply.header("retry-after"), Some("1"));
                    began.elapsed()
                })
            })
            .collect();
        until(PATIENCE, "the first read", || (store.reads("credential_by_digest") > 1).then_some(()));
        while !waiting.iter().all(|thread| thread.is_finished()) {
            assert_eq!(client.send(&known).status, 200);
            assert_eq!(client.send(&request("GET", "/healthz", &[], "")).status, 200);
        }
        for thread in waiting {
            // The deadline, and what a busy machine takes.
            let took = thread.join().unwrap();
            assert!((Duration::from_millis(290)..Duration::from_secs(3)).contains(&took), "{took:?}");
        }
    });
    store.hang(false);
    until(PATIENCE, "an answer", || (client.send(&unknown).status == 200).then_some(()));
}
