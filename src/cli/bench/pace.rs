//! When the next request is due.

mod timer;

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use self::timer::Timer;
use super::load::Plan;

/// When the load is sent.
#[derive(Clone, Copy)]
pub(super) struct Phases {
    /// From here on there is load.
    pub(super) begins: Instant,
    /// From here on it is measured.
    pub(super) measured: Instant,
    /// From here on nothing more is due.
    pub(super) ends: Instant,
    /// From here on what was due is not sent any more.
    pub(super) gives_up: Instant,
}

/// Gives each connection of a thread its turn.
pub(super) enum Pace {
    /// As soon as the connection is free.
    Closed(Phases),
    /// When the next request is due, or at once where it was due before.
    Open(Due),
}

/// The fixed times at which the requests of one thread are due.
pub(super) struct Due {
    phases: Phases,
    rate: u32,
    /// This thread sends the requests of these numbers: the first, and each so many after it.
    first: u64,
    step: u64,
    /// How many of them have been taken. Whoever holds this waits for the next one, and everybody else behind it, so
    /// that one timer is enough.
    taken: Mutex<u64>,
    timer: Timer,
}

/// A connection's turn to send a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Turn {
    /// Since when its latency counts.
    pub(super) due: Instant,
    /// How late the sender itself was, where a connection waited for it to be due.
    pub(super) late: Option<Duration>,
}

impl Phases {
    pub(super) fn new(plan: &Plan, begins: Instant) -> Self {
        let measured = begins + plan.warm_up;
        let ends = measured + plan.duration;
        Self { begins, measured, ends, gives_up: ends + plan.timeout }
    }

    /// Whether a request that was due then counts.
    pub(super) fn is_measured(&self, due: Instant) -> bool {
        self.measured <= due && due < self.ends
    }
}

impl Pace {
    /// That of the thread with this number, counted from 0. Within a runtime only.
    pub(super) fn new(plan: &Plan, phases: Phases, thread: u32) -> io::Result<Self> {
        Ok(match plan.rate {
            None => Self::Closed(phases),
            Some(rate) => {
                let (first, step) = (thread.into(), plan.threads.into());
                Self::Open(Due { phases, rate, first, step, taken: Mutex::new(0), timer: Timer::new()? })
            }
        })
    }

    /// Waits for the next turn; nothing when there is none any more.
    pub(super) async fn next(&self) -> io::Result<Option<Turn>> {
        match self {
            Self::Closed(phases) => {
                let now = Instant::now();
                Ok((now < phases.ends).then_some(Turn { due: now, late: None }))
            }
            Self::Open(due) => due.next().await,
        }
    }

    /// When those requests were due that have not been taken.
    pub(super) async fn left(&self) -> Vec<Instant> {
        match self {
            Self::Closed(_) => Vec::new(),
            Self::Open(due) => {
                let taken = *due.taken.lock().await;
                (taken..).map(|turn| due.at(turn)).take_while(|at| *at < due.phases.ends).collect()
            }
        }
    }
}

impl Due {
    async fn next(&self) -> io::Result<Option<Turn>> {
        let mut taken = self.taken.lock().await;
        let due = self.at(*taken);
        let now = Instant::now();
        if due >= self.phases.ends || now >= self.phases.gives_up {
            return Ok(None);
        }
        *taken += 1;
        if due <= now {
            return Ok(Some(Turn { due, late: None }));
        }
        self.timer.until(due).await?;
        Ok(Some(Turn { due, late: Some(due.elapsed()) }))
    }

    fn at(&self, turn: u64) -> Instant {
        let number = self.first + turn * self.step;
        let nanos = u128::from(number) * 1_000_000_000 / u128::from(self.rate);
        self.phases.begins + Duration::from_nanos(nanos.try_into().unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(rate: Option<u32>, threads: u32) -> Plan {
        Plan {
            connections: 4,
            threads,
            rate,
            warm_up: Duration::from_millis(100),
            duration: Duration::from_millis(200),
            timeout: Duration::from_secs(1),
        }
    }

    /// The turns of a load that began so long ago, taken without a pause. None is given before it is due.
    async fn turns(plan: &Plan, ago: Duration) -> Vec<Turn> {
        let phases = Phases::new(plan, Instant::now() - ago);
        let mut turns = Vec::new();
        for thread in 0..plan.threads {
            let pace = Pace::new(plan, phases, thread).unwrap();
            while let Some(turn) = pace.next().await.unwrap() {
                assert!(turn.due <= Instant::now());
                turns.push(turn);
            }
        }
        turns
    }

    #[tokio::test]
    async fn every_request_that_is_due_gets_its_turn_whenever_it_is_taken() {
        for (rate, threads) in [(1_000, 1), (1_000, 3), (7, 2)] {
            let plan = plan(Some(rate), threads);
            let late = turns(&plan, Duration::from_secs(1)).await;
            assert_eq!(late.len(), (rate as usize * 3).div_ceil(10), "those of 300 ms");
            assert!(late.iter().all(|turn| turn.late.is_none()));
        }
    }

    #[tokio::test]
    async fn nobody_gets_a_turn_before_it_is_due() {
        let plan = plan(Some(100), 1);
        let turns = turns(&plan, Duration::ZERO).await;
        assert_eq!(turns.len(), 30);
        assert!(turns.iter().any(|turn| turn.late.is_some()), "it waited for those that were not due");
        assert!(turns.windows(2).all(|pair| pair[1].due - pair[0].due == Duration::from_millis(10)));
    }

    #[tokio::test]
    async fn what_was_due_is_given_up_after_a_while_and_is_known() {
        let plan = plan(Some(1_000), 1);
        let phases = Phases::new(&plan, Instant::now() - Duration::from_secs(2));
        let pace = Pace::new(&plan, phases, 0).unwrap();
        assert_eq!(pace.next().await.unwrap(), None);
        let left = pace.left().await;
        assert_eq!(left.iter().filter(|due| phases.is_measured(**due)).count(), 200);
    }

    #[tokio::test]
    async fn without_a_rate_there_is_always_a_turn_until_the_end() {
        let plan = plan(None, 1);
        let pace = Pace::new(&plan, Phases::new(&plan, Instant::now()), 0).unwrap();
        assert_eq!(pace.next().await.unwrap().map(|turn| turn.late), Some(None));
        let pace = Pace::new(&plan, Phases::new(&plan, Instant::now() - Duration::from_secs(1)), 0).unwrap();
        assert_eq!(pace.next().await.unwrap(), None);
        assert!(pace.left().await.is_empty());
    }
}
