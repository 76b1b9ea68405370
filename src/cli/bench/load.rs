//! The load: connections that take their turns.

use std::sync::{Arc, Barrier, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hyper::StatusCode;
use tokio::runtime;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use super::client::{Client, Connection, Failure, Traffic};
use super::pace::{Pace, Phases, Turn};
use super::tally::Tally;

/// Before a connection that could not be made is tried again, so that a server that is gone is not asked in a tight loop.
const PAUSE: Duration = Duration::from_millis(20);

/// What is to be done.
pub(super) struct Plan {
    pub(super) connections: u32,
    pub(super) threads: u32,
    /// Requests per second; as many as are answered where it is not set.
    pub(super) rate: Option<u32>,
    pub(super) warm_up: Duration,
    pub(super) duration: Duration,
    pub(super) timeout: Duration,
}

/// What the threads share.
struct Shared<'a> {
    client: &'a Client,
    plan: &'a Plan,
    /// All connections are open before the first request is sent.
    connected: Barrier,
    began: OnceLock<Instant>,
}

/// What the connections of one thread share.
struct Sender {
    client: Client,
    phases: Phases,
    timeout: Duration,
    pace: Pace,
    tally: Mutex<Tally>,
}

/// What came of the load, and what went over the wire while it was measured.
pub(super) struct Outcome {
    pub(super) tally: Tally,
    pub(super) traffic: Traffic,
}

/// Sends the load. Blocks until it is over.
pub(super) fn run(client: &Client, plan: &Plan) -> Result<Outcome> {
    let connected = Barrier::new(usize::try_from(plan.threads)?);
    let shared = Shared { client, plan, connected, began: OnceLock::new() };
    thread::scope(|scope| {
        let shared = &shared;
        let running: Vec<_> = (0..plan.threads).map(|number| scope.spawn(move || shared.send(number))).collect();
        let mut whole = Outcome { tally: Tally::new()?, traffic: Traffic::default() };
        for thread in running {
            let Ok(outcome) = thread.join() else { bail!("a thread of the load has panicked") };
            let Outcome { tally, traffic } = outcome?;
            whole.tally.add(&tally)?;
            // Counted over all threads, by the first of them.
            whole.traffic = if whole.traffic == Traffic::default() { traffic } else { whole.traffic };
        }
        Ok(whole)
    })
}

impl Shared<'_> {
    /// The work of one thread.
    fn send(&self, number: u32) -> Result<Outcome> {
        let runtime = runtime::Builder::new_current_thread().enable_all().build();
        let connections = match &runtime {
            Ok(runtime) => runtime.block_on(self.connect(number)),
            Err(_) => Ok(Vec::new()),
        };
        // Whatever has happened: the others wait for this.
        self.connected.wait();
        let (runtime, connections) = (runtime.context("cannot start")?, connections?);
        let phases = Phases::new(self.plan, *self.began.get_or_init(Instant::now));
        runtime.block_on(async {
            let pace = Pace::new(self.plan, phases, number)?;
            let (client, timeout, tally) = (self.client.clone(), self.plan.timeout, Mutex::new(Tally::new()?));
            let sender = Arc::new(Sender { client, phases, timeout, pace, tally });
            let watching = tokio::spawn(Arc::clone(&sender).watch());
            let mut asking = JoinSet::new();
            for connection in connections {
                asking.spawn(Arc::clone(&sender).keep_asking(connection));
            }
            while let Some(done) = asking.join_next().await {
                done.context("a connection has panicked")??;
            }
            let traffic = watching.await.context("counting has panicked")?;
            let left = sender.pace.left().await;
            let mut tally = sender.tally();
            for due in left.into_iter().filter(|due| phases.is_measured(*due)) {
                tally.not_sent(due.elapsed());
            }
            Ok(Outcome { tally: tally.clone(), traffic })
        })
    }

    /// The connections of one thread.
    async fn connect(&self, number: u32) -> Result<Vec<Connection>> {
        let own = (number..self.plan.connections).step_by(usize::try_from(self.plan.threads)?);
        let mut connections = Vec::new();
        for _ in own {
            let failed = || format!("cannot open connection {} of {}", connections.len() + 1, self.plan.connections);
            connections.push(self.client.connect().await.with_context(failed)?);
        }
        Ok(connections)
    }
}

impl Sender {
    async fn keep_asking(self: Arc<Self>, connection: Connection) -> Result<()> {
        let mut slot = Some(connection);
        while let Some(turn) = self.pace.next().await.context("the timer has failed")? {
            let answer = self.client.ask(&mut slot, self.timeout).await;
            self.record(turn, answer);
            if answer == Err(Failure::NotConnected) {
                sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    fn record(&self, turn: Turn, answer: Result<StatusCode, Failure>) {
        let now = Instant::now();
        if self.phases.is_measured(turn.due) {
            self.tally().asked(turn, answer, now.saturating_duration_since(turn.due), now < self.phases.ends);
        }
    }

    /// What goes over the wire while it is measured.
    async fn watch(self: Arc<Self>) -> Traffic {
        sleep_until(self.phases.measured.into()).await;
        let before = self.client.traffic();
        sleep_until(self.phases.ends.into()).await;
        self.client.traffic().since(before)
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
