//! Policies that are replaced again and again while nginx asks as fast as it can.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::gate::policies::Edited;
use crate::support::http::request;
use crate::support::{Connection, Upstream, nginx, until};

const CLOSED: &str = "@id(\"closed\") forbid (principal, action == Action::\"View\", resource);";
const CLIENTS: usize = 3;
const RELOADS: u64 = 60;
/// nginx ends a connection after a thousand requests.
const PER_CONNECTION: usize = 500;

fn p99(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}

#[test]
#[ignore = "needs nginx: tests/run.sh"]
#[expect(clippy::print_stderr, reason = "the figures are for whoever runs it")]
fn no_request_fails_and_each_is_decided_by_one_generation_while_policies_are_replaced() {
    let edited = Edited::start();
    let world = &edited.world;
    let upstream = Upstream::start();
    let (_proxy, address) = nginx::start(world.decision, upstream.address);
    let bearer = format!("Bearer {}", world.person("olga").api_key);
    let target = format!("/applications/{}", world.application);
    let question = request("GET", &target, &[("Authorization", &bearer)], "");
    let (done, reloading) = (AtomicBool::new(false), AtomicBool::new(false));
    let told: Vec<(u16, bool, Duration)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                scope.spawn(|| {
                    let mut told = Vec::new();
                    while !done.load(Ordering::SeqCst) {
                        let mut client = Connection::open(address);
                        for _ in 0..PER_CONNECTION {
                            let (during, began) = (reloading.load(Ordering::SeqCst), Instant::now());
                            told.push((client.send(&question).status, during, began.elapsed()));
                            if done.load(Ordering::SeqCst) {
                                break;
                            }
                        }
                    }
                    told
                })
            })
            .collect();
        std::thread::park_timeout(Duration::from_secs(2));
        reloading.store(true, Ordering::SeqCst);
        for generation in 2..=RELOADS {
            edited.write("policies/own.cedar", if generation % 2 == 0 { CLOSED } else { "" });
            assert_eq!(world.app.reload_policies().unwrap(), generation);
            // What was answered before this is answered otherwise from now on.
            let status = Connection::open(address).send(&question).status;
            assert_eq!(status, if generation % 2 == 0 { 403 } else { 200 }, "generation {generation}");
        }
        done.store(true, Ordering::SeqCst);
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });

    let with = |status| told.iter().filter(|(told, ..)| *told == status).count();
    assert_eq!(with(200) + with(403), told.len(), "every request is answered as one of both policies does");
    assert!(told.len() > 2_000, "{}", told.len());
    let dropped = edited.metric("gatepost_decision_log_dropped_total");
    assert_eq!(dropped, 0, "the log is complete");
    let reloads = usize::try_from(RELOADS).unwrap() - 1;
    let records = until(Duration::from_secs(20), "all records", || {
        let records = world.decision_records();
        (records.len() == told.len() + reloads).then_some(records)
    });
    let (mut allowed, mut generations) = (0, BTreeSet::new());
    for record in records.values() {
        let generation = record["generation"].as_u64().unwrap();
        let (decision, policy) = if generation % 2 == 0 { ("deny", "closed") } else { ("allow", "observer") };
        assert_eq!((&record["decision"], &record["policies"][0]), (&decision.into(), &policy.into()), "{record}");
        allowed += usize::from(decision == "allow");
        generations.insert(generation);
    }
    assert_eq!(generations, (1..=RELOADS).collect());
    assert_eq!(allowed, with(200) + reloads / 2, "what nginx was told is what its clients were told");
    let latencies = |wanted| told.iter().filter(|(_, during, _)| *during == wanted).map(|told| told.2).collect();
    let (before, during) = (p99(latencies(false)), p99(latencies(true)));
    eprintln!("{} requests, {reloads} reloads; p99 {before:?} before, {during:?} during", told.len());
}
