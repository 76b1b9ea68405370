//! The whole way: from a proxy's headers to the response.

use std::fs::OpenOptions;
use std::hint::black_box;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use criterion::Criterion;
use gatepost::gate::dialect::Dialect;

use crate::world::{Ask, Caches, DECISION_LOG, Log, Opened, World};

/// Fewer than the log's queue holds, so that no record is dropped, which would cost less than keeping it.
const LOGGED_AT_ONCE: u64 = 4_000;
/// Longer than the log gathers records before it writes them.
const LOG_GATHERS: Duration = Duration::from_millis(6);

pub(crate) fn bench(criterion: &mut Criterion, world: &World) -> Result<()> {
    let mut group = criterion.benchmark_group("warm");
    let opened = world.open(Log::Off, Caches::On)?;
    for (name, ask) in [
        ("allow, API key", world.allowed()?),
        ("allow, session token", world.allowed_by_session()?),
        ("deny", world.denied(Dialect::Nginx)?),
        ("deny, problem document", world.denied(Dialect::Caddy)?),
        ("unknown key", world.unknown_key()?),
        ("anonymous", world.anonymous()?),
        ("malformed path", world.malformed()?),
    ] {
        ask.warm(&opened)?;
        group.bench_function(name, |bencher| bencher.iter(|| black_box(&ask).now(&opened)));
        ask.warm(&opened)?;
    }
    let logging = world.open(Log::File, Caches::On)?;
    let log = world.folder.path().join(DECISION_LOG);
    for (name, ask) in [("allow, API key, logged", world.allowed()?), ("deny, logged", world.denied(Dialect::Nginx)?)] {
        ask.warm(&logging)?;
        group
            .bench_function(name, |bencher| bencher.iter_custom(|iterations| logged(iterations, &log, &ask, &logging)));
    }
    ensure!(
        logging.app.metrics.render().contains("gatepost_decision_log_dropped_total 0\n"),
        "the log's queue was full, so that records were dropped: the figures are too low"
    );
    group.finish();

    let mut group = criterion.benchmark_group("cold");
    let opened = world.open(Log::Off, Caches::Off)?;
    for (name, ask) in [
        ("allow, API key", world.allowed()?),
        ("allow, session token", world.allowed_by_session()?),
        ("unknown key", world.unknown_key()?),
    ] {
        ask.check(ask.blocking(&opened))?;
        ensure!(ask.now(&opened).is_none(), "nothing was to be remembered");
        group.bench_function(name, |bencher| bencher.iter(|| black_box(&ask).blocking(&opened)));
    }
    group.finish();
    Ok(())
}

/// The time for so many decisions, with pauses in which the log's thread writes what was taken.
fn logged(iterations: u64, log: &Path, ask: &Ask, opened: &Opened) -> Duration {
    let mut spent = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let now = left.min(LOGGED_AT_ONCE);
        let began = Instant::now();
        for _ in 0..now {
            black_box(black_box(ask).now(opened));
        }
        spent += began.elapsed();
        left -= now;
        wait_until_written(log);
    }
    spent
}

/// Waits until the log has stopped growing, then empties it.
fn wait_until_written(log: &Path) {
    let len = || log.metadata().map_or(0, |metadata| metadata.len());
    let mut before = u64::MAX;
    while before != len() {
        before = len();
        thread::park_timeout(2 * LOG_GATHERS);
    }
    // The next lines go to the new end.
    let _ = OpenOptions::new().write(true).truncate(true).open(log);
}
