//! What a decision costs within the process: the whole way from a proxy's headers to the response, the parts that it is
//! made of, and how it compares with Cedar's own evaluator. `benches/README.md` tells the method.

#[path = "decision/against_cedar.rs"]
mod against_cedar;
#[path = "decision/asked.rs"]
mod asked;
#[path = "decision/cedar.rs"]
mod cedar;
#[path = "decision/parts.rs"]
mod parts;
#[path = "decision/way.rs"]
mod way;
#[path = "decision/world.rs"]
mod world;

use std::time::Duration;

use criterion::Criterion;

fn main() -> anyhow::Result<()> {
    let world = world::World::new()?;
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(150))
        .measurement_time(Duration::from_millis(600))
        .sample_size(40)
        // A hundred thousand, the default, take longer than the measurement.
        .nresamples(10_000)
        .configure_from_args();
    way::bench(&mut criterion, &world)?;
    parts::bench(&mut criterion, &world)?;
    criterion.final_summary();
    // As Criterion does: without `--bench` it is a test, which measures nothing.
    let is_measuring = std::env::args().any(|argument| argument == "--bench");
    against_cedar::compare(&world, is_measuring)
}
