//! A count that several cores add to without meeting: what is read seldom is spread over cells, and each thread adds to
//! its own.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use prometheus_client::metrics::counter::{Atomic, Counter};

/// A counter for what is counted with each decision.
pub(super) type BusyCounter = Counter<u64, Cells>;

/// More threads than this share cells.
const CELLS: usize = 8;

/// The count is the sum of all cells.
#[derive(Debug, Default)]
pub(super) struct Cells([Cell; CELLS]);

/// As far from the next as processors fetch memory together.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Cell(AtomicU64);

impl Atomic<u64> for Cells {
    fn inc(&self) -> u64 {
        self.inc_by(1)
    }

    /// Gives what was counted by this thread's cell before.
    fn inc_by(&self, more: u64) -> u64 {
        self.0.get(own_cell()).map_or(0, |cell| cell.0.fetch_add(more, Ordering::Relaxed))
    }

    fn get(&self) -> u64 {
        self.0.iter().map(|cell| cell.0.load(Ordering::Relaxed)).fold(0, u64::wrapping_add)
    }
}

fn own_cell() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    thread_local! {
        static OWN: usize = NEXT.fetch_add(1, Ordering::Relaxed) % CELLS;
    }
    OWN.try_with(|own| *own).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_threads_count_is_counted_once() {
        let counter = BusyCounter::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * CELLS {
                scope.spawn(|| {
                    for _ in 0..1_000 {
                        counter.inc();
                    }
                });
            }
        });
        counter.inc_by(5);
        assert_eq!(counter.get(), 2 * CELLS as u64 * 1_000 + 5);
    }
}
