//! When API keys were used: gathered here, so that no request waits for it to be written down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::model::{ApiKeyId, Timestamp};

/// Of how many keys the use is kept until it is written down, which is done every second. If that cannot be done, the
/// uses of further keys are forgotten.
const MOST_KEYS: usize = 65_536;

/// When keys were last used, as far as that has not been written down.
#[derive(Default)]
pub(super) struct Uses(Mutex<HashMap<ApiKeyId, Timestamp>>);

impl Uses {
    pub(super) fn note(&self, key: ApiKeyId, at: Timestamp) {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if uses.len() < MOST_KEYS || uses.contains_key(&key) {
            uses.insert(key, at);
        }
    }

    /// What has come since the last time.
    pub(super) fn take(&self) -> Vec<(ApiKeyId, Timestamp)> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_764_000_000);

    #[test]
    fn each_key_is_taken_once_with_its_last_use() {
        let uses = Uses::default();
        let (one, other) = (ApiKeyId::generate(NOW), ApiKeyId::generate(NOW));
        let later = NOW.plus(Duration::from_secs(1));
        for (key, at) in [(one, NOW), (other, NOW), (one, later)] {
            uses.note(key, at);
        }
        let mut taken = uses.take();
        taken.sort_by_key(|(_, at)| *at);
        assert_eq!(taken, [(other, NOW), (one, later)]);
        assert_eq!(uses.take(), []);
    }

    #[test]
    fn it_does_not_grow_while_nobody_takes() {
        let uses = Uses::default();
        let first = ApiKeyId::generate(NOW);
        uses.note(first, NOW);
        for _ in 0..MOST_KEYS {
            uses.note(ApiKeyId::generate(NOW), NOW);
        }
        let later = NOW.plus(Duration::from_secs(1));
        uses.note(first, later);
        let taken = uses.take();
        assert_eq!(taken.len(), MOST_KEYS);
        assert!(taken.contains(&(first, later)));
    }
}
