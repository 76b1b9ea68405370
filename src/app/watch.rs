//! Follows the folders of the policies, and has them read again when something in them has changed.
//!
//! What the operating system tells is a hint only: what counts is whether the contents are others than those in force. So
//! one hint too many costs a look, and one too few is made up for by looking every now and then.

mod places;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{ErrorKind, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout_at};

use self::places::Places;
use super::App;
use crate::accounts::Reloader;
use crate::authz::generation::Source;

/// A burst of changes is over when it has been quiet for so long.
const QUIET: Duration = Duration::from_millis(100);
/// How long a burst is waited out at most.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often the files are looked at without any hint: network file systems give none of what others change.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// The same where the folders cannot be watched.
const POLL_EVERY: Duration = Duration::from_secs(3);
/// Hints that wait. One that finds no room is not missed: there is one waiting already.
const WAITING: usize = 256;

/// What is followed.
pub(super) struct Watched {
    /// Where the policies are read from.
    pub(super) source: Source,
    /// The folder of a candidate, if there is one.
    pub(super) shadow: Option<PathBuf>,
}

/// What the operating system tells.
enum Hint {
    /// The file is being written.
    Writing(PathBuf),
    /// The file is whole, or gone.
    Settled(PathBuf),
    /// Something else has happened.
    Other,
}

/// Follows the folders for as long as it is polled.
pub(super) async fn follow(app: Arc<App>, watched: Watched) {
    let (sender, mut hints) = channel(WAITING);
    let mut watch = Watch { watched, sender, places: Arc::default(), watcher: None, follows: true };
    loop {
        let app = Arc::clone(&app);
        let looked = tokio::task::spawn_blocking(move || {
            // First, so that what changes while the files are read is told.
            watch.renew();
            // How it went is logged and counted there.
            let _ = app.accounts.reload_policies(Reloader::Watcher);
            watch
        });
        watch = match looked.await {
            Ok(watch) => watch,
            Err(error) => {
                tracing::error!(%error, "the policies are not watched any more: SIGHUP and the API put changes into force");
                return;
            }
        };
        let next_look = Instant::now() + if watch.follows { LOOK_EVERY } else { POLL_EVERY };
        if let Ok(Some(hint)) = timeout_at(next_look, hints.recv()).await {
            settle(&mut hints, hint).await;
        }
    }
}

/// Waits until the burst that begins with this hint is over.
async fn settle(hints: &mut Receiver<Hint>, first: Hint) {
    let end = Instant::now() + PATIENCE;
    let (mut writing, mut next) = (BTreeSet::new(), Some(first));
    while let Some(hint) = next {
        match hint {
            Hint::Writing(file) => drop(writing.insert(file)),
            Hint::Settled(file) => drop(writing.remove(&file)),
            Hint::Other => {}
        }
        let now = Instant::now();
        if now >= end {
            break;
        }
        // Half of a file may be as valid as all of it.
        let until = if writing.is_empty() { end.min(now + QUIET) } else { end };
        next = timeout_at(until, hints.recv()).await.ok().flatten();
    }
}

/// What is watched, and how.
struct Watch {
    watched: Watched,
    sender: Sender<Hint>,
    /// Shared with the thread that gets the hints.
    places: Arc<Mutex<Places>>,
    watcher: Option<RecommendedWatcher>,
    /// Whether the last attempt to watch has succeeded.
    follows: bool,
}

impl Watch {
    /// Watches the places that are to be watched now. A folder that was replaced is another one by the same name, so all
    /// are watched anew each time.
    fn renew(&mut self) {
        let renewed = self.try_renew();
        match &renewed {
            Ok(()) if !self.follows => tracing::info!("the folders of the policies are watched again"),
            Err(error) if self.follows => tracing::warn!(
                %error,
                "the folders of the policies cannot be watched: they are looked at every {} s instead",
                POLL_EVERY.as_secs()
            ),
            _ => {}
        }
        self.follows = renewed.is_ok();
    }

    fn try_renew(&mut self) -> notify::Result<()> {
        let watcher = match &mut self.watcher {
            Some(watcher) => watcher,
            none => none.insert(watcher(self.sender.clone(), Arc::clone(&self.places))?),
        };
        let places = Places::of(&self.watched);
        let old = std::mem::replace(&mut *self.places.lock().unwrap_or_else(PoisonError::into_inner), places.clone());
        for folder in old.watched() {
            // It may be gone.
            let _ = watcher.unwatch(folder);
        }
        for folder in places.watched() {
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                // It is gone since: somebody has told so.
                Err(error) if is_absence(&error) => {
                    let _ = self.sender.try_send(Hint::Other);
                }
                result => result?,
            }
        }
        Ok(())
    }
}

fn is_absence(error: &notify::Error) -> bool {
    match &error.kind {
        ErrorKind::PathNotFound => true,
        ErrorKind::Io(error) => error.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

fn watcher(sender: Sender<Hint>, places: Arc<Mutex<Places>>) -> notify::Result<RecommendedWatcher> {
    notify::recommended_watcher(move |told: notify::Result<Event>| {
        let hint = match told {
            Ok(event) => hint(event, &places.lock().unwrap_or_else(PoisonError::into_inner)),
            Err(_) => Some(Hint::Other),
        };
        if let Some(hint) = hint {
            // Where there is no room, others wait that lead to a look as well.
            let _ = sender.try_send(hint);
        }
    })
}

/// What an event means; nothing if it is one of reading, or of what is beside the folders.
fn hint(event: Event, places: &Places) -> Option<Hint> {
    if event.need_rescan() {
        return Some(Hint::Other);
    }
    let path = event.paths.into_iter().find(|path| places.concerns(path))?;
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) | EventKind::Remove(_) => Some(Hint::Settled(path)),
        EventKind::Access(_) => None,
        EventKind::Modify(ModifyKind::Data(_)) => Some(Hint::Writing(path)),
        EventKind::Modify(ModifyKind::Name(_)) => Some(Hint::Settled(path)),
        _ => Some(Hint::Other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn time_to_settle(hints: Vec<(u64, Hint)>) -> Duration {
        let (sender, mut receiver) = channel(WAITING);
        let start = Instant::now();
        let telling = async move {
            for (millis, hint) in hints {
                tokio::time::sleep_until(start + Duration::from_millis(millis)).await;
                sender.send(hint).await.unwrap();
            }
            // Nothing more is told, and the end of it is not told either.
            std::future::pending::<()>().await;
        };
        let settling = async {
            let first = receiver.recv().await.unwrap();
            settle(&mut receiver, first).await;
            start.elapsed()
        };
        tokio::select! {
            () = telling => unreachable!(),
            elapsed = settling => elapsed,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_over_when_it_is_quiet() {
        let other = |millis| (millis, Hint::Other);
        assert_eq!(time_to_settle(vec![other(0)]).await, Duration::from_millis(100));
        assert_eq!(time_to_settle(vec![other(0), other(50), other(140)]).await, Duration::from_millis(240));
        let endless = (0..100).map(|at| other(at * 50)).collect();
        assert_eq!(time_to_settle(endless).await, PATIENCE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_file_that_is_being_written_is_waited_for() {
        let file = || PathBuf::from("a.cedar");
        let hints = vec![(0, Hint::Writing(file())), (700, Hint::Settled(file()))];
        assert_eq!(time_to_settle(hints).await, Duration::from_millis(800));
        assert_eq!(time_to_settle(vec![(0, Hint::Writing(file()))]).await, PATIENCE);
    }
}
