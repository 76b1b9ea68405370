//! Coherence: what any process changes in the store, this one stops serving from its caches.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::{AccountError, Result};
use crate::authn::Keyring;
use crate::cache::Versions;
use crate::clock::Clock;
use crate::model::{Change, ChangeSeq, Timestamp};
use crate::store::Store;

/// How old the last look at the change sequence may be. Beyond it revocations could have been missed, and nothing is
/// decided from caches any more.
const MAX_AGE: Duration = Duration::from_secs(5);

/// Follows the store's change sequence.
pub struct Coherence {
    store: Arc<dyn Store>,
    versions: Arc<Versions>,
    keyring: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    position: AtomicI64,
    confirmed: AtomicI64,
}

impl Coherence {
    /// Begins at the end of the change sequence, with the signing keys of the moment. To be made before anything is
    /// read into a cache.
    pub fn start(
        store: Arc<dyn Store>,
        versions: Arc<Versions>,
        keyring: Arc<Keyring>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self> {
        let position = store.position()?;
        keyring.load(&store.signing_keys()?)?;
        let confirmed = AtomicI64::new(clock.now().as_micros());
        Ok(Self { store, versions, keyring, clock, position: AtomicI64::new(position), confirmed })
    }

    /// Applies what other processes have changed since the last time. Blocks.
    pub fn catch_up(&self) -> Result<()> {
        let began = self.clock.now();
        let since: ChangeSeq = self.position.load(Ordering::SeqCst);
        let news = self.store.changes_since(since)?;
        self.apply(&news.changes)?;
        self.position.store(news.position, Ordering::SeqCst);
        self.confirmed.store(began.as_micros(), Ordering::SeqCst);
        Ok(())
    }

    /// Whether the caches are known to hold nothing that was changed more than a few seconds ago.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        let confirmed = Timestamp::from_micros(self.confirmed.load(Ordering::Relaxed));
        // A look from the future was made before the clock was set back: how old it is cannot be told.
        now.since(confirmed) <= MAX_AGE && confirmed.since(now) <= MAX_AGE
    }

    /// Applies changes that this process has made and committed.
    pub(super) fn apply(&self, changes: &[Change]) -> Result<()> {
        for change in changes {
            self.versions.changed(change);
        }
        if changes.iter().any(|change| matches!(change, Change::SigningKeys | Change::Everything)) {
            let keys = self.store.signing_keys().map_err(AccountError::Store)?;
            self.keyring.load(&keys)?;
            // What was verified with the keys of before, between the two steps, is not served either.
            self.versions.changed(&Change::SigningKeys);
        }
        Ok(())
    }
}
